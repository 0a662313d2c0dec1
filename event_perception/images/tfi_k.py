# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Texture from inter-spike intervals: k intervals around an instant hold k thresholds of light.

Centred: rate = k / (L + R), the distance from the nl-th spike at or before the instant to the nr-th after it,
nl + nr = k + 1. Causal: the last k complete intervals, rate = k / (their sum), and no more than 1 / age, age being
the planes since the last spike. Causal needs no lookahead and keeps the times of the last k + 1 spikes
of every pixel; centred searches the planes that are kept.

Where too few spikes are found for k intervals, as many as there are; where there is not one interval, the
planes searched are averaged.

Source: Zhu, Dong, Huang and Tian, ICME 2019 (k = 1); the k-interval form is its plain extension.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.images.spike_kernels import (
    MISSING,
    REBASE,
    SPREAD_WORDS,
    nearest_spikes,
    push_registers,
)
from event_perception.images.spike_reconstructor import (
    RecurrentSpikeReconstructor,
    SpikeOutputConfig,
    SpikeReconstructor,
)


@dataclass(frozen=True, slots=True)
class TfiKConfig:
    """How many intervals, and where they are looked for."""

    intervals: int = param(3, 'Intervals k that the rate is taken over; 3 and 5 are best.', ge=1, le=32)
    mode: Literal['centred', 'causal'] = param(
        'centred', 'Whether the intervals lie around the instant or before it.'
    )
    search_planes: int = param(200, 'Centred: planes searched to either side.', ge=1, le=4096)
    output: SpikeOutputConfig = SpikeOutputConfig()


def TfiK(config: TfiKConfig | None = None, *, height: int, width: int) -> SpikeReconstructor:
    """The reconstructor of the mode that is asked for.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """
    config = config or TfiKConfig()
    kind = CentredTfiK if config.mode == 'centred' else CausalTfiK
    return kind(config, height=height, width=width)


TfiK.config_type = TfiKConfig  # type: ignore[attr-defined]


class CentredTfiK(SpikeReconstructor):
    """k intervals around the instant, found by walking outwards from it."""

    config_type: ClassVar[type[TfiKConfig]] = TfiKConfig

    def __init__(self, config: TfiKConfig, *, height: int, width: int) -> None:
        self.config = config
        super().__init__(config.output, height=height, width=width)
        self.lookahead_planes = config.search_planes

    def _rates(self, plane: int) -> NDArray[np.float32]:
        first = max(plane - self.config.search_planes, self._history.first)
        end = min(plane + self.config.search_planes + 1, self._history.end)
        k = self.config.intervals
        n_left = (k + 1) // 2
        # k + 1 spikes on both sides: at an end of the stream one side has to do.
        left, right = nearest_spikes(
            self._history.words(first, end), plane - first, self._height * self._width, k + 1, k + 1
        )
        return interval_rates(left, right, n_left, k + 1 - n_left, plane - first + 1, end - plane - 1)


class CausalTfiK(RecurrentSpikeReconstructor):
    """The last k complete intervals of every pixel, kept up to date plane by plane."""

    config_type: ClassVar[type[TfiKConfig]] = TfiKConfig

    def __init__(self, config: TfiKConfig, *, height: int, width: int) -> None:
        self.config = config
        super().__init__(config.output, height=height, width=width)

    def _reset(self) -> None:
        # Time 0 is "never"; the first plane comes at time 1.
        self._registers = np.zeros((self.config.intervals + 1, self._n_states), np.uint16)
        self._now, self._n_planes = 1, 0

    def _advance(self, planes: NDArray[np.uint8]) -> None:
        for start in range(0, len(planes), 1024):
            run = planes[start : start + 1024]  # far less than REBASE
            if self._now + len(run) > MISSING:
                back = REBASE
                self._registers = np.where(
                    self._registers > back, self._registers - np.uint16(back), np.uint16(0)
                )
                self._now -= back
            push_registers(self._registers, self._now, run, SPREAD_WORDS)
            self._now += len(run)
            self._n_planes += len(run)

    def _read(self) -> NDArray[np.float32]:
        return register_rates(self._registers, self._now, self._n_planes)


@njit(cache=True, nogil=True)
def interval_rates(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    n_left: int,
    n_right: int,
    n_before: int,
    n_after: int,
) -> NDArray[np.float32]:
    """Rate over the intervals between the n_left-th spike before the instant and the n_right-th after it.

    Args:
        left: Planes back to the j-th spike, (n, >= n_left), from ``nearest_spikes``.
        right: Planes forward to the j-th spike, (n, >= n_right).
        n_left: Spikes to use at or before the instant, or as many as there are.
        n_right: Spikes to use after it.
        n_before: Planes searched at or before the instant.
        n_after: Planes searched after it.

    Returns:
        Spikes per plane, float32 (n,). Where one side has no spike: from all spikes of the other.
    """
    n_pixels = left.shape[0]
    rates = np.empty(n_pixels, np.float32)
    for i in range(n_pixels):
        if left[i, 0] != MISSING and right[i, 0] != MISSING:
            nl, nr = _found(left, i, n_left), _found(right, i, n_right)
            rates[i] = (nl + nr - 1) / (np.float32(left[i, nl - 1]) + np.float32(right[i, nr - 1]))
        else:
            nl, nr = _found(left, i, left.shape[1]), _found(right, i, right.shape[1])
            rates[i] = _one_sided_rate(left, nl, right, nr, i, n_before, n_after)
    return rates


@njit(cache=True, nogil=True)
def _one_sided_rate(
    left: NDArray[np.uint16],
    nl: int,
    right: NDArray[np.uint16],
    nr: int,
    i: int,
    n_before: int,
    n_after: int,
) -> float:
    """Rate of pixel i where one side has no spike: the intervals of the other, as far as the silence allows them.

    The planes without a spike around the instant bound the rate by 1 / their number. (By 1 / (their number + 1),
    strictly; but intervals are whole planes, and the looser bound is nearer to the mean.)
    """
    if nl > 1:
        known = np.float32(left[i, nl - 1]) - np.float32(left[i, 0])
        silence = np.float32(max(left[i, 0] + n_after, 1))
        return float(min((nl - 1) / known, 1 / silence))
    if nr > 1:
        known = np.float32(right[i, nr - 1]) - np.float32(right[i, 0])
        silence = np.float32(right[i, 0] + n_before - 1)
        return float(min((nr - 1) / known, 1 / silence))
    return float((nl + nr) / np.float32(n_before + n_after))


@njit(cache=True, nogil=True)
def _found(distances: NDArray[np.uint16], i: int, most: int) -> int:
    n = 0
    while n < most and distances[i, n] != MISSING:
        n += 1
    return n


@njit(cache=True, nogil=True)
def register_rates(registers: NDArray[np.uint16], now: int, n_planes: int) -> NDArray[np.float32]:
    """Rate over the complete intervals that the registers hold, at most 1 / (planes since the last spike)."""
    n_registers, n_pixels = registers.shape
    rates = np.empty(n_pixels, np.float32)
    for i in range(n_pixels):
        n = 0
        while n < n_registers and registers[n, i] != 0:
            n += 1
        age = np.float32(max(now - 1 - registers[0, i], 1))
        if n >= 2:
            known = np.float32(registers[0, i]) - np.float32(registers[n - 1, i])
            rates[i] = min((n - 1) / known, 1 / age)
        else:
            rates[i] = n / np.float32(n_planes)
    return rates
