# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the fused objectives share: the image of warped events, its variance, and the products of its derivatives.

    f(p) = -(1/N) sum_j (h_j - mean h)^2,   h_j = sum_n w_n k(u_n(p) - j),   N = sum_n w_n

Dividing by the events instead of the bins makes f the mean number of neighbours of an event, of order one
in any window. Gradient and Hessian are weak derivatives (functional backpropagation): k is replaced by
kappa', kappa'' of ``binning.taps``. A subclass warps the events and sums over them.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.binning.taps import taps
from event_perception.motion.grid import RING, BinGrid
from event_perception.motion.image_kernels import VOTES, fill_ring, find_cells, sums_and_ring
from event_perception.motion.own_votes import own_squares
from event_perception.motion.scheme import Scheme
from event_perception.motion.spread_kernels import channels, deviations

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]


class FusedVariance:
    """Workspace and common steps; kept from call to call, so one instance serves one thread.

    Args:
        grid: The bins.
        scheme: Votes and derivatives.
    """

    def __init__(self, grid: BinGrid, scheme: Scheme) -> None:
        self.grid, self.scheme = grid, scheme
        self._shift = np.float32(taps(scheme.kernel, scheme.reconstruction).shift)
        self._affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
        self._shape = (grid.height, grid.width)
        rows, columns = grid.padded_shape
        self._stride, self._n_bins = np.int32(columns), grid.height * grid.width
        self._image = np.zeros(rows * columns, np.float32)
        self._changes = np.zeros(0, np.float32)
        self._capacity = 0

    def _reserve(self, weights: Float32) -> None:
        """Room for as many events as there are weights."""
        n = len(weights)
        if n > self._capacity:
            self._capacity = n + n // 4
            self._floats = np.empty((4, self._capacity), np.float32)
            self._inside_all = np.empty(self._capacity, np.bool_)
            self._cell_all = np.empty(self._capacity, np.int32)
        self._u, self._v, self._rx, self._ry = self._floats[:, :n]
        self._inside, self._cell = self._inside_all[:n], self._cell_all[:n]
        self._weights = weights
        self._total_weight = max(float(weights.sum(dtype=np.float64)), 1e-30)

    def _find_cells(self) -> None:
        find_cells(
            self._u, self._v, self._inside, self._affine, self._shape, self._stride, self._shift,
            self._cell, self._rx, self._ry,
        )  # fmt: skip

    def _vote(self) -> None:
        self._image[:] = 0
        VOTES[self.scheme.kernel](self._cell, self._rx, self._ry, self._weights, self._image, self._stride)

    def _value(self) -> float:
        """The objective of the image; afterwards its ring is where the cotangent is zero."""
        total, squares = sums_and_ring(self._image, self._shape, self._stride)
        deviation = squares - total * total / self._n_bins
        if self.scheme.alone:
            per_bin = np.float32(1.0 / self._n_bins)
            deviation -= own_squares(self.scheme.kernel)(
                self._rx, self._ry, self._weights, self._inside, per_bin
            )
        return -deviation / self._total_weight

    def _counts(self) -> Float32:
        """The image without its ring, a copy."""
        padded = self._image.reshape(self.grid.padded_shape)
        return padded[RING:-RING, RING:-RING].copy()

    def _at_events(self) -> Float32:
        """The image at the bin of each event, 0 outside."""
        fill_ring(self._image, self._shape, self._stride, np.float32(0))
        return self._image[self._cell]

    def _cleared_changes(self, n_parameters: int) -> Float32:
        """Zeros for the images of the derivatives, flat."""
        n = self._image.size * channels(n_parameters)
        if self._changes.size < n:
            self._changes = np.empty(n, np.float32)
        self._changes[:n] = 0
        return self._changes[:n]

    def _deviations(self, changes: Float32, n_parameters: int) -> Vector:
        """sum_j J_jk J_jl - S_k S_l / M."""
        return deviations(changes.reshape(*self.grid.padded_shape, channels(n_parameters)), n_parameters)
