# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the rotation warp: forward, pull-back, and the image part of the Hessian.

With d = t - t_ref and x = (X/Z, Y/Z, 1): X(t_ref) = exp(d [omega]_x) X. A small change of omega turns
the warped bearing by eta = d J(d omega) delta, J the left Jacobian, and moves the warped point by

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
from event_perception.motion.image_kernels import OPTIONS, f32, make_sampler

NEAREST = f32(0.05)  # a warped bearing below this Z has left the field of view


@njit(**OPTIONS)
def warp_rotation(x, y, d, omega, u, v, inside):  # type: ignore[no-untyped-def]
    """Where events would have been seen at the reference time, had the camera only turned.

    Args:
        x: X/Z of the events, float32 (n,).
        y: Y/Z.
        d: Event time minus reference time, s, float32 (n,).
        omega: Angular velocity, rad/s, float32 (3,).
        u: Output X/Z, float32 (n,).
        v: Output Y/Z.
        inside: Output, whether the point is still in front of the camera.
    """
    w0, w1, w2 = omega[0], omega[1], omega[2]
    speed2 = w0 * w0 + w1 * w1 + w2 * w2
    one = f32(1)
    for i in range(x.shape[0]):
        a, b = x[i], y[i]
        s = d[i] * d[i] * speed2
        once = d[i] * (
            one - s * (f32(1 / 6) - s * (f32(1 / 120) - s * (f32(1 / 5040) - s * f32(1 / 362880))))
        )
        twice = (d[i] * d[i]) * (
            f32(1 / 2) - s * (f32(1 / 24) - s * (f32(1 / 720) - s * (f32(1 / 40320) - s * f32(1 / 3628800))))
        )
        c0, c1, c2 = w1 - w2 * b, w2 * a - w0, w0 * b - w1 * a
        z = one + once * c2 + twice * (w0 * c1 - w1 * c0)
        front = z > NEAREST
        inverse = one / (z if front else one)
        u[i] = (a + once * c0 + twice * (w1 * c2 - w2 * c1)) * inverse
        v[i] = (b + once * c1 + twice * (w2 * c0 - w0 * c2)) * inverse
        inside[i] = front


@cache
def rotation_pull_back(kernel: str, reconstruction: str, order: int) -> Callable[..., Any]:
    """Compiled sums over events for a kernel pair; order 1: gradient, 2: also the Hessian's event part."""
    sample = make_sampler(kernel, reconstruction, order)
    second = order > 1

    @njit(**OPTIONS)
    def pull_back(cell, rx, ry, u, v, d, w, omega, scale_x, scale_y, image, stride, gradient, hessian):  # type: ignore[no-untyped-def]
        """Add sum_n w_n (dS/d omega) and its second derivative, S = sum_j image_j k(u_n - j).

        The Hessian takes J = 1: exact at omega = 0, and to second order in the angle for a window that
        is symmetric about its reference time.
        """
        w0, w1, w2 = omega[0], omega[1], omega[2]
        speed2 = w0 * w0 + w1 * w1 + w2 * w2
        one, half, two = f32(1), f32(0.5), f32(2)
        g0, g1, g2 = f32(0), f32(0), f32(0)
        h00, h01, h02, h11, h12, h22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
        for i in range(cell.shape[0]):
            gu, gv, huu, huv, hvv = sample(image, stride, cell[i], rx[i], ry[i])
            gu, gv = gu * scale_x, gv * scale_y
            p, q = u[i], v[i]
            pq, pp, qq = p * q, p * p, q * q
            u0, u1, u2, v0, v1, v2 = -pq, one + pp, -q, -one - qq, pq, p
            a0, a1, a2 = gu * u0 + gv * v0, gu * u1 + gv * v1, gu * u2 + gv * v2
            # J^T a = a - b (d omega) x a + c (d omega) x ((d omega) x a)
            s = d[i] * d[i] * speed2
            b = d[i] * (half - s * (f32(1 / 24) - s * f32(1 / 720)))
            c = d[i] * d[i] * (f32(1 / 6) - s * (f32(1 / 120) - s * f32(1 / 5040)))
            c0, c1, c2 = w1 * a2 - w2 * a1, w2 * a0 - w0 * a2, w0 * a1 - w1 * a0
            wd = w[i] * d[i]
            g0 += wd * (a0 - b * c0 + c * (w1 * c2 - w2 * c1))
            g1 += wd * (a1 - b * c1 + c * (w2 * c0 - w0 * c2))
            g2 += wd * (a2 - b * c2 + c * (w0 * c1 - w1 * c0))
            if second:
                wd *= d[i]
                huu, huv, hvv = huu * scale_x * scale_x, huv * scale_x * scale_y, hvv * scale_y * scale_y
                h00 += wd * (
                    huu * u0 * u0
                    + two * huv * u0 * v0
                    + hvv * v0 * v0
                    + gu * (p + two * p * qq)
                    + gv * (two * q + two * q * qq)
                )
                h01 += wd * (
                    huu * u0 * u1
                    + huv * (u0 * v1 + u1 * v0)
                    + hvv * v0 * v1
                    - gu * (half * q + two * pp * q)
                    - gv * (half * p + two * p * qq)
                )
                h02 += wd * (
                    huu * u0 * u2
                    + huv * (u0 * v2 + u2 * v0)
                    + hvv * v0 * v2
                    + gu * (half - half * pp + qq)
                    - gv * (f32(1.5) * pq)
                )
                h11 += wd * (
                    huu * u1 * u1
                    + two * huv * u1 * v1
                    + hvv * v1 * v1
                    + gu * (two * p + two * p * pp)
                    + gv * (q + two * pp * q)
                )
                h12 += wd * (
                    huu * u1 * u2
                    + huv * (u1 * v2 + u2 * v1)
                    + hvv * v1 * v2
                    - gu * (f32(1.5) * pq)
                    + gv * (half - half * qq + pp)
                )
                h22 += wd * (huu * u2 * u2 + two * huv * u2 * v2 + hvv * v2 * v2 - gu * p - gv * q)
        gradient[0] += g0
        gradient[1] += g1
        gradient[2] += g2
        if second:
            for k, value in enumerate((h00, h01, h02, h11, h12, h22)):
                hessian[k] += value

    return pull_back


@njit(**OPTIONS)
def rotation_image_products(moment, shape, stride, grid, products, sums):  # type: ignore[no-untyped-def]
    """sum_j J_jk J_jl and sum_j J_jk, J_jk = dh_j / d omega_k, from one image instead of three.

    ``moment`` holds the votes of w_n d_n. The flow field of a rotation hardly changes over one bin, so
    J_jk = u_k(j) A_j + v_k(j) B_j, with A and B the central differences of ``moment``, smoothed across
    as much as the reconstruction kernel smooths (variance 1/6 of a bin). Products: 00 01 02 11 12 22.
    """
    scale_x, offset_x, scale_y, offset_y = grid[0], grid[1], grid[2], grid[3]
    one = f32(1)
    side, centre = f32(1 / 24), f32(10 / 24)  # [1 10 1] / 12 across, times 1/2 of the central difference
    for row in range(RING, RING + shape[0]):
        at = row * stride + RING - 1
        above, here, below = moment[at - stride :], moment[at:], moment[at + stride :]
        q = (f32(row - RING) - offset_y) / scale_y
        m00, m01, m02, m11, m12, m22 = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
        s0, s1, s2 = f32(0), f32(0), f32(0)
        for column in range(shape[1]):
            left = np.uint64(column)
            middle, right = left + np.uint64(1), left + np.uint64(2)
            a = side * (above[right] - above[left] + below[right] - below[left])
            a = scale_x * (a + centre * (here[right] - here[left]))
            b = side * (below[left] - above[left] + below[right] - above[right])
            b = scale_y * (b + centre * (below[middle] - above[middle]))
            p = (f32(column) - offset_x) / scale_x
            j0 = -p * q * a - (one + q * q) * b
            j1 = (one + p * p) * a + p * q * b
            j2 = p * b - q * a
            m00 += j0 * j0
            m01 += j0 * j1
            m02 += j0 * j2
            m11 += j1 * j1
            m12 += j1 * j2
            m22 += j2 * j2
            s0 += j0
            s1 += j1
            s2 += j2
        for k, value in enumerate((m00, m01, m02, m11, m12, m22)):
            products[k] += value
        sums[0] -= s0
        sums[1] -= s1
        sums[2] -= s2
