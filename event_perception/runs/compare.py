# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Comparing what a run wrote, or a robot recorded, with a reference: rates, trajectory, flow, images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.evaluate_flow import evaluate_flow
from event_perception.evaluation.metrics import angle_between_deg, angular_velocity_errors
from event_perception.io.bag_poses import is_bag, poses_of_bag
from event_perception.io.egomotion_csv import EgomotionTable, read_egomotion
from event_perception.io.odometry_csv import OdometryTable, read_odometry
from event_perception.io.trajectory import Trajectory, read_trajectory
from event_perception.runs.folder import finite
from event_perception.runs.reference import AngularVelocity, Reference, find_reference, seconds


@dataclass(frozen=True, eq=False)
class Judged:
    """What is compared, and the truth: everything that a table or a plot of errors needs.

    Attributes:
        rates: Angular velocity of the run; None if there is none.
        trajectory: Its poses.
        claims: State and covariance of each pose.
        truth: The reference.
    """

    rates: EgomotionTable | None
    trajectory: Trajectory | None
    claims: OdometryTable | None
    truth: Reference


def judged(
    estimate: Path, reference: Path, *, topic: str | None = None, reference_topic: str | None = None
) -> Judged:
    """Read both sides.

    Args:
        estimate: A folder written by ``run``, or a bag with odometry.
        reference: Anything that ``find_reference`` knows.
        topic: Of the odometry, where the estimate is a bag with several.
        reference_topic: Of the poses, where the reference is a bag with several.

    Raises:
        DataError: If either side cannot be read.
    """
    truth = find_reference(reference, reference_topic)
    if not estimate.exists():
        raise DataError(f'{estimate}: no such folder or bag to judge')
    if is_bag(estimate):
        told = poses_of_bag(estimate, topic, odometry_first=True)
        return Judged(None, told.trajectory, _claims(told.trajectory, told.pose_covariance), truth)
    files = {name: estimate / name for name in ('egomotion.csv', 'trajectory.tum', 'odometry.csv')}
    there = {name: file for name, file in files.items() if file.is_file()}
    return Judged(
        read_egomotion(there['egomotion.csv']) if 'egomotion.csv' in there else None,
        read_trajectory(there['trajectory.tum']) if 'trajectory.tum' in there else None,
        read_odometry(there['odometry.csv']) if 'odometry.csv' in there else None,
        truth,
    )


def _claims(trajectory: Trajectory, covariance: NDArray[np.float64] | None) -> OdometryTable | None:
    if covariance is None:
        return None
    n = len(trajectory)
    return OdometryTable(trajectory.t_ns, ('',) * n, np.zeros(n), covariance)


def compare(directory: Path, reference: Path, pair: Judged | None = None) -> dict[str, Any]:
    """Every error that the run and the reference have the data for.

    Args:
        directory: A folder written by ``run``, or a bag.
        reference: A file or folder that ``find_reference`` knows.
        pair: Both, where they have been read already.

    Returns:
        A tree with the branches angular_velocity, trajectory, covariance, flow and images, as far as both sides have
        them.

    Raises:
        DataError: If the run has no results, or nothing can be compared.
    """
    pair = pair or judged(directory, reference)
    truth, result = pair.truth, dict[str, Any]()
    if pair.rates is not None:
        if truth.omega is not None:
            result['angular_velocity'] = _rate_errors(pair.rates, truth.omega)
        if truth.mean_omega_rad_s is not None:
            result['mean_angular_velocity'] = _mean_rate_errors(pair.rates, truth.mean_omega_rad_s)
    result |= _of_trajectories(pair)
    if truth.flow is not None and (directory / 'flow').is_dir():
        result['flow'] = evaluate_flow(directory / 'flow', truth.flow)
    if truth.images is not None and (directory / 'images').is_dir():
        from event_perception.runs.compare_images import image_errors

        result['images'] = image_errors(directory / 'images', truth.images)
    if not result:
        raise DataError(f'{directory} and {reference} have nothing in common that can be compared')
    return finite(result)


def _of_trajectories(pair: Judged) -> dict[str, Any]:
    from event_perception.evaluation.trajectory import errors_of_trajectories
    from event_perception.evaluation.trajectory_series import claims_kept, series_of

    truth, ours = pair.truth.trajectory, pair.trajectory
    if truth is None or ours is None:
        return {}
    result: dict[str, Any] = {'trajectory': errors_of_trajectories(truth, ours)}
    if pair.claims is not None and len(pair.claims) == len(ours):
        series = series_of(truth, ours)
        result['covariance'] = claims_kept(series, pair.claims.pose_covariance[series.index])
    return result


def _rate_errors(table: EgomotionTable, truth: AngularVelocity) -> dict[str, Any]:
    """RMS per component and mean angle between the vectors, over converged windows inside the reference."""
    t_s = seconds(table.t_ns)
    reference = truth.at(t_s)
    usable = table.converged & np.isfinite(reference).all(axis=1)
    if not usable.any():
        raise DataError(
            f'no window of the run ({_span(t_s)}) lies inside the reference {truth.source} ({_span(truth.t_s)})'
        )
    return {
        'reference': truth.source,
        'windows_compared': int(usable.sum()),
        'windows_not_converged': int((~table.converged).sum()),
    } | angular_velocity_errors(table.omega_rad_s[usable], reference[usable])


def _mean_rate_errors(table: EgomotionTable, mean_rad_s: NDArray[np.float64]) -> dict[str, Any]:
    if not table.converged.any():
        raise DataError('no window of the run converged: nothing to compare with the mean angular velocity')
    estimate = table.omega_rad_s[table.converged].mean(axis=0)
    return {
        'estimate_rad_s': estimate.tolist(),
        'reference_rad_s': mean_rad_s.tolist(),
        'direction_deg': float(angle_between_deg(estimate, mean_rad_s)),
        'magnitude_ratio': float(np.linalg.norm(estimate) / np.linalg.norm(mean_rad_s)),
    }


def _span(t_s: NDArray[np.float64]) -> str:
    return f'{t_s.min():.3f} to {t_s.max():.3f} s' if t_s.size else 'empty'
