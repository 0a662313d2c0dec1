# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The spikes nearest to a plane, for all pixels at once: planes are turned into one word of time a pixel.

64 planes of 64 pixels are a square of bits; turned over, each pixel has a word whose lowest set bit is its nearest spike,
and clearing that bit leaves the next. The first 63 planes are read without a branch, so that the loops vectorise; pixels
that are still short of spikes, the dark ones, look on through further planes one by one.

Distances lie in tiles of 64 pixels, (words, spikes, 64): what is next to each other is worked on together.

Source: the turning of bit squares by halves is that of Warren, Hacker's Delight, 2nd edition, 2012, section 7-3.
"""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from event_perception.images.spike_kernels import MISSING, lowest_set_bit

TILE = 64  # pixels
WORDS = 8  # worked on together: a cache line of every plane
SPAN = 63  # planes that a word of time holds: the highest bit stays free to tell that there is no spike
HALVES = np.array([32, 16, 8, 4, 2, 1], np.uint64)
MASKS = np.array(
    [
        0x00000000FFFFFFFF,
        0x0000FFFF0000FFFF,
        0x00FF00FF00FF00FF,
        0x0F0F0F0F0F0F0F0F,
        0x3333333333333333,
        0x5555555555555555,
    ],
    np.uint64,
)


@intrinsic
def set_bits(typing_context, word):  # type: ignore[no-untyped-def]
    """Number of set bits of a 64-bit word."""

    def emit(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), emit


@njit(cache=True, nogil=True)
def search_spikes(
    planes: NDArray[np.uint64],
    centre: int,
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    first_word: int,
    end_word: int,
) -> None:
    """Distances of the spikes nearest to a plane, for the pixels of some words.

    Args:
        planes: Planes as words of 64 pixels (n, words), zero behind the last pixel.
        centre: Index of the plane looked from.
        left: Filled with the planes back to the j-th spike at or before the centre (words, spikes, 64), ``MISSING``
            where there is none.
        right: Filled with the planes forward to the j-th spike after it.
        first_word: First word.
        end_word: Word behind the last.
    """
    square = np.empty((64, WORDS), np.uint64)
    times = np.empty((WORDS, TILE), np.uint64)
    count = np.empty((WORDS, TILE), np.uint16)
    for first in range(first_word, end_word, WORDS):
        end = min(first + WORDS, end_word)
        _search(planes, centre, -1, centre + 1, left[first:end], first, square, times, count)
        _search(
            planes, centre + 1, 1, planes.shape[0] - centre - 1, right[first:end], first, square, times, count
        )


@njit(cache=True, nogil=True)
def _search(
    planes: NDArray[np.uint64],
    start: int,
    step: int,
    steps: int,
    found: NDArray[np.uint16],
    first: int,
    square: NDArray[np.uint64],
    times: NDArray[np.uint64],
    count: NDArray[np.uint16],
) -> None:
    """One side of ``search_spikes`` for a few words: planes start, start + step, and so on."""
    n_words, wanted = found.shape[0], found.shape[1]
    offset = 0 if step < 0 else 1
    unfinished = np.zeros(WORDS, np.uint64)
    one = np.uint64(1)
    for base in range(0, max(steps, 1), SPAN):
        _turn(planes, start + base * step, step, min(SPAN, steps - base), first, n_words, square, times)
        short = np.uint64(0)
        for i in range(n_words):
            if base == 0:
                unfinished[i] = _take_first(times[i], found[i], count[i], np.uint64(1 - offset))
            else:
                unfinished[i] = _take_more(times[i], found[i], count[i], base + offset, unfinished[i])
            short |= unfinished[i]
        if short == 0:
            return
    for i in range(n_words):
        bits = unfinished[i]
        while bits != 0:
            pixel: int = lowest_set_bit(bits)  # type: ignore[call-arg]
            bits &= bits - one
            for j in range(count[i, pixel], wanted):
                found[i, j, pixel] = MISSING


@njit(cache=True, nogil=True)
def _take_first(
    times: NDArray[np.uint64], found: NDArray[np.uint16], count: NDArray[np.uint16], back: np.uint64
) -> np.uint64:
    """The spikes in the words of 64 pixels; which pixels have fewer than wanted, as bits."""
    one, wanted, short = np.uint64(1), found.shape[0], np.uint64(0)
    for i in range(TILE):
        count[i] = np.uint16(set_bits(times[i]))  # type: ignore[call-arg]
    for i in range(TILE):
        short |= np.uint64(count[i] < wanted) << np.uint64(i)
    for j in range(wanted):
        row = found[j]
        for i in range(TILE):
            time = times[i]
            before = time - one
            # All bits through the lowest that is set: as many as the planes to it.
            row[i] = np.uint16(set_bits(time ^ before) - back)  # type: ignore[call-arg]
            times[i] = time & before
    return short


@njit(cache=True, nogil=True)
def _take_more(
    times: NDArray[np.uint64],
    found: NDArray[np.uint16],
    count: NDArray[np.uint16],
    base: int,
    unfinished: np.uint64,
) -> np.uint64:
    """Further spikes of the pixels that are unfinished; which of them still are."""
    one, wanted, bits = np.uint64(1), found.shape[0], unfinished
    while bits != 0:
        pixel: int = lowest_set_bit(bits)  # type: ignore[call-arg]
        bits &= bits - one
        time, n = times[pixel], int(count[pixel])
        while time != 0 and n < wanted:
            near: int = lowest_set_bit(time)
            found[n, pixel] = base + near
            time &= time - one
            n += 1
        count[pixel] = n
        if n == wanted:
            unfinished &= ~(one << np.uint64(pixel))
    return unfinished


@njit(cache=True, nogil=True)
def _turn(
    planes: NDArray[np.uint64],
    start: int,
    step: int,
    steps: int,
    first: int,
    n_words: int,
    square: NDArray[np.uint64],
    times: NDArray[np.uint64],
) -> None:
    """Words of pixels at some instants to words of instants of every pixel, ``times`` (words, 64)."""
    square[max(steps, 0) :] = 0
    for k in range(steps):
        row, line = planes[start + k * step], square[k]
        for i in range(n_words):
            line[i] = row[first + i]
    for h in range(6):
        half, mask, shift = int(HALVES[h]), MASKS[h], HALVES[h]
        for k in range(64):
            if k & half:
                continue
            upper, lower = square[k], square[k + half]
            for i in range(WORDS):
                swapped = ((upper[i] >> shift) ^ lower[i]) & mask
                lower[i] ^= swapped
                upper[i] ^= swapped << shift
    for i in range(n_words):
        line = times[i]
        for k in range(64):
            line[k] = square[k, i]
