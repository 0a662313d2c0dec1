# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Homographic flow: the image of a plane under any rigid motion."""

import numpy as np

from event_perception.motion.warps.base import SceneEvents, Vector
from event_perception.motion.warps.linear_fractional import LinearFractional


class Homography(LinearFractional):
    """X = (1 + d G) (x, y, 1): eight parameters, G row by row without its last element, per second.

    G = [omega]_x + v n^T for a camera in front of the plane n . X = 1 (up to a multiple of the identity).
    """

    names: tuple[str, ...] = ('g11', 'g12', 'g13', 'g21', 'g22', 'g23', 'g31', 'g32')

    def columns(self, events: SceneEvents) -> Vector:
        """Column of g_rc: d times coordinate c, in row r."""
        coordinates = np.stack([events.d * events.x, events.d * events.y, events.d])
        columns = np.zeros((9, 3, len(events)))
        for k in range(9):
            columns[k, k // 3] = coordinates[k % 3]
        return columns[:8]
