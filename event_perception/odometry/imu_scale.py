# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The unit of length of a trajectory, from an accelerometer: linear least squares over a stretch of motion.

Between two keyframes dt apart, with R_i the orientation and p_i the position in units to be found, and

    alpha = double integral of R_i^T R(t) f,   beta = single integral of the same,   f the specific force,

the velocities v_i, gravity g and the factor s obey (everything in the odometry frame)

    v_i dt + g dt^2 / 2 - s (p_i+1 - p_i) = -R_i alpha,     v_i - v_i+1 + g dt = -R_i beta.

Orientation from the gyroscope inside an interval is not needed: that of the trajectory is interpolated. The factor is
believed only where its variance is small and gravity comes out as it is.

Source: Martinelli, T-RO 2012 (closed form of visual and inertial structure from motion), with known orientation.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from event_perception.config import param
from event_perception.errors import DataError

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ImuScaleConfig:
    """How the factor is found, and when it is believed."""

    interval_s: float = param(0.2, 'Time between keyframes, seconds.', ge=0.02, le=2.0)
    average_s: float = param(0.04, 'Positions are smoothed over so long before and after, s.', ge=0.0, le=0.5)
    gravity_m_s2: float = param(9.81, 'Gravity, m/s^2.', ge=0.1, le=30.0)
    gravity_error_m_s2: float = param(0.2, 'Gravity that comes out must be this close.', ge=0.0, le=10.0)
    relative_std: float = param(0.05, 'Largest standard deviation of a factor, part of it.', ge=1e-4, le=1.0)


@dataclass(frozen=True, eq=False)
class ImuScale:
    """What the accelerometer says of the unit of length.

    Attributes:
        factor: Metres per unit of the trajectory.
        std: Its standard deviation, from the residuals.
        gravity_m_s2: In the odometry frame (3,).
        accepted: Whether it may be used.
        reason: Why, or why not.
    """

    factor: float
    std: float
    gravity_m_s2: Matrix
    accepted: bool
    reason: str


def scale_from_imu(
    t_s: Matrix, poses: Matrix, imu_t_s: Matrix, force_m_s2: Matrix, config: ImuScaleConfig | None = None
) -> ImuScale:
    """Find the factor of a trajectory.

    Args:
        t_s: Instants of the poses, rising (n,).
        poses: T_odom_camera, positions in any unit (n, 4, 4).
        imu_t_s: Instants of the readings, rising (m,).
        force_m_s2: Specific force in camera axes (m, 3); at rest it points up.
        config: Parameters.

    Raises:
        DataError: If the poses span less than four intervals, or readings do not cover them.
    """
    c = config or ImuScaleConfig()
    margin = c.average_s
    knots = np.arange(t_s[0] + margin, t_s[-1] - margin + 1e-9, c.interval_s) if len(t_s) > 1 else np.zeros(0)
    if len(knots) < 5:
        raise DataError(
            f'{len(t_s)} poses give {len(knots)} keyframes {c.interval_s} s apart; at least 5 are needed: use a '
            'longer stretch'
        )
    if imu_t_s[0] > knots[0] or imu_t_s[-1] < knots[-1]:
        raise DataError(
            f'readings from {imu_t_s[0]:.3f} to {imu_t_s[-1]:.3f} s do not cover the poses from {knots[0]:.3f} '
            f'to {knots[-1]:.3f} s'
        )
    rotations = Slerp(t_s, Rotation.from_matrix(poses[:, :3, :3]))
    places = np.array([_mean_place(t_s, poses[:, :3, 3], t, margin) for t in knots])
    integrals = [_integrals(a, b, rotations, imu_t_s, force_m_s2) for a, b in pairwise(knots)]
    A, b = _equations(np.diff(knots), places, integrals)
    return _solved(A, b, c)


def _mean_place(t_s: Matrix, places: Matrix, t: float, margin: float) -> Matrix:
    """Position at an instant, by the parabola through those around it; a mean would round off the curves."""
    near = np.abs(t_s - t) <= margin
    if np.count_nonzero(near) < 4:
        return np.array([np.interp(t, t_s, places[:, k]) for k in range(3)])
    parabola = np.polynomial.polynomial.polyfit(t_s[near] - t, places[near], 2)
    return np.asarray(parabola[0], np.float64)


def _integrals(
    start: float, end: float, rotations: Slerp, imu_t_s: Matrix, force: Matrix
) -> tuple[Matrix, Matrix]:
    """Double and single integral of the specific force in the odometry frame, by the trapezium rule."""
    inside = (imu_t_s > start) & (imu_t_s < end)
    t = np.concatenate([[start], imu_t_s[inside], [end]])
    at_ends = [np.array([np.interp(edge, imu_t_s, force[:, k]) for k in range(3)]) for edge in (start, end)]
    turned = rotations(t).apply(np.concatenate([at_ends[:1], force[inside], at_ends[1:]]))
    dt = np.diff(t)[:, None]
    velocity = np.concatenate([np.zeros((1, 3)), np.cumsum(0.5 * dt * (turned[1:] + turned[:-1]), axis=0)])
    place = np.sum(dt * velocity[:-1] + dt**2 * (2 * turned[:-1] + turned[1:]) / 6, axis=0)
    return place, velocity[-1]


def _equations(dt: Matrix, places: Matrix, integrals: list[tuple[Matrix, Matrix]]) -> tuple[Matrix, Matrix]:
    """Rows of the unknowns (v_0 .. v_n, g, s); those of velocities times dt, so that all are lengths."""
    n = len(places)
    A, b = np.zeros((6 * (n - 1), 3 * n + 4)), np.zeros(6 * (n - 1))
    one = np.eye(3)
    for i, (step, (alpha, beta)) in enumerate(zip(dt, integrals)):
        first, second = slice(6 * i, 6 * i + 3), slice(6 * i + 3, 6 * i + 6)
        here, there, gravity = slice(3 * i, 3 * i + 3), slice(3 * i + 3, 3 * i + 6), slice(3 * n, 3 * n + 3)
        A[first, here], A[first, gravity] = step * one, 0.5 * step**2 * one
        A[first, -1] = places[i] - places[i + 1]
        A[second, here], A[second, there], A[second, gravity] = step * one, -step * one, step**2 * one
        b[first], b[second] = -alpha, -step * beta
    return A, b


def _solved(A: Matrix, b: Matrix, c: ImuScaleConfig) -> ImuScale:
    x, _, rank, _ = np.linalg.lstsq(A, b, rcond=None)
    if rank < A.shape[1]:
        return ImuScale(float('nan'), float('inf'), np.zeros(3), False, 'the motion does not tell the scale')
    residual = b - A @ x
    variance = float(residual @ residual) / (len(b) - len(x))
    std = float(np.sqrt(variance * np.linalg.inv(A.T @ A)[-1, -1]))
    factor, gravity = float(x[-1]), np.asarray(x[-4:-1], np.float64)
    off = abs(float(np.linalg.norm(gravity)) - c.gravity_m_s2)
    if not factor > 0 or std > c.relative_std * factor:
        return ImuScale(factor, std, gravity, False, f'too uncertain: {factor:.3f} +- {std:.3f}')
    if off > c.gravity_error_m_s2:
        return ImuScale(factor, std, gravity, False, f'gravity off by {off:.2f} m/s^2')
    return ImuScale(factor, std, gravity, True, 'accepted')
