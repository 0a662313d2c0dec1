# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objective of rotational egomotion: variance of the image of warped events, fused for speed.

    f(omega) = -(1/N) sum_j (h_j - mean h)^2,   h_j = sum_n w_n k(u_n(omega) - j),   N = sum_n w_n

Dividing by the events instead of the bins makes f the mean number of neighbours of an event, of order one
in any window. Gradient and Hessian are weak derivatives (functional backpropagation): k is replaced by
kappa', kappa'' of ``binning.taps``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.binning.taps import taps
from event_perception.motion.grid import BinGrid
from event_perception.motion.image_kernels import VOTES, find_cells, sums_and_ring
from event_perception.motion.newton import Evaluation
from event_perception.motion.rotation_kernels import (
    rotation_image_products,
    rotation_pull_back,
    warp_rotation,
)

Float32 = NDArray[np.float32]
_SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])


@dataclass(frozen=True, eq=False)
class BearingEvents:
    """Events as the warps take them, contiguous float32 (n,).

    Attributes:
        x: X/Z of the undistorted bearing.
        y: Y/Z.
        d: Event time minus reference time, s.
        w: Weight.
    """

    x: Float32
    y: Float32
    d: Float32
    w: Float32

    def __len__(self) -> int:
        return self.x.shape[0]

    def every(self, step: int) -> 'BearingEvents':
        """Each ``step``-th event."""
        if step <= 1:
            return self
        return BearingEvents(*(np.ascontiguousarray(a[::step]) for a in (self.x, self.y, self.d, self.w)))


class RotationVariance:
    """Value, gradient and Hessian of -variance at an angular velocity.

    Args:
        grid: The bins.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear' or 'cubic'.

    The workspace is kept from call to call; one instance serves one thread.
    """

    def __init__(self, grid: BinGrid, kernel: str = 'bilinear', reconstruction: str = 'linear') -> None:
        self.grid, self.kernel, self.reconstruction = grid, kernel, reconstruction
        self._shift = np.float32(taps(kernel, reconstruction).shift)
        self._vote = VOTES[kernel]
        self._affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
        rows, self._columns = grid.padded_shape
        self._stride = np.int32(self._columns)
        self._image = np.zeros(rows * self._columns, np.float32)
        self._moment = np.zeros(rows * self._columns, np.float32)
        self._shape = (grid.height, grid.width)
        self._events: BearingEvents | None = None

    def set_events(self, events: BearingEvents) -> None:
        """Choose the events of the following evaluations."""
        self._events = events
        n = len(events)
        self._u, self._v, self._rx, self._ry = (np.empty(n, np.float32) for _ in range(4))
        self._inside = np.empty(n, np.bool_)
        self._cell = np.empty(n, np.int32)
        self._total_weight = max(float(events.w.sum(dtype=np.float64)), 1e-30)

    def image(self, omega: NDArray[np.float64]) -> Float32:
        """Image of warped events, float32 (height, width)."""
        self._project(np.asarray(omega, np.float32))
        rows, columns = self.grid.padded_shape
        ring_y, ring_x = (rows - self.grid.height) // 2, (columns - self.grid.width) // 2
        image = self._image.reshape(rows, columns)
        return image[ring_y : rows - ring_y, ring_x : columns - ring_x].copy()

    def evaluate(self, omega: NDArray[np.float64], order: int = 2) -> Evaluation:
        """f, and with order 1 its gradient, with order 2 also its Hessian."""
        events = self._chosen()
        w = np.asarray(omega, np.float32)
        self._project(w)
        total, squares = sums_and_ring(self._image, self._shape, self._columns)
        bins = self.grid.height * self.grid.width
        value = -(squares - total * total / bins) / self._total_weight
        gradient, hessian = np.zeros(3), np.zeros(6)
        if order == 0:
            return Evaluation(value, gradient, np.zeros((3, 3)))
        scale_x, scale_y = self._affine[0], self._affine[2]
        rotation_pull_back(self.kernel, self.reconstruction, order)(
            self._cell, self._rx, self._ry, self._u, self._v, events.d, events.w,
            w, scale_x, scale_y, self._image, self._stride, gradient, hessian,
        )  # fmt: skip
        if order > 1:
            hessian += self._image_part(events)
        factor = -2.0 / self._total_weight
        return Evaluation(value, factor * gradient, factor * hessian[_SYMMETRIC])

    def _chosen(self) -> BearingEvents:
        if self._events is None:
            raise RuntimeError('call set_events before evaluate')
        return self._events

    def _project(self, omega: Float32) -> None:
        """Warp, find the cells, vote."""
        events = self._chosen()
        warp_rotation(events.x, events.y, events.d, omega, self._u, self._v, self._inside)
        find_cells(
            self._u, self._v, self._inside, self._affine, self._shape, self._stride, self._shift,
            self._cell, self._rx, self._ry,
        )  # fmt: skip
        self._image[:] = 0
        self._vote(self._cell, self._rx, self._ry, events.w, self._image, self._stride)

    def _image_part(self, events: BearingEvents) -> NDArray[np.float64]:
        """sum_j J_jk J_jl - S_k S_l / M, as 00 01 02 11 12 22."""
        self._moment[:] = 0
        self._vote(self._cell, self._rx, self._ry, events.w * events.d, self._moment, self._stride)
        products, sums = np.zeros(6), np.zeros(3)
        rotation_image_products(self._moment, self._shape, self._columns, self._affine, products, sums)
        mean_part = np.outer(sums, sums)[np.triu_indices(3)] / (self.grid.height * self.grid.width)
        return products - mean_part
