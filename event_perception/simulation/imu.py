# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An inertial unit fixed to the camera, in the axes of the optical frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import ImuSample
from event_perception.simulation.trajectories import SplineTrajectory


@dataclass(frozen=True, slots=True)
class ImuConfig:
    """Rate and errors of the unit; 0 everywhere gives the truth. World z is up."""

    rate_hz: float = param(1000.0, 'Samples per second.', ge=1.0, le=8000.0)
    gyro_noise: float = param(1.7e-4, 'White noise of the gyroscope, rad/s per root Hz.', ge=0.0)
    gyro_bias_rad_s: float = param(0.01, 'Standard deviation of its bias at the start.', ge=0.0)
    gyro_walk: float = param(2e-5, 'Random walk of its bias, rad/s^2 per root Hz.', ge=0.0)
    accel_noise: float = param(2e-3, 'White noise of the accelerometer, m/s^2 per root Hz.', ge=0.0)
    accel_bias_m_s2: float = param(0.05, 'Standard deviation of its bias at the start.', ge=0.0)
    accel_walk: float = param(3e-3, 'Random walk of its bias, m/s^3 per root Hz.', ge=0.0)
    gravity_m_s2: float = param(9.81, 'Gravity, along minus world z.', ge=0.0)
    seed: int = param(0, 'Seed of noise and biases.', ge=0)


PERFECT_IMU = ImuConfig(
    gyro_noise=0.0, gyro_bias_rad_s=0.0, gyro_walk=0.0, accel_noise=0.0, accel_bias_m_s2=0.0, accel_walk=0.0
)


@dataclass(frozen=True, eq=False)
class ImuRecord:
    """Readings and the biases in them.

    Attributes:
        t_ns: (n,).
        gyro_rad_s: (n, 3).
        accel_m_s2: Specific force (n, 3): at rest it points up and has the size of gravity.
        gyro_bias_rad_s: (n, 3).
        accel_bias_m_s2: (n, 3).
    """

    t_ns: NDArray[np.int64]
    gyro_rad_s: NDArray[np.float64]
    accel_m_s2: NDArray[np.float64]
    gyro_bias_rad_s: NDArray[np.float64]
    accel_bias_m_s2: NDArray[np.float64]

    def samples(self, frame_id: str = '') -> tuple[ImuSample, ...]:
        """One value a reading."""
        rows = zip(self.t_ns, self.gyro_rad_s, self.accel_m_s2)
        return tuple(ImuSample(int(t), gyro, accel, frame_id) for t, gyro, accel in rows)


def record_imu(
    trajectory: SplineTrajectory, config: ImuConfig, *, start_ns: int, duration_s: float
) -> ImuRecord:
    """Readings from start to end; trajectory time 0 is ``start_ns``."""
    rng = np.random.default_rng(config.seed)
    n = int(duration_s * config.rate_hz) + 1
    t_s = np.arange(n) / config.rate_hz
    gyro_bias = _bias(rng, n, config.rate_hz, config.gyro_bias_rad_s, config.gyro_walk)
    accel_bias = _bias(rng, n, config.rate_hz, config.accel_bias_m_s2, config.accel_walk)
    noise = np.sqrt(config.rate_hz)  # density to standard deviation of one sample
    gyro = trajectory.omega(t_s) + gyro_bias + config.gyro_noise * noise * rng.standard_normal((n, 3))
    force = trajectory.acceleration_world(t_s) + np.array([0.0, 0.0, config.gravity_m_s2])
    R_camera_world = np.swapaxes(trajectory.pose(t_s)[:, :3, :3], 1, 2)
    accel = np.einsum('nij,nj->ni', R_camera_world, force)
    accel = accel + accel_bias + config.accel_noise * noise * rng.standard_normal((n, 3))
    t_ns = start_ns + np.rint(t_s * 1e9).astype(np.int64)
    return ImuRecord(t_ns, gyro, accel, gyro_bias, accel_bias)


def _bias(rng: np.random.Generator, n: int, rate_hz: float, start: float, walk: float) -> NDArray[np.float64]:
    steps = walk / np.sqrt(rate_hz) * rng.standard_normal((n, 3))
    return start * rng.standard_normal(3) + np.cumsum(steps, axis=0)
