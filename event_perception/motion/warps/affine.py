# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Affine flow: the image of a small patch in motion."""

import numpy as np

from event_perception.motion.warps.base import SceneEvents, Vector
from event_perception.motion.warps.linear_fractional import LinearFractional


class Affine(LinearFractional):
    """(u, v) = (x, y) + d (t + A (x, y)): parameters t_x, t_y, A row by row, all per second."""

    names: tuple[str, ...] = ('tx', 'ty', 'axx', 'axy', 'ayx', 'ayy')

    def columns(self, events: SceneEvents) -> Vector:
        """The third coordinate stays 1."""
        d, dx, dy, zero = events.d, events.d * events.x, events.d * events.y, np.zeros(len(events))
        return np.stack(
            [
                [d, zero, zero],
                [zero, d, zero],
                [dx, zero, zero],
                [dy, zero, zero],
                [zero, dx, zero],
                [zero, dy, zero],
            ]
        )
