# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An inertial unit beside a tracker that aligns windows on a map: what it is fed, and what it gives back.

It is fed what a window alone says of the pose, not the tracker's pose: that rests on predictions from the same
readings. It lives in a frame of its own, in which loops do not jump.
"""

import numpy as np

from event_perception.events import ImuSample
from event_perception.motion.lie import se3_inverse, se3_nearest, so3_exp
from event_perception.odometry.inertial_state import Inertial, InertialConfig, InertialState, create_inertial
from event_perception.odometry.motion_filter import Evidence, Matrix

VAGUE = np.diag([1.0] * 3 + [25.0] * 3)  # information added where a window says nothing: 1 m, 0.2 rad


class InertialAid:
    """Made anew with each start.

    Args:
        config: Parameters.
    """

    def __init__(self, config: InertialConfig) -> None:
        self._config = config
        self._inertial: Inertial | None = None
        self._wanted = config.enabled
        self._T_odom_own = np.eye(4)

    def push(self, samples: tuple[ImuSample, ...]) -> None:
        """Readings along the axes of the camera; the first one with an accelerometer starts it."""
        if not self._wanted or not samples:
            return
        if self._inertial is None:
            if not np.isfinite(samples[-1].linear_acceleration_m_s2).all():
                return
            self._inertial = create_inertial(self._config)
            self._wanted = self._inertial is not None
        if self._inertial is not None:
            self._inertial.push(samples)

    def predict(self, t_ns: int) -> tuple[Matrix, InertialState] | None:
        """T_odom_camera by the readings since the last window on the map, and the state with its covariances."""
        state = None if self._inertial is None else self._inertial.predict(t_ns)
        return None if state is None else (se3_nearest(self._T_odom_own @ state.T), state)

    def aligned(
        self, t_ns: int, T_predicted: Matrix, evidence: Evidence, shared: Matrix
    ) -> InertialState | None:
        """A window was found on the map.

        Args:
            t_ns: Its instant.
            T_predicted: T_odom_camera that it was aligned from.
            evidence: What it says of (tau, theta).
            shared: What it errs together with other windows on the same map, covariance (6, 6).
        """
        if self._inertial is None:
            return None
        covariance = np.linalg.inv(evidence.information + VAGUE)
        off = covariance @ evidence.pull
        T = se3_inverse(self._T_odom_own) @ T_predicted
        T[:3, 3] += T[:3, :3] @ off[:3]
        T[:3, :3] = T[:3, :3] @ so3_exp(off[3:])
        return self._inertial.measure(t_ns, se3_nearest(T), covariance + shared)

    def restart(self) -> None:
        """The pose has been lost and found elsewhere: only the biases are still known."""
        if self._inertial is not None:
            self._inertial.restart()

    def jumped(self, T_before: Matrix, T_after: Matrix) -> None:
        """A loop was closed: the same instant is elsewhere in the odometry frame."""
        self._T_odom_own = se3_nearest(T_after @ se3_inverse(T_before) @ self._T_odom_own)
