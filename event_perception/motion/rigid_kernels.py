# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the rigid warp: rate and velocity at once, to first order in time.

    X = (x, y, 1) + d (omega x X + v q),   u = X1 / X3,  v = X2 / X3,   q inverse depth, d = t - t_ref

X is linear in the parameters, with columns c_k; so, with z_k = c_k3 / X3,

    u_k = (c_k1 - u c_k3) / X3,  v_k = (c_k2 - v c_k3) / X3,   u_kl = -(u_k z_l + u_l z_k),  v_kl alike.

The same numbers as ``warps.rigid`` in ``contrast_problem``, in float32 and without arrays in between.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from event_perception.motion.image_kernels import INLINED, OPTIONS, f32, specialised
from event_perception.motion.own_votes import make_gatherer
from event_perception.motion.scheme import Scheme
from event_perception.motion.spread_kernels import backward_taps, spread
from event_perception.motion.warps.linear_fractional import NEAREST

_NEAREST = f32(NEAREST)


@njit(**OPTIONS)
def warp_rigid(x, y, d, q, twist, u, v, inverse, inside):  # type: ignore[no-untyped-def]
    """Where events would have been seen at the reference time.

    Args:
        x: X/Z of the events, float32 (n,).
        y: Y/Z.
        d: Event time minus reference time, s.
        q: Inverse depth, 1/m.
        twist: Angular velocity, rad/s, and velocity, m/s, float32 (6,).
        u: Output X/Z, float32 (n,).
        v: Output Y/Z.
        inverse: Output 1 / X3, by how much the event comes closer.
        inside: Output, whether the point is still in front of the camera.
    """
    one = f32(1)
    w0, w1, w2, v0, v1, v2 = twist[0], twist[1], twist[2], twist[3], twist[4], twist[5]
    for i in range(x.shape[0]):
        z = one + d[i] * (w0 * y[i] - w1 * x[i] + v2 * q[i])
        front = z > _NEAREST
        inverse[i] = one / (z if front else one)
        u[i] = (x[i] + d[i] * (w1 - w2 * y[i] + v0 * q[i])) * inverse[i]
        v[i] = (y[i] + d[i] * (w2 * x[i] - w0 + v1 * q[i])) * inverse[i]
        inside[i] = front


@njit(**INLINED)
def columns(x, y, q, u, v):  # type: ignore[no-untyped-def]
    """u_k and v_k over d / X3: six each."""
    u_rotation = (-u * y, f32(1) + u * x, -y)
    v_rotation = (-f32(1) - v * y, v * x, x)
    return (*u_rotation, q, f32(0), -u * q), (*v_rotation, f32(0), q, -v * q)


@cache
def rigid_pull_back(scheme: Scheme, order: int) -> Callable[..., Any]:
    """Compiled sums over events, see ``_pull_back``; order 1: gradient, 2: also the Hessian's event part."""
    name = scheme.named('rigid_pull_back', order)
    return specialised(_pull_back, name, GATHER=make_gatherer(scheme, order), SECOND=order > 1)


@cache
def rigid_spread(scheme: Scheme) -> Callable[..., Any]:
    """Compiled images of dh_j / d parameter, see ``_spread_changes``."""
    constants = backward_taps(scheme.kernel, scheme.reconstruction)
    name = f'rigid_spread_{scheme.kernel}_{scheme.reconstruction}'
    return specialised(_spread_changes, name, **constants)


# What the templates below read; ``specialised`` puts other values in their place.
GATHER: Callable[..., Any] = make_gatherer(Scheme(), 2)
SECOND = True
VALUES, SLOPES, FIRST = backward_taps('bilinear', 'linear').values()


def _pull_back(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, inverse, inside, x, y, d, q, w, scale_x, scale_y, image, stride, gradient, hessian
):
    """Sums over events of w dS/dp and second derivatives, S = sum_j image_j k(u_n - j).

    Writes gradient (6,) and the upper triangle of hessian (6, 6), float64, by (omega, v).
    """
    zero, two = f32(0), f32(2)
    g0, g1, g2, g3, g4, g5 = zero, zero, zero, zero, zero, zero
    h00, h01, h02, h03, h04, h05 = zero, zero, zero, zero, zero, zero
    h11, h12, h13, h14, h15 = zero, zero, zero, zero, zero
    h22, h23, h24, h25, h33, h34, h35 = zero, zero, zero, zero, zero, zero, zero
    h44, h45, h55 = zero, zero, zero
    for i in range(cell.shape[0]):
        own = w[i] if inside[i] else zero
        gu, gv, huu, huv, hvv = GATHER(image, stride, cell[i], rx[i], ry[i], own)
        gu, gv = gu * scale_x, gv * scale_y
        U, V = columns(x[i], y[i], q[i], u[i], v[i])
        step = d[i] * inverse[i]
        first = w[i] * step
        e0, e1, e2 = gu * U[0] + gv * V[0], gu * U[1] + gv * V[1], gu * U[2] + gv * V[2]
        e3, e4, e5 = gu * U[3], gv * V[4], gu * U[5] + gv * V[5]
        g0 += first * e0
        g1 += first * e1
        g2 += first * e2
        g3 += first * e3
        g4 += first * e4
        g5 += first * e5
        if SECOND:
            second = first * step
            a, b, c = second * huu * scale_x * scale_x, second * huv * scale_x * scale_y, second * hvv
            c *= scale_y * scale_y
            z0, z1, z5 = second * y[i], -second * x[i], second * q[i]  # z_k over d / X3; 0 for the others
            # rows of a u_k u_l + b (u_k v_l + v_k u_l) + c v_k v_l, then - e_k z_l - z_k e_l
            r0, s0 = a * U[0] + b * V[0], b * U[0] + c * V[0]
            r1, s1 = a * U[1] + b * V[1], b * U[1] + c * V[1]
            r2, s2 = a * U[2] + b * V[2], b * U[2] + c * V[2]
            r5, s5 = a * U[5] + b * V[5], b * U[5] + c * V[5]
            h00 += r0 * U[0] + s0 * V[0] - two * e0 * z0
            h01 += r0 * U[1] + s0 * V[1] - e0 * z1 - z0 * e1
            h02 += r0 * U[2] + s0 * V[2] - z0 * e2
            h03 += r0 * q[i] - z0 * e3
            h04 += s0 * q[i] - z0 * e4
            h05 += r0 * U[5] + s0 * V[5] - e0 * z5 - z0 * e5
            h11 += r1 * U[1] + s1 * V[1] - two * e1 * z1
            h12 += r1 * U[2] + s1 * V[2] - z1 * e2
            h13 += r1 * q[i] - z1 * e3
            h14 += s1 * q[i] - z1 * e4
            h15 += r1 * U[5] + s1 * V[5] - e1 * z5 - z1 * e5
            h22 += r2 * U[2] + s2 * V[2]
            h23 += r2 * q[i]
            h24 += s2 * q[i]
            h25 += r2 * U[5] + s2 * V[5] - e2 * z5
            h33 += a * q[i] * q[i]
            h34 += b * q[i] * q[i]
            h35 += r5 * q[i] - e3 * z5
            h44 += c * q[i] * q[i]
            h45 += s5 * q[i] - e4 * z5
            h55 += r5 * U[5] + s5 * V[5] - two * e5 * z5
    for k, value in enumerate((g0, g1, g2, g3, g4, g5)):
        gradient[k] = value
    for k, value in enumerate((h00, h01, h02, h03, h04, h05)):
        hessian[0, k] = value
    for k, value in enumerate((h11, h12, h13, h14, h15)):
        hessian[1, k + 1] = value
    for k, value in enumerate((h22, h23, h24, h25)):
        hessian[2, k + 2] = value
    for k, value in enumerate((h33, h34, h35)):
        hessian[3, k + 3] = value
    hessian[4, 4], hessian[4, 5], hessian[5, 5] = h44, h45, h55


def _spread_changes(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, inverse, x, y, d, q, w, scale_x, scale_y, images, stride
):
    """Add dh_j / d (omega, v) to ``images``, float32 (bins * channels,)."""
    zero = f32(0)
    for i in range(cell.shape[0]):
        U, V = columns(x[i], y[i], q[i], u[i], v[i])
        step = w[i] * d[i] * inverse[i]
        a, b = step * scale_x, step * scale_y
        eight_u = (a * U[0], a * U[1], a * U[2], a * U[3], zero, a * U[5], zero, zero)
        eight_v = (b * V[0], b * V[1], b * V[2], zero, b * V[4], b * V[5], zero, zero)
        corner = cell[i] + FIRST * (stride + np.int32(1))
        ex, ex1, ey, ey1 = VALUES(rx[i]), SLOPES(rx[i]), VALUES(ry[i]), SLOPES(ry[i])
        spread(images, corner, stride, eight_u, eight_v, ex, ex1, ey, ey1)
