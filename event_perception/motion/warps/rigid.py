# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rigid motion of the camera in front of a scene of known inverse depth, to first order in time.

X = (x, y, 1) + d (omega x X + v q), omega in rad/s, v in m/s, q = 1/Z in 1/m.
"""

import numpy as np

from event_perception.motion.warps.base import SceneEvents, Vector
from event_perception.motion.warps.linear_fractional import LinearFractional


class RotationFirstOrder(LinearFractional):
    """Angular velocity only; errs by f |d omega|^2 / 2 pixels."""

    names: tuple[str, ...] = ('wx_rad_s', 'wy_rad_s', 'wz_rad_s')

    def columns(self, events: SceneEvents) -> Vector:
        """Column k is d e_k x X."""
        x, y, d, zero = events.x, events.y, events.d, np.zeros(len(events))
        return np.stack([[zero, -d, d * y], [d, zero, -d * x], [-d * y, d * x, zero]])


class Translation(LinearFractional):
    """Linear velocity only. With q = n . X for every event it is that of a plane n . X Z = 1."""

    names: tuple[str, ...] = ('vx_m_s', 'vy_m_s', 'vz_m_s')

    def columns(self, events: SceneEvents) -> Vector:
        """Column k is d q e_k."""
        dq, zero = events.d * events.q, np.zeros(len(events))
        return np.stack([[dq, zero, zero], [zero, dq, zero], [zero, zero, dq]])


class Rigid(LinearFractional):
    """Angular and linear velocity, (omega, v)."""

    names: tuple[str, ...] = (*RotationFirstOrder.names, *Translation.names)

    def columns(self, events: SceneEvents) -> Vector:
        """Those of rotation, then those of translation."""
        return np.concatenate([RotationFirstOrder().columns(events), Translation().columns(events)])


def inverse_depth_of_plane(normal_over_distance: Vector, x: Vector, y: Vector) -> Vector:
    """Inverse depth q = n . (x, y, 1) of bearings on the plane n . X = 1, n in 1/m; 0 behind the camera."""
    n = normal_over_distance
    return np.maximum(n[0] * x + n[1] * y + n[2], 0.0)
