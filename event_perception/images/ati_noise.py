# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The noise of the adaptive triangular interval, for a pixel that nothing but its rate is known of.

An estimate over n intervals to both sides is rate = n^2 / (span_1 + .. + span_n), span_j being the distance from
the j-th spike before the instant to the j-th after it: intervals near the instant weigh more, as in a triangle.

Its noise has two sources: a spike time is known to one plane (``grid_variance``), and the charge of every
interval varies (``charge_weights``). ``WindowNoise`` is what both make of the windows that are compared.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE_BINS = 128  # of the table of grid noise
WINDOW_BINS = 512  # of the tables of the windows, where what fits depends on the rate more finely
RATES_A_BIN, PHASES = 8, 24  # that the latter average over


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
        rate, phase = _grid((b + (np.arange(8) + 0.5) / 8) / RATE_BINS, 32)
        estimates = n[1:, None] ** 2 / np.cumsum(_steady_spans(rate, phase, max_intervals), axis=0)
        all_of_them = np.vstack([rate, estimates]) / rate**2
        table[b] = ((all_of_them[:, None] - all_of_them[None]) ** 2).mean(axis=2)
    return table


def charge_weights(max_intervals: int) -> NDArray[np.float32]:
    """Relative variance of an estimate, or of a difference of two, per relative variance of one charge.

    Entry [n, m] is that of the difference of the estimates over n and over m intervals, [n, 0] that of the
    estimate over n itself.
    """
    n = np.arange(max_intervals + 1)
    distance = np.abs(np.arange(-max_intervals, max_intervals + 1))
    weight = np.maximum(n[:, None] - distance[None], 0) / np.maximum(n, 1)[:, None] ** 2
    return np.asarray(((weight[:, None] - weight[None]) ** 2).sum(axis=2), np.float32)


class WindowNoise:
    """Noise of estimates over windows, and of their differences, of a steady pixel by its rate.

    Args:
        windows: Planes, ascending.
        max_intervals: Most intervals to either side.
    """

    def __init__(self, windows: tuple[float, ...], max_intervals: int) -> None:
        self._grid, self._charge = _window_tables(tuple(windows), max_intervals)

    def table(self, charge_variance: float) -> NDArray[np.float32]:
        """Squared spikes per plane, float32 (rates + 1, pairs + windows).

        Row ceil(rate * rates) holds, for i > j at i (i - 1) / 2 + j, the mean squared difference of the estimates of
        windows i and j, and behind those the variance of every window's estimate; row 0 is zero.

        Args:
            charge_variance: Squared relative noise of the charge of an interval.
        """
        return self._grid + np.float32(charge_variance) * self._charge


@cache
def _window_tables(
    windows: tuple[float, ...], max_intervals: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Parts of the table: by the grid, and by the charge for a relative variance of 1."""
    n_pairs = len(windows) * (len(windows) - 1) // 2
    grid, charge = (np.zeros((WINDOW_BINS + 1, n_pairs + len(windows)), np.float32) for _ in range(2))
    variances, weights = grid_variance(max_intervals), charge_weights(max_intervals)
    pairs = [(i, j) for i in range(len(windows)) for j in range(i)]
    above, below = (np.array(side) for side in zip(*pairs)) if pairs else (np.zeros(0, int),) * 2
    for b in range(WINDOW_BINS):
        rate, phase = _grid((b + (np.arange(RATES_A_BIN) + 0.5) / RATES_A_BIN) / WINDOW_BINS, PHASES)
        spans = _steady_spans(rate, phase, max_intervals)
        # Spans grow, so that those that fit are the first ones.
        n = np.maximum((spans[None] <= np.array(windows)[:, None, None]).sum(axis=1), 1)
        noise = variances[np.minimum((rate * RATE_BINS).astype(int), RATE_BINS - 1)]
        each = np.arange(rate.size)
        grid[b + 1, :n_pairs] = (rate**4 * noise[each, n[above], n[below]]).mean(axis=1)
        grid[b + 1, n_pairs:] = (rate**4 * noise[each, n, 0]).mean(axis=1)
        charge[b + 1, :n_pairs] = (rate**2 * weights[n[above], n[below]]).mean(axis=1)
        charge[b + 1, n_pairs:] = (rate**2 * weights[n, 0]).mean(axis=1)
    return grid, charge


def _grid(rates: NDArray[np.float64], phases: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every rate with every phase, (n,) each."""
    rate, phase = np.meshgrid(rates, (np.arange(phases) + 0.5) / phases)
    return rate.reshape(-1), phase.reshape(-1)


def _steady_spans(
    rate: NDArray[np.float64], phase: NDArray[np.float64], max_intervals: int
) -> NDArray[np.float64]:
    """Spans of pixels that cross their threshold at (k + phase) / rate, seen from plane 0, (spans, n)."""
    k = np.arange(max_intervals)[:, None]
    return np.asarray(np.ceil((k + phase) / rate) + np.floor((1 + k - phase) / rate))
