# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of a trajectory against a reference: absolute after alignment (ATE), and relative over a time (RPE).

Sources: Umeyama, PAMI 1991 (alignment); Sturm and others, IROS 2012 (ATE, RPE); Zhang and Scaramuzza, IROS 2018.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.evaluation.trajectory_instants import associate, at_common_instants
from event_perception.io.trajectory import Trajectory, read_trajectory

LEAST_PAIRS = 3
BETWEEN = (
    'orientation_rmse_deg',
    'orientation_end_deg',
    'drift_deg_min',
    'drift_m_m',
    'rpe_rmse_m',
    'rpe_rmse_deg',
)
LONGEST_GAP_NS = 100_000_000  # between poses that others are interpolated from
STANDING_M = 1e-6  # an estimate that moves less than this over its whole length has no positions to align


@dataclass(frozen=True, eq=False)
class Alignment:
    """Similarity that maps estimated positions onto the reference: ``scale * rotation @ p + translation``."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    scale: float

    def apply(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Positions (n, 3) in the reference frame."""
        return self.scale * positions @ self.rotation.T + self.translation


def trajectory_errors(
    reference: Path, estimate: Path, *, max_difference_s: float = 0.02, delta_s: float = 1.0
) -> dict[str, float]:
    """Compare two trajectory files; see ``errors_of_trajectories``."""
    return errors_of_trajectories(
        read_trajectory(reference),
        read_trajectory(estimate),
        max_difference_s=max_difference_s,
        delta_s=delta_s,
    )


def errors_of_trajectories(
    reference: Trajectory, estimate: Trajectory, *, max_difference_s: float = 0.02, delta_s: float = 1.0
) -> dict[str, float]:
    """Errors of the poses that both trajectories have at about the same time.

    Args:
        reference: The truth.
        estimate: What is judged.
        max_difference_s: Positions further apart in time are not compared, seconds.
        delta_s: Over which time relative errors are taken, seconds.

    Returns:
        ``pairs``, ``path_m``; ``ate_rmse_m``, ``ate_mean_m``, ``ate_median_m``, ``ate_max_m`` after SE(3)
        alignment; ``ate_scaled_rmse_m`` and ``scale`` after Sim(3) alignment; ``orientation_rmse_deg`` and
        ``orientation_end_deg`` after the best rotation; ``drift_deg_min`` and ``drift_m_m``, the end against the
        beginning per minute and per metre of path; ``rpe_rmse_m`` and ``rpe_rmse_deg``. ATE pairs nearest poses, as evo
        does; the others interpolate the denser trajectory, and are nan if its poses are over 0.1 s apart. Positions of an
        estimate that never moves (rotation odometry) are not judged: nan. Orientations are comparable only if
        both trajectories are of the same body frame.

    Raises:
        DataError: If fewer than three poses can be compared.
    """
    of_reference, of_estimate = associate(reference.t_ns, estimate.t_ns, round(max_difference_s * 1e9))
    if len(of_reference) < LEAST_PAIRS:
        raise DataError(
            f'{len(of_reference)} poses lie within {max_difference_s:g} s of each other; need {LEAST_PAIRS}. '
            'Do both trajectories use the same time base?'
        )
    there, here = reference.T_world_body[of_reference], estimate.T_world_body[of_estimate]
    path_m = float(np.linalg.norm(np.diff(there[:, :3, 3], axis=0), axis=1).sum())
    errors = {'pairs': float(len(there)), 'path_m': path_m} | _position_errors(
        there[:, :3, 3], here[:, :3, 3]
    )
    t_ns, truth, ours = at_common_instants(reference, estimate, LONGEST_GAP_NS)
    if len(t_ns) < LEAST_PAIRS:
        return errors | dict.fromkeys(BETWEEN, float('nan'))
    errors |= _orientation_errors(truth[:, :3, :3], ours[:, :3, :3])
    errors |= _drift(t_ns, truth, ours, path_m)
    return errors | _relative_errors(t_ns, truth, ours, round(delta_s * 1e9))


def align(
    reference: NDArray[np.float64], estimate: NDArray[np.float64], *, with_scale: bool = False
) -> Alignment:
    """The similarity that brings estimated positions (n, 3) closest to the reference (n, 3), least squares."""
    centre_r, centre_e = reference.mean(axis=0), estimate.mean(axis=0)
    r, e = reference - centre_r, estimate - centre_e
    U, D, Vt = np.linalg.svd(r.T @ e / len(r))
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    rotation = U @ mirror @ Vt
    scale = float(np.trace(np.diag(D) @ mirror) / np.mean(np.sum(e**2, axis=1))) if with_scale else 1.0
    return Alignment(rotation, centre_r - scale * rotation @ centre_e, scale)


def _position_errors(truth: NDArray[np.float64], ours: NDArray[np.float64]) -> dict[str, float]:
    names = ('ate_rmse_m', 'ate_mean_m', 'ate_median_m', 'ate_max_m', 'ate_scaled_rmse_m', 'scale')
    if np.ptp(ours, axis=0).max() < STANDING_M:
        return dict.fromkeys(names, float('nan'))
    rigid, similar = align(truth, ours), align(truth, ours, with_scale=True)
    error = np.linalg.norm(rigid.apply(ours) - truth, axis=1)
    scaled = np.linalg.norm(similar.apply(ours) - truth, axis=1)
    values = (rms(error), error.mean(), np.median(error), error.max(), rms(scaled), similar.scale)
    return {name: float(value) for name, value in zip(names, values)}


def _orientation_errors(truth: NDArray[np.float64], ours: NDArray[np.float64]) -> dict[str, float]:
    """After turning the estimate as a whole by the best rotation."""
    turn = Rotation.from_matrix(truth) * Rotation.from_matrix(ours).inv()
    angle = (turn.mean().inv() * turn).magnitude()
    started = (turn[0].inv() * turn[-1]).magnitude()
    return {
        'orientation_rmse_deg': float(np.rad2deg(rms(angle))),
        'orientation_end_deg': float(np.rad2deg(started)),
    }


def _drift(
    t_ns: NDArray[np.int64], truth: NDArray[np.float64], ours: NDArray[np.float64], path_m: float
) -> dict[str, float]:
    """How far the end is off when the beginnings are laid over each other: per minute, and per metre of path."""
    error = np.linalg.inv(np.linalg.inv(truth[0]) @ truth[-1]) @ np.linalg.inv(ours[0]) @ ours[-1]
    minutes = float(t_ns[-1] - t_ns[0]) * 1e-9 / 60
    stands = np.ptp(ours[:, :3, 3], axis=0).max() < STANDING_M or path_m < STANDING_M
    turned_deg = float(np.rad2deg(Rotation.from_matrix(error[:3, :3]).magnitude()))
    return {
        'drift_deg_min': turned_deg / minutes if minutes > 0 else float('nan'),
        'drift_m_m': float('nan') if stands else float(np.linalg.norm(error[:3, 3])) / path_m,
    }


def consistency(errors: NDArray[np.float64], covariances: NDArray[np.float64]) -> dict[str, float]:
    """Whether covariances tell how large errors are: e^T C^-1 e over its expectation k, 1 if they do.

    Args:
        errors: (n, k), in the axes of the covariances.
        covariances: (n, k, k), positive definite.

    Returns:
        ``nees_mean`` and ``nees_median``, divided by k; a median of 0.79 (k = 3) or 0.89 (k = 6) is ideal.
        Above: the covariances promise too much.
    """
    solved = np.linalg.solve(covariances, errors[..., None])[..., 0]
    worth = np.einsum('nk,nk->n', errors, solved) / errors.shape[1]
    return {'nees_mean': float(worth.mean()), 'nees_median': float(np.median(worth))}


def _relative_errors(
    t_ns: NDArray[np.int64], truth: NDArray[np.float64], ours: NDArray[np.float64], delta_ns: int
) -> dict[str, float]:
    """Over all pairs of poses that are this far apart in time."""
    later = np.searchsorted(t_ns, t_ns + delta_ns)
    first = np.flatnonzero(later < len(t_ns))
    if not first.size:
        return {'rpe_rmse_m': float('nan'), 'rpe_rmse_deg': float('nan')}
    moved_truth = np.linalg.inv(truth[first]) @ truth[later[first]]
    moved_ours = np.linalg.inv(ours[first]) @ ours[later[first]]
    error = np.linalg.inv(moved_truth) @ moved_ours
    angle = Rotation.from_matrix(error[:, :3, :3]).magnitude()
    stands = np.ptp(ours[:, :3, 3], axis=0).max() < STANDING_M
    return {
        'rpe_rmse_m': float('nan') if stands else rms(np.linalg.norm(error[:, :3, 3], axis=1)),
        'rpe_rmse_deg': float(np.rad2deg(rms(angle))),
    }


def rms(values: NDArray[np.float64]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(values**2)))
