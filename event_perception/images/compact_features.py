# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the compact network looks at: classical estimates around an instant, divided by the brightest light.

All come from the distances of the nearest spikes, which `ati` has found already. Estimates over one, three and five
intervals differ in noise and smear; those of the past and of the future, near and far, tell motion.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.ati_estimate import AtiEstimate
from event_perception.images.spike_kernels import MISSING

N_FEATURES = 13
LARGEST = 4.0  # of a feature: a single interval of one plane is a rate of 1, however dark the scene
LEAST_DOUBT, LARGEST_DOUBT = 0.002, 0.5
NEAR, FAR = 4, 8  # spikes to either side that the near and the far past or future reach to
SHORT, LONG = 7, 20  # planes to either side that spikes are counted over


def compact_features(estimate: AtiEstimate, gain: float, height: int, width: int) -> NDArray[np.float32]:
    """Features of every pixel, float32 (13, H, W).

    In order: ati; its doubt, the standard deviation of noise and smear together; ati before smoothing; the noise
    alone; one, three, five intervals; near past, near future, far past, far future; means over 15 and 41 planes.

    Args:
        estimate: What `ati` knows.
        gain: Rate of the brightest pixels, which becomes 1.
        height: Rows.
        width: Columns.
    """
    features = np.empty((N_FEATURES, estimate.rates.size), np.float32)
    _fill(
        features, estimate.left, estimate.right, estimate.rates, estimate.raw, estimate.variance,
        estimate.smear, estimate.single, np.float32(1 / gain),
    )  # fmt: skip
    return features.reshape(N_FEATURES, height, width)


@njit(cache=True, nogil=True, error_model='numpy')
def _fill(
    features: NDArray[np.float32],
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    rates: NDArray[np.float32],
    raw: NDArray[np.float32],
    variance: NDArray[np.float32],
    smear: NDArray[np.float32],
    single: NDArray[np.float32],
    inverse_gain: np.float32,
) -> None:
    most, largest = left.shape[1], np.float32(LARGEST)
    for i in range(features.shape[1]):
        rate = rates[i]
        features[0, i] = rate
        # Where a side has no spike nothing is known about the noise; such pixels are dark, and wrong by what they are.
        unknown = left[i, 0] == MISSING or right[i, 0] == MISSING
        noise = raw[i] * raw[i] if unknown else variance[i]
        features[1, i] = np.sqrt(noise + smear[i])
        features[2, i] = raw[i]
        features[3, i] = np.sqrt(noise)
        features[4, i] = single[i]
        features[5, i] = _around(left, right, i, 2, rate)
        features[6, i] = _around(left, right, i, 3, rate)
        features[7, i] = _aside(left, i, 0, NEAR - 1, rate)
        features[8, i] = _aside(right, i, 0, NEAR - 1, rate)
        features[9, i] = _aside(left, i, NEAR - 1, FAR - 1, rate)
        features[10, i] = _aside(right, i, NEAR - 1, FAR - 1, rate)
        short, long = 0, 0
        for j in range(most):
            short += (left[i, j] <= SHORT) + (right[i, j] <= SHORT)
            long += (left[i, j] <= LONG) + (right[i, j] <= LONG)
        features[11, i] = short / np.float32(2 * SHORT + 1)
        # A bright pixel fires more often than distances are kept for.
        full = left[i, most - 1] <= LONG and right[i, most - 1] <= LONG
        features[12, i] = rate if full else long / np.float32(2 * LONG + 1)
        for f in range(features.shape[0]):
            features[f, i] = min(features[f, i] * inverse_gain, largest)


@njit(cache=True, nogil=True, error_model='numpy')
def _around(
    left: NDArray[np.uint16], right: NDArray[np.uint16], i: int, n: int, otherwise: np.float32
) -> np.float32:
    """Rate over the 2n - 1 intervals around the instant."""
    if left[i, n - 1] == MISSING or right[i, n - 1] == MISSING:
        return otherwise
    return np.float32(2 * n - 1) / np.float32(int(left[i, n - 1]) + int(right[i, n - 1]))


@njit(cache=True, nogil=True, error_model='numpy')
def _aside(distances: NDArray[np.uint16], i: int, first: int, last: int, otherwise: np.float32) -> np.float32:
    """Rate over the intervals between two spikes on one side."""
    if distances[i, last] == MISSING:
        return otherwise
    return np.float32(last - first) / np.float32(int(distances[i, last]) - int(distances[i, first]))
