# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the rotation warp: forward, pull-back, and the image part of the Hessian.

With d = t - t_ref, ramp = d / window length and x = (X/Z, Y/Z, 1):

    X(t_ref) = exp(d [w]_x) X,   w = omega + ramp a,

so that omega is the rate at t_ref and a, in rad/s, its change over the window (a constant acceleration;
terms of third order in d, omega x a d^3 / 12, are left out). A small change of w turns the warped bearing by
eta = d J(d w) delta, J the left Jacobian, and moves the warped point by

    u_eta = (-u v, 1 + u^2, -v),   v_eta = (-1 - v^2, u v, u),

whatever the rotation so far. All trigonometric functions are series in the squared angle: no division by the
angle, right at zero, 4e-8 exact up to 1.5 rad.
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

NEAREST = f32(0.05)  # a warped bearing below this Z has left the field of view


@njit(**OPTIONS)
def warp_rotation(x, y, d, per_window, omega, a, u, v, inside):  # type: ignore[no-untyped-def]
    """Where events would have been seen at the reference time, had the camera only turned.

    Args:
        x: X/Z of the events, float32 (n,).
        y: Y/Z.
        d: Event time minus reference time, s, float32 (n,).
        per_window: 1 / window length, float32.
        omega: Angular velocity at the reference time, rad/s, float32 (3,).
        a: Its change over one window length, rad/s, float32 (3,).
        u: Output X/Z, float32 (n,).
        v: Output Y/Z.
        inside: Output, whether the point is still in front of the camera.
    """
    one, half = f32(1), f32(0.5) * per_window
    for i in range(x.shape[0]):
        p, q, ramp = x[i], y[i], d[i] * half  # the mean rate between the event and t_ref: half the change
        w0, w1, w2 = omega[0] + ramp * a[0], omega[1] + ramp * a[1], omega[2] + ramp * a[2]
        s = d[i] * d[i] * (w0 * w0 + w1 * w1 + w2 * w2)
        once = d[i] * (
            one - s * (f32(1 / 6) - s * (f32(1 / 120) - s * (f32(1 / 5040) - s * f32(1 / 362880))))
        )
        twice = (d[i] * d[i]) * (
            f32(1 / 2) - s * (f32(1 / 24) - s * (f32(1 / 720) - s * (f32(1 / 40320) - s * f32(1 / 3628800))))
        )
        c0, c1, c2 = w1 - w2 * q, w2 * p - w0, w0 * q - w1 * p
        z = one + once * c2 + twice * (w0 * c1 - w1 * c0)
        front = z > NEAREST
        inverse = one / (z if front else one)
        u[i] = (p + once * c0 + twice * (w1 * c2 - w2 * c1)) * inverse
        v[i] = (q + once * c1 + twice * (w2 * c0 - w0 * c2)) * inverse
        inside[i] = front


@cache
def rotation_pull_back(scheme: Scheme, order: int, accelerating: bool) -> Callable[..., Any]:
    """Compiled sums over events.

    Args:
        scheme: What to compile for.
        order: 1: gradient, 2: also the Hessian's event part.
        accelerating: Whether derivatives by the change of rate are wanted as well.
    """
    return specialised(
        _pull_back,
        scheme.named('rotation_pull_back', order, accelerating),
        GATHER=make_gatherer(scheme, order),
        SECOND=order > 1,
        EXACT=scheme.exact,
        ACCELERATING=accelerating,
    )


@cache
def rotation_spread(scheme: Scheme, accelerating: bool) -> Callable[..., Any]:
    """Compiled images of dh_j / d parameter, see ``_spread_changes``."""
    constants = backward_taps(scheme.kernel, scheme.reconstruction)
    name = f'rotation_spread_{scheme.kernel}_{scheme.reconstruction}_{int(accelerating)}'
    return specialised(_spread_changes, name, ACCELERATING=accelerating, **constants)


@njit(**INLINED)
def _turned(a0, a1, a2, d, w0, w1, w2):  # type: ignore[no-untyped-def]
    """J^T a = a - b (d w) x a + c (d w) x ((d w) x a)."""
    s = d * d * (w0 * w0 + w1 * w1 + w2 * w2)
    b = d * (f32(1 / 2) - s * (f32(1 / 24) - s * f32(1 / 720)))
    c = d * d * (f32(1 / 6) - s * (f32(1 / 120) - s * f32(1 / 5040)))
    c0, c1, c2 = w1 * a2 - w2 * a1, w2 * a0 - w0 * a2, w0 * a1 - w1 * a0
    return (
        a0 - b * c0 + c * (w1 * c2 - w2 * c1),
        a1 - b * c1 + c * (w2 * c0 - w0 * c2),
        a2 - b * c2 + c * (w0 * c1 - w1 * c0),
    )


@njit(**INLINED)
def _second_by_rate(s00, s01, s02, s11, s12, s22, a0, a1, a2, t0, t1, t2):  # type: ignore[no-untyped-def]
    """From the second derivatives S by a small turn eta to those by the rotation vector t: J^T S J + D.

    J = (1 - c t.t) I + c t t^T + b [t]_x. With a the derivative by eta, and J's own change symmetrised,

        D = (a.t) (c I + 2 c' t t^T) + t z^T + z t^T,   z = b' a x t - (c' t.t + c / 2) a,

    b' and c' the derivatives by t.t.
    """
    half, s = f32(0.5), t0 * t0 + t1 * t1 + t2 * t2
    b = half - s * (f32(1 / 24) - s * (f32(1 / 720) - s * f32(1 / 40320)))
    c = f32(1 / 6) - s * (f32(1 / 120) - s * (f32(1 / 5040) - s * f32(1 / 362880)))
    b_slope = -f32(1 / 24) + s * (f32(1 / 360) - s * f32(1 / 13440))
    c_slope = -f32(1 / 120) + s * (f32(1 / 2520) - s * f32(1 / 120960))
    one, k01, k02, k12 = f32(1) - c * s, c * t0 * t1, c * t0 * t2, c * t1 * t2
    j00, j01, j02 = one + c * t0 * t0, k01 - b * t2, k02 + b * t1
    j10, j11, j12 = k01 + b * t2, one + c * t1 * t1, k12 - b * t0
    j20, j21, j22 = k02 - b * t1, k12 + b * t0, one + c * t2 * t2
    m00, m01, m02 = _times(s00, s01, s02, j00, j01, j02, j10, j11, j12, j20, j21, j22)
    m10, m11, m12 = _times(s01, s11, s12, j00, j01, j02, j10, j11, j12, j20, j21, j22)
    m20, m21, m22 = _times(s02, s12, s22, j00, j01, j02, j10, j11, j12, j20, j21, j22)
    along, share = a0 * t0 + a1 * t1 + a2 * t2, -(c_slope * s + half * c)
    z0 = b_slope * (a1 * t2 - a2 * t1) + share * a0 + c_slope * along * t0
    z1 = b_slope * (a2 * t0 - a0 * t2) + share * a1 + c_slope * along * t1
    z2 = b_slope * (a0 * t1 - a1 * t0) + share * a2 + c_slope * along * t2
    along *= c
    return (
        j00 * m00 + j10 * m10 + j20 * m20 + along + f32(2) * t0 * z0,
        j00 * m01 + j10 * m11 + j20 * m21 + t0 * z1 + t1 * z0,
        j00 * m02 + j10 * m12 + j20 * m22 + t0 * z2 + t2 * z0,
        j01 * m01 + j11 * m11 + j21 * m21 + along + f32(2) * t1 * z1,
        j01 * m02 + j11 * m12 + j21 * m22 + t1 * z2 + t2 * z1,
        j02 * m02 + j12 * m12 + j22 * m22 + along + f32(2) * t2 * z2,
    )


@njit(**INLINED)
def _times(r0, r1, r2, j00, j01, j02, j10, j11, j12, j20, j21, j22):  # type: ignore[no-untyped-def]
    """A row times a matrix."""
    return r0 * j00 + r1 * j10 + r2 * j20, r0 * j01 + r1 * j11 + r2 * j21, r0 * j02 + r1 * j12 + r2 * j22


# What the templates below read; ``specialised`` puts other values in their place.
GATHER: Callable[..., Any] = make_gatherer(Scheme(), 2)
SECOND = EXACT = ACCELERATING = True


def _pull_back(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, inside, d, w, per_window, omega, a, scale_x, scale_y, image, stride, gradient, hessian
):
    """Sums over events of w dS/dw and second derivatives, S = sum_j image_j k(u_n - j).

    Writes gradient (2, 3): by omega and by a; hessian (3, 6): the blocks omega-omega, omega-a, a-a, each
    as 00 01 02 11 12 22. Unless EXACT, the Hessian takes J = 1: right at zero rate, and to second order in the
    angle for a window that is symmetric about its reference time.
    """
    one, half, two, half_window = f32(1), f32(0.5), f32(2), f32(0.5) * per_window
    g0, g1, g2, k0, k1, k2 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    h00, h01, h02, h11, h12, h22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    m00, m01, m02, m11, m12, m22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    n00, n01, n02, n11, n12, n22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    for i in range(cell.shape[0]):
        own = w[i] if inside[i] else f32(0)
        gu, gv, huu, huv, hvv = GATHER(image, stride, cell[i], rx[i], ry[i], own)
        gu, gv = gu * scale_x, gv * scale_y
        p, q, ramp = u[i], v[i], d[i] * half_window
        w0, w1, w2 = omega[0] + ramp * a[0], omega[1] + ramp * a[1], omega[2] + ramp * a[2]
        pq, pp, qq = p * q, p * p, q * q
        u0, u1, u2, v0, v1, v2 = -pq, one + pp, -q, -one - qq, pq, p
        a0, a1, a2 = gu * u0 + gv * v0, gu * u1 + gv * v1, gu * u2 + gv * v2
        wd = w[i] * d[i]
        e0, e1, e2 = _turned(a0, a1, a2, d[i], w0, w1, w2)
        e0, e1, e2 = wd * e0, wd * e1, wd * e2
        g0 += e0
        g1 += e1
        g2 += e2
        if ACCELERATING:
            k0 += ramp * e0
            k1 += ramp * e1
            k2 += ramp * e2
        if SECOND:
            wd *= d[i]
            huu, huv, hvv = huu * scale_x * scale_x, huv * scale_x * scale_y, hvv * scale_y * scale_y
            s00 = huu * u0 * u0 + two * huv * u0 * v0 + hvv * v0 * v0
            s00 += gu * (p + two * p * qq) + gv * (two * q + two * q * qq)
            s01 = huu * u0 * u1 + huv * (u0 * v1 + u1 * v0) + hvv * v0 * v1
            s01 -= gu * (half * q + two * pp * q) + gv * (half * p + two * p * qq)
            s02 = huu * u0 * u2 + huv * (u0 * v2 + u2 * v0) + hvv * v0 * v2
            s02 += gu * (half - half * pp + qq) - gv * (f32(1.5) * pq)
            s11 = huu * u1 * u1 + two * huv * u1 * v1 + hvv * v1 * v1
            s11 += gu * (two * p + two * p * pp) + gv * (q + two * pp * q)
            s12 = huu * u1 * u2 + huv * (u1 * v2 + u2 * v1) + hvv * v1 * v2
            s12 += gv * (half - half * qq + pp) - gu * (f32(1.5) * pq)
            s22 = huu * u2 * u2 + two * huv * u2 * v2 + hvv * v2 * v2 - gu * p - gv * q
            if EXACT:
                s00, s01, s02, s11, s12, s22 = _second_by_rate(
                    s00, s01, s02, s11, s12, s22, a0, a1, a2, d[i] * w0, d[i] * w1, d[i] * w2
                )
            s00, s01, s02, s11, s12, s22 = wd * s00, wd * s01, wd * s02, wd * s11, wd * s12, wd * s22
            h00 += s00
            h01 += s01
            h02 += s02
            h11 += s11
            h12 += s12
            h22 += s22
            if ACCELERATING:
                m00 += ramp * s00
                m01 += ramp * s01
                m02 += ramp * s02
                m11 += ramp * s11
                m12 += ramp * s12
                m22 += ramp * s22
                ramp2 = ramp * ramp
                n00 += ramp2 * s00
                n01 += ramp2 * s01
                n02 += ramp2 * s02
                n11 += ramp2 * s11
                n12 += ramp2 * s12
                n22 += ramp2 * s22
    for j, value in enumerate((g0, g1, g2)):
        gradient[0, j] = value
    for j, value in enumerate((k0, k1, k2)):
        gradient[1, j] = value
    for j, value in enumerate((h00, h01, h02, h11, h12, h22)):
        hessian[0, j] = value
    for j, value in enumerate((m00, m01, m02, m11, m12, m22)):
        hessian[1, j] = value
    for j, value in enumerate((n00, n01, n02, n11, n12, n22)):
        hessian[2, j] = value


VALUES, SLOPES, FIRST = backward_taps('bilinear', 'linear').values()


def _spread_changes(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, d, w, per_window, omega, a, scale_x, scale_y, images, stride
):
    """Add dh_j / d omega, and if ACCELERATING dh_j / d a, to ``images``, float32 (bins * channels,)."""
    one, zero, half_window = f32(1), f32(0), f32(0.5) * per_window
    for i in range(cell.shape[0]):
        p, q, ramp, wd = u[i], v[i], d[i] * half_window, w[i] * d[i]
        w0, w1, w2 = omega[0] + ramp * a[0], omega[1] + ramp * a[1], omega[2] + ramp * a[2]
        x, y = wd * scale_x, wd * scale_y
        u0, u1, u2 = _turned(-p * q * x, (one + p * p) * x, -q * x, d[i], w0, w1, w2)
        v0, v1, v2 = _turned((-one - q * q) * y, p * q * y, p * y, d[i], w0, w1, w2)
        corner = cell[i] + FIRST * (stride + np.int32(1))
        ex, ex1, ey, ey1 = VALUES(rx[i]), SLOPES(rx[i]), VALUES(ry[i]), SLOPES(ry[i])
        if ACCELERATING:
            six_u = (u0, u1, u2, ramp * u0, ramp * u1, ramp * u2, zero, zero)
            six_v = (v0, v1, v2, ramp * v0, ramp * v1, ramp * v2, zero, zero)
            spread(images, corner, stride, six_u, six_v, ex, ex1, ey, ey1)
        else:
            spread(images, corner, stride, (u0, u1, u2, zero), (v0, v1, v2, zero), ex, ex1, ey, ey1)
