# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the compact network looks at: classical estimates around an instant, divided by the brightest light.

All come from the distances of the nearest spikes, which `ati` has found already. Estimates over one, three and five
intervals differ in noise and smear; those of the past and of the future, near and far, tell motion; those of ten other
instants, moved along with the light, show the same texture again (``AlignedEstimates``).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.aligned_estimates import N_ALIGNED, AlignedEstimates
from event_perception.images.ati_estimate import AtiEstimate
from event_perception.images.spike_kernels import MISSING
from event_perception.images.spike_search import TILE

N_HERE = 13
N_FEATURES = N_HERE + N_ALIGNED
LARGEST = 4.0  # of a feature: a single interval of one plane is a rate of 1, however dark the scene
LEAST_DOUBT, LARGEST_DOUBT = 0.002, 0.5
NEAR, FAR = 4, 8  # spikes to either side that the near and the far past or future reach to
SHORT, LONG = 7, 20  # planes to either side that spikes are counted over


def compact_features(estimate: AtiEstimate, gain: float, align: AlignedEstimates) -> NDArray[np.float32]:
    """Features of every pixel, float32 (23, H, W).

    In order: ati; its doubt, the standard deviation of noise and smear together; ati before smoothing; the noise
    alone; one, three, five intervals; near past, near future, far past, far future; means over 15 and 41 planes; ten
    other instants, aligned.

    Args:
        estimate: What `ati` knows.
        gain: Rate of the brightest pixels, which becomes 1.
        align: Finds the motion.
    """
    features = np.empty((N_FEATURES, *estimate.rates.shape), np.float32)
    features[0], features[2], features[4] = estimate.rates, estimate.raw, estimate.single
    # In a still scene without noise, `ati` is as good as counting can be.
    features[1] = np.sqrt(np.float32(estimate.noisy**2) * estimate.variance + estimate.smear)
    features[3] = np.sqrt(estimate.variance)
    for feature, pixels in zip(
        features[5:N_HERE], nearby_rates(estimate.left, estimate.right, estimate.to_stored(estimate.rates))
    ):
        feature[:] = estimate.from_stored(pixels)
    features[N_HERE:] = align(estimate, gain)
    features *= np.float32(1 / gain)
    np.minimum(features, np.float32(LARGEST), out=features)
    return features


@njit(cache=True, nogil=True, error_model='numpy')
def nearby_rates(
    left: NDArray[np.uint16], right: NDArray[np.uint16], otherwise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rates over three and five intervals, near past and future, far past and future, 15 and 41 planes, (8, 64 * words).

    Args:
        left: Planes back to the j-th spike, (words, spikes, 64).
        right: Planes forward to the j-th spike.
        otherwise: Rates where such spikes are missing.
    """
    most = left.shape[1]
    rates = np.empty((8, otherwise.size), np.float32)
    for word in range(left.shape[0]):
        past, future, here = left[word], right[word], slice(TILE * word, TILE * (word + 1))
        other = otherwise[here]
        for n in (2, 3):
            _around(past[n - 1], future[n - 1], np.float32(2 * n - 1), other, rates[n - 2, here])
        for k, first, last in ((2, 0, NEAR - 1), (4, NEAR - 1, FAR - 1)):
            _aside(past[first], past[last], np.float32(last - first), other, rates[k, here])
            _aside(future[first], future[last], np.float32(last - first), other, rates[k + 1, here])
        for k, reach in ((6, SHORT), (7, LONG)):
            count = rates[k, here]
            count[:] = 0
            for j in range(most):
                before, after = past[j], future[j]
                for i in range(TILE):
                    count[i] += np.float32(before[i] <= reach) + np.float32(after[i] <= reach)
            before, after = past[most - 1], future[most - 1]
            for i in range(TILE):
                # A bright pixel fires more often than distances are kept for.
                full = (before[i] <= reach) & (after[i] <= reach)
                count[i] = other[i] if full else count[i] / np.float32(2 * reach + 1)
    return rates


@njit(cache=True, nogil=True, error_model='numpy')
def _around(
    before: NDArray[np.uint16],
    after: NDArray[np.uint16],
    n: np.float32,
    otherwise: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> None:
    """Rate over the n intervals around the instant."""
    for i in range(TILE):
        span = np.float32(before[i]) + np.float32(after[i])
        rates[i] = n / span if span < MISSING else otherwise[i]


@njit(cache=True, nogil=True, error_model='numpy')
def _aside(
    near: NDArray[np.uint16],
    far: NDArray[np.uint16],
    n: np.float32,
    otherwise: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> None:
    """Rate over the n intervals between two spikes on one side."""
    for i in range(TILE):
        span = np.float32(far[i]) - np.float32(near[i])
        rates[i] = n / span if far[i] != MISSING else otherwise[i]
