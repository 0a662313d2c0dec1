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
from event_perception.images.ati_noise import WindowNoise, charge_weights, grid_variance
from event_perception.images.ati_smoothing import smoothed
from event_perception.images.ati_windows import (
    block_statistics,
    least_risk,
    rates_within,
    single_rates,
    window_estimates,
)
from event_perception.images.bands import Bands
from event_perception.images.charge_noise import charge_noise
from event_perception.images.spike_history import SpikeHistory
from event_perception.images.spike_reconstructor import SpikeOutputConfig
from event_perception.images.spike_search import TILE, WORDS, search_spikes


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
        0.02, 'Relative noise of the charge of one interval, where it cannot be measured.', ge=0.0, le=1.0
    )
    least_charge_noise: float = param(
        0.005, 'Least charge noise that a measurement in still parts of the scene may give.', ge=0.0, le=1.0
    )
    most_charge_noise: float = param(
        0.04,
        'Largest measured charge noise that is believed; more is motion. Not above the least: no measurement.',
        ge=0.0,
        le=1.0,
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
    """What is known about every pixel at an instant, float32 (H, W), top row first, unless said otherwise.

    Attributes:
        rates: Spikes per plane, noise smoothed.
        raw: The same before smoothing.
        variance: Variance of the noise of ``raw``.
        smear: Squared smear that begins at the chosen window.
        single: Rate of the single interval.
        left: Planes back to the spikes at or before the instant, in stored order, uint16 (words, spikes, 64).
        right: Planes forward to the spikes after it.
        flipped: Whether the bottom row is stored first.
        noisy: 0 where the scene was seen to keep still before a sensor without noise, 1 where noise is as expected, or
            more, or could not be measured for motion.
    """

    rates: NDArray[np.float32]
    raw: NDArray[np.float32]
    variance: NDArray[np.float32]
    smear: NDArray[np.float32]
    single: NDArray[np.float32]
    left: NDArray[np.uint16]
    right: NDArray[np.uint16]
    flipped: bool
    noisy: float = 1.0

    def from_stored(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values in stored order, (64 * words,), as a picture."""
        return picture(pixels, self.rates.shape, self.flipped)

    def to_stored(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """A picture as values in stored order, (64 * words,), zero behind the last pixel."""
        return stored(image, len(self.left), self.flipped)


class AtiEstimator:
    """Estimates around any plane of a history; keeps nothing but memory to work in.

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
        self._noise = WindowNoise(config.windows_planes, config.max_intervals)
        self._grid = np.ascontiguousarray(grid_variance(config.max_intervals)[..., 0])
        self._charge = np.ascontiguousarray(charge_weights(config.max_intervals)[:, 0])
        self._words = -(-height * width // TILE)
        self._threads = Bands(self._words, step=WORDS, threads=config.threads)
        shape = (self._words, config.max_intervals, TILE)
        self._left, self._right = np.empty(shape, np.uint16), np.empty(shape, np.uint16)
        # Megabytes that every image needs are not asked for anew every time.
        self._pixels = np.empty((2, self._words * TILE), np.float32)
        self._estimates = np.empty((len(windows), self._words * TILE), np.float32)
        rows, columns = (-(-side // config.block_px) for side in (height, width))
        n_statistics = len(windows) ** 2  # two for every pair, one for every window
        self._statistics = np.empty((rows, columns, n_statistics), np.float32)

    def estimate(self, history: SpikeHistory, plane: int) -> AtiEstimate:
        """What the planes around a plane tell; ``left`` and ``right`` are valid until the next call."""
        c = self.config
        first, end = (
            max(plane - c.search_planes, history.first),
            min(plane + c.search_planes + 1, history.end),
        )
        planes, left, right = history.words(first, end), self._left, self._right
        self._threads.map(lambda a, b: search_spikes(planes, plane - first, left, right, a, b))
        noise = c.charge_noise
        if c.window == 'adaptive':
            noise = charge_noise(
                left, right, expected=noise, least=c.least_charge_noise, most=c.most_charge_noise
            )
        # Where one side has no spike, what the other side and the silence tell.
        single = single_rates(left, right, plane - first + 1, end - plane - 1)
        if c.window == 'fixed':
            window = np.full((self._height, self._width), c.fixed_planes, np.float32)
            smear = np.zeros_like(window)
        else:
            window, smear = self._choose(max(noise, c.charge_noise) ** 2, history.flipped)
        # Counting spikes in n planes, a rate is known to 1 / n: a triangle of variance 1 / (6 n^2).
        unknown = 1 / (6 * max(end - first, 1) ** 2)
        raw, variance = self._read(window, single, noise**2, unknown, history.flipped)
        rates = (
            raw if c.window == 'fixed' else self._smooth(raw, variance + np.float32(c.smear_share) * smear)
        )
        single = picture(single, raw.shape, history.flipped)
        noisy = (noise - c.least_charge_noise) / max(c.charge_noise - c.least_charge_noise, 1e-6)
        noisy = min(max(noisy, 0.0), 1.0)
        return AtiEstimate(rates, raw, variance, smear, single, left, right, history.flipped, noisy)

    def _choose(
        self, charge_variance: float, flipped: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Window of every pixel, planes, and the squared smear that begins there, (H, W) each."""
        c = self.config
        left, right, estimates, statistics = self._left, self._right, self._estimates, self._statistics
        self._threads.map(lambda a, b: window_estimates(left, right, self._windows, estimates, a, b))
        noise, size = self._noise.table(charge_variance), (self._height, self._width)
        Bands(len(statistics), step=1, threads=c.threads).map(
            lambda a, b: block_statistics(estimates, noise, *size, c.block_px, flipped, statistics, a, b)
        )
        near = np.asarray(cv2.GaussianBlur(statistics, (0, 0), c.pool_px / c.block_px), np.float32)
        everywhere = statistics.reshape(-1, statistics.shape[-1]).mean(axis=0)
        share, tolerance = np.float32(c.pool_global), np.float32(c.tolerance)
        chosen, smear = least_risk(near, everywhere, share, tolerance, len(self._windows))
        # A hair more, so that rounding cannot lose an interval that just fits.
        window = np.exp(self._spread(np.log(self._windows)[chosen])) + np.float32(1e-3)
        return window, self._spread(smear)

    def _spread(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of blocks (by, bx) as values of pixels (H, W), linear between the middles of blocks."""
        side = self.config.block_px
        size = (blocks.shape[1] * side, blocks.shape[0] * side)
        fine = np.asarray(cv2.resize(blocks, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return np.ascontiguousarray(fine[: self._height, : self._width])

    def _read(
        self,
        window: NDArray[np.float32],
        single: NDArray[np.float32],
        charge_variance: float,
        unknown: float,
        flipped: bool,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Estimate of every pixel for its window, and the variance of its noise, (H, W) each."""
        own = stored(window, self._words, flipped)
        charge = np.float32(charge_variance) * self._charge
        left, right, grid, (rates, variance) = self._left, self._right, self._grid, self._pixels
        self._threads.map(
            lambda a, b: rates_within(
                left, right, own, single, grid, charge, np.float32(unknown), rates, variance, a, b
            )
        )
        shape = (self._height, self._width)
        return picture(rates, shape, flipped), picture(variance, shape, flipped)

    def _smooth(self, rates: NDArray[np.float32], variance: NDArray[np.float32]) -> NDArray[np.float32]:
        c = self.config
        return smoothed(
            rates, variance, reach=c.smoothing, sigma_px=c.smoothing_px, pool_px=c.pool_px, threads=c.threads
        )


def picture(pixels: NDArray[np.float32], shape: tuple[int, ...], flipped: bool) -> NDArray[np.float32]:
    """Values in stored order, (>= H * W,), as a picture (H, W), top row first."""
    rows = pixels[: shape[0] * shape[1]].reshape(shape)
    return np.ascontiguousarray(rows[::-1] if flipped else rows)


def stored(image: NDArray[np.float32], n_words: int, flipped: bool) -> NDArray[np.float32]:
    """A picture (H, W) as values in stored order, (64 * n_words,), zero behind the last pixel."""
    pixels = np.zeros(TILE * n_words, np.float32)
    pixels[: image.size].reshape(image.shape)[:] = image[::-1] if flipped else image
    return pixels
