# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Estimates of earlier and later instants, brought to where their light is now.

Light that moves writes the same texture again and again, at another place and with other noise. The intervals that hold
some instants before and after are sharp images of those; the motion between two of them is found by dense inverse search
(Kroeger, Timofte, Dai and Van Gool, Fast optical flow using dense inverse search, ECCV 2016, as OpenCV has it), taken for
constant, and every image is read where its light was. Instants are a part or a multiple of the mean interval apart, so that
each brings spikes of its own.
"""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.ati_estimate import AtiEstimate
from event_perception.images.bands import Bands
from event_perception.images.spike_kernels import MISSING
from event_perception.images.spike_search import TILE

NEAR_INTERVALS = (
    -2.0,
    -1.5,
    -1.0,
    -0.5,
    0.5,
    1.0,
    1.5,
    2.0,
)  # mean intervals from now, seen by the single interval
FAR_INTERVALS = (-4.0, 4.0)  # seen by a triangle
FAR_SPANS, MOTION_SPANS = (
    3,
    2,
)  # spans of the triangles of far images, and of those that motion is found between
LEAST_PLANES, MOST_PLANES = 2.0, 50.0  # between instants one mean interval apart
SMOOTH_PX, FLOW_SMOOTH_PX = 1.0, 2.0  # sigmas: of images before motion is looked for, and of the motion
FINEST_SCALE = 1  # of the search for motion: half size
LEAST_SIDE_PX = 24  # smaller pictures count as still
INSTANTS = (*((away, 1) for away in NEAR_INTERVALS), *((away, FAR_SPANS) for away in FAR_INTERVALS))
N_ALIGNED = len(INSTANTS)


class AlignedEstimates:
    """Finds motion and follows it.

    Args:
        height: Rows.
        width: Columns.
        threads: Threads.
    """

    def __init__(self, height: int, width: int, threads: int = 1) -> None:
        self._shape, self._threads = (height, width), threads
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        self._columns, self._rows = columns, rows
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(FINEST_SCALE)

    def __call__(self, estimate: AtiEstimate, brightest: float) -> NDArray[np.float32]:
        """Spikes per plane at all instants, moved to now, float32 (10, H, W); ``ati`` where light came from outside.

        Args:
            estimate: What `ati` knows, spikes included.
            brightest: Rate of the brightest pixels, spikes per plane.
        """
        mean = float(estimate.rates.mean())
        step = float(np.clip(1 / max(mean, 1e-6), LEAST_PLANES, MOST_PLANES))
        right, down = (np.ascontiguousarray(part) for part in cv2.split(self.flow(estimate, step, brightest)))
        stored = estimate.to_stored(estimate.rates)
        aligned = np.empty((N_ALIGNED, *self._shape), np.float32)

        def fill(first: int, end: int) -> None:
            for k in range(first, end):
                away, spans = np.float32(INSTANTS[k][0]), INSTANTS[k][1]
                aligned[k] = estimate.rates
                cv2.remap(
                    self._at(estimate, stored, float(away) * step, spans), self._columns + away * right,
                    self._rows + away * down, cv2.INTER_LINEAR, dst=aligned[k], borderMode=cv2.BORDER_TRANSPARENT,
                )  # fmt: skip

        Bands(N_ALIGNED, step=1, threads=self._threads).map(fill)
        return aligned

    def flow(self, estimate: AtiEstimate, step: float, brightest: float) -> NDArray[np.float32]:
        """Motion in ``step`` planes, px, float32 (H, W, 2)."""
        if min(self._shape) < LEAST_SIDE_PX:
            return np.zeros((*self._shape, 2), np.float32)
        stored = estimate.to_stored(estimate.rates)
        before, after = (
            self._grey(self._at(estimate, stored, away, MOTION_SPANS), brightest) for away in (-step, step)
        )
        flow = self._search.calc(before, after, None)  # type: ignore[call-overload]
        smooth = np.asarray(cv2.GaussianBlur(flow, (0, 0), FLOW_SMOOTH_PX), np.float32)
        return smooth * np.float32(0.5)

    def _at(
        self, estimate: AtiEstimate, stored: NDArray[np.float32], away: float, spans: int
    ) -> NDArray[np.float32]:
        """Rates at another instant, (H, W)."""
        rates = rates_at(estimate.left, estimate.right, stored, away, spans, 0, len(estimate.left))
        return estimate.from_stored(rates)

    def _grey(self, rates: NDArray[np.float32], brightest: float) -> NDArray[np.uint8]:
        smooth = cv2.GaussianBlur(rates, (0, 0), SMOOTH_PX)
        return np.asarray(cv2.convertScaleAbs(smooth, alpha=255 / max(brightest, 1e-6)), np.uint8)


@njit(cache=True, nogil=True)
def rates_at(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    otherwise: NDArray[np.float32],
    away: float,
    spans: int,
    first: int,
    end: int,
) -> NDArray[np.float32]:
    """The triangular estimate over up to ``spans`` spans around an instant ``away`` planes from now, (64 * words,).

    Args:
        left: Planes back to the j-th spike at or before now, (words, spikes, 64).
        right: Planes forward to the j-th spike after it.
        otherwise: Rates of pixels whose spikes do not reach around the instant, (64 * all words,).
        away: Planes, negative for the past.
        spans: Most spans; as many as the known spikes allow.
        first: First word.
        end: Word behind the last.
    """
    rates, passed = np.empty(TILE * (end - first), np.float32), np.empty(TILE, np.uint16)
    most = left.shape[1]
    # A spike of the instant itself is one before it.
    limit = np.uint16(np.floor(away)) if away >= 0 else np.uint16(np.ceil(-away) - 1)
    for word in range(first, end):
        side, opposite = (right[word], left[word]) if away >= 0 else (left[word], right[word])
        passed[:] = 0
        for j in range(most):
            spikes = side[j]
            for i in range(TILE):
                passed[i] += np.uint16(spikes[i] <= limit)
        row = rates[TILE * (word - first) : TILE * (word - first + 1)]
        other = otherwise[TILE * word : TILE * (word + 1)]
        for i in range(TILE):
            between, total, n = np.int64(passed[i]), np.int64(0), 0
            while n < spans and between + n < most and n - between < most:
                far = np.int64(side[between + n, i])
                near = (
                    np.int64(side[between - 1 - n, i]) if n < between else -np.int64(opposite[n - between, i])
                )
                if far == MISSING or near == -MISSING:
                    break
                total += far - near
                n += 1
            row[i] = np.float32(n * n) / np.float32(total) if n > 0 else other[i]
    return rates
