# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cells and taps inside compiled CPU kernels.

The functions are inlined; a kernel takes the numbers of its pair as arguments and serves every pair::

    pair = taps('bilinear', 'linear')

    @njit(cache=True, nogil=True)
    def kernel(u, width, columns, n_taps, shift, first, ...):
        t = np.empty(3 * n_taps)
        for n in range(len(u)):
            start, r = locate(u[n], shift, first, n_taps, width)
            if start < 0:
                continue                              # no tap of this event is in the image
            fill_taps(columns, 2 * n_taps, r, t)      # t[c] is kappa, t[n_taps + c] kappa'
            ...                                       # tap c: column start + c of the padded image

For the last factor of two write the kernel as a closure over these numbers, one per pair: the compiler then
unrolls the loops, and numba's disk cache tells closures apart by the arrays and numbers they hold.

``taps(kernel, None)`` is the vote kernel itself: order 0 of its table are the votes.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, inline='always')
def locate(u: float, shift: float, first: int, n_taps: int, size: int) -> tuple[int, float]:
    """Where the taps of an event begin along one axis, and its remainder.

    Args:
        u: Bin coordinate; may be far outside or not finite.
        shift: ``Taps.shift``.
        first: ``Taps.first``.
        n_taps: Number of taps.
        size: Bins along the axis, without the ring.

    Returns:
        Index of the first tap in an image with a ring of ``n_taps`` bins on each side, so at least 1, or -1
        if no tap reaches the image; and the remainder r in [0, 1].
    """
    cell = np.floor(u + shift)
    if u < cell - shift:
        cell -= 1.0
    start = cell + (first + n_taps)
    if start >= 1.0 and start <= size + n_taps - 1.0:
        return int(start), u - cell + shift
    return -1, 0.0


@njit(cache=True, nogil=True, inline='always')
def fill_taps(columns: NDArray[np.float64], n_columns: int, r: float, out: NDArray[np.float64]) -> None:
    """Write kappa, then kappa', then kappa'' of all taps at remainder ``r`` into ``out``.

    Args:
        columns: (n_powers, 3 n_taps), from ``Taps.columns``: all taps of all orders side by side, so that
            the inner loop is long enough for vector instructions.
        n_columns: How many to compute: n_taps for kappa alone, 2 n_taps, or 3 n_taps.
        r: Remainder in [0, 1].
        out: (3 n_taps,), allocated once by the caller.
    """
    last = columns.shape[0] - 1
    for c in range(n_columns):
        out[c] = columns[last, c]
    for power in range(last - 1, -1, -1):
        for c in range(n_columns):
            out[c] = out[c] * r + columns[power, c]
