# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Mean squared image gradient (Gallego, Gehrig and Scaramuzza, CVPR 2019: among the best focus measures)."""

import numpy as np

from event_perception.motion.objectives.base import Image


class GradientMagnitude:
    """F = -(1/N) sum_j |grad h|_j^2 with central differences; beyond the border h is 0."""

    def value(self, image: Image, total: float) -> float:
        """F(h)."""
        return -sum(float(np.square(g).sum()) for g in _gradient(image)) / total

    def cotangent(self, image: Image, total: float) -> Image:
        """(2/N) times the adjoint difference of the difference: central differences are antisymmetric."""
        gx, gy = _gradient(image)
        return (2.0 / total) * (_gradient(gx)[0] + _gradient(gy)[1])

    def curvature(self, image: Image, changes: Image, total: float) -> Image:
        """-(2/N) sum_j grad J_jk . grad J_jl."""
        flat = np.stack([np.concatenate([g.ravel() for g in _gradient(J)]) for J in changes])
        return (-2.0 / total) * (flat @ flat.T)


def _gradient(image: Image) -> tuple[Image, Image]:
    padded = np.pad(image, 1)
    return 0.5 * (padded[1:-1, 2:] - padded[1:-1, :-2]), 0.5 * (padded[2:, 1:-1] - padded[:-2, 1:-1])
