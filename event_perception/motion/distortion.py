# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Lens distortion of normalised image coordinates, and its inverse by Newton's method.

Sources: Brown, Close-range camera calibration, 1971 (radtan, in OpenCV's order of coefficients);
Kannala and Brandt, PAMI 2006 (equidistant).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

ITERATIONS = 30  # Newton from the distorted point needs 4 to 8 for real lenses
FARTHEST = 8.0  # X/Z up to which a fold is looked for: 83 degrees from the axis
TOLERANCE = 1e-12  # normalised units, far below float32 of the bearing table


def distort(points: Points, model: str, coefficients: Sequence[float]) -> Points:
    """Undistorted to distorted normalised coordinates, (..., 2); nan where the mapping has folded over."""
    if model == 'none':
        return points
    if model == 'radtan':
        k = _eight(coefficients)
        return np.where(_beyond_fold(points, k)[..., None], np.nan, _radtan(points, k)[0])
    radius = np.linalg.norm(points, axis=-1, keepdims=True)
    angle = np.arctan(radius)
    ratio = _theta_distorted(angle, coefficients)[0] / np.where(radius > 0, radius, 1.0)
    return points * np.where(radius > 0, ratio, 1.0)


def undistort_normalised(points: Points, model: str, coefficients: Sequence[float]) -> Points:
    """Distorted to undistorted normalised coordinates, (n, 2); nan where there is no inverse."""
    if model == 'none':
        return points
    if model == 'radtan':
        return _invert_radtan(points, _eight(coefficients))
    return _invert_equidistant(points, coefficients)


def _eight(coefficients: Sequence[float]) -> NDArray[np.float64]:
    """k1 k2 p1 p2 k3 k4 k5 k6 with missing ones zero."""
    return np.pad(np.asarray(coefficients, np.float64), (0, 8 - len(coefficients)))


def _radtan(points: Points, k: NDArray[np.float64]) -> tuple[Points, NDArray[np.float64]]:
    """Distorted points and the Jacobian (..., 2, 2)."""
    x, y = points[..., 0], points[..., 1]
    k1, k2, p1, p2, k3, k4, k5, k6 = k
    r2 = x * x + y * y
    upper = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    lower = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    radial = upper / lower
    slope = (
        k1 + r2 * (2 * k2 + 3 * r2 * k3) - radial * (k4 + r2 * (2 * k5 + 3 * r2 * k6))
    ) / lower  # d radial / d r2
    distorted = np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=-1,
    )
    cross = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    jacobian = np.empty((*x.shape, 2, 2))
    jacobian[..., 0, 0] = radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
    jacobian[..., 0, 1] = jacobian[..., 1, 0] = cross
    jacobian[..., 1, 1] = radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x
    return distorted, jacobian


def _invert_radtan(target: Points, k: NDArray[np.float64]) -> Points:
    """Newton from the distorted point; where the mapping folds over there is no valid answer."""
    points = target.copy()
    with np.errstate(all='ignore'):
        for _ in range(ITERATIONS):
            distorted, jacobian = _radtan(points, k)
            step = _solve_2x2(jacobian, target - distorted)
            points = points + step
            if not np.nanmax(np.abs(step), initial=0.0) > TOLERANCE:
                break
        distorted, _ = _radtan(points, k)
        wrong = ~(np.abs(distorted - target).max(axis=-1) < 1e-9) | _beyond_fold(points, k)
    points[wrong] = np.nan
    return points


def _beyond_fold(points: Points, k: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the radius is beyond the first one at which the distorted radius stops growing."""
    radius = np.linspace(0.0, FARTHEST, 8001)
    on_axis = np.stack([radius, np.zeros_like(radius)], axis=-1)
    without_tangential = np.where([0, 0, 1, 1, 0, 0, 0, 0], 0.0, k)
    with np.errstate(all='ignore'):
        growth = _radtan(on_axis, without_tangential)[1][..., 0, 0]
    folded = ~(growth > 0)
    limit = radius[np.argmax(folded)] if folded.any() else np.inf
    return ~(np.hypot(points[..., 0], points[..., 1]) < limit)


def _determinant(a: NDArray[np.float64]) -> NDArray[np.float64]:
    return a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]


def _solve_2x2(a: NDArray[np.float64], b: Points) -> Points:
    first = a[..., 1, 1] * b[..., 0] - a[..., 0, 1] * b[..., 1]
    second = a[..., 0, 0] * b[..., 1] - a[..., 1, 0] * b[..., 0]
    return np.stack([first, second], axis=-1) / _determinant(a)[..., None]


def _theta_distorted(
    theta: NDArray[np.float64], k: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Value theta (1 + k1 theta^2 + k2 theta^4 + k3 theta^6 + k4 theta^8) and its derivative."""
    k1, k2, k3, k4 = k
    t2 = theta * theta
    value = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
    return value, slope


def _invert_equidistant(target: Points, k: Sequence[float]) -> Points:
    """Newton on the angle; an angle of 90 degrees or more has no normalised coordinates."""
    radius = np.linalg.norm(target, axis=-1, keepdims=True)
    theta = np.minimum(radius, np.pi / 2)
    with np.errstate(all='ignore'):
        for _ in range(ITERATIONS):
            value, slope = _theta_distorted(theta, k)
            step = (radius - value) / slope
            theta = theta + step
            if not np.nanmax(np.abs(step), initial=0.0) > TOLERANCE:
                break
        value, slope = _theta_distorted(theta, k)
        good = (np.abs(value - radius) < 1e-9) & (slope > 0) & (theta >= 0) & (theta < np.pi / 2 - 1e-3)
        ratio = np.where(radius > 0, np.tan(theta) / np.where(radius > 0, radius, 1.0), 1.0)
    return np.where(good, target * ratio, np.nan)
