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

from event_perception.motion.grid import RING
from event_perception.motion.image_kernels import OPTIONS, f32, make_sampler, specialised

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
def rotation_pull_back(
    kernel: str, reconstruction: str, order: int, accelerating: bool
) -> Callable[..., Any]:
    """Compiled sums over events for a kernel pair.

    Args:
        kernel: Vote kernel.
        reconstruction: Reconstruction kernel.
        order: 1: gradient, 2: also the Hessian's event part.
        accelerating: Whether derivatives by the change of rate are wanted as well.
    """
    return specialised(
        _pull_back,
        f'pull_back_{kernel}_{reconstruction}_{order}_{int(accelerating)}',
        SAMPLE=make_sampler(kernel, reconstruction, order),
        SECOND=order > 1,
        ACCELERATING=accelerating,
    )


# What the template below reads; ``specialised`` puts other values in their place.
SAMPLE: Callable[..., Any] = make_sampler('bilinear', 'linear', 2)
SECOND = ACCELERATING = True


def _pull_back(  # type: ignore[no-untyped-def]
    cell, rx, ry, u, v, d, w, per_window, omega, a, scale_x, scale_y, image, stride, gradient, hessian
):
    """Sums over events of w dS/dw and second derivatives, S = sum_j image_j k(u_n - j).

    Writes gradient (2, 3): by omega and by a; hessian (3, 6): the blocks omega-omega, omega-a, a-a, each
    as 00 01 02 11 12 22. The Hessian takes J = 1: exact at zero rate, and to second order in the angle
    for a window that is symmetric about its reference time.
    """
    one, half, two, half_window = f32(1), f32(0.5), f32(2), f32(0.5) * per_window
    g0, g1, g2, k0, k1, k2 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    h00, h01, h02, h11, h12, h22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    m00, m01, m02, m11, m12, m22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    n00, n01, n02, n11, n12, n22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    for i in range(cell.shape[0]):
        gu, gv, huu, huv, hvv = SAMPLE(image, stride, cell[i], rx[i], ry[i])
        gu, gv = gu * scale_x, gv * scale_y
        p, q, ramp = u[i], v[i], d[i] * half_window
        w0, w1, w2 = omega[0] + ramp * a[0], omega[1] + ramp * a[1], omega[2] + ramp * a[2]
        pq, pp, qq = p * q, p * p, q * q
        u0, u1, u2, v0, v1, v2 = -pq, one + pp, -q, -one - qq, pq, p
        a0, a1, a2 = gu * u0 + gv * v0, gu * u1 + gv * v1, gu * u2 + gv * v2
        # J^T a = a - b (d w) x a + c (d w) x ((d w) x a)
        s = d[i] * d[i] * (w0 * w0 + w1 * w1 + w2 * w2)
        b = d[i] * (half - s * (f32(1 / 24) - s * f32(1 / 720)))
        c = d[i] * d[i] * (f32(1 / 6) - s * (f32(1 / 120) - s * f32(1 / 5040)))
        c0, c1, c2 = w1 * a2 - w2 * a1, w2 * a0 - w0 * a2, w0 * a1 - w1 * a0
        wd = w[i] * d[i]
        e0 = wd * (a0 - b * c0 + c * (w1 * c2 - w2 * c1))
        e1 = wd * (a1 - b * c1 + c * (w2 * c0 - w0 * c2))
        e2 = wd * (a2 - b * c2 + c * (w0 * c1 - w1 * c0))
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
            s00 = wd * (s00 + gu * (p + two * p * qq) + gv * (two * q + two * q * qq))
            s01 = huu * u0 * u1 + huv * (u0 * v1 + u1 * v0) + hvv * v0 * v1
            s01 = wd * (s01 - gu * (half * q + two * pp * q) - gv * (half * p + two * p * qq))
            s02 = huu * u0 * u2 + huv * (u0 * v2 + u2 * v0) + hvv * v0 * v2
            s02 = wd * (s02 + gu * (half - half * pp + qq) - gv * (f32(1.5) * pq))
            s11 = huu * u1 * u1 + two * huv * u1 * v1 + hvv * v1 * v1
            s11 = wd * (s11 + gu * (two * p + two * p * pp) + gv * (q + two * pp * q))
            s12 = huu * u1 * u2 + huv * (u1 * v2 + u2 * v1) + hvv * v1 * v2
            s12 = wd * (s12 - gu * (f32(1.5) * pq) + gv * (half - half * qq + pp))
            s22 = wd * (huu * u2 * u2 + two * huv * u2 * v2 + hvv * v2 * v2 - gu * p - gv * q)
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
