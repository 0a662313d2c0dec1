# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""When an alignment with the map is believed: if the prediction allows it, or if windows in a row want the same."""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.lie import so3_exp, so3_log
from event_perception.odometry.map_alignment import Alignment
from event_perception.odometry.rotation_slam_config import RotationSlamConfig

Matrix = NDArray[np.float64]

SAME_TURN = 0.5  # two refused turns are the same if they differ by less than this part of them


class MapGate:
    """Judges alignments one after the other.

    Args:
        config: Parameters of rotation SLAM.
    """

    def __init__(self, config: RotationSlamConfig) -> None:
        self.config = config
        self.forget()

    def forget(self) -> None:
        """What was refused before does not matter any more."""
        self._refused, self._wanted = 0, None

    def objection(self, found: Alignment, prior: Matrix) -> str | None:
        """What speaks against it; None for nothing.

        Args:
            found: The alignment.
            prior: Covariance of the prediction (3, 3).
        """
        gate = self.config.gate
        if not found.converged or not np.isfinite(found.covariance).all():
            return 'the map does not tell the orientation here'
        # what the window alone wants, before the prior drew it in
        wanted = (prior + found.covariance) @ np.linalg.solve(prior, found.theta)
        allowed = prior + found.covariance + gate.alignment_std_rad**2 * np.eye(3)
        if wanted @ np.linalg.solve(allowed, wanted) > gate.sigma**2:
            return f'a correction of {np.linalg.norm(found.theta):.3f} rad is more than the prediction allows'
        if np.linalg.norm(found.theta) > self.config.alignment.max_turn_rad:
            return f'a correction of {np.linalg.norm(found.theta):.3f} rad is out of reach'
        return None

    def wanted_again(self, R: Matrix, theta: Matrix) -> bool:
        """Whether enough windows in a row wanted about the same turn, in the axes of the map."""
        turn = R @ so3_exp(theta) @ R.T
        size = max(float(np.linalg.norm(theta)), self.config.alignment_std_rad)
        before, self._wanted = self._wanted, turn
        same = before is not None and float(np.linalg.norm(so3_log(before.T @ turn))) < SAME_TURN * size
        self._refused = self._refused + 1 if same else 1
        return self._refused >= self.config.gate.repeats

    _wanted: Matrix | None
