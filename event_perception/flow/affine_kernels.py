# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the affine warp in sensor pixels: forward, pull-back, and the image part of the Hessian.

    u = x - d (p_0 + p_2 x + p_3 y),   v = y - d (p_1 + p_4 x + p_5 y),   d = t - t_ref

Linear in the parameters, so there is no second derivative of the warp, and the event part of the Hessian consists
of sums of S_uu, S_uv, S_vv times 1, x, y, x^2, x y, y^2: eighteen numbers, whatever parameters they belong to.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.motion.image_kernels import OPTIONS, f32, specialised
from event_perception.motion.own_votes import make_gatherer
from event_perception.motion.scheme import Scheme
from event_perception.motion.spread_kernels import backward_taps, spread

POWER_OF = np.array([0, 0, 1, 2, 1, 2])
"""Which of 1, x, y each parameter is multiplied with."""
AXIS_OF = np.array([0, 1, 0, 0, 1, 1])
"""Which component of the flow each parameter belongs to."""
_PRODUCT = np.array(
    [[0, 1, 2], [1, 3, 4], [2, 4, 5]]
)  # 1, x, y times 1, x, y -> place among the six monomials


@njit(**OPTIONS)
def warp_affine(x, y, d, p, u, v, inside):  # type: ignore[no-untyped-def]
    """Where events would have been seen at the reference time.

    Args:
        x: Columns of the events, in units of the grid, float32 (n,).
        y: Rows.
        d: Event time minus reference time, s.
        p: Parameters, float32 (6,), per second.
        u: Output, float32 (n,).
        v: Output.
        inside: Output, true: the warp is defined everywhere.
    """
    for i in range(x.shape[0]):
        u[i] = x[i] - d[i] * (p[0] + p[2] * x[i] + p[3] * y[i])
        v[i] = y[i] - d[i] * (p[1] + p[4] * x[i] + p[5] * y[i])
        inside[i] = True


@cache
def affine_pull_back(scheme: Scheme) -> Callable[..., Any]:
    """Compiled sums over events, see ``_pull_back``."""
    return specialised(_pull_back, scheme.named('affine_pull_back'), GATHER=make_gatherer(scheme, 2))


@cache
def affine_spread(scheme: Scheme) -> Callable[..., Any]:
    """Compiled images of dh_j / d parameter, see ``_spread_changes``."""
    constants = backward_taps(scheme.kernel, scheme.reconstruction)
    return specialised(_spread_changes, f'affine_spread_{scheme.kernel}_{scheme.reconstruction}', **constants)


def assembled(
    slopes: NDArray[np.float64], bends: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradient (6,) and Hessian (6, 6) of S from the sums (2, 3) and (3, 6) of ``affine_pull_back``."""
    gradient = -slopes[AXIS_OF, POWER_OF]
    monomial = _PRODUCT[POWER_OF[:, None], POWER_OF[None, :]]
    return gradient, bends[AXIS_OF[:, None] + AXIS_OF[None, :], monomial]


# What the templates below read; ``specialised`` puts other values in their place.
GATHER: Callable[..., Any] = make_gatherer(Scheme(), 2)
VALUES, SLOPES, FIRST = backward_taps('bilinear', 'linear').values()


def _pull_back(cell, rx, ry, inside, x, y, d, w, scale_x, scale_y, image, stride, slopes, bends):  # type: ignore[no-untyped-def]
    """Sums of w d S_u (1, x, y), w d S_v (1, x, y) and of w d^2 S_uu, S_uv, S_vv (1, x, y, x^2, x y, y^2).

    S = sum_j image_j k(u_n - j). Writes slopes (2, 3) and bends (3, 6), float64.
    """
    zero = f32(0)
    g0, g1, g2, h0, h1, h2 = zero, zero, zero, zero, zero, zero
    a0, a1, a2, a3, a4, a5 = zero, zero, zero, zero, zero, zero
    b0, b1, b2, b3, b4, b5 = zero, zero, zero, zero, zero, zero
    c0, c1, c2, c3, c4, c5 = zero, zero, zero, zero, zero, zero
    for i in range(cell.shape[0]):
        own = w[i] if inside[i] else zero
        gu, gv, huu, huv, hvv = GATHER(image, stride, cell[i], rx[i], ry[i], own)
        p, q, wd = x[i], y[i], w[i] * d[i]
        g, h = wd * gu, wd * gv
        g0 += g
        g1 += g * p
        g2 += g * q
        h0 += h
        h1 += h * p
        h2 += h * q
        wd *= d[i]
        a, b, c, pp, pq, qq = wd * huu, wd * huv, wd * hvv, p * p, p * q, q * q
        a0 += a
        a1 += a * p
        a2 += a * q
        a3 += a * pp
        a4 += a * pq
        a5 += a * qq
        b0 += b
        b1 += b * p
        b2 += b * q
        b3 += b * pp
        b4 += b * pq
        b5 += b * qq
        c0 += c
        c1 += c * p
        c2 += c * q
        c3 += c * pp
        c4 += c * pq
        c5 += c * qq
    for k, value in enumerate((g0, g1, g2)):
        slopes[0, k] = value * scale_x
    for k, value in enumerate((h0, h1, h2)):
        slopes[1, k] = value * scale_y
    for k, value in enumerate((a0, a1, a2, a3, a4, a5)):
        bends[0, k] = value * scale_x * scale_x
    for k, value in enumerate((b0, b1, b2, b3, b4, b5)):
        bends[1, k] = value * scale_x * scale_y
    for k, value in enumerate((c0, c1, c2, c3, c4, c5)):
        bends[2, k] = value * scale_y * scale_y


def _spread_changes(cell, rx, ry, x, y, d, w, scale_x, scale_y, images, stride):  # type: ignore[no-untyped-def]
    """Add -dh_j / dp to ``images``, float32 (bins * 8,)."""
    zero = f32(0)
    for i in range(cell.shape[0]):
        step = w[i] * d[i]
        a, b = step * scale_x, step * scale_y
        eight_u = (a, zero, a * x[i], a * y[i], zero, zero, zero, zero)
        eight_v = (zero, b, zero, zero, b * x[i], b * y[i], zero, zero)
        corner = cell[i] + FIRST * (stride + np.int32(1))
        ex, ex1, ey, ey1 = VALUES(rx[i]), SLOPES(rx[i]), VALUES(ry[i]), SLOPES(ry[i])
        spread(images, corner, stride, eight_u, eight_v, ex, ex1, ey, ey1)
