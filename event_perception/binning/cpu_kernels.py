# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The compiled loops of binning on the CPU: scatter and gather for one pair of kernels, one to three axes.

A plane or a line is a volume whose missing axes have one bin and one tap of weight 1, so each loop is written
once. Images carry a ring of zeros as wide as the taps (see ``numba_taps.locate``); bins are [z, y, x].
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from event_perception.binning.numba_taps import fill_taps, locate
from event_perception.binning.taps import taps


@cache
def scatter_kernel(kernel: str, reconstruction: str | None, n_axes: int) -> Callable[..., None]:
    """Compile ``scatter(points, amounts, tangents, padded, sizes)``: add into ``padded``, in the order of events.

    ``points`` is (N, n_axes), ``amounts`` (N,) multiplies kappa and ``tangents`` (N, n_axes) the derivative
    of kappa along each axis; tangents of shape (0, n_axes) are left out. ``sizes`` is (nx, ny, nz).
    """
    pair = taps(kernel, reconstruction)
    table, n_powers, n_taps = np.array(pair.table), pair.table.shape[1], pair.n_taps
    shift, first = pair.shift, pair.first
    n_y, n_z = (n_taps if n_axes > 1 else 1), (n_taps if n_axes > 2 else 1)

    @njit(cache=True, nogil=True)
    def scatter(points: Any, amounts: Any, tangents: Any, padded: Any, sizes: Any) -> None:
        x, y, z = _single_tap(n_taps), _single_tap(n_taps), _single_tap(n_taps)
        moving = len(tangents) > 0
        n_orders = 2 if moving else 1
        y_start, z_start = 0, 0
        for n in range(len(points)):
            x_start, r = locate(points[n, 0], shift, first, n_taps, sizes[0])
            fill_taps(table, n_powers, n_taps, n_orders, r, x)
            if n_axes > 1:
                y_start, r = locate(points[n, 1], shift, first, n_taps, sizes[1])
                fill_taps(table, n_powers, n_taps, n_orders, r, y)
            if n_axes > 2:
                z_start, r = locate(points[n, 2], shift, first, n_taps, sizes[2])
                fill_taps(table, n_powers, n_taps, n_orders, r, z)
            if x_start < 0 or y_start < 0 or z_start < 0:
                continue
            w = amounts[n]
            wx = tangents[n, 0] if moving else 0.0
            wy = tangents[n, 1] if moving and n_axes > 1 else 0.0
            wz = tangents[n, 2] if moving and n_axes > 2 else 0.0
            for c in range(n_z):
                # Per slice: what multiplies kappa kappa, kappa' kappa and kappa kappa' of (x, y).
                p, px, py = w * z[0, c], 0.0, 0.0
                if moving:
                    p, px, py = p + wz * z[1, c], wx * z[0, c], wy * z[0, c]
                for b in range(n_y):
                    q, qx = p * y[0, b], 0.0
                    if moving:
                        q, qx = q + py * y[1, b], px * y[0, b]
                    row = padded[z_start + c, y_start + b]
                    for a in range(n_taps):
                        row[x_start + a] += q * x[0, a] + (qx * x[1, a] if moving else 0.0)

    return scatter


@cache
def gather_kernel(kernel: str, reconstruction: str | None, n_axes: int) -> Callable[..., None]:
    """Compile ``gather(points, padded, sizes, n_orders, out)``: sums over the taps, per event.

    Columns of ``out`` (N, 1, 4 or 10 for ``n_orders`` 1, 2 or 3): value, x, y, z, xx, xy, yy, xz, yz, zz.
    Events without a tap in the image get zeros.
    """
    pair = taps(kernel, reconstruction)
    table, n_powers, n_taps = np.array(pair.table), pair.table.shape[1], pair.n_taps
    shift, first = pair.shift, pair.first
    n_y, n_z = (n_taps if n_axes > 1 else 1), (n_taps if n_axes > 2 else 1)

    @njit(cache=True, nogil=True)
    def gather(points: Any, padded: Any, sizes: Any, n_orders: int, out: Any) -> None:
        x, y, z = _single_tap(n_taps), _single_tap(n_taps), _single_tap(n_taps)
        y_start, z_start = 0, 0
        for n in range(len(points)):
            out[n] = 0.0
            x_start, r = locate(points[n, 0], shift, first, n_taps, sizes[0])
            fill_taps(table, n_powers, n_taps, n_orders, r, x)
            if n_axes > 1:
                y_start, r = locate(points[n, 1], shift, first, n_taps, sizes[1])
                fill_taps(table, n_powers, n_taps, n_orders, r, y)
            if n_axes > 2:
                z_start, r = locate(points[n, 2], shift, first, n_taps, sizes[2])
                fill_taps(table, n_powers, n_taps, n_orders, r, z)
            if x_start < 0 or y_start < 0 or z_start < 0:
                continue
            for c in range(n_z):
                v, v_x, v_y, v_xx, v_xy, v_yy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for b in range(n_y):
                    row = padded[z_start + c, y_start + b]
                    s, s_x, s_xx = 0.0, 0.0, 0.0
                    for a in range(n_taps):
                        s += row[x_start + a] * x[0, a]
                        if n_orders > 1:
                            s_x += row[x_start + a] * x[1, a]
                        if n_orders > 2:
                            s_xx += row[x_start + a] * x[2, a]
                    v += s * y[0, b]
                    if n_orders > 1:
                        v_x += s_x * y[0, b]
                        v_y += s * y[1, b]
                    if n_orders > 2:
                        v_xx += s_xx * y[0, b]
                        v_xy += s_x * y[1, b]
                        v_yy += s * y[2, b]
                out[n, 0] += v * z[0, c]
                if n_orders > 1:
                    out[n, 1] += v_x * z[0, c]
                    out[n, 2] += v_y * z[0, c]
                    out[n, 3] += v * z[1, c]
                if n_orders > 2:
                    out[n, 4] += v_xx * z[0, c]
                    out[n, 5] += v_xy * z[0, c]
                    out[n, 6] += v_yy * z[0, c]
                    out[n, 7] += v_x * z[1, c]
                    out[n, 8] += v_y * z[1, c]
                    out[n, 9] += v * z[2, c]

    return gather


@njit(cache=True, nogil=True, inline='always')
def _single_tap(n_taps: int) -> Any:
    """A buffer (3, n_taps) that holds one tap of weight 1 and no derivative: an axis that is not there."""
    buffer = np.zeros((3, n_taps))
    buffer[0, 0] = 1.0
    return buffer
