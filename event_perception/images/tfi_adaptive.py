# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""As many of the last intervals as fit into a short window: an image without any delay.

D_n is the time that the last n complete intervals took, age the planes since the last spike. n is the largest number
up to ``max_intervals`` with age + D_n <= ``window_planes``, at least 1:

    rate = min(n / D_n, 1 / max(age, 1))

Bright pixels average several intervals, dark ones take the last, and a pixel that has fallen silent is no brighter
than its silence allows. Nothing is waited for: what methods that look ahead gain in quality costs them that time.

Source: this package; the interval is that of Zhu, Dong, Huang and Tian, ICME 2019.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.images.spike_kernels import MISSING, nearest_spikes
from event_perception.images.spike_reconstructor import SpikeOutputConfig, SpikeReconstructor


@dataclass(frozen=True, slots=True)
class TfiAdaptiveConfig:
    """How far back it is looked."""

    window_planes: int = param(
        11, 'Planes that age and intervals may take together.', ge=1, le=4096, live=True
    )
    max_intervals: int = param(5, 'Most intervals.', ge=1, le=64)
    search_planes: int = param(200, 'Planes searched before the instant.', ge=1, le=4096)
    output: SpikeOutputConfig = SpikeOutputConfig()


class TfiAdaptive(SpikeReconstructor):
    """The last intervals within a window; needs no planes behind the instant.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """

    config_type: ClassVar[type[TfiAdaptiveConfig]] = TfiAdaptiveConfig

    def __init__(self, config: TfiAdaptiveConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or TfiAdaptiveConfig()
        super().__init__(config.output, height=height, width=width)

    def _rates(self, plane: int) -> NDArray[np.float32]:
        c, history = self.config, self._history
        first = max(plane - c.search_planes, history.first)
        left, _ = nearest_spikes(
            history.words(first, plane + 1), plane - first, self._height * self._width, c.max_intervals + 1, 0
        )
        return latest_rates(left, c.window_planes, plane - first + 1)


@njit(cache=True, nogil=True)
def latest_rates(left: NDArray[np.uint16], window: int, n_searched: int) -> NDArray[np.float32]:
    """Rate over the last intervals that end within the window.

    Args:
        left: Planes back to the j-th spike, (n, intervals + 1), ascending, from ``nearest_spikes``.
        window: Planes.
        n_searched: Planes that were searched; where they hold no interval, their mean is taken.

    Returns:
        Spikes per plane, float32 (n,).
    """
    n_pixels, most = left.shape
    rates = np.empty(n_pixels, np.float32)
    one = np.float32(1)
    for i in range(n_pixels):
        if most < 2 or left[i, 1] == MISSING:
            rates[i] = np.float32(0 if left[i, 0] == MISSING else 1) / np.float32(n_searched)
            continue
        n = 1
        while n + 1 < most and left[i, n + 1] <= window:  # MISSING is larger than any window
            n += 1
        age = np.float32(left[i, 0])
        known = np.float32(left[i, n]) - age
        rates[i] = min(np.float32(n) / known, one / max(age, one))
    return rates
