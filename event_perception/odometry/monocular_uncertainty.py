# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How far a pose may be off that was tracked on maps which were built from tracked poses.

Windows on the same maps err together, and every map hands the error of its poses on; so the error grows with the way
and not with the number of windows. Three parts: drift along the way, the last alignment, and the unit of length, which
is wrong by one factor for the whole trajectory.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.odometry.monocular_config import MonocularConfig

Matrix = NDArray[np.float64]


class MonocularUncertainty:
    """Follows the way.

    Args:
        config: Drift, error of the unit, what may happen while lost.
    """

    def __init__(self, config: MonocularConfig) -> None:
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Back at the start."""
        self._way_m = self._turn_way = 0.0
        self._lost_m2 = self._lost_rad2 = 0.0
        self.scale_std = self._config.scale_std
        self._alignment = 1e-6 * np.eye(6)
        self._dt_s = 0.02

    def tracked(self, covariance: Matrix, T: Matrix) -> None:
        """Take over the covariance of an alignment, (tau, theta) in camera axes."""
        turned = np.kron(np.eye(2), T[:3, :3])
        self._alignment = turned @ covariance @ turned.T

    def returned(self) -> None:
        """Back on maps from before a loss: what was not known since is known again."""
        self._lost_m2 = self._lost_rad2 = 0.0

    def rescale(self, factor: float, std: float) -> None:
        """Lengths are told in another unit, which is known this well, as a part of it."""
        self._way_m, self._lost_m2, self.scale_std = factor * self._way_m, factor**2 * self._lost_m2, std
        unit = np.array([factor] * 3 + [1.0] * 3)
        self._alignment = self._alignment * np.outer(unit, unit)

    def moved(self, step_m: Matrix, dt_s: float, depth_m: float, measured: bool) -> None:
        """Add a step of the way."""
        length, c = float(np.linalg.norm(step_m)), self._config
        self._way_m += length
        self._turn_way += length / depth_m
        self._dt_s = max(dt_s, 1e-3)
        if not measured:
            self._lost_m2 = (np.sqrt(self._lost_m2) + c.lost_velocity_std_m_s * dt_s) ** 2
            self._lost_rad2 += c.free_noise**2 * dt_s

    def covariances(self, T: Matrix, velocity: Matrix, turn_std_rad: float) -> tuple[Matrix, Matrix]:
        """Of the pose in the odometry frame, and of the twist (v, omega) in the camera frame.

        Args:
            T: T_odom_camera.
            velocity: In the odometry frame (3,).
            turn_std_rad: Of the turn since the last window.
        """
        c, p = self._config, T[:3, 3]
        pose = self._alignment.copy()
        pose[:3, :3] += self.scale_std**2 * np.outer(p, p)
        pose[:3, :3] += ((c.drift * self._way_m) ** 2 + self._lost_m2 + 1e-6) * np.eye(3)
        pose[3:, 3:] += ((c.drift_rad_m * self._turn_way) ** 2 + self._lost_rad2 + 1e-6) * np.eye(3)
        v = T[:3, :3].T @ velocity
        turned = np.kron(np.eye(2), T[:3, :3].T)
        twist = turned @ self._alignment @ turned.T / self._dt_s**2
        twist[:3, :3] += self.scale_std**2 * np.outer(v, v) + 1e-4 * np.eye(3)
        twist[3:, :] = twist[:, 3:] = 0.0
        twist[3:, 3:] = ((turn_std_rad / self._dt_s) ** 2 + 1e-6) * np.eye(3)
        return _bounded(pose), _bounded(twist)


def _bounded(covariance: Matrix) -> Matrix:
    """Not above what stacks take for a number: scaled down where an entry would be."""
    largest = float(np.abs(covariance).max())
    return covariance * min(1.0, 9000.0 / max(largest, 1e-12))
