# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events to 16-bit register words with vectors: the greedy encoder behind evt3 and libcaer_cmp.

Both encodings are one machine with different code numbers. A time in two halves and one coordinate (the fixed
one) are registers; a word with the other coordinate (the running one) is an event. Events of one time, fixed
coordinate and polarity with rising running coordinate fit a vector: a base, then masks, each of which moves
the base on. A vector pays from three events in its first mask. The order of events is kept.

Registers are written whenever they change, and all of them at the start: a packet stands for itself.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from event_perception.io.codecs.backend import njit

HIGH_STEP = 2048  # of a high half of 4096: larger steps are made in several, so that no wrap is missed
WORTH_A_VECTOR = 3


class Codes(NamedTuple):
    """The code numbers of an encoding, and the width of its masks."""

    time_high: int
    time_low: int
    fixed: int
    single: int
    base: int
    vector: int
    vector_bits: int


def pack(
    t_us: NDArray[np.int64],
    fixed: NDArray[np.uint16],
    running: NDArray[np.uint16],
    p: NDArray[np.int8],
    codes: Codes,
    *,
    start_us: int,
) -> bytes:
    """Encode events.

    Args:
        t_us: Times; only 24 bits of them are written, shape (n,).
        fixed: The coordinate that vectors share, below 2048.
        running: The coordinate along a vector, below 2048.
        p: Polarities, -1 or +1.
        codes: The encoding.
        start_us: Time up to which a decoder has been led; from there steps of the high half are bridged.
    """
    high = t_us >> 12
    bridges = np.maximum(np.diff(high, prepend=start_us >> 12), 0) // HIGH_STEP
    words = np.empty(4 * t_us.size + int(bridges.sum()), np.uint16)
    coordinates = fixed.astype(np.int64), running.astype(np.int64), (p > 0).astype(np.int64)
    size = _pack(t_us, *coordinates, codes, start_us >> 12, words)
    return words[:size].astype('<u2', copy=False).tobytes()


@njit(cache=True, nogil=True)
def _pack(t_us, fixed, running, sign, codes, high, words):  # type: ignore[no-untyped-def]
    time_high, time_low, fixed_code, single, base_code, vector, bits = codes
    written_us, written_fixed = np.int64(-1), np.int64(-1)
    k, n = 0, 0
    while k < t_us.size:
        if k == 0 or t_us[k] >> 12 != written_us >> 12:
            while (t_us[k] >> 12) - high > HIGH_STEP:
                high += HIGH_STEP
                words[n] = time_high << 12 | high & 0xFFF
                n += 1
            high = t_us[k] >> 12
            words[n], words[n + 1] = time_high << 12 | high & 0xFFF, time_low << 12 | t_us[k] & 0xFFF
            n += 2
        elif t_us[k] != written_us:
            words[n] = time_low << 12 | t_us[k] & 0xFFF
            n += 1
        written_us = t_us[k]
        if fixed[k] != written_fixed:
            words[n], written_fixed = fixed_code << 12 | fixed[k], fixed[k]
            n += 1
        end, mask = _mask(t_us, fixed, running, sign, k, running[k], bits)
        if end - k < WORTH_A_VECTOR:
            words[n] = single << 12 | sign[k] << 11 | running[k]
            k, n = k + 1, n + 1
            continue
        base = running[k]
        words[n] = base_code << 12 | sign[k] << 11 | base
        n += 1
        first = k
        while mask:
            words[n] = vector << 12 | mask
            k, n, base = end, n + 1, base + bits
            mask = 0
            if k < t_us.size and _continues(t_us, fixed, running, sign, first, k):
                end, mask = _mask(t_us, fixed, running, sign, k, base, bits)
    return n


@njit(cache=True, nogil=True)
def _continues(t_us, fixed, running, sign, first, k):  # type: ignore[no-untyped-def]
    """Whether event k belongs to the run of ``first`` and lies behind its predecessor."""
    same = t_us[k] == t_us[first] and fixed[k] == fixed[first] and sign[k] == sign[first]
    return same and running[k] > running[k - 1]


@njit(cache=True, nogil=True)
def _mask(t_us, fixed, running, sign, k, base, bits):  # type: ignore[no-untyped-def]
    """Mask of the events from k on that one vector word at ``base`` can hold, and the first that it cannot."""
    mask, end = np.int64(0), k
    while end < t_us.size and base <= running[end] < base + bits:
        if end > k and not _continues(t_us, fixed, running, sign, k, end):
            break
        mask |= np.int64(1) << (running[end] - base)
        end += 1
    return end, mask
