# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Smooth random signals: sums of sinusoids of a given band, smooth to every order and seeded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

COMPONENTS = 24


@dataclass(frozen=True, eq=False)
class SmoothSignal:
    """``value(t)_d = sum_k a_kd sin(2 pi f_k t + phi_kd)``.

    Attributes:
        amplitude: (k, d).
        frequency_hz: (k,).
        phase_rad: (k, d).
    """

    amplitude: NDArray[np.float64]
    frequency_hz: NDArray[np.float64]
    phase_rad: NDArray[np.float64]

    def __call__(self, t_s: ArrayLike) -> NDArray[np.float64]:
        """Values (n, d) at instants (n,)."""
        angle = 2 * np.pi * np.asarray(t_s, np.float64)[:, None] * self.frequency_hz
        sine, cosine = np.sin(angle), np.cos(angle)
        return sine @ (self.amplitude * np.cos(self.phase_rad)) + cosine @ (
            self.amplitude * np.sin(self.phase_rad)
        )

    def scaled(self, factor: ArrayLike) -> 'SmoothSignal':
        """The same signal times a factor, or one factor a dimension."""
        return SmoothSignal(self.amplitude * np.asarray(factor), self.frequency_hz, self.phase_rad)


def smooth_signal(
    rng: np.random.Generator, *, rms: ArrayLike, low_hz: float, high_hz: float, slope: float = 0.0
) -> SmoothSignal:
    """Draw a signal.

    Args:
        rng: Source of randomness.
        rms: Root mean square over a long time, one value a dimension.
        low_hz: Lower end of the band.
        high_hz: Upper end of the band.
        slope: Amplitude density falls as frequency to minus this power (2: displacement of white acceleration).
    """
    rms = np.atleast_1d(np.asarray(rms, np.float64))
    frequency_hz = np.sort(rng.uniform(low_hz, high_hz, COMPONENTS))
    phase_rad = rng.uniform(0, 2 * np.pi, (COMPONENTS, rms.size))
    amplitude = rng.rayleigh(1.0, (COMPONENTS, rms.size)) * frequency_hz[:, None] ** -slope
    amplitude *= rms / np.sqrt(0.5 * (amplitude**2).sum(axis=0))
    return SmoothSignal(amplitude, frequency_hz, phase_rad)
