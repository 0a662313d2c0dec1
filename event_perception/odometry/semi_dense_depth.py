# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Depth where a swept volume knows it: at edges on which the rays clearly meet.

    most votes along the ray of a pixel, more than around it: a candidate
    median of the planes of the candidates nearby; one whose own peak is far from it is dropped
    a parabola through the votes of the peak and its two neighbours: depth between planes

Source: threshold and median as in Rebecq and others, EMVS, IJCV 2018; the test against the median is this package's.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.odometry.space_sweep import SweptVolume

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SemiDenseConfig:
    """Which pixels get a depth."""

    contrast: float = param(
        20.0, 'Votes above the mean around, in 1/255 of the strongest pixels, that make a candidate.',
        ge=0.0, le=255.0,
    )  # fmt: skip
    around_px: int = param(5, 'Side of the Gaussian mean around a pixel, odd, px.', ge=3, le=51)
    strongest: float = param(99.5, 'Percentile of the votes that counts as strongest.', ge=50.0, le=100.0)
    median_px: int = param(5, 'Half side of the square in which candidates agree, px.', ge=1, le=20)
    agreement: int = param(4, 'Planes that a peak may be from the median around it.', ge=0, le=100)
    border_planes: int = param(2, 'Planes at either end whose peaks are not believed.', ge=1, le=20)


@dataclass(frozen=True, eq=False)
class SemiDense:
    """Points with depth.

    Attributes:
        x: Columns (n,).
        y: Rows (n,).
        inverse_depth: (n,).
        votes: At the peak (n,).
    """

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    inverse_depth: Matrix
    votes: Float32


def semi_dense_depth(volume: SweptVolume, config: SemiDenseConfig) -> SemiDense:
    """Collapse a volume along its rays."""
    planes = len(volume.votes)
    peak = np.empty(volume.votes.shape[1:], np.int32)
    most = np.empty(volume.votes.shape[1:], np.float32)
    peak_planes(volume.votes, peak, most)
    side = config.around_px | 1
    step = config.contrast / 255 * max(float(np.percentile(most, config.strongest)), 1e-6)
    candidate = most > cv2.GaussianBlur(most, (side, side), 0) + step
    candidate &= (peak >= config.border_planes) & (peak < planes - config.border_planes)
    median = np.full(peak.shape, -1, np.int32)
    masked_median(peak, candidate, config.median_px, planes, median)
    y, x = np.nonzero(candidate & (np.abs(peak - median) <= config.agreement))
    k = peak[y, x]
    before, at, after = (volume.votes[k + j, y, x].astype(np.float64) for j in (-1, 0, 1))
    bend = before - 2 * at + after
    offset = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    inverse = np.interp(k + np.clip(offset, -0.5, 0.5), np.arange(planes), volume.inverse_depth)
    return SemiDense(x, y, inverse, most[y, x])


@njit(cache=True, nogil=True)
def peak_planes(votes, peak, most):  # type: ignore[no-untyped-def]
    """Plane of the most votes of every pixel, and how many."""
    planes, height, width = votes.shape
    for row in range(height):
        for column in range(width):
            peak[row, column] = 0
            most[row, column] = votes[0, row, column]
    for plane in range(1, planes):
        for row in range(height):
            for column in range(width):
                if votes[plane, row, column] > most[row, column]:
                    most[row, column] = votes[plane, row, column]
                    peak[row, column] = plane


@njit(cache=True, nogil=True)
def masked_median(values, mask, reach, bins, median):  # type: ignore[no-untyped-def]
    """Median of the masked values in a square around every masked pixel; the lower one of an even number.

    Args:
        values: Int32 (height, width) in [0, bins).
        mask: Which values count, bool.
        reach: Half side of the square.
        bins: Number of different values.
        median: Output, written where masked.
    """
    height, width = values.shape
    count = np.zeros(bins, np.int32)
    for row in range(height):
        for column in range(width):
            if not mask[row, column]:
                continue
            count[:] = 0
            n = 0
            for i in range(max(0, row - reach), min(height, row + reach + 1)):
                for j in range(max(0, column - reach), min(width, column + reach + 1)):
                    if mask[i, j]:
                        count[values[i, j]] += 1
                        n += 1
            seen, k = count[0], 0
            while 2 * seen < n:
                k += 1
                seen += count[k]
            median[row, column] = k
