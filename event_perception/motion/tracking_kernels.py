# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of every tracker: rate or pose, from a window's own votes or against a map, with depth or without.

A point (x, y, 1) of inverse depth q is moved by one or two small twists, each weighted per event:

    X = (x, y, 1) + r x (x, y, 1) + q t,   (r, t) = a (r_a, t_a) + b (r_b, t_b),   u = X1 / X3,  v = X2 / X3

With a = t - t_ref the first twist is (omega, v); with b = 1 the second is a correction (theta, tau) of the pose; with
a, b the hat functions of two knots they are corrections of a spline. X is linear in the parameters, so one gradient
and one symmetric matrix by X serve them all. With S the sampled image and K its second derivatives by (u, v),

    g = dS/dX = (S_u, S_v, -u S_u - v S_v) / X3,     r-gradient (x, y, 1) x g,   t-gradient q g
    Q = d2S/dX2 = L^T K L - (terms of g),            r x P = C r:  C^T Q C,  q C^T Q,  q^2 Q

and the Hessian by two parameters of twists a, b is the sum over events of a^2, a b and b^2 times these.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from event_perception.motion.image_kernels import INLINED, OPTIONS, f32, make_sampler, specialised
from event_perception.motion.rigid_kernels import columns
from event_perception.motion.spread_kernels import backward_taps, spread
from event_perception.motion.warps.linear_fractional import NEAREST

_NEAREST = f32(NEAREST)


@njit(**OPTIONS)
def move_points(x, y, q, a, b, first, second, u, v, inverse, inside):  # type: ignore[no-untyped-def]
    """Where the points go.

    Args:
        x: X/Z, float32 (n,).
        y: Y/Z.
        q: Inverse depth, 1/m.
        a: Weight of the first twist.
        b: Weight of the second.
        first: Rotation and translation, float32 (6,).
        second: As ``first``.
        u: Output X/Z, float32 (n,).
        v: Output Y/Z.
        inverse: Output 1 / X3.
        inside: Output, whether the point is in front of the camera.
    """
    one = f32(1)
    a0, a1, a2, a3, a4, a5 = first[0], first[1], first[2], first[3], first[4], first[5]
    b0, b1, b2, b3, b4, b5 = second[0], second[1], second[2], second[3], second[4], second[5]
    for i in range(x.shape[0]):
        r0, r1, r2 = a[i] * a0 + b[i] * b0, a[i] * a1 + b[i] * b1, a[i] * a2 + b[i] * b2
        t0, t1, t2 = a[i] * a3 + b[i] * b3, a[i] * a4 + b[i] * b4, a[i] * a5 + b[i] * b5
        z = one + r0 * y[i] - r1 * x[i] + t2 * q[i]
        front = z > _NEAREST
        inverse[i] = one / (z if front else one)
        u[i] = (x[i] + r1 - r2 * y[i] + t0 * q[i]) * inverse[i]
        v[i] = (y[i] + r2 * x[i] - r0 + t1 * q[i]) * inverse[i]
        inside[i] = front


@cache
def track_pull_back(
    kernel: str, reconstruction: str, order: int, translating: bool, two: bool
) -> Callable[..., float]:
    """Compiled sums over events, see ``_pull_back``.

    Args:
        kernel: Votes.
        reconstruction: Of the weak derivatives.
        order: 0: value, 1: also the gradient, 2: also the Hessian's event part.
        translating: Whether derivatives by translations are wanted.
        two: Whether there is a second twist.
    """
    name = f'track_pull_back_{kernel}_{reconstruction}_{order}_{int(translating)}_{int(two)}'
    return specialised(
        _pull_back,
        name,
        SAMPLE=make_sampler(kernel, reconstruction, order, valued=True),
        FIRST_ORDER=order > 0,
        SECOND_ORDER=order > 1,
        TRANSLATING=translating,
        TWO=two,
    )


@cache
def track_spread(kernel: str, reconstruction: str, translating: bool, two: bool) -> Callable[..., None]:
    """Compiled images of dh_j / d parameter, see ``_spread_changes``."""
    name = f'track_spread_{kernel}_{reconstruction}_{int(translating)}_{int(two)}'
    constants = backward_taps(kernel, reconstruction)
    return specialised(_spread_changes, name, TRANSLATING=translating, TWO=two, **constants)


@njit(**INLINED)
def _by_point(u, v, inverse, gu, gv, huu, huv, hvv):  # type: ignore[no-untyped-def]
    """Derivatives by (u, v) to those by X: (g0, g1, g2) and (Q00, Q01, Q02, Q11, Q12, Q22)."""
    square = inverse * inverse
    along = u * huu + v * huv + gu
    across = u * huv + v * hvv + gv
    depth = u * (along + gu) + v * (across + gv)
    g = (gu * inverse, gv * inverse, -(u * gu + v * gv) * inverse)
    return g, (
        huu * square,
        huv * square,
        -along * square,
        hvv * square,
        -across * square,
        depth * square,
    )


@njit(**INLINED)
def _gradient(x, y, q, g):  # type: ignore[no-untyped-def]
    """By (r, t): six."""
    g0, g1, g2 = g
    return y * g2 - g1, g0 - x * g2, x * g1 - y * g0, q * g0, q * g1, q * g2


@njit(**INLINED)
def _hessian(x, y, q, Q):  # type: ignore[no-untyped-def]
    """By (r, t): the upper triangle, row by row, 21; b_k = Q c_k with c_k = e_k x (x, y, 1)."""
    q00, q01, q02, q11, q12, q22 = Q
    b00, b01, b02 = y * q02 - q01, y * q12 - q11, y * q22 - q12
    b10, b11, b12 = q00 - x * q02, q01 - x * q12, q02 - x * q22
    b20, b21, b22 = x * q01 - y * q00, x * q11 - y * q01, x * q12 - y * q02
    qq = q * q
    first = (y * b02 - b01, y * b12 - b11, y * b22 - b21, q * b00, q * b01, q * b02)
    second = (b10 - x * b12, b20 - x * b22, q * b10, q * b11, q * b12)
    third = (x * b21 - y * b20, q * b20, q * b21, q * b22)
    return (*first, *second, *third, qq * q00, qq * q01, qq * q02, qq * q11, qq * q12, qq * q22)


@njit(**INLINED)
def _plus(s, c, e):  # type: ignore[no-untyped-def]
    """Sum of s and c e, six numbers."""
    return (
        s[0] + c * e[0],
        s[1] + c * e[1],
        s[2] + c * e[2],
        s[3] + c * e[3],
        s[4] + c * e[4],
        s[5] + c * e[5],
    )


@njit(**INLINED)
def _plus21(s, c, e):  # type: ignore[no-untyped-def]
    """Sum of s and c e, triangles of 21."""
    first = _plus(s[0:6], c, e[0:6])
    second, third = _plus(s[6:12], c, e[6:12]), _plus(s[12:18], c, e[12:18])
    return (*first, *second, *third, s[18] + c * e[18], s[19] + c * e[19], s[20] + c * e[20])


# What the templates below read; ``specialised`` puts other values in their place.
SAMPLE: Callable[..., Any] = make_sampler('bilinear', 'linear', 2, valued=True)
FIRST_ORDER = SECOND_ORDER = TRANSLATING = TWO = True
VALUES, SLOPES, FIRST = backward_taps('bilinear', 'linear').values()
_NONE6 = (f32(0),) * 6
_NONE21 = (f32(0),) * 21


def _pull_back(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, inverse, x, y, q, w, a, b, scale_x, scale_y, image, stride, gradient, hessian
):
    """Sum over events of w S, S the image smoothed by the B-spline of the kernel pair, and its derivatives.

    Writes gradient (2, 6), by the first and the second twist; hessian (3, 21): triangles by a^2, a b and b^2,
    float64. Without TRANSLATING the entries of translations are those of q = 0.
    """
    zero, total = f32(0), f32(0)
    ga, gb, haa, hab, hbb = _NONE6, _NONE6, _NONE21, _NONE21, _NONE21
    for i in range(cell.shape[0]):
        value, gu, gv, huu, huv, hvv = SAMPLE(image, stride, cell[i], rx[i], ry[i])
        total += w[i] * value
        if FIRST_ORDER:
            huu, huv, hvv = huu * scale_x * scale_x, huv * scale_x * scale_y, hvv * scale_y * scale_y
            g, Q = _by_point(u[i], v[i], inverse[i], gu * scale_x, gv * scale_y, huu, huv, hvv)
            near = q[i] if TRANSLATING else zero
            e = _gradient(x[i], y[i], near, g)
            wa = w[i] * a[i]
            ga = _plus(ga, wa, e)
            if TWO:
                wb = w[i] * b[i]
                gb = _plus(gb, wb, e)
            if SECOND_ORDER:
                s = _hessian(x[i], y[i], near, Q)
                haa = _plus21(haa, wa * a[i], s)
                if TWO:
                    hab = _plus21(hab, wa * b[i], s)
                    hbb = _plus21(hbb, wb * b[i], s)
    for k in range(6):
        gradient[0, k], gradient[1, k] = ga[k], gb[k]
    for k in range(21):
        hessian[0, k], hessian[1, k], hessian[2, k] = haa[k], hab[k], hbb[k]
    return total


def _spread_changes(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, inverse, x, y, q, w, a, b, scale_x, scale_y, images, stride
):
    """Add dh_j / d parameter to ``images``, float32 (bins * channels,)."""
    o = f32(0)
    for i in range(cell.shape[0]):
        U, V = columns(x[i], y[i], q[i], u[i], v[i])
        step = w[i] * inverse[i]
        c, s = step * a[i] * scale_x, step * a[i] * scale_y
        d, t = step * b[i] * scale_x, step * b[i] * scale_y
        corner = cell[i] + FIRST * (stride + np.int32(1))
        ex, ex1, ey, ey1 = VALUES(rx[i]), SLOPES(rx[i]), VALUES(ry[i]), SLOPES(ry[i])
        taps_ = ex, ex1, ey, ey1
        au, av = (c * U[0], c * U[1], c * U[2]), (s * V[0], s * V[1], s * V[2])
        bu, bv = (d * U[0], d * U[1], d * U[2]), (t * V[0], t * V[1], t * V[2])
        if TRANSLATING:
            atu, atv = (*au, c * U[3], o, c * U[5]), (*av, o, s * V[4], s * V[5])
            btu, btv = (*bu, d * U[3], o, d * U[5]), (*bv, o, t * V[4], t * V[5])
            if TWO:
                spread(images, corner, stride, (*atu, *btu, o, o, o, o), (*atv, *btv, o, o, o, o), *taps_)
            else:
                spread(images, corner, stride, (*atu, o, o), (*atv, o, o), *taps_)
        elif TWO:
            spread(images, corner, stride, (*au, *bu, o, o), (*av, *bv, o, o), *taps_)
        else:
            spread(images, corner, stride, (*au, o), (*av, o), *taps_)
