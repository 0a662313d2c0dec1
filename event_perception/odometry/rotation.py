# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Orientation by integrating the angular velocity, with a covariance that can be believed.

Position is not observed by a camera that is taken to turn only: it stays where it is, with a large variance.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow, ImuSample
from event_perception.motion.lie import so3_exp, so3_left_jacobian
from event_perception.motion.result import EgomotionResult
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.rotation_error import RotationError, after_measurement, after_prediction

if TYPE_CHECKING:
    from event_perception.motion.camera import CameraModel

LEAST_TURN_RAD = 2e-3  # a window that turns less does not tell how many events a radian gives
EVENTS_GAIN = 0.05  # of the running mean of events per radian


@dataclass(frozen=True, slots=True)
class RotationOdometryConfig:
    """What is claimed of errors, and what happens without a measurement."""

    correlation_s: float = param(
        0.2, 'Time over which errors of the angular velocity stay correlated, seconds.', ge=0.001, le=100.0
    )
    hold_s: float = param(
        0.1, 'Time constant with which the rate decays while it is not measured, seconds.', ge=0.001, le=10.0
    )
    lost_rate_std_rad_s: float = param(
        0.5, 'What the rate may be where egomotion did not converge, rad/s; less where events are few.',
        ge=1e-3, le=100.0,
    )  # fmt: skip
    rest_rate_std_rad_s: float = param(
        0.02, 'What the rate may be where no events come at all, rad/s; the last rate adds to it.',
        ge=1e-4, le=100.0,
    )  # fmt: skip
    max_gap_s: float = param(
        0.15, 'Windows further apart than this are not joined by the trapezium rule, seconds.',
        ge=0.001, le=10.0,
    )  # fmt: skip
    start_std_rad: float = param(
        1e-3, 'Standard deviation of the orientation at the start, rad.', ge=1e-4, le=1.0
    )
    least_rate_std_rad_s: float = param(
        1e-3, 'No rate is claimed to be better than this, rad/s.', ge=1e-4, le=1.0
    )
    position_std_m: float = param(
        10.0, 'Standard deviation of the position, which is not observed, metres.', ge=1.5, le=90.0
    )
    velocity_std_m_s: float = param(
        10.0, 'Standard deviation of the velocity, which is not observed, m/s.', ge=1.5, le=90.0
    )


class RotationOdometry:
    """Integrates angular velocity between the reference instants of windows.

    Without a measurement the rate decays to 0, the variance grows, and the estimate says so.

    Args:
        config: Parameters; None for the defaults.
        camera: Not needed by this method, taken because every odometry is made from one.
    """

    config_type: ClassVar[type[RotationOdometryConfig]] = RotationOdometryConfig

    def __init__(
        self, config: RotationOdometryConfig | None = None, camera: 'CameraModel | None' = None
    ) -> None:
        self.config = config or RotationOdometryConfig()
        self.reset()

    def reset(self) -> None:
        """Start again at the identity."""
        none = np.zeros((3, 3))
        self._t_ns: int | None = None
        self._first_ns: int | None = None
        self._ever = False
        self._R = np.eye(3)
        self._omega = np.zeros(3)
        self._tracking = False
        self._events_per_rad: float | None = None
        self._error = RotationError(
            self.config.start_std_rad**2 * np.eye(3), none, self.config.lost_rate_std_rad_s**2 * np.eye(3)
        )

    @property
    def orientation(self) -> NDArray[np.float64]:
        """R_odom_camera (3, 3)."""
        return self._R.copy()

    @property
    def orientation_covariance(self) -> NDArray[np.float64]:
        """Of the orientation, about the axes of the odometry frame (3, 3), rad^2."""
        return self._error.orientation.copy()

    def correct(self, R: NDArray[np.float64], covariance: NDArray[np.float64]) -> None:
        """Take over an orientation that is known from elsewhere, with its covariance in odometry axes."""
        self._R = np.array(R, np.float64)
        self._error = RotationError(np.array(covariance), np.zeros((3, 3)), self._error.rate)

    @property
    def rate(self) -> NDArray[np.float64]:
        """Angular velocity in the camera frame (3,), rad/s."""
        return self._omega.copy()

    @property
    def motion_covariance(self) -> NDArray[np.float64]:
        """Of rate and orientation together, both about the axes of the camera, (6, 6)."""
        R, error = self._R, self._error
        cross = R.T @ error.cross
        return np.block([[error.rate, cross.T], [cross, R.T @ error.orientation @ R]])

    def correct_motion(
        self, R: NDArray[np.float64], omega_rad_s: NDArray[np.float64], covariance: NDArray[np.float64]
    ) -> None:
        """Take over orientation and rate that are known from elsewhere.

        Args:
            R: Orientation.
            omega_rad_s: Rate, camera axes.
            covariance: As ``motion_covariance``.
        """
        self._R, self._omega = np.array(R, np.float64), np.array(omega_rad_s, np.float64)
        turn, cross = covariance[3:, 3:], R @ covariance[3:, :3]
        self._error = RotationError(R @ turn @ R.T, cross, np.array(covariance[:3, :3]))

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult,
        depth: DepthImage | None = None,
        imu: tuple[ImuSample, ...] = (),
    ) -> OdometryEstimate:
        """Orientation at the reference instant of the window; depth and imu are not used.

        Raises:
            DataError: If the window is not later than the one before.
        """
        dt_s = self._elapsed_s(window.t_ref_ns)
        if not egomotion.converged:
            self._predict(dt_s, self._possible_rate(window))
        elif not self._ever:
            self._begin(egomotion)
        elif dt_s > self.config.max_gap_s:
            self._predict(dt_s, math.hypot(self.config.rest_rate_std_rad_s, np.linalg.norm(self._omega)))
            self._take(egomotion)
        else:
            self._join(dt_s, egomotion)
        if self._first_ns is None:
            self._first_ns = window.t_ref_ns
        self._ever |= egomotion.converged
        self._t_ns, self._tracking = window.t_ref_ns, egomotion.converged
        self._learn_rate_of_events(egomotion)
        return self._estimate(window.t_ref_ns, egomotion.reason)

    def _learn_rate_of_events(self, egomotion: EgomotionResult) -> None:
        """Events per radian of rotation, a running mean over windows that show one."""
        turned = float(np.linalg.norm(egomotion.omega)) * (egomotion.t1_ns - egomotion.t0_ns) * 1e-9
        if egomotion.converged and turned > LEAST_TURN_RAD and egomotion.n_events:
            here, before = egomotion.n_events / turned, self._events_per_rad
            self._events_per_rad = here if before is None else before + EVENTS_GAIN * (here - before)

    def _possible_rate(self, window: EventWindow) -> float:
        """What the rate may be without an estimate: few events do not come from a fast motion."""
        lost, rest = self.config.lost_rate_std_rad_s, self.config.rest_rate_std_rad_s
        if self._events_per_rad is None or window.duration_s <= 0:
            return lost
        return min(lost, rest + len(window) / (self._events_per_rad * window.duration_s))

    def _elapsed_s(self, t_ns: int) -> float:
        if self._t_ns is None:
            return 0.0
        if t_ns <= self._t_ns:
            raise DataError(
                f'a window at {t_ns} ns after one at {self._t_ns} ns; windows must come in time order, '
                'call reset() when the stream starts again'
            )
        return (t_ns - self._t_ns) * 1e-9

    def _join(self, dt_s: float, egomotion: EgomotionResult) -> None:
        """Turn by the rates at both ends, taken to change linearly between them."""
        rate = self._rate_covariance(egomotion)
        correlation = math.exp(-dt_s / self.config.correlation_s) if self._tracking else 0.0
        increment = rotation_between(self._omega, egomotion.omega, dt_s)
        self._error = after_measurement(self._error, self._effect(increment), dt_s, rate, correlation)
        self._R = self._R @ so3_exp(increment)
        self._omega = np.array(egomotion.omega, np.float64)

    def _begin(self, egomotion: EgomotionResult) -> None:
        """The first rate: it was about the same since the first window, which could not tell it."""
        elapsed_s = 0.0 if self._first_ns is None else (egomotion.t_ref_ns - self._first_ns) * 1e-9
        if 0 < elapsed_s <= self.config.max_gap_s:
            turned = elapsed_s * egomotion.omega
            G = so3_left_jacobian(turned)
            change = self.config.lost_rate_std_rad_s**2 * np.eye(3)
            self._R = so3_exp(turned)
            spread = elapsed_s**2 * G @ (self._rate_covariance(egomotion) + change / 4) @ G.T
            start = self.config.start_std_rad**2 * np.eye(3)
            self._error = RotationError(start + spread, np.zeros((3, 3)), self._error.rate)
        elif self._t_ns is not None and elapsed_s > 0:
            self._predict((egomotion.t_ref_ns - self._t_ns) * 1e-9, self.config.lost_rate_std_rad_s)
        self._take(egomotion)

    def _take(self, egomotion: EgomotionResult) -> None:
        """Begin with this rate; nothing connects it with what was before."""
        rate = self._rate_covariance(egomotion)
        self._error = RotationError(self._error.orientation, np.zeros((3, 3)), rate)
        self._omega = np.array(egomotion.omega, np.float64)

    def _predict(self, dt_s: float, sigma_rad_s: float) -> None:
        """Let the last rate fade."""
        tau = self.config.hold_s
        kept = math.exp(-dt_s / tau)
        increment = tau * (1 - kept) * self._omega
        self._error = after_prediction(self._error, self._effect(increment), dt_s, tau, sigma_rad_s)
        self._R = self._R @ so3_exp(increment)
        self._omega = kept * self._omega

    def _effect(self, increment: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._R @ so3_left_jacobian(increment)

    def _rate_covariance(self, egomotion: EgomotionResult) -> NDArray[np.float64]:
        """What egomotion claims, or that of a lost rate where it claims nothing."""
        claimed = egomotion.omega_covariance
        if not np.isfinite(claimed).all():
            return self.config.lost_rate_std_rad_s**2 * np.eye(3)
        return 0.5 * (claimed + claimed.T) + self.config.least_rate_std_rad_s**2 * np.eye(3)

    def _estimate(self, t_ns: int, reason: str) -> OdometryEstimate:
        T = np.eye(4)
        T[:3, :3] = self._R
        pose, twist = np.zeros((6, 6)), np.zeros((6, 6))
        pose[:3, :3] = self.config.position_std_m**2 * np.eye(3)
        pose[3:, 3:] = self._error.orientation
        twist[:3, :3] = self.config.velocity_std_m_s**2 * np.eye(3)
        twist[3:, 3:] = self._error.rate
        status: Literal['tracking', 'degraded'] = 'tracking' if self._tracking else 'degraded'
        return OdometryEstimate(
            t_ns, T, pose, np.zeros(3), self._omega.copy(), twist, self._tracking, reason, status
        )


def rotation_between(
    first: NDArray[np.float64], second: NDArray[np.float64], dt_s: float
) -> NDArray[np.float64]:
    """Rotation vector (3,) of a body whose rate goes linearly from one value to another, camera frame.

    Trapezium rule plus the first term that arises because rotations do not commute; what is left is of third
    order in the angles (Magnus expansion; Blanes and others, Phys. Rep. 470, 2009).
    """
    return dt_s / 2 * (first + second) + dt_s**2 / 12 * np.cross(first, second)
