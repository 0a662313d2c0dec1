# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events that no light change explains: shot noise and hot pixels, drawn without touching every pixel; jitter."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray, concatenate
from event_perception.simulation.dvs_config import DvsConfig

JITTER_CLIP = 4.0  # standard deviations


@dataclass(frozen=True, eq=False)
class NoiseCandidates:
    """Noise events of one frame interval, sorted by pixel, then time."""

    pixel: NDArray[np.int64]
    tau_ns: NDArray[np.float64]
    sign: NDArray[np.int8]


NO_NOISE = NoiseCandidates(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int8))


class NoiseSource:
    """Poisson noise whose rate falls with light and with the threshold of the pixel (v2e, section on shot noise).

    Rate of one polarity: (R / 2) (1 - (1 - b) I01) w, with w = nominal / own threshold scaled to mean 1.

    Args:
        config: Rates and their spread.
        threshold_on: ON thresholds, flat.
        threshold_off: OFF thresholds, flat.
        rng: Source of randomness, advanced by every call.
    """

    def __init__(
        self, config: DvsConfig, threshold_on: NDArray, threshold_off: NDArray, rng: np.random.Generator
    ) -> None:
        self._config, self._rng = config, rng
        self._n_pixels = threshold_on.size
        weight = 1.0 / np.concatenate([threshold_on, threshold_off]).astype(np.float64)
        self._cumulative = np.cumsum(weight) / weight.sum()
        n_hot = rng.binomial(self._n_pixels, config.hot_pixel_fraction)
        self.hot_pixels = np.sort(rng.choice(self._n_pixels, n_hot, replace=False))
        self._hot_rate_hz = config.hot_pixel_rate_hz * rng.lognormal(-0.125, 0.5, n_hot)

    @property
    def silent(self) -> bool:
        """Whether no noise can ever come."""
        return self._config.shot_noise_rate_hz == 0 and self.hot_pixels.size == 0

    def draw(self, white_fraction: Callable[[NDArray], NDArray], dt_ns: int) -> NoiseCandidates:
        """Noise of one interval.

        Args:
            white_fraction: Gives I01, light as a fraction of white, of pixels by their flat indices.
            dt_ns: Length of the interval.
        """
        shot = self._shot(white_fraction, dt_ns)
        hot = np.repeat(self.hot_pixels, self._rng.poisson(self._hot_rate_hz * dt_ns * 1e-9))
        pixel = np.concatenate([shot % self._n_pixels, hot])
        sign = np.concatenate([np.where(shot < self._n_pixels, 1, -1), np.ones(hot.size)]).astype(np.int8)
        tau_ns = self._rng.uniform(0, dt_ns, pixel.size)
        order = np.lexsort((tau_ns, pixel))
        return NoiseCandidates(pixel[order].astype(np.int64), tau_ns[order], sign[order])

    def _shot(self, white_fraction: Callable[[NDArray], NDArray], dt_ns: int) -> NDArray[np.int64]:
        """Indices into (ON pixels, OFF pixels): a thinned Poisson process."""
        n = self._rng.poisson(self._config.shot_noise_rate_hz * self._n_pixels * dt_ns * 1e-9)
        chosen = np.searchsorted(self._cumulative, self._rng.random(n)).astype(np.int64)
        fall = 1.0 - self._config.shot_noise_bright_factor
        keep = self._rng.random(n) < 1.0 - fall * white_fraction(chosen % self._n_pixels)
        return chosen[keep]


class TimeJitter:
    """Adds clipped Gaussian noise to time stamps and releases events in time order.

    Events that a later one could still overtake are held back; ``flush`` gives them.

    Args:
        sigma_s: Standard deviation, seconds.
        height: Sensor rows.
        width: Sensor columns.
        resolution_ns: Step of the stamps.
        rng: Source of randomness.
    """

    def __init__(
        self, sigma_s: float, *, height: int, width: int, resolution_ns: int, rng: np.random.Generator
    ) -> None:
        self._sigma_ns, self._rng, self._resolution_ns = sigma_s * 1e9, rng, resolution_ns
        self._held = EventArray.empty(height=height, width=width)
        self._first_ns: int | None = None
        self._last_ns = 0

    def push(self, events: EventArray, t_ns: int) -> EventArray:
        """Events that are final once the sensor has reached ``t_ns``; none moves before the first ``t_ns``."""
        self._first_ns = t_ns if self._first_ns is None else self._first_ns
        self._last_ns = t_ns
        joined = concatenate([self._held, self._moved(events, self._first_ns)])
        joined = joined[np.argsort(joined.t_ns, kind='stable')]
        cut = np.searchsorted(joined.t_ns, t_ns - int(JITTER_CLIP * self._sigma_ns) - self._resolution_ns)
        self._held = joined[cut:]
        return joined[:cut]

    def flush(self) -> EventArray:
        """All that is held back; none comes after the last ``t_ns``."""
        rest, self._held = self._held, self._held[:0]
        return _with_times(rest, np.minimum(rest.t_ns, self._last_ns))

    def _moved(self, events: EventArray, first_ns: int) -> EventArray:
        noise = np.clip(self._rng.standard_normal(len(events)), -JITTER_CLIP, JITTER_CLIP) * self._sigma_ns
        t_ns = events.t_ns + np.floor(noise / self._resolution_ns).astype(np.int64) * self._resolution_ns
        return _with_times(events, np.maximum(t_ns, first_ns))


def _with_times(events: EventArray, t_ns: NDArray[np.int64]) -> EventArray:
    return EventArray.trusted(t_ns, events.x, events.y, events.p, height=events.height, width=events.width)
