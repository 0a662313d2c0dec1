# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image part of a rotation's Hessian, cheaply: from differences of one image instead of three or six images.

The flow of a rotation hardly changes over a bin, so the images of the derivatives are nearly those of w_n d_n
alone, differenced and multiplied by the flow at the bin. Off by a few percent at the right motion, more far
from it; ``spread_kernels`` is exact.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.binning.taps import taps
from event_perception.motion.grid import RING
from event_perception.motion.image_kernels import OPTIONS, f32


@cache
def difference_energy(kernel: str, reconstruction: str) -> float:
    """How much smaller the difference images of ``rotation_image_products`` are than with kappa': a ratio.

    For votes of alternating sign, as those of w_n d_n at the right motion are, the square sum of an image is
    that of its kernel: kappa'(x) kappa(y) against the vote k, differenced and smoothed by [1 10 1] / 12.
    """
    r = (np.arange(4096) + 0.5) / 4096
    kappa, slope, _ = np.sum(np.square(taps(kernel, reconstruction).evaluate(r)), axis=-1).mean(axis=1)
    x = np.arange(-8, 8, 1 / 4096) + 1 / 8192
    vote = _vote_profile(kernel, x)
    shift = lambda f, bins: np.roll(f, bins * 4096)  # noqa: E731
    smooth = (shift(vote, 1) + 10 * vote + shift(vote, -1)) / 12
    difference = (shift(vote, 1) - shift(vote, -1)) / 2
    return float(np.square(smooth).sum() * np.square(difference).sum() / 4096**2 / (kappa * slope))


def _vote_profile(kernel: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if kernel == 'rect':
        return (np.abs(x) < 0.5).astype(np.float64)
    if kernel == 'bilinear':
        return np.maximum(0.0, 1.0 - np.abs(x))
    return np.where(np.abs(x) < 1.5, np.exp(-0.5 * x * x) / (np.sqrt(2 * np.pi) * 0.8663855974622838), 0.0)


@cache
def rotation_image_products(accelerating: bool) -> Callable[..., None]:
    """Compiled sums over bins of products of J_jk = dh_j / d(parameter k)."""

    @njit(**OPTIONS)
    def image_products(first, second, shape, stride, grid, products, sums):  # type: ignore[no-untyped-def]
        """sum_j J_jk J_jl and sum_j J_jk, from the votes of w d and of w d ramp alone.

        The flow field of a rotation hardly changes over one bin, so J_jk = u_k(j) A_j + v_k(j) B_j, with A
        and B the derivatives of the image ``first`` as central differences, smoothed across by [1 10 1] / 12;
        C and D, of ``second``, give the derivatives by the change of rate. Writes products (3, 9): the
        blocks omega-omega, omega-change, change-change; sums (2, 3).
        """
        scale_x, offset_x, scale_y, offset_y = grid[0], grid[1], grid[2], grid[3]
        one = f32(1)
        side, centre = f32(1 / 24), f32(10 / 24)
        for row in range(RING, RING + shape[0]):
            at = row * stride + RING - 1
            above, here, below = first[at - stride :], first[at:], first[at + stride :]
            above2, here2, below2 = second[at - stride :], second[at:], second[at + stride :]
            q = (f32(row - RING) - offset_y) / scale_y
            s0, s1, s2, t0, t1, t2 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
            p00, p01, p02, p11, p12, p22 = s0, s0, s0, s0, s0, s0
            c00, c01, c02, c10, c11, c12, c20, c21, c22 = s0, s0, s0, s0, s0, s0, s0, s0, s0
            e00, e01, e02, e11, e12, e22 = s0, s0, s0, s0, s0, s0
            for column in range(shape[1]):
                left = np.uint64(column)
                middle, right = left + np.uint64(1), left + np.uint64(2)
                a = side * (above[right] - above[left] + below[right] - below[left])
                a = scale_x * (a + centre * (here[right] - here[left]))
                b = side * (below[left] - above[left] + below[right] - above[right])
                b = scale_y * (b + centre * (below[middle] - above[middle]))
                p = (f32(column) - offset_x) / scale_x
                pq, pp, qq = p * q, one + p * p, -one - q * q
                j0, j1, j2 = qq * b - pq * a, pp * a + pq * b, p * b - q * a
                s0 += j0
                s1 += j1
                s2 += j2
                p00 += j0 * j0
                p01 += j0 * j1
                p02 += j0 * j2
                p11 += j1 * j1
                p12 += j1 * j2
                p22 += j2 * j2
                if accelerating:
                    c = side * (above2[right] - above2[left] + below2[right] - below2[left])
                    c = scale_x * (c + centre * (here2[right] - here2[left]))
                    d = side * (below2[left] - above2[left] + below2[right] - above2[right])
                    d = scale_y * (d + centre * (below2[middle] - above2[middle]))
                    k0, k1, k2 = qq * d - pq * c, pp * c + pq * d, p * d - q * c
                    t0 += k0
                    t1 += k1
                    t2 += k2
                    c00 += j0 * k0
                    c01 += j0 * k1
                    c02 += j0 * k2
                    c10 += j1 * k0
                    c11 += j1 * k1
                    c12 += j1 * k2
                    c20 += j2 * k0
                    c21 += j2 * k1
                    c22 += j2 * k2
                    e00 += k0 * k0
                    e01 += k0 * k1
                    e02 += k0 * k2
                    e11 += k1 * k1
                    e12 += k1 * k2
                    e22 += k2 * k2
            for k, value in enumerate((p00, p01, p02, p01, p11, p12, p02, p12, p22)):
                products[0, k] += value
            for k, value in enumerate((c00, c01, c02, c10, c11, c12, c20, c21, c22)):
                products[1, k] += value
            for k, value in enumerate((e00, e01, e02, e01, e11, e12, e02, e12, e22)):
                products[2, k] += value
            for k, value in enumerate((s0, s1, s2)):
                sums[0, k] += value
            for k, value in enumerate((t0, t1, t2)):
                sums[1, k] += value

    return image_products
