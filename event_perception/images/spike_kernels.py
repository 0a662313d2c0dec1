# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Loops over packed spike planes, all on canonical bits: first pixel in bit 0, no padding between rows.

State is kept for small blocks of pixels while the planes of a run pass by, so that it stays in the first-level
cache; within a block the loops are branch-free and vectorise.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

MISSING = 65535  # a distance that was not found
BLOCK_BYTES = 256  # bytes of a plane worked on at a time: 2048 pixels
REBASE = 16_384  # planes that register times are moved back by before they pass 16 bits

# Byte -> eight bytes that are 255 where the bit is set, in memory order, read as one word.
SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder='little') * np.uint8(255)
SPREAD_WORDS = np.ascontiguousarray(SPREAD).view(np.uint64).reshape(256)


@njit(cache=True, nogil=True)
def add_planes(slices: NDArray[np.uint8], planes: NDArray[np.uint8]) -> None:
    """Add planes (n, bytes) to bit-sliced counters: ``slices[b]`` holds bit b of every pixel's count."""
    n_slices, n_bytes = slices.shape
    carry = np.empty(n_bytes, np.uint8)
    for p in range(planes.shape[0]):
        carry[:] = planes[p]
        for b in range(n_slices):
            row = slices[b]
            for i in range(n_bytes):
                old = row[i]
                row[i] = old ^ carry[i]
                carry[i] &= old


@njit(cache=True, nogil=True)
def slide_planes(slices: NDArray[np.uint8], added: NDArray[np.uint8], removed: NDArray[np.uint8]) -> None:
    """Add and remove the same number of planes, pairwise: the counts stay those of a window that moves."""
    n_slices, n_bytes = slices.shape
    carry, borrow = np.empty(n_bytes, np.uint8), np.empty(n_bytes, np.uint8)
    for p in range(added.shape[0]):
        new, old = added[p], removed[p]
        for i in range(n_bytes):
            carry[i] = new[i] & ~old[i]
            borrow[i] = old[i] & ~new[i]
        for b in range(n_slices):
            row = slices[b]
            for i in range(n_bytes):
                count = row[i]
                half = count ^ carry[i]
                carry[i] &= count
                row[i] = half ^ borrow[i]
                borrow[i] &= ~half


@njit(cache=True, nogil=True)
def push_registers(
    registers: NDArray[np.uint16], now: int, planes: NDArray[np.uint8], spread: NDArray[np.uint64]
) -> None:
    """Shift the time of every spike into its pixel's registers: ``registers[j]`` is the j-th latest spike.

    Args:
        registers: Times of the latest spikes, (k + 1, 8 * bytes); ``now`` counts on the same clock.
        now: Time of the first plane; it must not pass 65535 within this run.
        planes: Planes (n, bytes).
        spread: ``SPREAD_WORDS``.
    """
    n_registers, n_bytes = registers.shape[0], planes.shape[1]
    words = np.empty(BLOCK_BYTES, np.uint64)
    fired = words.view(np.int8)
    for first in range(0, n_bytes, BLOCK_BYTES):
        last = min(first + BLOCK_BYTES, n_bytes)
        n = 8 * (last - first)
        for p in range(planes.shape[0]):
            row = planes[p, first:last]
            for i in range(last - first):
                words[i] = spread[row[i]]
            time = np.uint16(now + p)
            for j in range(n_registers - 1, 0, -1):
                older = registers[j][8 * first : 8 * last]
                newer = registers[j - 1][8 * first : 8 * last]
                for i in range(n):
                    kept, shifted = older[i], newer[i]
                    older[i] = shifted if fired[i] != 0 else kept
            newest = registers[0][8 * first : 8 * last]
            for i in range(n):
                kept = newest[i]
                newest[i] = time if fired[i] != 0 else kept


@njit(cache=True, nogil=True)
def push_plasticity(
    u: NDArray[np.float32],
    decay: NDArray[np.float32],
    planes: NDArray[np.uint8],
    spread: NDArray[np.uint64],
    step: np.float32,
    rest: np.float32,
    gain: np.float32,
) -> None:
    """Utilisation of short-term plasticity: u decays to rest between spikes and jumps at a spike.

    ``decay`` is exp(-age / F) of each pixel, built as a product over planes.
    """
    n_bytes = planes.shape[1]
    words = np.empty(BLOCK_BYTES, np.uint64)
    fired = words.view(np.int8)
    one = np.float32(1)
    for first in range(0, n_bytes, BLOCK_BYTES):
        last = min(first + BLOCK_BYTES, n_bytes)
        n = 8 * (last - first)
        u_block, decay_block = u[8 * first : 8 * last], decay[8 * first : 8 * last]
        for p in range(planes.shape[0]):
            row = planes[p, first:last]
            for i in range(last - first):
                words[i] = spread[row[i]]
            for i in range(n):
                old, faded = u_block[i], decay_block[i] * step
                jumped = rest + (old + gain * (one - old) - rest) * faded
                u_block[i] = jumped if fired[i] != 0 else old
                decay_block[i] = one if fired[i] != 0 else faded


@njit(cache=True, nogil=True)
def push_leaky(
    charge: NDArray[np.float32],
    planes: NDArray[np.uint8],
    spread: NDArray[np.uint64],
    step: np.float32,
) -> None:
    """Leaky sum of spikes: charge = charge * step + spike, plane by plane."""
    n_bytes = planes.shape[1]
    words = np.empty(BLOCK_BYTES, np.uint64)
    fired = words.view(np.int8)
    one, zero = np.float32(1), np.float32(0)
    for first in range(0, n_bytes, BLOCK_BYTES):
        last = min(first + BLOCK_BYTES, n_bytes)
        n = 8 * (last - first)
        block = charge[8 * first : 8 * last]
        for p in range(planes.shape[0]):
            row = planes[p, first:last]
            for i in range(last - first):
                words[i] = spread[row[i]]
            for i in range(n):
                block[i] = block[i] * step + (one if fired[i] != 0 else zero)


@njit(cache=True, nogil=True)
def push_refined(
    charge: NDArray[np.float32],
    relay: NDArray[np.float32],
    planes: NDArray[np.uint8],
    spread: NDArray[np.uint64],
    step: np.float32,
    relay_step: np.float32,
    relay_threshold: np.float32,
) -> None:
    """Leaky sum of the spikes that a leaky integrate-and-fire relay lets through.

    The relay leaks, adds one per spike, and passes a spike on, emptying itself, when it is above its threshold.
    """
    n_bytes = planes.shape[1]
    words = np.empty(BLOCK_BYTES, np.uint64)
    fired = words.view(np.int8)
    one, zero = np.float32(1), np.float32(0)
    for first in range(0, n_bytes, BLOCK_BYTES):
        last = min(first + BLOCK_BYTES, n_bytes)
        n = 8 * (last - first)
        block, relay_block = charge[8 * first : 8 * last], relay[8 * first : 8 * last]
        for p in range(planes.shape[0]):
            row = planes[p, first:last]
            for i in range(last - first):
                words[i] = spread[row[i]]
            for i in range(n):
                level = relay_block[i] * relay_step + (one if fired[i] != 0 else zero)
                passes = level > relay_threshold
                relay_block[i] = zero if passes else level
                block[i] = block[i] * step + (one if passes else zero)


@intrinsic
def lowest_set_bit(typing_context, word):  # type: ignore[no-untyped-def]
    """Index of the lowest set bit of a 64-bit word that is not zero."""

    def emit(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), emit


@njit(cache=True, nogil=True)
def nearest_spikes(
    planes: NDArray[np.uint64], centre: int, n_pixels: int, n_left: int, n_right: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Distances of the spikes nearest to a plane, walking outwards until every pixel of a block has its own.

    Args:
        planes: Planes as words of 64 pixels (n, words), zero behind the last pixel.
        centre: Index of the plane looked from.
        n_pixels: Pixels.
        n_left: Spikes wanted at or before the centre.
        n_right: Spikes wanted after it.

    Returns:
        Planes back to the j-th spike at or before the centre (n_pixels, n_left), and forward to the j-th after
        it (n_pixels, n_right); ``MISSING`` where there is none.
    """
    left = np.full((n_pixels, n_left), MISSING, np.uint16)
    right = np.full((n_pixels, n_right), MISSING, np.uint16)
    if n_left > 0:
        _walk(planes, centre, -1, left)
    if n_right > 0:
        _walk(planes, centre, 1, right)
    return left, right


@njit(cache=True, nogil=True)
def _walk(
    planes: NDArray[np.uint64],
    centre: int,
    direction: int,
    found: NDArray[np.uint16],
) -> None:
    n_pixels, wanted = found.shape
    words = (n_pixels + 63) // 64
    first_step = 0 if direction < 0 else 1
    steps = centre + 1 if direction < 0 else planes.shape[0] - centre
    block = 8  # words: a cache line of every plane
    unfinished, count = np.empty(block, np.uint64), np.empty(64 * block, np.uint8)
    one = np.uint64(1)
    for first in range(0, words, block):
        n = min(block, words - first)
        count[:] = 0
        for i in range(n):
            here = min(64, n_pixels - 64 * (first + i))
            unfinished[i] = ~np.uint64(0) >> np.uint64(64 - here)
        for d in range(first_step, steps):
            row = planes[centre + direction * d]
            left_over = np.uint64(0)
            for i in range(n):
                bits = row[first + i] & unfinished[i]
                while bits != 0:
                    bit: int = lowest_set_bit(bits)  # type: ignore[call-arg]
                    bits &= bits - one
                    seen = count[64 * i + bit]
                    found[64 * (first + i) + bit, seen] = d
                    count[64 * i + bit] = seen + 1
                    if seen + 1 == wanted:
                        unfinished[i] &= ~(one << np.uint64(bit))
                left_over |= unfinished[i]
            if left_over == 0:
                break
