# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Warps that are linear in their parameters before the division by depth.

    X = (x, y, 1) + sum_k p_k c_k,   u = X_1 / X_3,   v = X_2 / X_3

with columns c_k that depend on the event only. Then u_k = (c_k1 - u c_k3) / X_3 and the only second-order term
is the quotient's: u_kl = -(u_k c_l3 + u_l c_k3) / X_3. First-order rotation, translation, rigid motion with
inverse depth, affine flow and homographies differ in their columns, and in nothing else.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.warps.base import SceneEvents, Vector, Warped

NEAREST = 0.05  # a warped point with a smaller third coordinate has left the field of view


class LinearFractional:
    """Base of such warps; a subclass gives the columns."""

    names: tuple[str, ...] = ()

    def columns(self, events: SceneEvents) -> Vector:
        """Columns (k, 3, n): derivative of X by each parameter."""
        raise NotImplementedError

    def warp(self, parameters: Vector, events: SceneEvents, order: int = 2) -> Warped:
        """Points at the reference time, with derivatives up to ``order``."""
        columns = self.columns(events)
        X = np.tensordot(np.asarray(parameters, np.float64), columns, axes=1)
        X[0] += events.x
        X[1] += events.y
        X[2] += 1.0
        inside = X[2] > NEAREST
        depth = np.where(inside, X[2], 1.0)
        points = X[:2] / depth
        first = (columns[:, :2] - points * columns[:, 2:]).transpose(1, 0, 2) / depth
        second = None if order < 2 else quotient_curvature(first, columns[:, 2] / depth)
        return Warped(points, inside, first, second)


def quotient_curvature(first: Vector, z: NDArray[np.float64]) -> Vector:
    """-(u_k z_l + u_l z_k) for u and v: (2, k, k, n) from (2, k, n) and (k, n)."""
    half = first[:, :, None, :] * z[None, None, :, :]
    return -(half + half.transpose(0, 2, 1, 3))
