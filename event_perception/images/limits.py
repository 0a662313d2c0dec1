# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Display limits: which values become black and white, steady over time.

Scaling to [0, 1] is a matter of display, kept apart from the values themselves. Limits taken afresh from each
image make a film breathe; limits that follow slowly do not.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param

SAMPLE_STEP = 4  # percentiles of every 4th row and column: 20 times faster, and as steady


@dataclass(frozen=True, slots=True)
class DisplayConfig:
    """Which values become black and white."""

    low_percent: float = param(1.0, 'Percentile of the pixels that becomes black.', ge=0.0, le=49.0)
    high_percent: float = param(99.0, 'Percentile of the pixels that becomes white.', ge=51.0, le=100.0)
    smoothing_s: float = param(
        0.5, 'Time constant of the limits, seconds; 0 takes those of each image alone.', ge=0.0, le=100.0
    )
    min_range: float = param(
        2.0,
        'Smallest range from black to white, in contrast thresholds, so that noise in a quiet scene stays dim.',
        ge=0.01,
        le=100.0,
    )


class DisplayLimits:
    """Percentiles of the values, smoothed over time by a first-order low-pass."""

    def __init__(self, config: DisplayConfig) -> None:
        self._config = config
        self.reset()

    def reset(self) -> None:
        """Take the limits from the next image alone."""
        self._t_ns: int | None = None
        self._low = self._high = 0.0

    @property
    def limits(self) -> tuple[float, float]:
        """The values shown as 0 and 1."""
        missing = max(0.0, self._config.min_range - (self._high - self._low)) / 2
        return self._low - missing, self._high + missing

    def follow(self, t_ns: int, values: NDArray[np.float32]) -> None:
        """Move the limits towards those of an image (H, W) at this instant."""
        low, high = np.percentile(
            values[::SAMPLE_STEP, ::SAMPLE_STEP], (self._config.low_percent, self._config.high_percent)
        )
        share = self._share_of_new(t_ns)
        self._low += share * (float(low) - self._low)
        self._high += share * (float(high) - self._high)
        self._t_ns = t_ns

    def scale(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values to [0, 1], clipped; a new array."""
        low, high = self.limits
        gain = np.float32(1.0 / (high - low))
        scaled = values * gain
        scaled -= np.float32(low) * gain
        return np.clip(scaled, 0.0, 1.0, out=scaled)

    def _share_of_new(self, t_ns: int) -> float:
        if self._t_ns is None or self._config.smoothing_s == 0:
            return 1.0
        return -math.expm1(-max(0, t_ns - self._t_ns) * 1e-9 / self._config.smoothing_s)
