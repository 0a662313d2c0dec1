# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The motion filter between a start, a first good map, a loss and a change of the unit of length.

On the plane of a start, wrong depths look like a wrong rate. So the gyroscope is believed as it is until there are
maps; only then its bias is learnt.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.lie import se3_inverse, se3_log
from event_perception.odometry.monocular_config import MonocularConfig
from event_perception.odometry.motion_filter import Evidence, MotionFilter

Matrix = NDArray[np.float64]


class MonocularFilter(MotionFilter):
    """A motion filter whose pose is measured by climbing.

    Args:
        config: Of the odometry.
    """

    def __init__(self, config: MonocularConfig) -> None:
        super().__init__(config.motion, config.start_bias_std_rad_s)
        self._config = config

    def go_on(self, dt_s: float, rate_rad_s: Matrix, turn_std_rad: float) -> None:
        """Predict, with a rate whose bias was taken out."""
        self.predict(dt_s, dt_s * (rate_rad_s + self.bias), turn_std_rad)

    @property
    def prior(self) -> Matrix:
        """Covariance of the predicted pose, (tau, theta), camera axes."""
        return self.P[self.POSE, self.POSE] + 1e-12 * np.eye(6)

    def begin(self) -> None:
        """Tracking begins: the pose is where it is, by definition; nothing is known of the velocity."""
        self.place(self.T, 1e-8 * np.eye(6))
        self._doubt_bias(self._config.start_bias_std_rad_s)

    def settle(self) -> None:
        """The maps are good enough to learn the bias from."""
        self._doubt_bias(self._config.bias_std_rad_s)

    def place(self, T: Matrix, covariance: Matrix) -> None:
        """Be somewhere else, as far as is known."""
        self.T = T.copy()
        self.P[self.POSE, :] = self.P[:, self.POSE] = 0.0
        self.P[self.POSE, self.POSE] = covariance
        self.twist = np.zeros(6)
        self.forget_twist()

    def aligned(self, T: Matrix, posterior: Matrix) -> None:
        """Take over a pose and its covariance, prediction and events together; velocity and bias follow."""
        error = se3_log(se3_inverse(self.T) @ T)
        self.learn(self.POSE, Evidence.behind(self.prior, error, posterior))

    def rescale(self, factor: float) -> None:
        """Lengths are told in another unit."""
        self.T = self.T.copy()
        self.T[:3, 3] *= factor
        self.twist = self.twist * np.array([factor] * 3 + [1.0] * 3)
        unit = np.ones(15)
        unit[:3] = unit[6:9] = factor
        self.P = self.P * np.outer(unit, unit)

    def _doubt_bias(self, std_rad_s: float) -> None:
        self.P[self.BIAS, :] = self.P[:, self.BIAS] = 0.0
        self.P[self.BIAS, self.BIAS] = std_rad_s**2 * np.eye(3)
