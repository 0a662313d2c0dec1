# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Comparing what a run wrote with a reference: angular velocity, trajectory, flow, images."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.evaluate_flow import evaluate_flow
from event_perception.evaluation.metrics import angle_between_deg, angular_velocity_errors
from event_perception.io.egomotion_csv import EgomotionTable, read_egomotion
from event_perception.runs.folder import finite
from event_perception.runs.reference import AngularVelocity, find_reference, seconds


def compare(directory: Path, reference: Path) -> dict[str, Any]:
    """Every error that the run and the reference have the data for.

    Args:
        directory: A folder written by ``run``.
        reference: A file or folder that ``find_reference`` knows.

    Returns:
        A tree with the branches angular_velocity, trajectory, flow and images, as far as both sides have them.

    Raises:
        DataError: If the run has no results, or nothing can be compared.
    """
    truth = find_reference(reference)
    result: dict[str, Any] = {}
    if (directory / 'egomotion.csv').is_file():
        table = read_egomotion(directory / 'egomotion.csv')
        if truth.omega is not None:
            result['angular_velocity'] = _rate_errors(table, truth.omega)
        if truth.mean_omega_rad_s is not None:
            result['mean_angular_velocity'] = _mean_rate_errors(table, truth.mean_omega_rad_s)
    if truth.trajectory is not None and (directory / 'trajectory.tum').is_file():
        from event_perception.evaluation.trajectory import trajectory_errors

        result['trajectory'] = trajectory_errors(truth.trajectory, directory / 'trajectory.tum')
    if truth.flow is not None and (directory / 'flow').is_dir():
        result['flow'] = evaluate_flow(directory / 'flow', truth.flow)
    if truth.images is not None and (directory / 'images').is_dir():
        from event_perception.runs.compare_images import image_errors

        result['images'] = image_errors(directory / 'images', truth.images)
    if not result:
        raise DataError(f'{directory} and {reference} have nothing in common that can be compared')
    return finite(result)


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
