# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The compiled loops of binning on the CPU: scatter and gather for any pair of kernels, one to three axes.

A plane or a line is a volume whose missing axes have one bin and one tap of weight 1, so each loop is written
once. Images carry a ring of zeros as wide as the taps along the axes that are there (see
``numba_taps.locate``); bins are [z, y, x]. The taps are arguments, not constants: two compilations serve all
pairs. The kernels of a hot loop should fix theirs, as ``numba_taps`` describes.
"""

from typing import Any

import numpy as np
from numba import njit

from event_perception.binning.numba_taps import fill_taps, locate


@njit(cache=True, nogil=True)
def scatter(
    points: Any, amounts: Any, tangents: Any, columns: Any, shift: float, first: int, sizes: Any, padded: Any
) -> None:
    """Add events into ``padded``, in their order.

    Args:
        points: (N, n_axes), order x, y, z.
        amounts: (N,), multiplies kappa.
        tangents: (N, n_axes), multiplies the derivative of kappa along each axis; (0, n_axes): left out.
        columns: ``Taps.columns``.
        shift: ``Taps.shift``.
        first: ``Taps.first``.
        sizes: (nx, ny, nz), without the ring.
        padded: (nz, ny, nx) with the ring.
    """
    n_axes, n_taps = points.shape[1], columns.shape[1] // 3
    moving = len(tangents) > 0
    n_columns = 2 * n_taps if moving else n_taps
    S = n_taps  # where slopes begin
    x, y, z = _no_taps(n_taps), _no_taps(n_taps), _no_taps(n_taps)
    n_y, n_z = (n_taps if n_axes > 1 else 1), (n_taps if n_axes > 2 else 1)
    j, k, d_x, d_y, d_z = 0, 0, 0.0, 0.0, 0.0
    for n in range(len(points)):
        i = _place(points[n, 0], columns, n_columns, shift, first, sizes[0], x)
        if n_axes > 1:
            j = _place(points[n, 1], columns, n_columns, shift, first, sizes[1], y)
        if n_axes > 2:
            k = _place(points[n, 2], columns, n_columns, shift, first, sizes[2], z)
        if i < 0 or j < 0 or k < 0:
            continue
        if moving:
            d_x = tangents[n, 0]
            d_y = tangents[n, 1] if n_axes > 1 else 0.0
            d_z = tangents[n, 2] if n_axes > 2 else 0.0
        for c in range(n_z):
            # What multiplies, in this slice, kappa kappa, kappa' kappa and kappa kappa' of (x, y).
            p = amounts[n] * z[c] + d_z * z[S + c]
            p_x, p_y = d_x * z[c], d_y * z[c]
            for b in range(n_y):
                q, q_x = p * y[b] + p_y * y[S + b], p_x * y[b]
                for a in range(n_taps):
                    padded[k + c, j + b, i + a] += q * x[a] + q_x * x[S + a]


@njit(cache=True, nogil=True)
def gather(
    points: Any, columns: Any, shift: float, first: int, sizes: Any, padded: Any, n_orders: int, out: Any
) -> None:
    """Sum ``padded`` over the taps of every event.

    Args:
        points: As in ``scatter``, like columns, shift, first, sizes and padded.
        columns: See there.
        shift: See there.
        first: See there.
        sizes: See there.
        padded: See there.
        n_orders: 1 value, 2 also first derivatives, 3 also second ones.
        out: (N, 1, 4 or 10): value, x, y, z, xx, xy, yy, xz, yz, zz. Zero without a tap in the image.
    """
    n_axes, n_taps = points.shape[1], columns.shape[1] // 3
    S, SS = n_taps, 2 * n_taps  # where slopes and second derivatives begin
    x, y, z = _no_taps(n_taps), _no_taps(n_taps), _no_taps(n_taps)
    n_y, n_z = (n_taps if n_axes > 1 else 1), (n_taps if n_axes > 2 else 1)
    j, k = 0, 0
    out[:] = 0.0
    for n in range(len(points)):
        i = _place(points[n, 0], columns, n_orders * n_taps, shift, first, sizes[0], x)
        if n_axes > 1:
            j = _place(points[n, 1], columns, n_orders * n_taps, shift, first, sizes[1], y)
        if n_axes > 2:
            k = _place(points[n, 2], columns, n_orders * n_taps, shift, first, sizes[2], z)
        if i < 0 or j < 0 or k < 0:
            continue
        for c in range(n_z):
            v, v_x, v_y, v_xx, v_xy, v_yy = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for b in range(n_y):
                s, s_x, s_xx = 0.0, 0.0, 0.0
                for a in range(n_taps):
                    s += padded[k + c, j + b, i + a] * x[a]
                    s_x += padded[k + c, j + b, i + a] * x[S + a]
                    s_xx += padded[k + c, j + b, i + a] * x[SS + a]
                v += s * y[b]
                v_x += s_x * y[b]
                v_y += s * y[S + b]
                v_xx += s_xx * y[b]
                v_xy += s_x * y[S + b]
                v_yy += s * y[SS + b]
            out[n, 0] += v * z[c]
            if n_orders > 1:
                out[n, 1] += v_x * z[c]
                out[n, 2] += v_y * z[c]
                out[n, 3] += v * z[S + c]
            if n_orders > 2:
                out[n, 4] += v_xx * z[c]
                out[n, 5] += v_xy * z[c]
                out[n, 6] += v_yy * z[c]
                out[n, 7] += v_x * z[S + c]
                out[n, 8] += v_y * z[S + c]
                out[n, 9] += v * z[SS + c]


@njit(cache=True, nogil=True)
def _place(u: float, columns: Any, n_columns: int, shift: float, first: int, size: int, taps: Any) -> int:
    """Fill the taps of one axis; index of the first one, -1 if none reaches the image."""
    start, r = locate(u, shift, first, columns.shape[1] // 3, size)
    if start >= 0:
        fill_taps(columns, n_columns, r, taps)
    return start


@njit(cache=True, nogil=True)
def _no_taps(n_taps: int) -> Any:
    """Taps as of an axis that is not there: one tap of weight 1, no slope."""
    taps = np.zeros(3 * n_taps)
    taps[0] = 1.0
    return taps
