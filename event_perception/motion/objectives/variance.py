# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Variance of the image (Gallego and Scaramuzza, RA-L 2017), counted per event."""

import numpy as np

from event_perception.motion.objectives.base import Image


class Variance:
    """F = -(1/N) sum_j (h_j - mean h)^2."""

    def value(self, image: Image, total: float) -> float:
        """F(h)."""
        return -float(np.square(image - image.mean()).sum()) / total

    def cotangent(self, image: Image, total: float) -> Image:
        """-(2/N) (h - mean h)."""
        return (-2.0 / total) * (image - image.mean())

    def curvature(self, image: Image, changes: Image, total: float) -> Image:
        """-(2/N) (sum_j J_jk J_jl - S_k S_l / M)."""
        J = changes.reshape(len(changes), -1)
        S = J.sum(axis=1)
        return (-2.0 / total) * (J @ J.T - np.outer(S, S) / J.shape[1])
