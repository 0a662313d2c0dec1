# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Binning of numpy arrays on the CPU: value, gradient, directional derivative and second derivatives.

The numbers of the torch operation in float64, without a graph: for analysis, and to check fused kernels
against. One thread, which does not hold the interpreter lock.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.binning.cpu_kernels import gather, scatter
from event_perception.binning.taps import Taps, taps
from event_perception.errors import DataError

Real = NDArray[Any]

# Columns of the gather kernel that make a gradient and the upper triangle of a matrix, per number of axes.
_SECOND_COLUMNS = np.array([[4, 5, 7], [5, 6, 8], [7, 8, 9]])


class CpuBinning:
    """Binning for one pair of kernels and one image size.

    Points are (N, D) in bins, order x, y, t; weights (N,), None for ones. Computed and returned in float64,
    whatever comes in. Events outside and points that are not finite add nothing.

    Args:
        sizes: Bins per array axis, the last one along x, one to three of them.
        kernel: As in ``bin_events``.
        reconstruction: As in ``bin_events``.

    Raises:
        ConfigError: If a kernel or a reconstruction is unknown.
        DataError: If ``sizes`` are not one to three positive numbers.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        *,
        kernel: str = 'bilinear',
        reconstruction: str | None = 'linear',
    ) -> None:
        if not 1 <= len(sizes) <= 3 or min(sizes) < 1:
            raise DataError(f'sizes={sizes}: give one to three numbers of bins, each at least 1')
        self.sizes = tuple(sizes)
        self._n_axes = len(sizes)
        self._votes, self._backward = taps(kernel, None), taps(kernel, reconstruction)

    def value(self, points: Real, weights: Real | None = None) -> Real:
        """The image, shape ``sizes``."""
        points, weights = self._check(points, weights)
        return self._scatter(self._votes, points, weights, np.zeros((0, self._n_axes)))

    def jvp(self, points: Real, weights: Real | None, d_points: Real, d_weights: Real | None = None) -> Real:
        """Change of the image along a change of points (N, D) and weights (N,), shape ``sizes``."""
        points, weights = self._check(points, weights)
        tangents = np.ascontiguousarray(d_points, np.float64) * weights[:, None]
        image = self._scatter(self._backward, points, np.zeros_like(weights), tangents)
        return image if d_weights is None else image + self.value(points, d_weights)

    def vjp(self, points: Real, weights: Real | None, cotangent: Real) -> Real:
        """Gradient of sum(cotangent * image) with respect to the points, (N, D)."""
        points, weights = self._check(points, weights)
        slopes = self._gather(self._backward, points, cotangent, 2)[:, 1 : 1 + self._n_axes]
        return weights[:, None] * slopes

    def vjp_weights(self, points: Real, cotangent: Real) -> Real:
        """Gradient of the same with respect to the weights, (N,): exact, the image is linear in them."""
        points, _ = self._check(points, None)
        return self._gather(self._votes, points, cotangent, 1)[:, 0]

    def second(self, points: Real, weights: Real | None, cotangent: Real) -> Real:
        """Second derivatives of sum(cotangent * image) with respect to each point, (N, D, D).

        The Hessian of an objective f(image) has this part, with the cotangent of f, and J^T (f'') J with the
        columns of J from ``jvp``.
        """
        points, weights = self._check(points, weights)
        columns = _SECOND_COLUMNS[: self._n_axes, : self._n_axes]
        return weights[:, None, None] * self._gather(self._backward, points, cotangent, 3)[:, columns]

    def _scatter(self, side: Taps, points: Real, amounts: Real, tangents: Real) -> Real:
        padded = np.zeros(self._padded_shape(side))
        scatter(points, amounts, tangents, side.columns, side.shift, side.first, self._xyz(), padded)
        return padded[self._inside(side)].reshape(self.sizes)

    def _gather(self, side: Taps, points: Real, cotangent: Real, n_orders: int) -> Real:
        if np.shape(cotangent) != self.sizes:
            raise DataError(f'cotangent of shape {np.shape(cotangent)}: give {self.sizes}')
        padded = np.zeros(self._padded_shape(side))
        padded[self._inside(side)] = np.reshape(cotangent, self._xyz()[::-1])
        out = np.empty((len(points), {1: 1, 2: 4, 3: 10}[n_orders]))
        gather(points, side.columns, side.shift, side.first, self._xyz(), padded, n_orders, out)
        return out

    def _xyz(self) -> tuple[int, int, int]:
        nx, ny, nz = (*self.sizes[::-1], 1, 1)[:3]
        return nx, ny, nz

    def _padded_shape(self, side: Taps) -> tuple[int, ...]:
        rings = [2 * side.n_taps] * self._n_axes + [0] * (3 - self._n_axes)
        return tuple(size + ring for size, ring in zip(self._xyz(), rings))[::-1]

    def _inside(self, side: Taps) -> tuple[slice, ...]:
        starts = [side.n_taps] * self._n_axes + [0] * (3 - self._n_axes)
        return tuple(slice(a, a + size) for a, size in zip(starts, self._xyz()))[::-1]

    def _check(self, points: Real, weights: Real | None) -> tuple[Real, Real]:
        points = np.ascontiguousarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != self._n_axes:
            raise DataError(f'points of shape {points.shape}: give (N, {self._n_axes})')
        if weights is None:
            return points, np.ones(len(points))
        weights = np.ascontiguousarray(weights, np.float64)
        if weights.shape != points.shape[:1]:
            raise DataError(f'weights of shape {weights.shape}: give {points.shape[:1]}')
        return points, weights
