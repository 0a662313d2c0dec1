# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How the estimates of several windows disagree, block by block, and which window is the best one of a block.

Everything runs over tiles or rows without a branch. What the noise of a steady pixel explains is looked up by its rate
(``ati_noise``).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.spike_kernels import MISSING
from event_perception.images.spike_search import TILE
from event_perception.images.tfi_k import interval_rates


@njit(cache=True, nogil=True, error_model='numpy')
def window_estimates(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    windows: NDArray[np.float32],
    estimates: NDArray[np.float32],
    first: int,
    end: int,
) -> None:
    """Estimate of the pixels of some words for every window, zero where a side has no spike.

    An estimate takes the spans that do not exceed its window, the first one in any case.

    Args:
        left: Planes back to the j-th spike, (words, spikes, 64).
        right: Planes forward to the j-th spike.
        windows: Planes, ascending.
        estimates: Filled, (windows, 64 * words).
        first: First word.
        end: Word behind the last.
    """
    n_spans = left.shape[1]
    spans, totals = np.empty((n_spans, TILE), np.float32), np.empty((n_spans, TILE), np.float32)
    shortest, longest = np.empty(n_spans, np.float32), np.empty(n_spans, np.float32)
    total, taken = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    for word in range(first, end):
        tile = TILE * word
        fill_spans(left[word], right[word], spans)
        _sum_spans(spans, totals, shortest, longest)
        for a in range(windows.size):
            some, every = 1, 1  # spans that fit into the window at some pixel, and at every one
            while some < n_spans and shortest[some] <= windows[a]:
                some += 1
            while every < some and longest[every] <= windows[a]:
                every += 1
            total[:] = totals[every - 1]
            taken[:] = np.float32(every)
            for j in range(every, some):
                add_fitting(spans[j], windows[a], total, taken)
            _divide_squares(taken, total, estimates[a, tile : tile + TILE])


@njit(cache=True, nogil=True, error_model='numpy')
def _sum_spans(
    spans: NDArray[np.float32],
    totals: NDArray[np.float32],
    shortest: NDArray[np.float32],
    longest: NDArray[np.float32],
) -> None:
    """Sums of the first spans of every pixel, and the extremes over the pixels of each."""
    totals[0] = spans[0]
    bits = spans.view(np.int32)  # positive numbers are ordered as their bits, which vectorise
    extremes = np.empty(2, np.int32)
    for j in range(1, spans.shape[0]):
        span, before, after, line = spans[j], totals[j - 1], totals[j], bits[j]
        for i in range(TILE):
            after[i] = before[i] + span[i]
        low, high = line[0], line[0]
        for i in range(TILE):
            low, high = min(low, line[i]), max(high, line[i])
        extremes[0], extremes[1] = low, high
        shortest[j], longest[j] = extremes.view(np.float32)


@njit(cache=True, nogil=True, error_model='numpy')
def add_fitting(
    span: NDArray[np.float32], window: np.float32, total: NDArray[np.float32], taken: NDArray[np.float32]
) -> None:
    """Take the next span of 64 pixels where it does not exceed the window."""
    zero, one = np.float32(0), np.float32(1)
    for i in range(TILE):
        fits = span[i] <= window
        total[i] += span[i] if fits else zero
        taken[i] += one if fits else zero


@njit(cache=True, nogil=True, error_model='numpy')
def _divide_squares(
    taken: NDArray[np.float32], total: NDArray[np.float32], estimates: NDArray[np.float32]
) -> None:
    for i in range(TILE):
        estimates[i] = taken[i] * taken[i] / total[i] if total[i] < MISSING else np.float32(0)


@njit(cache=True, nogil=True, error_model='numpy')
def fill_spans(left: NDArray[np.uint16], right: NDArray[np.uint16], spans: NDArray[np.float32]) -> None:
    """Planes from the j-th spike before to the j-th after of 64 pixels; at least ``MISSING`` where one is missing."""
    for j in range(left.shape[0]):
        before, after, span = left[j], right[j], spans[j]
        for i in range(TILE):
            span[i] = np.float32(before[i]) + np.float32(after[i])


@njit(cache=True, nogil=True, error_model='numpy')
def block_statistics(
    estimates: NDArray[np.float32],
    noise: NDArray[np.float32],
    height: int,
    width: int,
    block: int,
    flipped: bool,
    statistics: NDArray[np.float32],
    first: int,
    end: int,
) -> None:
    """Per block of pixels, how windows disagree, how much of it noise explains, and how noisy each is.

    Args:
        estimates: Of every window, (windows, >= height * width); zero where nothing is known.
        noise: By rate, what noise makes of every difference, then of every estimate, (rates, pairs + windows).
        height: Rows.
        width: Columns.
        block: Side of a block, px.
        flipped: Whether the bottom row comes first; blocks are counted from the top row in any case.
        statistics: Filled with means over the pixels that are known, (rows of blocks, blocks in a row, 2 * pairs +
            windows): squared difference of the estimates of windows i and j, for i > j at i (i - 1) / 2 + j; its
            expectation from noise alone; variance of every estimate.
        first: First row of blocks.
        end: Row of blocks behind the last.
    """
    n_windows = estimates.shape[0]
    n_pairs = n_windows * (n_windows - 1) // 2
    n_blocks = (width + block - 1) // block
    squared, seen = np.zeros(n_blocks * block, np.float32), np.zeros((n_blocks, 2), np.float32)
    for by in range(first, end):
        row, y0, y1 = statistics[by], by * block, min((by + 1) * block, height)
        row[:] = 0
        seen[:] = 0
        for a in range(1, n_windows):
            for b in range(a):
                squared[:] = 0
                for y in range(y0, y1):
                    start = width * (height - 1 - y if flipped else y)
                    _add_squares(
                        estimates[a, start : start + width], estimates[b, start : start + width], squared
                    )
                _add_up(squared, block, row[:, a * (a - 1) // 2 + b])
        for y in range(y0, y1):
            start = width * (height - 1 - y if flipped else y)
            _add_noise(
                estimates[n_windows // 2, start : start + width], noise, block, y & 1, row[:, n_pairs:], seen
            )
        for bx in range(n_blocks):
            shares = np.float32(1) / np.maximum(seen[bx], np.float32(1))
            for k in range(n_pairs):
                row[bx, k] *= shares[0]
            for k in range(n_pairs, row.shape[1]):
                row[bx, k] *= shares[1]


@njit(cache=True, nogil=True, error_model='numpy')
def _add_squares(one: NDArray[np.float32], other: NDArray[np.float32], squared: NDArray[np.float32]) -> None:
    for x in range(one.size):
        difference = one[x] - other[x]
        squared[x] += difference * difference


@njit(cache=True, nogil=True, error_model='numpy')
def _add_up(values: NDArray[np.float32], block: int, sums: NDArray[np.float32]) -> None:
    """Sums of ``block`` neighbours each."""
    for bx in range(sums.size):
        total = np.float32(0)
        for k in range(block):
            total += values[bx * block + k]
        sums[bx] = total


@njit(cache=True, nogil=True, error_model='numpy')
def _add_noise(
    rates: NDArray[np.float32],
    noise: NDArray[np.float32],
    block: int,
    odd: int,
    sums: NDArray[np.float32],
    seen: NDArray[np.float32],
) -> None:
    """Add what noise makes of every other pixel, as on a chessboard, to its block.

    Args:
        rates: Spikes per plane of a row, zero where unknown.
        noise: By rate.
        block: Pixels of the row that share a block.
        odd: Whether the first pixel is passed over.
        sums: Of every block.
        seen: Known pixels of every block, and those that were added.
    """
    largest = noise.shape[0] - 1
    scale, known = np.float32(largest), np.float32(0)
    for bx in range(seen.shape[0]):
        total, first, end = sums[bx], bx * block, min((bx + 1) * block, rates.size)
        for x in range(first, end):
            seen[bx, 0] += np.float32(rates[x] > known)
        for x in range(first + odd, end, 2):
            seen[bx, 1] += np.float32(rates[x] > known)
            line = noise[min(int(rates[x] * scale + np.float32(0.999)), largest)]
            for k in range(line.size):
                total[k] += line[k]


@njit(cache=True, nogil=True, error_model='numpy')
def least_risk(
    near: NDArray[np.float32],
    everywhere: NDArray[np.float32],
    share: np.float32,
    tolerance: np.float32,
    n_windows: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Index of the window with the least smear plus noise, and the squared smear of the next longer one, (by, bx).

    The squared smear of a window is its largest excess over any shorter one. That of the chosen window itself is
    not known, as nothing less smeared is there to compare with; the step to the next longer one tells its size.

    Args:
        near: Statistics averaged over the neighbourhood, (by, bx, 2 * pairs + windows).
        everywhere: Their mean over the picture.
        share: How much the latter counts.
        tolerance: Squared disagreement that counts as smear, in variances of the noise.
        n_windows: Windows.
    """
    rows, columns, n_all = near.shape
    n_pairs = n_windows * (n_windows - 1) // 2
    chosen, step = np.empty((rows, columns), np.int64), np.empty((rows, columns), np.float32)
    pooled, excess, zero = np.empty(n_all, np.float32), np.empty(n_pairs, np.float32), np.float32(0)
    for y in range(rows):
        for x in range(columns):
            line = near[y, x]
            for k in range(n_all):
                pooled[k] = line[k] + share * (everywhere[k] - line[k])
            for k in range(n_pairs):
                expected = pooled[n_pairs + k]
                excess[k] = pooled[k] - expected if pooled[k] > tolerance * expected else zero
            best, least = 0, pooled[2 * n_pairs]
            for i in range(1, n_windows):
                smear = zero
                for k in range(i * (i - 1) // 2, i * (i + 1) // 2):
                    smear = max(smear, excess[k])
                if smear + pooled[2 * n_pairs + i] < least:
                    best, least = i, smear + pooled[2 * n_pairs + i]
            chosen[y, x] = best
            step[y, x] = excess[best * (best + 1) // 2 + best] if best + 1 < n_windows else zero
    return chosen, step


@njit(cache=True, nogil=True, error_model='numpy')
def rates_within(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    window: NDArray[np.float32],
    fallback: NDArray[np.float32],
    grid: NDArray[np.float32],
    charge: NDArray[np.float32],
    unknown: np.float32,
    rates: NDArray[np.float32],
    variances: NDArray[np.float32],
    first: int,
    end: int,
) -> None:
    """Estimate of the pixels of some words for their own windows, and the variance of the noise.

    Args:
        left: Planes back to the j-th spike, (words, spikes, 64).
        right: Planes forward to the j-th spike.
        window: Planes, (64 * words,).
        fallback: Rates where a side has no spike, (64 * words,).
        grid: Variance of the estimated interval by rate and intervals, planes^2, from ``grid_variance``.
        charge: Relative variance by intervals, (intervals + 1,).
        unknown: Variance of fallbacks.
        rates: Filled, (64 * words,).
        variances: Filled, (64 * words,).
        first: First word.
        end: Word behind the last.
    """
    spans = np.empty((left.shape[1], TILE), np.float32)
    total, n = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    bins = grid.shape[0]
    for word in range(first, end):
        here = slice(TILE * word, TILE * (word + 1))
        own, other = window[here], fallback[here]
        fill_spans(left[word], right[word], spans)
        total[:] = spans[0]
        n[:] = np.float32(1)
        for j in range(1, spans.shape[0]):
            span = spans[j]
            for i in range(TILE):
                fits = span[i] <= own[i]
                total[i] += span[i] if fits else np.float32(0)
                n[i] += np.float32(1) if fits else np.float32(0)
        rate, variance = rates[here], variances[here]
        for i in range(TILE):
            rate[i] = n[i] * n[i] / total[i] if total[i] < MISSING else other[i]
        for i in range(TILE):
            square, intervals = rate[i] * rate[i], int(n[i])
            noise = square * grid[min(int(rate[i] * bins), bins - 1), intervals] + charge[intervals]
            variance[i] = square * noise if total[i] < MISSING else unknown


def single_rates(
    left: NDArray[np.uint16], right: NDArray[np.uint16], n_before: int, n_after: int
) -> NDArray[np.float32]:
    """Rate of the single interval, or where a side has no spike what the other side tells, (64 * words,).

    Args:
        left: Planes back to the j-th spike, (words, spikes, 64).
        right: Planes forward to the j-th spike.
        n_before: Planes searched at or before the instant.
        n_after: Planes searched after it.
    """
    before, after = left[:, 0].reshape(-1), right[:, 0].reshape(-1)
    span = before.astype(np.float32) + after
    rates = np.reciprocal(span)
    (missing,) = np.nonzero(span >= MISSING)
    if missing.size:
        some = [np.ascontiguousarray(side[missing // TILE, :, missing % TILE]) for side in (left, right)]
        rates[missing] = interval_rates(some[0], some[1], 1, 1, n_before, n_after)
    return rates
