# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objective of egomotion with depth: variance of the image of warped events, fused, by rate and velocity."""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.fused_variance import FusedVariance
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation
from event_perception.motion.rigid_kernels import rigid_pull_back, rigid_spread, warp_rigid
from event_perception.motion.scheme import Scheme
from event_perception.motion.warps.base import SceneEvents

Vector = NDArray[np.float64]
_MIRROR = np.triu_indices(6, 1)[::-1]


class RigidVariance(FusedVariance):
    """Value, gradient and exact Hessian of -variance at (omega, v), rad/s and m/s.

    Args:
        grid: The bins.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'.
        own_votes: 'kept' or 'removed'.

    Raises:
        ConfigError: If a name is unknown.
    """

    def __init__(
        self,
        grid: BinGrid,
        kernel: str = 'bilinear',
        reconstruction: str = 'linear',
        *,
        own_votes: str = 'kept',
    ) -> None:
        super().__init__(grid, Scheme(kernel, reconstruction, 'exact', own_votes))

    def set_events(self, events: SceneEvents) -> None:
        """Choose the events of the following evaluations."""
        arrays = (events.x, events.y, events.d, events.q, events.w)
        self._x, self._y, self._d, self._q, w = (np.ascontiguousarray(a, np.float32) for a in arrays)
        self._reserve(w)
        self._inverse = np.empty(len(w), np.float32)

    def evaluate(self, parameters: Vector, order: int = 2) -> Evaluation:
        """The objective at (omega, v), with order 1 its gradient, with order 2 also its Hessian."""
        twist = np.asarray(parameters, np.float32)
        warp_rigid(self._x, self._y, self._d, self._q, twist, self._u, self._v, self._inverse, self._inside)
        self._find_cells()
        self._vote()
        value, gradient, hessian = self._value(), np.zeros(6), np.zeros((6, 6))
        if order > 0:
            self._pull_back(order, gradient, hessian)
        if order > 1:
            hessian += self._products()
        factor = -2.0 / self._total_weight
        return Evaluation(value, factor * gradient, factor * hessian)

    def _pull_back(self, order: int, gradient: Vector, hessian: Vector) -> None:
        rigid_pull_back(self.scheme, order)(
            self._cell, self._rx, self._ry, self._u, self._v, self._inverse, self._inside,
            self._x, self._y, self._d, self._q, self._weights,
            self._affine[0], self._affine[2], self._image, self._stride, gradient, hessian,
        )  # fmt: skip
        hessian[_MIRROR] = hessian.T[_MIRROR]

    def _products(self) -> Vector:
        """sum_j J_jk J_jl - S_k S_l / M."""
        changes = self._cleared_changes(6)
        rigid_spread(self.scheme)(
            self._cell, self._rx, self._ry, self._u, self._v, self._inverse,
            self._x, self._y, self._d, self._q, self._weights,
            self._affine[0], self._affine[2], changes, self._stride,
        )  # fmt: skip
        return self._deviations(changes, 6)
