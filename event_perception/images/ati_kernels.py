# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Loops of the adaptive triangular interval: estimates per window, how they disagree, and smoothing.

An estimate over n intervals to both sides is rate = n^2 / (span_1 + .. + span_n), span_j being the distance from
the j-th spike before the instant to the j-th after it: intervals near the instant weigh more, as in a triangle.

Its noise has two sources. A spike time is known to one plane, so each of the 2 n ends adds 1/12 to the variance
of the sum; the charge of one interval has the relative variance ``charge_variance``. ``end_variance`` and
``interval_variance`` tabulate what both leave in the estimate of n, and in the difference of two estimates.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.spike_kernels import MISSING


def variance_tables(max_intervals: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Variance of the difference of the estimated intervals over n and over m intervals, (max + 1, max + 1).

    Row and column 0 stand for "no estimate": entry [n, 0] is the variance of the estimate over n itself.

    Returns:
        Part of the plane grid, planes^2; part of the charge, per relative variance of one interval's charge.
    """
    n = np.arange(max_intervals + 1)
    positive = np.maximum(n, 1)[:, None]
    ends = np.where(n[None, :] < n[:, None], 1.0, 0.0) / positive**2  # weight of the j-th end on either side
    distance = np.abs(np.arange(-max_intervals, max_intervals + 1))
    intervals = np.maximum(n[:, None] - distance[None], 0) / positive**2
    end_variance = 2 / 12 * ((ends[:, None] - ends[None]) ** 2).sum(axis=2)
    interval_variance = ((intervals[:, None] - intervals[None]) ** 2).sum(axis=2)
    return end_variance.astype(np.float32), interval_variance.astype(np.float32)


@njit(cache=True, nogil=True)
def disagreements(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    height: int,
    width: int,
    block: int,
    windows: NDArray[np.float32],
    charge_variance: np.float32,
    tolerance: np.float32,
    end_variance: NDArray[np.float32],
    interval_variance: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per block of pixels, how windows disagree beyond their noise, and how noisy each is.

    Returns:
        Mean of (difference of the estimates of windows i and j)^2 - tolerance * (its variance), for i > j at
        i (i - 1) / 2 + j, (pairs, by, bx); mean variance of every window's estimate, (windows, by, bx).
    """
    n_windows = windows.shape[0]
    rows, columns = (height + block - 1) // block, (width + block - 1) // block
    excess = np.zeros((n_windows * (n_windows - 1) // 2, rows, columns), np.float32)
    variance = np.zeros((n_windows, rows, columns), np.float32)
    estimate, n = np.empty(n_windows, np.float32), np.empty(n_windows, np.int64)
    pairs, sums = np.empty(excess.shape[0], np.float32), np.empty(n_windows, np.float32)
    for by in range(rows):
        for bx in range(columns):
            pairs[:] = 0
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
                    square = estimate[n_windows // 2] ** 2
                    for a in range(n_windows):
                        sums[a] += square * (
                            square * end_variance[n[a], 0] + charge_variance * interval_variance[n[a], 0]
                        )
                        for b in range(a):
                            if n[a] == n[b]:
                                continue
                            noise = square * (
                                square * end_variance[n[a], n[b]]
                                + charge_variance * interval_variance[n[a], n[b]]
                            )
                            pairs[a * (a - 1) // 2 + b] += (
                                estimate[a] - estimate[b]
                            ) ** 2 - tolerance * noise
            if seen > 0:
                excess[:, by, bx] = pairs / np.float32(seen)
                variance[:, by, bx] = sums / np.float32(seen)
    return excess, variance


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
    end_variance: NDArray[np.float32],
    interval_variance: NDArray[np.float32],
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
        square = rate * rate
        variance[i] = square * (square * end_variance[n, 0] + charge_variance * interval_variance[n, 0])
    return rates, variance


@njit(cache=True, nogil=True)
def smooth_noise(
    rates: NDArray[np.float32], variance: NDArray[np.float32], weights: NDArray[np.float32], reach: np.float32
) -> NDArray[np.float32]:
    """Average neighbours that differ by less than ``reach`` standard deviations of the pixel's noise.

    The weight falls with the difference as Tukey's biweight and with distance as ``weights`` (odd, odd).
    """
    height, width = rates.shape
    radius = weights.shape[0] // 2
    smooth = np.empty_like(rates)
    zero, one, least = np.float32(0), np.float32(1), np.float32(1e-20)
    inverse, total, weight = (
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
    )
    for y in range(height):
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
            smooth[y, x] = total[x] / weight[x]
    return smooth
