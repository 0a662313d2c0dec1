# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What poses and an inertial unit together say, and the protocol of what finds it out.

Conventions as in ``pose_graph``: errors of the pose are (rho, phi) on the right, in the axes of the camera.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import ImuSample
from event_perception.odometry.pose_graph import WITHOUT_EXTRA, gtsam_is_there

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class InertialConfig:
    """Accelerometer and gyroscope beside the poses."""

    enabled: bool = param(
        True, 'Whether an accelerometer is used where there is one; it needs the extra [slam].'
    )
    lag_s: float = param(2.0, 'Time over which states are kept open, seconds.', ge=0.2, le=20.0)
    gather_s: float = param(
        0.5, 'Poses over so long are collected before the first estimate, s.', ge=0.1, le=5.0
    )
    bridge_s: float = param(1.5, 'So long the IMU goes on alone, seconds.', ge=0.0, le=10.0)
    gravity_m_s2: float = param(9.81, 'Gravity, m/s^2.', ge=0.1, le=30.0)
    gyro_noise: float = param(2e-4, 'White noise of the gyroscope, rad/s per root Hz.', ge=1e-7)
    accel_noise: float = param(2e-3, 'White noise of the accelerometer, m/s^2 per root Hz.', ge=1e-7)
    gyro_walk: float = param(5e-5, 'Random walk of the gyroscope bias, rad/s^2 per root Hz.', ge=1e-9)
    accel_walk: float = param(3e-3, 'Random walk of the accelerometer bias, m/s^3 per root Hz.', ge=1e-9)
    gyro_bias_rad_s: float = param(0.05, 'Gyroscope bias at the start, standard deviation, rad/s.', ge=1e-6)
    accel_bias_m_s2: float = param(0.1, 'Accelerometer bias at the start, standard deviation.', ge=1e-6)
    claim_factor: float = param(
        2.0,
        'Errors of poses are taken to be so many times those claimed: they are correlated.',
        ge=1.0,
        le=100.0,
    )
    least_velocity_m_s: float = param(
        0.02,
        'No velocity is claimed to be better than this where a tracker starts from it, m/s.',
        ge=0.0,
        le=1.0,
    )
    outlier_sigma: float = param(
        2.5, 'Poses beyond so many standard deviations weigh less.', ge=0.5, le=100.0
    )


@dataclass(frozen=True, eq=False)
class InertialState:
    """Motion at one instant.

    Attributes:
        t_ns: The instant.
        T: T_odom_camera (4, 4).
        covariance: Of the pose, (6, 6).
        v_m_s: Velocity, camera frame (3,).
        velocity_covariance: (3, 3), camera frame.
        omega_rad_s: Angular velocity without bias, camera frame (3,).
        gyro_bias_rad_s: (3,), camera frame.
        gyro_bias_covariance: (3, 3).
        accel_bias_m_s2: (3,), camera frame.
        gravity_m_s2: In the odometry frame (3,).
    """

    t_ns: int
    T: Matrix
    covariance: Matrix
    v_m_s: Matrix
    velocity_covariance: Matrix
    omega_rad_s: Matrix
    gyro_bias_rad_s: Matrix
    gyro_bias_covariance: Matrix
    accel_bias_m_s2: Matrix
    gravity_m_s2: Matrix


class Inertial(Protocol):
    """Feeds on readings and, now and then, poses that do not rest on them."""

    def push(self, samples: Sequence[ImuSample]) -> None:
        """Readings along the axes of the camera, in time order; those already seen are passed over."""
        ...

    def restart(self) -> None:
        """Forget the motion, not the biases."""
        ...

    def measure(self, t_ns: int, T: Matrix, covariance: Matrix) -> InertialState | None:
        """Take in a pose; the state then, or None while there is not enough."""
        ...

    def predict(self, t_ns: int) -> InertialState | None:
        """The state at a later instant by the readings alone; None where it is not known or readings lack."""
        ...


def create_inertial(config: InertialConfig) -> Inertial | None:
    """The smoother, or None without GTSAM, which the log says once: then the gyroscope helps egomotion only."""
    if not config.enabled:
        return None
    if not gtsam_is_there():
        _say_gyro_only()
        return None
    from event_perception.odometry.inertial_smoother import InertialSmoother

    return InertialSmoother(config)


@cache
def _say_gyro_only() -> None:
    logging.getLogger(__name__).warning(
        '%s: the accelerometer is not used; the gyroscope steers egomotion only', WITHOUT_EXTRA
    )
