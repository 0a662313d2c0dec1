# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Adaptive triangular interval: as many intervals around the instant as light and motion allow.

An estimate over few intervals is noisy, one over many is smeared by motion. For a set of windows, from the single
interval to hundreds of planes, every pixel takes the most intervals that fit. Where a longer window disagrees with
a shorter one beyond what noise explains, the excess is its smear. Excess and noise are averaged over the
neighbourhood and, for the most part, over the picture; the window with the least sum of both wins, and varies
smoothly between blocks. What noise remains, known per pixel, is averaged over neighbours that differ by no more
than it, as far as it is what makes the neighbourhood uneven.

``window = fixed`` takes one window everywhere and smooths nothing.

Source: this package; the comparison of windows follows Lepskii, On a problem of adaptive estimation in Gaussian
white noise, Theory of Probability and its Applications 1990, pooled over neighbours; the smoothing is a bilateral
filter (Tomasi and Manduchi, ICCV 1998) with a known noise level, and a Wiener gain.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.images.ati_kernels import (
    charge_weights,
    disagreements,
    grid_variance,
    rates_within,
    smooth_noise,
)
from event_perception.images.bands import Bands
from event_perception.images.spike_history import SpikeHistory
from event_perception.images.spike_kernels import MISSING, find_spikes
from event_perception.images.spike_reconstructor import SpikeOutputConfig
from event_perception.images.tfi_k import interval_rates


@dataclass(frozen=True, slots=True)
class AtiConfig:
    """Windows, the noise that is reckoned with, and the neighbourhood that decides."""

    window: Literal['adaptive', 'fixed'] = param(
        'adaptive', 'Whether the window follows light and motion or is the same everywhere.'
    )
    fixed_planes: float = param(21.0, 'Fixed: the window, planes.', ge=1.0, le=8192.0, live=True)
    windows_planes: tuple[float, ...] = param(
        (1.0, 9.0, 13.0, 18.0, 25.0, 36.0, 55.0, 110.0, 400.0),
        'Adaptive: windows to choose from, ascending, planes; 1 is the single interval.',
        ge=1.0, le=8192.0,
    )  # fmt: skip
    max_intervals: int = param(14, 'Most intervals to either side.', ge=2, le=64)
    search_planes: int = param(200, 'Planes searched to either side.', ge=1, le=4096)
    charge_noise: float = param(
        0.02, 'Relative noise of the charge of one interval that is reckoned with.', ge=0.0, le=1.0
    )
    tolerance: float = param(
        1.4,
        'Adaptive: squared disagreement that counts as smear, in variances of the noise.',
        ge=0.0,
        le=100.0,
    )
    block_px: int = param(4, 'Adaptive: side of the blocks that share a window, px.', ge=1, le=64)
    pool_px: float = param(3.0, 'Adaptive: sigma of the neighbourhood averaged over, px.', ge=0.1, le=100.0)
    pool_global: float = param(
        0.65, 'Adaptive: share of the whole picture in what is averaged.', ge=0.0, le=1.0
    )
    smoothing: float = param(
        4.0, 'Adaptive: neighbours that differ by less, in sd of the noise, are averaged; 0 is none.',
        ge=0.0, le=20.0, live=True,
    )  # fmt: skip
    smear_share: float = param(
        0.3, 'Adaptive: share of the estimated squared smear that counts as noise there.', ge=0.0, le=10.0
    )
    smoothing_px: float = param(1.0, 'Adaptive: sigma of that average, px.', ge=0.1, le=10.0)
    threads: int = param(2, 'Threads that an image is computed with.', ge=1, le=64)
    output: SpikeOutputConfig = SpikeOutputConfig()


@dataclass(frozen=True, eq=False)
class AtiEstimate:
    """What is known about every pixel at an instant, top row first, float32 (H * W,) unless said otherwise.

    Attributes:
        rates: Spikes per plane, noise smoothed.
        raw: The same before smoothing.
        variance: Variance of the noise of ``raw``.
        smear: Squared smear that begins at the chosen window.
        single: Rate of the single interval.
        left: Planes back to the spikes at or before the instant, uint16 (H * W, max_intervals).
        right: Planes forward to the spikes after it.
    """

    rates: NDArray[np.float32]
    raw: NDArray[np.float32]
    variance: NDArray[np.float32]
    smear: NDArray[np.float32]
    single: NDArray[np.float32]
    left: NDArray[np.uint16]
    right: NDArray[np.uint16]


class AtiEstimator:
    """Estimates around any plane of a history; keeps nothing.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Raises:
        ConfigError: If the windows do not ascend.
    """

    def __init__(self, config: AtiConfig, *, height: int, width: int) -> None:
        self.config = config
        windows = np.array(config.windows_planes, np.float32)
        if len(windows) == 0 or np.any(np.diff(windows) <= 0):
            raise ConfigError(f'windows_planes={config.windows_planes}: give windows in ascending order')
        self._height, self._width, self._windows = height, width, windows
        self._tables = (grid_variance(config.max_intervals), charge_weights(config.max_intervals))

    def estimate(self, history: SpikeHistory, plane: int) -> AtiEstimate:
        """What the planes around a plane tell."""
        c = self.config
        first, end = (
            max(plane - c.search_planes, history.first),
            min(plane + c.search_planes + 1, history.end),
        )
        n_pixels = self._height * self._width
        left, right = self._nearest(history.words(first, end), plane - first)
        if history.flipped:  # blocks are counted from the top row of the image
            left, right = self._upside_down(left), self._upside_down(right)
        # Where one side has no spike, what the other side and the silence tell.
        single = interval_rates(left, right, 1, 1, plane - first + 1, end - plane - 1)
        charge = np.float32(c.charge_noise**2)
        if c.window == 'fixed':
            fixed = np.full(n_pixels, c.fixed_planes, np.float32)
            rates, variance = rates_within(left, right, fixed, single, charge, *self._tables)
            return AtiEstimate(rates, rates, variance, np.zeros_like(rates), single, left, right)
        window, smear = self._choose(left, right)
        raw, variance = rates_within(left, right, window, single, charge, *self._tables)
        rates = self._smooth(raw, variance + np.float32(c.smear_share) * smear)
        return AtiEstimate(rates, raw, variance, smear, single, left, right)

    def _nearest(
        self, planes: NDArray[np.uint64], centre: int
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        shape = (self._height * self._width, self.config.max_intervals)
        left, right = np.full(shape, MISSING, np.uint16), np.full(shape, MISSING, np.uint16)
        words = Bands(planes.shape[1], step=8, threads=self.config.threads)
        words.map(lambda first, end: find_spikes(planes, centre, left, right, first, end))
        return left, right

    def _upside_down(self, pixels: NDArray) -> NDArray:
        return upside_down(pixels, self._height, self._width)

    def _choose(
        self, left: NDArray[np.uint16], right: NDArray[np.uint16]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Window of every pixel, planes, and the squared smear that begins there, (n,) each."""
        c = self.config
        charge = np.float32(c.charge_noise**2)

        def disagree(first: int, end: int) -> tuple[NDArray[np.float32], ...]:
            rows = np.s_[first * self._width : end * self._width]
            return disagreements(
                left[rows],
                right[rows],
                end - first,
                self._width,
                c.block_px,
                self._windows,
                charge,
                *self._tables,
            )

        # Two blocks a step: pixels are taken as on a chessboard.
        bands = Bands(self._height, step=2 * c.block_px, threads=c.threads).map(disagree)
        squared, expected, variance = (np.concatenate(maps, axis=1) for maps in zip(*bands))
        squared, expected = self._pool(squared), self._pool(expected)
        excess = np.where(squared > np.float32(c.tolerance) * expected, squared - expected, np.float32(0))
        chosen, smear = least_risk(excess, self._pool(variance))
        # A hair more, so that rounding cannot lose an interval that just fits.
        window = np.exp(self._spread(np.log(self._windows)[chosen])) + np.float32(1e-3)
        return window, self._spread(smear)

    def _pool(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average maps (n, by, bx) over the neighbourhood, and in part over the picture."""
        sigma = self.config.pool_px / self.config.block_px
        near = np.stack([cv2.GaussianBlur(m, (0, 0), sigma) for m in maps])
        everywhere = maps.mean(axis=(1, 2), keepdims=True)
        share = np.float32(self.config.pool_global)
        pooled: NDArray[np.float32] = (1 - share) * near + share * everywhere
        return pooled

    def _spread(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of blocks (by, bx) as values of pixels (n,), linear between the middles of blocks."""
        side = self.config.block_px
        size = (blocks.shape[1] * side, blocks.shape[0] * side)
        fine = np.asarray(cv2.resize(blocks, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return np.ascontiguousarray(fine[: self._height, : self._width]).reshape(-1)

    def _smooth(self, rates: NDArray[np.float32], variance: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move every pixel towards its like neighbours, by the share of the texture that is noise.

        That share, noise over what differs from a plain blur, is the gain of a Wiener filter (Lee, IEEE
        Transactions on Pattern Analysis and Machine Intelligence 2(2), 1980).
        """
        noisy, variance = (flat.reshape(self._height, self._width) for flat in (rates, variance))
        weights, reach = gaussian_weights(self.config.smoothing_px), np.float32(self.config.smoothing)
        smooth = np.concatenate(
            Bands(self._height, step=1, threads=self.config.threads).map(
                lambda first, end: smooth_noise(noisy, variance, weights, reach, first, end)
            )
        )
        sigma, texture = (
            self.config.pool_px,
            noisy - cv2.GaussianBlur(noisy, (0, 0), self.config.smoothing_px),
        )
        seen = cv2.GaussianBlur(texture * texture, (0, 0), sigma)
        explained = cv2.GaussianBlur(variance, (0, 0), sigma)
        share = np.minimum(explained / np.maximum(seen, np.float32(1e-20)), np.float32(1))
        return np.asarray(noisy - share * (noisy - smooth), np.float32).reshape(-1)


def least_risk(
    excess: NDArray[np.float32], variance: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Index of the window with the least smear plus noise, and the smear of the next longer one, (by, bx).

    The squared smear of a window is its largest excess over any shorter one. That of the chosen window itself is
    not known, as nothing less smeared is there to compare with; the step to the next longer one tells its size.
    """
    n_windows = variance.shape[0]
    smear = np.zeros_like(variance)
    step = np.zeros_like(variance)
    for i in range(1, n_windows):
        first = i * (i - 1) // 2
        smear[i] = excess[first : first + i].max(axis=0)
        step[i - 1] = excess[first + i - 1]
    chosen = np.argmin(smear + variance, axis=0)
    return chosen, np.take_along_axis(step, chosen[None], 0)[0]


def gaussian_weights(sigma_px: float) -> NDArray[np.float32]:
    """Gaussian of height 1 on a square of two sigma to each side."""
    radius = int(np.ceil(2 * sigma_px))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_px) ** 2)
    return np.outer(line, line).astype(np.float32)


def upside_down(pixels: NDArray, height: int, width: int) -> NDArray:
    """Values of pixels (H * W, ..) with the rows in opposite order."""
    return np.ascontiguousarray(pixels.reshape(height, width, -1)[::-1]).reshape(pixels.shape)
