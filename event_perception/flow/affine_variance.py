# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objective of affine flow: variance of the image of warped events by six parameters, fused, in pixels."""

import math

import numpy as np
from numpy.typing import NDArray

from event_perception.flow.affine_kernels import affine_pull_back, affine_spread, assembled, warp_affine
from event_perception.motion.fused_variance import FusedVariance
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation
from event_perception.motion.scheme import Scheme

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]


def pixel_grid(height: int, width: int, bin_size_px: float, margin_px: float) -> BinGrid:
    """Bins over the sensor and a margin; coordinates are from -1 to 1 across the width, 0 in the middle."""
    half = 0.5 * width
    rows, columns = (math.ceil((side + 2 * margin_px) / bin_size_px) for side in (height, width))
    return BinGrid(
        scale_x=half / bin_size_px,
        scale_y=half / bin_size_px,
        offset_x=0.5 * (columns - 1),
        offset_y=0.5 * (rows - 1),
        height=rows,
        width=columns,
        bin_size_px=bin_size_px,
    )


class AffineVariance(FusedVariance):
    """Value, gradient and exact Hessian of -variance at six parameters, half widths per second.

    Args:
        grid: The bins, from ``pixel_grid``.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'.
    """

    def __init__(self, grid: BinGrid, kernel: str = 'bilinear', reconstruction: str = 'linear') -> None:
        super().__init__(grid, Scheme(kernel, reconstruction, 'exact', 'removed'))
        self._kept: Vector | None = None

    def set_events(self, x: Float32, y: Float32, d: Float32) -> None:
        """Choose the events of the following evaluations: coordinates of the grid, and times, float32 (n,)."""
        self._x, self._y, self._d = x, y, d
        self._reserve(np.ones(len(d), np.float32))
        self._scale = self._total_weight * max(float(np.square(d, dtype=np.float64).mean()), 1e-30)

    def evaluate(self, parameters: Vector, order: int = 2, keep: bool = False) -> Evaluation:
        """The objective, with order 2 its gradient and Hessian.

        Args:
            parameters: (6,).
            order: 0 leaves gradient and Hessian zero.
            keep: Take the part of the Hessian that costs most, sum_j J J^T per event and squared time, from the last
                call without this, on other events maybe. Near the optimum it changes little from window to window,
                and Newton's steps with it end where the gradient is zero all the same.
        """
        warp_affine(
            self._x, self._y, self._d, np.asarray(parameters, np.float32), self._u, self._v, self._inside
        )
        self._find_cells()
        self._vote()
        value = self._value()
        if order == 0:
            return Evaluation(value, np.zeros(6), np.zeros((6, 6)))
        slopes, bends = np.empty((2, 3)), np.empty((3, 6))
        affine_pull_back(self.scheme)(
            self._cell, self._rx, self._ry, self._inside, self._x, self._y, self._d, self._weights,
            self._affine[0], self._affine[2], self._image, self._stride, slopes, bends,
        )  # fmt: skip
        gradient, hessian = assembled(slopes, bends)
        factor = -2.0 / self._total_weight
        if self._kept is None or not keep:
            self._kept = self._products() / self._scale
        return Evaluation(value, factor * gradient, factor * (hessian + self._scale * self._kept))

    def image(self, parameters: Vector) -> Float32:
        """Image of warped events, float32 (rows, columns) of the grid."""
        warp_affine(
            self._x, self._y, self._d, np.asarray(parameters, np.float32), self._u, self._v, self._inside
        )
        self._find_cells()
        self._vote()
        return self._counts()

    def _products(self) -> Vector:
        """sum_j J_jk J_jl - S_k S_l / M."""
        changes = self._cleared_changes(6)
        affine_spread(self.scheme)(
            self._cell, self._rx, self._ry, self._x, self._y, self._d, self._weights,
            self._affine[0], self._affine[2], changes, self._stride,
        )  # fmt: skip
        return self._deviations(changes, 6)
