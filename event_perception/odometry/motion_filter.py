# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose, twist and the bias of a gyroscope as one Gaussian: what corrects one of them corrects the others.

    predict     the twist goes on, and changes by a random walk while the pose is carried along
    gyroscope   reading = rate + bias + noise
    twist       of a window, from its own sharpness
    pose        of a window, on a map

A rate that was wrong has turned the pose, so a map that turns it back tells the rate and, over seconds, the bias.

Errors are (tau, theta, v, omega, bias): p_true = p + R tau, R_true = R Exp(theta), the others added.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.lie import se3_adjoint, se3_exp, se3_inverse, so3_exp

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """How motion changes."""

    velocity_walk_m_s: float = param(
        2.0, 'How much the velocity changes, m/s per square root of a second.', ge=1e-3, le=100.0
    )
    rate_walk_rad_s: float = param(
        3.0, 'How much the rate changes, rad/s per square root of a second.', ge=1e-3, le=100.0
    )
    bias_walk_rad_s: float = param(
        3e-4, 'Drift of the bias of a gyroscope, rad/s per square root of a second.', ge=0.0, le=1.0
    )
    start_std_rad: float = param(1e-3, 'Orientation at the start, standard deviation, rad.', ge=1e-6, le=1.0)
    start_std_m: float = param(1e-3, 'Position at the start, standard deviation, metres.', ge=1e-6, le=1.0)
    fastest_m_s: float = param(2.0, 'Velocity of which nothing is known, standard deviation, m/s.', ge=1e-3)
    fastest_rad_s: float = param(3.0, 'Rate of which nothing is known, standard deviation, rad/s.', ge=1e-3)
    correlation_s: float = param(
        0.02,
        'Errors of egomotion last about so long, seconds: as many windows count for one.',
        ge=0.0,
        le=10.0,
    )
    hold_s: float = param(
        0.1, 'Time constant with which the velocity decays while it is not measured, seconds.', ge=1e-3
    )


class MotionFilter:
    """Extended Kalman filter over pose, twist and bias.

    Attributes:
        T: Pose (4, 4), maps camera coordinates to the odometry frame.
        twist: (v, omega), camera frame, m/s and rad/s.
        bias: Of the gyroscope, camera frame, rad/s.
        P: Covariance of the errors (15, 15).
    """

    POSE: ClassVar[slice] = slice(0, 6)
    TWIST: ClassVar[slice] = slice(6, 12)
    BIAS: ClassVar[slice] = slice(12, 15)

    def __init__(self, config: MotionConfig, bias_std_rad_s: float = 0.05) -> None:
        self.config = config
        self.T, self.twist, self.bias = np.eye(4), np.zeros(6), np.zeros(3)
        self.P = np.zeros((15, 15))
        self.P[self.POSE, self.POSE] = np.diag([config.start_std_m**2] * 3 + [config.start_std_rad**2] * 3)
        self.P[self.BIAS, self.BIAS] = bias_std_rad_s**2 * np.eye(3)
        self.forget_twist()

    def forget_twist(self) -> None:
        """Nothing is known of the twist any more."""
        c, k = self.config, self.TWIST
        self.P[k, :] = self.P[:, k] = 0
        self.P[k, k] = np.diag([c.fastest_m_s**2] * 3 + [c.fastest_rad_s**2] * 3)

    def predict(self, dt_s: float, turn_rad: Vector | None = None, turn_std_rad: float = 0.0) -> None:
        """Go on by dt; with a change w of the twist, spread over dt, the pose has gone by dt w / 2 more.

        Args:
            dt_s: Time; over more than a few ``hold_s`` the camera is not taken to go on as before.
            turn_rad: Rotation vector that a gyroscope has summed up meanwhile, its bias included (3,).
            turn_std_rad: Error of that.
        """
        c = self.config
        coasting = dt_s > 2 * c.hold_s
        far = self.twist * (c.hold_s if coasting else dt_s)
        F, G = np.eye(15), np.zeros((15, 6))
        F[self.POSE, self.TWIST], G[self.POSE], G[self.TWIST] = (
            dt_s * np.eye(6),
            0.5 * dt_s * np.eye(6),
            np.eye(6),
        )
        noise = np.zeros(15)
        if turn_rad is not None:
            far[3:] = turn_rad - self.bias * dt_s
            F[3:6, self.TWIST], G[3:6] = 0, 0
            F[3:6, self.BIAS] = -dt_s * np.eye(3)
            noise[3:6] = turn_std_rad**2
        step = se3_exp(far)
        F[self.POSE, self.POSE] = se3_adjoint(se3_inverse(step))
        noise[self.BIAS] = c.bias_walk_rad_s**2 * dt_s
        change = dt_s * np.array([c.velocity_walk_m_s**2] * 3 + [c.rate_walk_rad_s**2] * 3)
        self.T = self.T @ step
        self.P = F @ self.P @ F.T + (G * change) @ G.T + np.diag(noise)
        if coasting:  # over this long the way is not the mean of the velocities at both ends
            turned = 0.0 if turn_rad is not None else c.rate_walk_rad_s
            walk = np.array([c.velocity_walk_m_s] * 3 + [turned] * 3)
            self.P[self.POSE, self.POSE] += np.diag(walk**2 * dt_s**3 / 12)
            self.fade(dt_s)
        self._bounded()

    def take_over(
        self, T: Matrix, pose_covariance: Matrix, v_m_s: Vector, velocity_covariance: Matrix
    ) -> None:
        """Go on from a pose and a velocity that somebody knows better, as after a gap; the rest stays."""
        self.T, self.twist = T.copy(), np.concatenate([v_m_s, self.twist[3:]])
        self.P[:9, :] = self.P[:, :9] = 0
        self.P[self.POSE, self.POSE], self.P[6:9, 6:9] = pose_covariance, velocity_covariance

    def take_bias(self, bias_rad_s: Vector, covariance: Matrix) -> None:
        """Take over a bias of the gyroscope that somebody knows better."""
        self.bias = bias_rad_s.copy()
        self.P[self.BIAS, :] = self.P[:, self.BIAS] = 0
        self.P[self.BIAS, self.BIAS] = covariance

    def _bounded(self) -> None:
        """However long a twist is not measured, it stays within what is possible."""
        c, k = self.config, self.TWIST
        limit = np.array([c.fastest_m_s] * 3 + [c.fastest_rad_s] * 3)
        scale = np.ones(15)
        scale[k] = np.minimum(1.0, limit / np.sqrt(np.diag(self.P)[k]))
        self.P = self.P * np.outer(scale, scale)

    def put(self, T: Matrix, covariance: Matrix) -> None:
        """The pose is found elsewhere: what it was before tells nothing of it any more."""
        k = self.POSE
        self.T = np.array(T)
        self.P[k, :] = self.P[:, k] = 0
        self.P[k, k] = 0.5 * (covariance + covariance.T)

    def doubt_pose(self, std: Vector) -> None:
        """Add to the uncertainty of the pose (tau, theta), standard deviations (6,)."""
        self.P[self.POSE, self.POSE] += np.diag(np.square(std))

    def fade(self, dt_s: float) -> None:
        """The twist decays towards rest while nothing measures it; it may as well not have."""
        kept, k = np.exp(-dt_s / self.config.hold_s), self.TWIST
        self.P[k, k] += np.diag(np.square((1 - kept) * self.twist))
        self.twist = kept * self.twist
        self._bounded()

    def turn_by_gyro(self, reading_rad_s: Vector, std_rad_s: float) -> None:
        """Measure the rate by a gyroscope.

        Args:
            reading_rad_s: Camera frame, its bias included.
            std_rad_s: Noise.
        """
        H = np.zeros((3, 15))
        H[:, 9:12] = H[:, self.BIAS] = np.eye(3)
        rest = np.asarray(reading_rad_s) - self.twist[3:] - self.bias
        self._correct(H, rest, std_rad_s**2 * np.eye(3))

    def measure(self, part: slice, error: Vector, covariance: Matrix) -> None:
        """Measure the error of the pose or of the twist.

        Args:
            part: ``POSE`` or ``TWIST``.
            error: What the true value is ahead of the estimate (6,).
            covariance: Of that measurement (6, 6).
        """
        self._correct(np.eye(15)[part], error, covariance)

    def learn(self, part: slice, evidence: 'Evidence') -> None:
        """Take over evidence of the pose or of the twist."""
        prior = self.P[part, part]
        posterior = np.linalg.inv(np.linalg.inv(prior) + evidence.information)
        gain = np.linalg.solve(prior, self.P[part]).T
        self.P = self.P - gain @ (prior - posterior) @ gain.T
        self._move(gain @ posterior @ evidence.pull)

    def _correct(self, H: Matrix, rest: Vector, noise: Matrix) -> None:
        gain = np.linalg.solve(H @ self.P @ H.T + noise, H @ self.P).T
        keep = np.eye(15) - gain @ H
        self.P = keep @ self.P @ keep.T + gain @ noise @ gain.T
        self._move(gain @ rest)

    def _move(self, error: Vector) -> None:
        R = self.T[:3, :3]
        self.T = self.T.copy()
        self.T[:3, 3] += R @ error[:3]
        self.T[:3, :3] = R @ so3_exp(error[3:6])
        self.twist, self.bias = self.twist + error[self.TWIST], self.bias + error[self.BIAS]
        self.P = 0.5 * (self.P + self.P.T)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What data say of six errors, even where they say nothing of some direction.

    Attributes:
        information: Inverse of the covariance of the data (6, 6), positive, maybe singular.
        pull: Information times where the data want the errors to be (6,).
    """

    information: Matrix
    pull: Vector

    @classmethod
    def behind(cls, prior: Matrix, mean: Vector, posterior: Matrix) -> 'Evidence':
        """What turned a prior of mean zero into this posterior."""
        both = np.linalg.inv(posterior)
        return cls(_positive(both - np.linalg.inv(prior)), both @ mean)

    def shared(self, count: float) -> 'Evidence':
        """As if ``count`` times over counted for one."""
        return Evidence(self.information / count, self.pull / count)

    def softened(self, floor: Matrix) -> 'Evidence':
        """As if the data had erred by ``floor`` more: (L^-1 + F)^-1 = L - L (L + F^-1)^-1 L."""
        share = np.eye(6) - self.information @ np.linalg.inv(self.information + np.linalg.inv(floor))
        return Evidence(_positive(share @ self.information), share @ self.pull)


def _positive(matrix: Matrix) -> Matrix:
    values, Q = np.linalg.eigh(0.5 * (matrix + matrix.T))
    return np.asarray(Q * np.maximum(values, 0) @ Q.T)
