# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A trajectory beside its reference, pose by pose: for plots, and to judge what the covariance promises.

The first poses are laid over each other: that is what the covariance of an odometry speaks of. The reference is
interpolated to the instants of the estimate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.evaluation.trajectory import LEAST_PAIRS, STANDING_M, consistency, rms
from event_perception.evaluation.trajectory_instants import Vectors, covered, interpolated
from event_perception.io.trajectory import Trajectory

SIGMAS = 3.0


@dataclass(frozen=True, eq=False)
class TrajectorySeries:
    """Both trajectories at the same n instants, in the frame of the estimate.

    Attributes:
        t_ns: Instants (n,).
        index: Which poses of the estimate these are (n,).
        truth: Reference, moved so that its first pose is that of the estimate, (n, 4, 4).
        ours: Estimate (n, 4, 4).
        position_error_m: Truth less estimate (n, 3); None where the estimate has no positions to judge.
        turn_error_rad: Rotation vector from the estimate to the truth, fixed axes (n, 3).
    """

    t_ns: NDArray[np.int64]
    index: NDArray[np.intp]
    truth: Vectors
    ours: Vectors
    position_error_m: Vectors | None
    turn_error_rad: Vectors

    @property
    def t_s(self) -> Vectors:
        """Seconds since the first."""
        return np.asarray((self.t_ns - self.t_ns[0]) * 1e-9)


def series_of(reference: Trajectory, estimate: Trajectory, *, max_gap_s: float = 0.1) -> TrajectorySeries:
    """Bring both to the instants of the estimate.

    Args:
        reference: The truth.
        estimate: What is judged.
        max_gap_s: Where the reference has no pose for longer than this, nothing is compared, seconds.

    Raises:
        DataError: If fewer than three poses can be compared.
    """
    index = covered(reference.t_ns, estimate.t_ns, round(max_gap_s * 1e9))
    if len(index) < LEAST_PAIRS:
        raise DataError(f'{len(index)} poses of the estimate lie inside the reference; need {LEAST_PAIRS}')
    t_ns, ours = estimate.t_ns[index], estimate.T_world_body[index]
    there = interpolated(reference, t_ns)
    truth = ours[0] @ np.linalg.inv(there[0]) @ there
    turn = Rotation.from_matrix(truth[:, :3, :3]) * Rotation.from_matrix(ours[:, :3, :3]).inv()
    moves = np.ptp(ours[:, :3, 3], axis=0).max() >= STANDING_M
    shift = truth[:, :3, 3] - ours[:, :3, 3] if moves else None
    return TrajectorySeries(t_ns, index, truth, ours, shift, turn.as_rotvec())


def claims_kept(series: TrajectorySeries, pose_covariance: Vectors) -> dict[str, dict[str, float]]:
    """Whether the claimed covariances (n, 6, 6) of the poses tell how large the errors are.

    Returns:
        For ``orientation`` and, where it is judged, ``position``: ``nees_mean`` and ``nees_median`` as
        ``consistency`` has them, ``inside_3_sigma``, the share of errors per axis that are, ``rms`` of the error
        and the ``claimed`` standard deviation of its size, degrees or metres.
    """
    parts = {'orientation': (series.turn_error_rad, pose_covariance[:, 3:, 3:], float(np.rad2deg(1)))}
    if series.position_error_m is not None:
        parts['position'] = (series.position_error_m, pose_covariance[:, :3, :3], 1.0)
    return {name: _kept(*part) for name, part in parts.items()}


def _kept(errors: Vectors, covariances: Vectors, unit: float) -> dict[str, float]:
    later = slice(1, None)  # the first error is 0 by construction
    deviations = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    return {
        **consistency(errors[later], covariances[later]),
        'inside_3_sigma': float(np.mean(np.abs(errors[later]) <= SIGMAS * deviations[later])),
        'rms': unit * rms(np.linalg.norm(errors[later], axis=1)),
        'claimed': unit * rms(np.linalg.norm(deviations[later], axis=1)),
    }


def relative_errors(series: TrajectorySeries, spans_s: tuple[float, ...]) -> list[tuple[float, float, float]]:
    """RMS of relative errors over several times: (span, metres or nan, degrees), where the series is long enough."""
    found = []
    for span_s in spans_s:
        later = np.searchsorted(series.t_ns, series.t_ns + round(span_s * 1e9))
        first = np.flatnonzero(later < len(series.t_ns))
        if first.size:
            moved = [np.linalg.inv(T[first]) @ T[later[first]] for T in (series.truth, series.ours)]
            error = np.linalg.inv(moved[0]) @ moved[1]
            turned = Rotation.from_matrix(error[:, :3, :3]).magnitude()
            shift = (
                rms(np.linalg.norm(error[:, :3, 3], axis=1))
                if series.position_error_m is not None
                else np.nan
            )
            found.append((span_s, float(shift), float(np.rad2deg(rms(turned)))))
    return found
