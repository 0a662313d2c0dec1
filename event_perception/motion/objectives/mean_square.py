# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Mean square of the image: variance without the mean, for images whose events cannot leave."""

import numpy as np

from event_perception.motion.objectives.base import Image


class MeanSquare:
    """F = -(1/N) sum_j h_j^2."""

    def value(self, image: Image, total: float) -> float:
        """F(h)."""
        return -float(np.square(image).sum()) / total

    def cotangent(self, image: Image, total: float) -> Image:
        """-(2/N) h."""
        return (-2.0 / total) * image

    def curvature(self, image: Image, changes: Image, total: float) -> Image:
        """-(2/N) sum_j J_jk J_jl."""
        J = changes.reshape(len(changes), -1)
        return (-2.0 / total) * (J @ J.T)
