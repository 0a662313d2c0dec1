# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Votes and taps inside compiled CPU kernels.

Both functions are inlined. For full speed write the outer kernel as a closure over the constants of its pair
(the table, its sizes, the vote code), one closure per pair: the compiler then unrolls the loops, and numba's
disk cache tells the closures apart by these constants::

    pair = taps('bilinear', 'linear')
    table, n_taps, n_powers = np.array(pair.table), pair.n_taps, pair.table.shape[1]
    shift, first = pair.shift, pair.first

    @njit(cache=True, nogil=True)
    def kernel(u, ...):
        t = np.empty((3, n_taps))
        for n in range(len(u)):
            i = math.floor(u[n] + shift)
            fill_taps(table, n_powers, n_taps, 2, u[n] + shift - i, t)  # t[0] kappa, t[1] kappa'
            ...                                                         # bin of tap c: i + first + c
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.binning.kernels import GAUSSIAN_MASS

VOTE_CODES = {
    'rect': 0,
    'bilinear': 1,
    'gaussian': 2,
}  # for fill_votes; n votes = code + 1, first offset below
VOTE_FIRST = {'rect': 0, 'bilinear': 0, 'gaussian': -1}
_GAUSSIAN_SCALE = 1.0 / (math.sqrt(2.0 * math.pi) * GAUSSIAN_MASS)


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
        r: Remainder in [0, 1).
        out: (3, n_taps), allocated once by the caller.
    """
    for order in range(n_orders):
        for tap in range(n_taps):
            out[order, tap] = table[order, n_powers - 1, tap]
        for power in range(n_powers - 2, -1, -1):
            for tap in range(n_taps):
                out[order, tap] = out[order, tap] * r + table[order, power, tap]


@njit(cache=True, nogil=True, inline='always')
def fill_votes(code: int, r: float, out: NDArray[np.float64]) -> None:
    """Write the votes k at remainder ``r`` into ``out`` (code + 1,); codes as in ``VOTE_CODES``."""
    if code == 0:
        out[0] = 1.0
    elif code == 1:
        out[0] = 1.0 - r
        out[1] = r
    else:
        for c in range(3):
            distance = r + 0.5 - c
            out[c] = math.exp(-0.5 * distance * distance) * _GAUSSIAN_SCALE
