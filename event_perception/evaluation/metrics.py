# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of angular velocity and of flow against a reference."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError

FLOW_INTERVAL_S = 0.1
"""Flow errors in pixels are displacements over this time, as in the DSEC benchmark."""


def angle_between_deg(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angle between vectors along the last axis, degrees; accurate near 0 and 180, nan for a zero vector."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(invalid='ignore'):
        u = a / np.linalg.norm(a, axis=-1, keepdims=True)
        v = b / np.linalg.norm(b, axis=-1, keepdims=True)
    return np.rad2deg(2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1)))


def angular_velocity_errors(
    estimate_rad_s: NDArray[np.floating], reference_rad_s: NDArray[np.floating]
) -> dict[str, Any]:
    """Errors of angular velocities at the same instants.

    Args:
        estimate_rad_s: (n, 3).
        reference_rad_s: (n, 3).

    Returns:
        Root mean square over all components and of each, median length of the error, median angle between the
        two, and the root mean square of the reference to compare with; degrees and deg/s.

    Raises:
        DataError: If the shapes differ, there is nothing to compare or a value is not finite.
    """
    estimate, reference = np.asarray(estimate_rad_s, float), np.asarray(reference_rad_s, float)
    if estimate.shape != reference.shape or estimate.ndim != 2 or estimate.shape[1] != 3 or not len(estimate):
        raise DataError(
            f'angular velocities of shapes {estimate.shape} and {reference.shape}: need both (n, 3)'
        )
    if not (np.isfinite(estimate).all() and np.isfinite(reference).all()):
        raise DataError('angular velocities that are not finite; leave out what is not estimated')
    error = estimate - reference
    direction = angle_between_deg(estimate, reference)
    return {
        'rms_deg_s': float(np.rad2deg(np.sqrt(np.mean(error**2)))),
        'rms_deg_s_per_axis': np.rad2deg(np.sqrt(np.mean(error**2, axis=0))).tolist(),
        'median_error_deg_s': float(np.rad2deg(np.median(np.linalg.norm(error, axis=1)))),
        'direction_median_deg': float(np.nanmedian(direction))
        if not np.isnan(direction).all()
        else float('nan'),
        'reference_rms_deg_s': float(np.rad2deg(np.sqrt(np.mean(reference**2)))),
    }


def flow_errors(
    flow_px_s: NDArray[np.floating],
    truth_px_s: NDArray[np.floating],
    valid: NDArray[np.bool_],
    *,
    interval_s: float = FLOW_INTERVAL_S,
) -> dict[str, float]:
    """Errors of a flow field, averaged over the pixels that are valid in both.

    Args:
        flow_px_s: Estimate (2, H, W), px/s.
        truth_px_s: Reference (2, H, W), px/s.
        valid: Pixels to compare, bool (H, W).
        interval_s: Errors in pixels are displacements over this time.

    Returns:
        ``epe_px_s`` end point error; ``epe_px`` the same over the interval; ``angular_error_deg`` between
        (u, v, 1) and (u', v', 1) in px of the interval (Barron, Fleet and Beauchemin, IJCV 1994);
        ``over_1_px_percent``, ``over_2_px_percent``, ``over_3_px_percent`` shares of pixels with a larger
        end point error.

    Raises:
        DataError: If the shapes do not fit or no pixel is valid.
    """
    if flow_px_s.shape != truth_px_s.shape or flow_px_s.shape != (2, *valid.shape):
        raise DataError(
            f'flow {flow_px_s.shape}, truth {truth_px_s.shape}, valid {valid.shape}: '
            'need (2, H, W) twice and (H, W)'
        )
    if not valid.any():
        raise DataError('no pixel is valid in both flow fields: nothing to compare')
    flow, truth = flow_px_s[:, valid].T * interval_s, truth_px_s[:, valid].T * interval_s
    end_point = np.linalg.norm(flow - truth, axis=1)
    one = np.ones((len(flow), 1))
    angle = angle_between_deg(np.hstack([flow, one]), np.hstack([truth, one]))
    return {
        'epe_px_s': float(end_point.mean() / interval_s),
        'epe_px': float(end_point.mean()),
        'angular_error_deg': float(angle.mean()),
    } | {f'over_{n}_px_percent': float(100 * np.mean(end_point > n)) for n in (1, 2, 3)}
