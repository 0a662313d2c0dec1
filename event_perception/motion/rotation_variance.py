# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objective of rotational egomotion: variance of the image of warped events, fused for speed.

Derivatives are by the angular velocity and by its change over the window. The part of the Hessian from products of
derivative images is exact, or approximately from differences of one image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.difference_image import difference_energy, rotation_image_products
from event_perception.motion.fused_variance import FusedVariance
from event_perception.motion.grid import BinGrid
from event_perception.motion.image_kernels import VOTES, vote_bilinear_moments
from event_perception.motion.newton import Evaluation
from event_perception.motion.rotation_kernels import rotation_pull_back, rotation_spread, warp_rotation
from event_perception.motion.scheme import Scheme

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


class RotationVariance(FusedVariance):
    """Value, gradient and Hessian of -variance at an angular velocity and its change over the window.

    Args:
        grid: The bins.
        kernel: 'bilinear', 'rect' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'.
        hessian: 'exact' or 'approximate'.
        own_votes: 'kept' or 'removed', see ``own_votes``.

    The workspace is kept from call to call; one instance serves one thread.

    Raises:
        ConfigError: If a name is unknown.
    """

    def __init__(
        self,
        grid: BinGrid,
        kernel: str = 'bilinear',
        reconstruction: str = 'linear',
        *,
        hessian: str = 'approximate',
        own_votes: str = 'kept',
    ) -> None:
        super().__init__(grid, Scheme(kernel, reconstruction, hessian, own_votes))
        self._moments = np.zeros((2, self._image.size), np.float32)
        self._events: BearingEvents | None = None

    def set_events(self, events: BearingEvents, window_s: float = 1.0) -> None:
        """Choose the events of the following evaluations.

        Args:
            events: The events.
            window_s: The length over which the change of rate is counted, s.
        """
        self._events, self._per_window = events, np.float32(1.0 / window_s)
        self._reserve(events.w)

    def image(self, omega: Vector, change: Vector | None = None) -> Float32:
        """Image of warped events, float32 (height, width)."""
        self._warp(*_float32(omega, change))
        self._vote()
        return self._counts()

    def neighbours(self, omega: Vector) -> Float32:
        """The image of warped events at the bin of each event, float32 (n,); 0 outside."""
        self._warp(*_float32(omega, None))
        self._vote()
        return self._at_events()

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
        k = 6 if by_change else 3
        rates = _float32(omega, change)
        self._warp(*rates)
        by_difference = order > 1 and not self.scheme.exact
        if by_difference:
            self._vote_moments(by_change)
        else:
            self._vote()
        value = self._value()
        if order == 0:
            return Evaluation(value, np.zeros(k), np.zeros((k, k)))
        gradient, blocks = self._pulled_back(rates, order, by_change)
        factor = -2.0 / self._total_weight
        if order == 1:
            return Evaluation(value, factor * gradient.ravel()[:k], np.zeros((k, k)))
        hessian = blocks[[[0, 1], [1, 2]]][..., _SYMMETRIC].transpose(0, 2, 1, 3).reshape(6, 6)[:k, :k]
        if self.scheme.exact:
            hessian = hessian + self._exact_products(rates, by_change)
        elif by_difference:
            hessian = hessian + self._difference_products(by_change)
        return Evaluation(value, factor * gradient.ravel()[:k], factor * hessian)

    def _chosen(self) -> BearingEvents:
        if self._events is None:
            raise RuntimeError('call set_events before evaluate')
        return self._events

    def _warp(self, omega: Float32, a: Float32) -> None:
        events = self._chosen()
        warp_rotation(
            events.x, events.y, events.d, self._per_window, omega, a, self._u, self._v, self._inside
        )
        self._find_cells()

    def _pulled_back(
        self, rates: tuple[Float32, Float32], order: int, by_change: bool
    ) -> tuple[Vector, Vector]:
        events, gradient, blocks = self._chosen(), np.empty((2, 3)), np.empty((3, 6))
        rotation_pull_back(self.scheme, order, by_change)(
            self._cell, self._rx, self._ry, self._u, self._v, self._inside, events.d, events.w,
            self._per_window, *rates, self._affine[0], self._affine[2], self._image, self._stride, gradient, blocks,
        )  # fmt: skip
        return gradient, blocks

    def _exact_products(self, rates: tuple[Float32, Float32], by_change: bool) -> Vector:
        """sum_j J_jk J_jl - S_k S_l / M for (omega,) or (omega, change)."""
        events, k = self._chosen(), 6 if by_change else 3
        changes = self._cleared_changes(k)
        rotation_spread(self.scheme, by_change)(
            self._cell, self._rx, self._ry, self._u, self._v, events.d, events.w,
            self._per_window, *rates, self._affine[0], self._affine[2], changes, self._stride,
        )  # fmt: skip
        return self._deviations(changes, k)

    def _vote_moments(self, by_change: bool) -> None:
        """The image, and with it the moments: votes of w d and, if wanted, of w d ramp."""
        events, n_moments = self._chosen(), 2 if by_change else 1
        ramp = np.float32(0.5) * self._per_window
        if self.scheme.kernel == 'bilinear':
            self._image[:], self._moments[:n_moments] = 0, 0
            vote_bilinear_moments(
                self._cell, self._rx, self._ry, events.w, events.d, ramp,
                self._image, *self._moments, self._stride, n_moments,
            )  # fmt: skip
            return
        self._vote()
        self._moments[:n_moments] = 0
        weight = events.w * events.d
        for power in range(n_moments):
            weight = weight if power == 0 else weight * events.d * ramp
            VOTES[self.scheme.kernel](
                self._cell, self._rx, self._ry, weight, self._moments[power], self._stride
            )

    def _difference_products(self, by_change: bool) -> Vector:
        """As ``_exact_products``, about."""
        products, sums = np.zeros((3, 9)), np.zeros((2, 3))
        rotation_image_products(by_change)(
            *self._moments, self._shape, self._stride, self._affine, products, sums
        )
        omega, mixed, change = products.reshape(3, 3, 3)
        joined = np.block([[omega, mixed], [mixed.T, change]]) if by_change else omega
        rates = sums.ravel()[: len(joined)]
        energy = difference_energy(self.scheme.kernel, self.scheme.reconstruction)
        return np.asarray(joined / energy - np.outer(rates, rates) / self._n_bins)


def _float32(omega: Vector, change: Vector | None) -> tuple[Float32, Float32]:
    a = np.zeros(3, np.float32) if change is None else np.asarray(change, np.float32)
    return np.asarray(omega, np.float32), a
