# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cells and taps inside compiled CPU kernels.

The functions are inlined. For full speed write the outer kernel as a closure over the constants of its pair
(the table and its sizes), one closure per pair: the compiler then unrolls the loops, and numba's disk cache
tells the closures apart by these constants::

    pair = taps('bilinear', 'linear')
    table, n_taps, n_powers = np.array(pair.table), pair.n_taps, pair.table.shape[1]
    shift, first = pair.shift, pair.first

    @njit(cache=True, nogil=True)
    def kernel(u, ...):
        t = np.empty((3, n_taps))
        for n in range(len(u)):
            start, r = locate(u[n], shift, first, n_taps, width)
            if start < 0:
                continue                                    # no tap of this event is in the image
            fill_taps(table, n_powers, n_taps, 2, r, t)     # t[0] is kappa, t[1] kappa'
            ...                                             # tap c: column start + c of the padded image

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
def fill_taps(
    table: NDArray[np.float64], n_powers: int, n_taps: int, n_orders: int, r: float, out: NDArray[np.float64]
) -> None:
    """Write kappa, kappa', kappa'' (the first ``n_orders`` of them) at remainder ``r`` into ``out``.

    Args:
        table: (3, n_powers, n_taps), a copy of ``Taps.table``.
        n_powers: ``table.shape[1]``, a constant of the caller if possible.
        n_taps: ``table.shape[2]``, likewise.
        n_orders: 1, 2 or 3.
        r: Remainder in [0, 1].
        out: (3, n_taps), allocated once by the caller.
    """
    for order in range(n_orders):
        for tap in range(n_taps):
            out[order, tap] = table[order, n_powers - 1, tap]
        for power in range(n_powers - 2, -1, -1):
            for tap in range(n_taps):
                out[order, tap] = out[order, tap] * r + table[order, power, tap]
