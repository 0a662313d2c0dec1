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
from event_perception.motion.grid import RING, BinGrid
from event_perception.motion.image_kernels import (
    VOTES,
    difference_energy,
    fill_ring,
    find_cells,
    sums_and_ring,
    vote_bilinear_moments,
)
from event_perception.motion.newton import Evaluation
from event_perception.motion.rotation_kernels import (
    rotation_image_products,
    rotation_pull_back,
    warp_rotation,
)

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]
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
    """Value, gradient and Hessian of -variance at an angular velocity and its change over the window.

    Args:
        grid: The bins.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'.

    The workspace is kept from call to call; one instance serves one thread.
    """

    def __init__(self, grid: BinGrid, kernel: str = 'bilinear', reconstruction: str = 'linear') -> None:
        self.grid, self.kernel, self.reconstruction = grid, kernel, reconstruction
        self._shift = np.float32(taps(kernel, reconstruction).shift)
        self._affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
        rows, self._columns = grid.padded_shape
        self._stride = np.int32(self._columns)
        self._images = np.zeros((3, rows * self._columns), np.float32)  # votes of w, w d, w d ramp
        self._shape = (grid.height, grid.width)
        self._capacity = 0
        self._events: BearingEvents | None = None

    def set_events(self, events: BearingEvents, window_s: float = 1.0) -> None:
        """Choose the events of the following evaluations.

        Args:
            events: The events.
            window_s: The length over which the change of rate is counted, s.
        """
        self._events, self._per_window = events, np.float32(1.0 / window_s)
        n = len(events)
        if n > self._capacity:
            self._capacity = n + n // 4
            self._floats = np.empty((4, self._capacity), np.float32)
            self._inside_all = np.empty(self._capacity, np.bool_)
            self._cell_all = np.empty(self._capacity, np.int32)
        self._u, self._v, self._rx, self._ry = self._floats[:, :n]
        self._inside, self._cell = self._inside_all[:n], self._cell_all[:n]
        self._total_weight = max(float(events.w.sum(dtype=np.float64)), 1e-30)

    def image(self, omega: Vector, change: Vector | None = None) -> Float32:
        """Image of warped events, float32 (height, width)."""
        self._project(*self._float32(omega, change), order=1)
        rows, columns = self.grid.padded_shape
        return self._images[0].reshape(rows, columns)[RING : rows - RING, RING : columns - RING].copy()

    def neighbours(self, omega: Vector) -> Float32:
        """The image of warped events at the bin of each event, float32 (n,); 0 outside."""
        self._project(*self._float32(omega, None), order=1)
        fill_ring(self._images[0], self._shape, self._columns, np.float32(0))
        return self._images[0][self._cell]

    def evaluate(
        self, omega: Vector, change: Vector | None = None, order: int = 2, *, by_change: bool = False
    ) -> Evaluation:
        """The objective, with order 1 its gradient, with order 2 also its Hessian.

        Args:
            omega: Angular velocity at the reference time (3,), rad/s.
            change: Its change over the window (3,), rad/s; zero by default.
            order: 0, 1 or 2.
            by_change: Whether derivatives are by (omega, change) instead of by omega.
        """
        accelerating, k = by_change, 6 if by_change else 3
        w, a = self._float32(omega, change)
        self._project(w, a, order=order, accelerating=accelerating)
        total, squares = sums_and_ring(self._images[0], self._shape, self._columns)
        value = -(squares - total * total / (self._shape[0] * self._shape[1])) / self._total_weight
        if order == 0:
            return Evaluation(value, np.zeros(k), np.zeros((k, k)))
        gradient, blocks = np.empty((2, 3)), np.empty((3, 6))
        events = self._chosen()
        rotation_pull_back(self.kernel, self.reconstruction, order, accelerating)(
            self._cell, self._rx, self._ry, self._u, self._v, events.d, events.w, self._per_window, w, a,
            self._affine[0], self._affine[2], self._images[0], self._stride, gradient, blocks,
        )  # fmt: skip
        factor = -2.0 / self._total_weight
        if order == 1:
            return Evaluation(value, factor * gradient.ravel()[:k], np.zeros((k, k)))
        hessian = blocks[[[0, 1], [1, 2]]][..., _SYMMETRIC].transpose(0, 2, 1, 3).reshape(6, 6)[:k, :k]
        hessian = hessian + self._image_part(accelerating)
        return Evaluation(value, factor * gradient.ravel()[:k], factor * hessian)

    def _chosen(self) -> BearingEvents:
        if self._events is None:
            raise RuntimeError('call set_events before evaluate')
        return self._events

    def _float32(self, omega: Vector, change: Vector | None) -> tuple[Float32, Float32]:
        a = np.zeros(3, np.float32) if change is None else np.asarray(change, np.float32)
        return np.asarray(omega, np.float32), a

    def _project(self, omega: Float32, a: Float32, *, order: int, accelerating: bool = False) -> None:
        """Warp, find the cells, vote."""
        events = self._chosen()
        warp_rotation(
            events.x, events.y, events.d, self._per_window, omega, a, self._u, self._v, self._inside
        )
        find_cells(
            self._u, self._v, self._inside, self._affine, self._shape, self._stride, self._shift,
            self._cell, self._rx, self._ry,
        )  # fmt: skip
        n_moments = 0 if order < 2 else 2 if accelerating else 1
        self._images[: 1 + n_moments] = 0
        ramp = np.float32(0.5) * self._per_window
        if n_moments and self.kernel == 'bilinear':
            vote_bilinear_moments(
                self._cell,
                self._rx,
                self._ry,
                events.w,
                events.d,
                ramp,
                *self._images,
                self._stride,
                n_moments,
            )
            return
        weight = events.w
        for power in range(1 + n_moments):
            weight = weight if power == 0 else weight * events.d * (ramp if power == 2 else np.float32(1))
            VOTES[self.kernel](self._cell, self._rx, self._ry, weight, self._images[power], self._stride)

    def _image_part(self, accelerating: bool) -> NDArray[np.float64]:
        """sum_j J_jk J_jl - S_k S_l / M for (omega,) or (omega, change)."""
        products, sums = np.zeros((3, 9)), np.zeros((2, 3))
        rotation_image_products(accelerating)(
            self._images[1], self._images[2], self._shape, self._columns, self._affine, products, sums
        )
        omega, mixed, change = products.reshape(3, 3, 3)
        joined = np.block([[omega, mixed], [mixed.T, change]]) if accelerating else omega
        rates = sums.ravel()[: len(joined)]
        bins = self._shape[0] * self._shape[1]
        return joined / difference_energy(self.kernel, self.reconstruction) - np.outer(rates, rates) / bins
