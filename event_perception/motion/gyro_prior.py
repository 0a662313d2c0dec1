# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A gyroscope as a prior on the rate, with its bias estimated from what the events say.

rate of the camera = R_camera_imu (mean of the samples in the window - bias). The bias is a slow random walk; each
good estimate that does not rest on the gyro alone measures it (Kalman filter).
"""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.config import param
from event_perception.errors import CalibrationError
from event_perception.events import ImuSample, TwistPrior
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.motion.result import EgomotionResult

Vector = NDArray[np.float64]

MEMORY = 8192  # samples kept: four seconds at 2 kHz
STRETCH_NS = 20_000_000  # over which the rate is taken as constant when turns are summed up


@dataclass(frozen=True, slots=True)
class GyroConfig:
    """How good the gyroscope is."""

    sigma_rad_s: float = param(
        6e-3, 'Error of the mean over a window without bias, standard deviation, rad/s.', ge=1e-6
    )
    bias_sigma_rad_s: float = param(0.05, 'Bias at the start, standard deviation, rad/s.', ge=0.0)
    bias_walk_rad_s2: float = param(1e-3, 'Drift of the bias, rad/s per square root of a second.', ge=0.0)


class GyroPrior:
    """Collects samples, gives priors, learns the bias.

    Args:
        R_camera_imu: Rotation (3, 3) from the IMU frame to the camera's optical frame.
        config: Parameters.

    Raises:
        CalibrationError: If the matrix is not a rotation.
    """

    def __init__(self, R_camera_imu: ArrayLike, config: GyroConfig | None = None) -> None:
        R = np.asarray(R_camera_imu, np.float64)
        if R.shape != (3, 3) or not np.allclose(R @ R.T, np.eye(3), atol=1e-6) or np.linalg.det(R) < 0:
            raise CalibrationError(f'R_camera_imu={R.tolist()}: must be a rotation matrix (3, 3)')
        self.config, self._R = config or GyroConfig(), R
        self.reset()

    def reset(self) -> None:
        """Forget samples and bias."""
        self._samples: deque[ImuSample] = deque(maxlen=MEMORY)
        self._bias, self._variance = np.zeros(3), self.config.bias_sigma_rad_s**2 * np.eye(3)
        self._learnt_ns: int | None = None

    @property
    def bias_rad_s(self) -> Vector:
        """Estimated bias in the camera frame (3,), rad/s."""
        return self._bias.copy()

    def push(self, sample: ImuSample) -> None:
        """Add a sample; one with a rate that is not finite is ignored."""
        if np.isfinite(sample.angular_velocity_rad_s).all():
            self._samples.append(sample)

    def reading(self, t0_ns: int, t1_ns: int) -> Vector | None:
        """The mean of the samples in [t0, t1) along the axes of the camera, bias included; None without one."""
        recent = takewhile(lambda s: s.t_ns >= t0_ns, reversed(self._samples))
        inside = [s.angular_velocity_rad_s for s in recent if s.t_ns < t1_ns]
        return np.asarray(self._R @ np.mean(inside, axis=0), np.float64) if inside else None

    def turn(self, t0_ns: int, t1_ns: int) -> Vector | None:
        """Rotation vector of the camera from t0 to t1, bias included; None where samples are missing."""
        n = max(1, -(-(t1_ns - t0_ns) // STRETCH_NS))
        edges = np.linspace(t0_ns, t1_ns, n + 1).astype(np.int64)
        turned = np.eye(3)
        for a, b in pairwise(edges):
            mean = self.reading(int(a), int(b))
            if mean is None:
                return None
            turned = turned @ so3_exp(mean * (1e-9 * float(b - a)))
        return so3_log(turned)

    def prior(self, t0_ns: int, t1_ns: int) -> TwistPrior | None:
        """The mean rate of a window without bias, velocity unknown; None if there is no sample in it."""
        reading = self.reading(t0_ns, t1_ns)
        if reading is None:
            return None
        covariance = np.full((6, 6), np.nan)
        covariance[3:, 3:] = self.config.sigma_rad_s**2 * np.eye(3) + self._variance
        return TwistPrior((t0_ns + t1_ns) // 2, np.full(3, np.nan), reading - self._bias, covariance)

    def know(self, bias_rad_s: Vector, covariance: Vector) -> None:
        """Take over a bias, camera frame (3,), that somebody estimates from more than egomotion."""
        self._bias, self._variance = np.array(bias_rad_s, np.float64), np.array(covariance, np.float64)

    def learn(self, result: EgomotionResult, prior: TwistPrior) -> None:
        """Correct the bias by an estimate that was made with ``prior``.

        With g, P the prior and x, C the estimate, events alone would have said v with (P + R)^-1 (g - v) =
        P^-1 (g - x) and (P + R)^-1 = P^-1 (P - C) P^-1: so neither v nor its covariance R is needed.
        """
        if not result.converged or not np.isfinite(result.omega_covariance).all():
            return
        elapsed_s = 0.0 if self._learnt_ns is None else max(0.0, (result.t_ref_ns - self._learnt_ns) * 1e-9)
        self._learnt_ns = result.t_ref_ns
        predicted = self._variance + self.config.bias_walk_rad_s2**2 * elapsed_s * np.eye(3)
        inverse = np.linalg.inv(prior.covariance[3:, 3:])
        self._bias = self._bias + predicted @ inverse @ (prior.omega_rad_s - result.omega)
        gained = np.linalg.eigh(prior.covariance[3:, 3:] - result.omega_covariance)
        shrink = gained[1] * np.maximum(gained[0], 0.0) @ gained[1].T
        self._variance = predicted - predicted @ inverse @ shrink @ inverse @ predicted
