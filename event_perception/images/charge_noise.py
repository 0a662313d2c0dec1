# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How noisy the charge of an interval is, measured in the spikes themselves wherever something keeps still.

Three spikes m intervals apart, D = t_2m - 2 t_m + t_0: steady light leaves of D what the plane grid rounds, (1 + 4 + 1) / 12
planes^2, and the noise of 2m charges, 2m (noise * interval)^2. Motion only adds, and more so over many intervals: the least
of the estimates over several m is an upper bound, and near the truth in scenes that keep still. A bound that is larger
than any sensor's noise says that everything moves; then nothing is known, and what the user expects is taken.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.spike_kernels import MISSING

STRIDES = np.array([1, 2, 3, 6])
ROUNDING = 0.5  # planes^2
OUTLIER = (
    9.0  # times the variance that is expected: more counts as this much, so that few moving pixels say little
)
LEAST_INTERVAL = 1.5  # planes; faster, and rounding follows a pattern
ENOUGH = 200  # triples of spikes
PIXELS = 8_000  # that are looked at, spread over the picture
BLEND = 1.25  # times the most that is believed: from here on nothing is


def charge_noise(
    left: NDArray[np.uint16], right: NDArray[np.uint16], *, expected: float, least: float, most: float
) -> float:
    """Relative noise of the charge of one interval.

    Args:
        left: Planes back to the j-th spike, (words, spikes, 64), from ``search_spikes``.
        right: Planes forward to the j-th spike.
        expected: What is returned where it cannot be measured.
        least: Least that is returned.
        most: Most that is believed; up to a quarter more the answer goes over to ``expected``.
    """
    if least >= most:
        return expected
    step = max(left.size // left.shape[1] // PIXELS, 1)
    sums = [_sums(side, STRIDES, step, most * most) for side in (left, right)]
    excess, weight, count = (sum(parts) for parts in zip(*sums))
    enough = count >= ENOUGH
    if not enough.any():
        return expected
    measured = float(np.sqrt(max(float((excess[enough] / weight[enough]).min()), 0.0)))
    share = min(max((measured / most - 1) / (BLEND - 1), 0.0), 1.0)
    return (1 - share) * max(min(measured, most), least) + share * expected


@njit(cache=True, nogil=True, error_model='numpy')
def _sums(
    distances: NDArray[np.uint16], strides: NDArray[np.int64], step: int, most_squared: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Weighted least squares of D^2 - rounding = noise^2 * 2m interval^2: both sums, and the triples, by stride."""
    n_words, n_spikes, tile = distances.shape
    excess, weight = np.zeros(strides.size), np.zeros(strides.size)
    count = np.zeros(strides.size, np.int64)
    for k in range(strides.size):
        m = strides[k]
        if 2 * m >= n_spikes:
            break
        for word in range(0, n_words, step):
            here = distances[word]
            for i in range(tile):
                if here[2 * m, i] == MISSING:
                    continue
                first, last = float(here[0, i]), float(here[2 * m, i])
                interval = (last - first) / (2 * m)
                if interval < LEAST_INTERVAL:
                    continue
                difference = last - 2 * float(here[m, i]) + first
                share = 2 * m * interval * interval
                variance = ROUNDING + share * most_squared
                squared = min(difference * difference, OUTLIER * variance)
                excess[k] += (squared - ROUNDING) * share / (variance * variance)
                weight[k] += share * share / (variance * variance)
                count[k] += 1
    return excess, weight, count
