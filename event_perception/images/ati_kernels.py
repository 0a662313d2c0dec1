# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Loops of the adaptive triangular interval: estimates per window, how they disagree, and smoothing.

An estimate over n intervals to both sides is rate = n^2 / (span_1 + .. + span_n), span_j being the distance from
the j-th spike before the instant to the j-th after it: intervals near the instant weigh more, as in a triangle.

Its noise has two sources: a spike time is known to one plane (``grid_variance``), and the charge of every
interval varies (``charge_weights``).
"""

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.spike_kernels import MISSING

RATE_BINS = 128  # of the table of grid noise


@cache
def grid_variance(max_intervals: int) -> NDArray[np.float32]:
    """What the plane grid alone leaves in the estimated interval, by rate, planes^2, (bins, max + 1, max + 1).

    Entry [b, n, m] is the mean square of the difference of the estimates over n and over m intervals, and
    [b, n, 0] that of the estimate over n itself, times rate^-4. Up to a fifth of a spike per plane, ends are as
    good as uniform and independent, and each adds 1/12 to the variance of the sum; above, the pattern in which
    few whole intervals follow each other matters, and the mean over all phases is computed.
    """
    n = np.arange(max_intervals + 1)
    weight = np.where(n[None, :] < n[:, None], 1.0, 0.0) / np.maximum(n, 1)[:, None] ** 2
    independent = 2 / 12 * ((weight[:, None] - weight[None]) ** 2).sum(axis=2)
    table = np.empty((RATE_BINS, max_intervals + 1, max_intervals + 1), np.float32)
    table[:] = independent
    for b in range(RATE_BINS // 5, RATE_BINS):
        table[b] = _variance_over_phases((b + (np.arange(8) + 0.5) / 8) / RATE_BINS, max_intervals)
    return table


def _variance_over_phases(rates: NDArray[np.float64], max_intervals: int) -> NDArray[np.float64]:
    """Mean square differences of estimates over a grid of phases and these rates, times rate^-4."""
    rate, phase = (grid.reshape(-1) for grid in np.meshgrid(rates, (np.arange(32) + 0.5) / 32))
    k = np.arange(max_intervals)[:, None]
    # Spikes of a pixel that crosses its threshold at (k + phase) / rate, seen from plane 0.
    right, left = np.ceil((k + phase) / rate), -np.ceil((phase - 1 - k) / rate)
    estimates = np.vstack([rate, (k + 1) ** 2 / np.cumsum(left + right, axis=0)]) / rate**2
    return np.asarray(((estimates[:, None] - estimates[None]) ** 2).mean(axis=2))


def charge_weights(max_intervals: int) -> NDArray[np.float32]:
    """Relative variance of an estimate, or of a difference of two, per relative variance of one charge.

    Entry [n, m] is that of the difference of the estimates over n and over m intervals, [n, 0] that of the
    estimate over n itself.
    """
    n = np.arange(max_intervals + 1)
    distance = np.abs(np.arange(-max_intervals, max_intervals + 1))
    weight = np.maximum(n[:, None] - distance[None], 0) / np.maximum(n, 1)[:, None] ** 2
    return np.asarray(((weight[:, None] - weight[None]) ** 2).sum(axis=2), np.float32)


@njit(cache=True, nogil=True)
def disagreements(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    height: int,
    width: int,
    block: int,
    windows: NDArray[np.float32],
    charge_variance: np.float32,
    grid: NDArray[np.float32],
    charge: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Per block of pixels, how windows disagree, how much of it noise explains, and how noisy each is.

    Returns:
        Mean squared difference of the estimates of windows i and j, for i > j at i (i - 1) / 2 + j,
        (pairs, by, bx); its expectation from noise alone; mean variance of every window's estimate,
        (windows, by, bx).
    """
    n_windows = windows.shape[0]
    rows, columns = (height + block - 1) // block, (width + block - 1) // block
    n_pairs = n_windows * (n_windows - 1) // 2
    squared = np.zeros((n_pairs, rows, columns), np.float32)
    expected = np.zeros((n_pairs, rows, columns), np.float32)
    variance = np.zeros((n_windows, rows, columns), np.float32)
    estimate, n = np.empty(n_windows, np.float32), np.empty(n_windows, np.int64)
    pairs, noises = np.empty(n_pairs, np.float32), np.empty(n_pairs, np.float32)
    sums = np.empty(n_windows, np.float32)
    for by in range(rows):
        for bx in range(columns):
            pairs[:] = 0
            noises[:] = 0
            sums[:] = 0
            seen = 0
            for y in range(by * block, min((by + 1) * block, height)):
                # Every other pixel, as on a chessboard, is enough for averages.
                for x in range(bx * block + (y & 1), min((bx + 1) * block, width), 2):
                    i = y * width + x
                    if left[i, 0] == MISSING or right[i, 0] == MISSING:
                        continue
                    seen += 1
                    _estimates(left, right, i, windows, estimate, n)
                    rate = estimate[n_windows // 2]
                    square, bin_ = rate * rate, min(int(rate * RATE_BINS), RATE_BINS - 1)
                    for a in range(n_windows):
                        sums[a] += square * (square * grid[bin_, n[a], 0] + charge_variance * charge[n[a], 0])
                        for b in range(a):
                            if n[a] == n[b]:
                                continue
                            noise = square * (
                                square * grid[bin_, n[a], n[b]] + charge_variance * charge[n[a], n[b]]
                            )
                            pair = a * (a - 1) // 2 + b
                            pairs[pair] += (estimate[a] - estimate[b]) ** 2
                            noises[pair] += noise
            if seen > 0:
                squared[:, by, bx] = pairs / np.float32(seen)
                expected[:, by, bx] = noises / np.float32(seen)
                variance[:, by, bx] = sums / np.float32(seen)
    return squared, expected, variance


@njit(cache=True, nogil=True)
def _estimates(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    i: int,
    windows: NDArray[np.float32],
    estimate: NDArray[np.float32],
    n: NDArray[np.int64],
) -> None:
    """Estimates of pixel i for ascending windows, each going on from where the last one stopped."""
    taken, total = 1, int(left[i, 0]) + int(right[i, 0])
    for a in range(windows.shape[0]):
        while taken < left.shape[1]:
            span = int(left[i, taken]) + int(right[i, taken])  # far above any window where one is missing
            if span > windows[a]:
                break
            total += span
            taken += 1
        n[a] = taken
        estimate[a] = np.float32(taken * taken) / np.float32(total)


@njit(cache=True, nogil=True)
def rates_within(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    window: NDArray[np.float32],
    fallback: NDArray[np.float32],
    charge_variance: np.float32,
    grid: NDArray[np.float32],
    charge: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Estimate of every pixel for its own window, and the variance of its noise; zero for fallbacks."""
    rates, variance = fallback.copy(), np.zeros(fallback.shape[0], np.float32)
    for i in range(rates.shape[0]):
        if left[i, 0] == MISSING or right[i, 0] == MISSING:
            continue
        n, total = 1, int(left[i, 0]) + int(right[i, 0])
        while n < left.shape[1]:
            span = int(left[i, n]) + int(right[i, n])
            if span > window[i]:
                break
            total += span
            n += 1
        rate = np.float32(n * n) / np.float32(total)
        rates[i] = rate
        square, bin_ = rate * rate, min(int(rate * RATE_BINS), RATE_BINS - 1)
        variance[i] = square * (square * grid[bin_, n, 0] + charge_variance * charge[n, 0])
    return rates, variance


@njit(cache=True, nogil=True)
def smooth_noise(
    rates: NDArray[np.float32],
    variance: NDArray[np.float32],
    weights: NDArray[np.float32],
    reach: np.float32,
    first_row: int,
    end_row: int,
) -> NDArray[np.float32]:
    """Average neighbours that differ by less than ``reach`` standard deviations of the pixel's noise.

    The weight falls with the difference as Tukey's biweight and with distance as ``weights`` (odd, odd).

    Returns:
        Rows first_row to end_row of the averages.
    """
    height, width = rates.shape
    radius = weights.shape[0] // 2
    smooth = np.empty((end_row - first_row, width), np.float32)
    zero, one, least = np.float32(0), np.float32(1), np.float32(1e-20)
    inverse, total, weight = (
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
    )
    for y in range(first_row, end_row):
        centre = rates[y]
        for x in range(width):
            inverse[x] = one / max(reach * reach * variance[y, x], least)
            total[x], weight[x] = zero, zero
        for dy in range(max(-radius, -y), min(radius, height - 1 - y) + 1):
            other = rates[y + dy]
            for dx in range(-radius, radius + 1):
                near_by = weights[radius + dy, radius + dx]
                for x in range(max(-dx, 0), min(width - dx, width)):
                    value = other[x + dx]
                    difference = value - centre[x]
                    alike = max(one - difference * difference * inverse[x], zero)
                    w = near_by * alike * alike
                    total[x] += w * value
                    weight[x] += w
        for x in range(width):
            smooth[y - first_row, x] = total[x] / weight[x]
    return smooth
