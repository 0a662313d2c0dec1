# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Texture via a spiking neural model: layers that refine spikes, adapt a threshold, and read intervals out.

What is published, and what is here:

1. Motion detection by a binary graph cut over interval statistics. Left out, as the published program itself
   skips it when the camera moves; ``hybrid`` decides per pixel instead, by how equal three intervals are.
2. Refining layer, a leaky integrate-and-fire relay: ``refine_threshold``. With the published constants every
   spike passes, which is the default 0.
3. Reconstruction neuron with an adaptive threshold, th <- th0 + (th - th0) exp(-1/tau) + delta at a spike, whose
   mean tells the rate: (th - th0) (1 - exp(-1/tau)) / delta. Kept without its lateral and learned terms, which
   with the published constants are a thousandth of the rest, and with tau = 15 planes; the published 80 smears
   all motion.
4. Dynamic spike refining, the interval read-out for moving scenes: between a shorter and a longer neighbour the
   current interval is cut in two so that its charge is kept; otherwise a line through three interval rates.

Open in the description, and therefore not claimed: the initial weights of the learned synapses, the mapping of
threshold to grey for moving pixels, and which layers produced the printed figures. The published display steps
(division by the maximum, power 1/3.5, smoothing) are not linear in light and have no place here.

Source: Zhu, Dong, Li, Huang and Tian, Retina-like visual image reconstruction via spiking neural model, CVPR 2020.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.images.spike_kernels import (
    MISSING,
    SPREAD_WORDS,
    nearest_spikes,
    push_leaky,
    push_refined,
)
from event_perception.images.spike_reconstructor import (
    RecurrentSpikeReconstructor,
    SpikeOutputConfig,
    SpikeReconstructor,
)
from event_perception.images.tfi_k import interval_rates


@dataclass(frozen=True, slots=True)
class TvsConfig:
    """Which layers make the image, and their constants."""

    mode: Literal['intervals', 'threshold', 'hybrid'] = param(
        'intervals',
        'intervals: dynamic spike refining; threshold: the neuron, causal; hybrid: the neuron where three '
        'intervals agree, else intervals.',
    )
    threshold_planes: float = param(
        15.0, 'Time constant of the adaptive threshold, planes.', ge=1.0, le=1000.0
    )
    refine_threshold: float = param(
        0.0, 'Refining relay: passes a spike when its leaky sum of spikes is above this; 0 passes all.',
        ge=0.0, le=100.0,
    )  # fmt: skip
    refine_planes: float = param(40.0, 'Time constant of the refining relay, planes.', ge=1.0, le=1000.0)
    agreement: float = param(
        0.15, 'Hybrid: intervals agree when they spread by at most one plane and this share of the current one.',
        ge=0.0, le=10.0,
    )  # fmt: skip
    search_planes: int = param(200, 'Planes searched to either side for intervals.', ge=1, le=4096)
    output: SpikeOutputConfig = SpikeOutputConfig()


def Tvs(config: TvsConfig | None = None, *, height: int, width: int) -> SpikeReconstructor:
    """The reconstructor of the mode that is asked for.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """
    config = config or TvsConfig()
    kind = ThresholdTvs if config.mode == 'threshold' else IntervalTvs
    return kind(config, height=height, width=width)


Tvs.config_type = TvsConfig  # type: ignore[attr-defined]


class ThresholdTvs(RecurrentSpikeReconstructor):
    """The adaptive threshold as it stands after the latest plane."""

    config_type: ClassVar[type[TvsConfig]] = TvsConfig

    def __init__(self, config: TvsConfig, *, height: int, width: int) -> None:
        self.config = config
        super().__init__(config.output, height=height, width=width)

    def _reset(self) -> None:
        self._threshold = np.zeros(self._n_states, np.float32)
        self._relay = np.zeros(self._n_states, np.float32)

    def _advance(self, planes: NDArray[np.uint8]) -> None:
        adapt(self._threshold, self._relay, planes, self.config)

    def _read(self) -> NDArray[np.float32]:
        return self._threshold * threshold_scale(self.config)


class IntervalTvs(SpikeReconstructor):
    """Dynamic spike refining around the instant, and the hybrid of it with the threshold neuron."""

    config_type: ClassVar[type[TvsConfig]] = TvsConfig

    def __init__(self, config: TvsConfig, *, height: int, width: int) -> None:
        self.config = config
        super().__init__(config.output, height=height, width=width)
        self.lookahead_planes = config.search_planes

    def _rates(self, plane: int) -> NDArray[np.float32]:
        search, history = self.config.search_planes, self._history
        first, end = max(plane - search, history.first), min(plane + search + 1, history.end)
        left, right = nearest_spikes(
            history.words(first, end), plane - first, self._height * self._width, 2, 2
        )
        single = interval_rates(left, right, 1, 1, plane - first + 1, end - plane - 1)
        if self.config.mode == 'intervals':
            return refined_rates(left, right, single, np.float32(-1), single)
        steady = self._threshold_rates(plane, first, end)
        return refined_rates(left, right, single, np.float32(self.config.agreement), steady)

    def _threshold_rates(self, plane: int, first: int, end: int) -> NDArray[np.float32]:
        """Mean of the neuron run forward up to the instant and of one run backward down to it."""
        planes = self._history.planes(first, end)
        runs = [planes[: plane + 1 - first], np.ascontiguousarray(planes[plane + 1 - first :][::-1])]
        total = np.zeros(8 * planes.shape[1], np.float32)
        for run in runs:
            threshold = np.zeros_like(total)
            adapt(threshold, np.zeros_like(total), run, self.config)
            total += threshold
        return total * (threshold_scale(self.config) / np.float32(2))


def adapt(
    threshold: NDArray[np.float32],
    relay: NDArray[np.float32],
    planes: NDArray[np.uint8],
    config: TvsConfig,
) -> None:
    """Let the thresholds, in units of their step delta above th0, follow the next canonical planes in place."""
    step = np.float32(np.exp(-1.0 / config.threshold_planes))
    if config.refine_threshold == 0:
        push_leaky(threshold, planes, SPREAD_WORDS, step)
        return
    relay_step = np.float32(np.exp(-1.0 / config.refine_planes))
    push_refined(
        threshold, relay, planes, SPREAD_WORDS, step, relay_step, np.float32(config.refine_threshold)
    )


def threshold_scale(config: TvsConfig) -> np.float32:
    """Spikes per plane that a threshold of one delta stands for."""
    return np.float32(-np.expm1(-1.0 / config.threshold_planes))


@njit(cache=True, nogil=True)
def refined_rates(
    left: NDArray[np.uint16],
    right: NDArray[np.uint16],
    single: NDArray[np.float32],
    agreement: np.float32,
    steady: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Dynamic spike refining over the previous, the current and the next interval a, b, c.

    Args:
        left: Planes back to the latest two spikes, (n, 2).
        right: Planes forward to the next two, (n, 2).
        single: Rate where three intervals are not known, (n,).
        agreement: Intervals that spread by at most 1 + agreement * b take ``steady``; negative: none does.
        steady: Rate of steady pixels, (n,) or longer.

    Returns:
        Spikes per plane, float32 (n,).
    """
    rates = single.copy()
    for i in range(left.shape[0]):
        if left[i, 1] == MISSING or right[i, 1] == MISSING:
            continue
        a = np.float32(left[i, 1]) - np.float32(left[i, 0])
        b = np.float32(left[i, 0]) + np.float32(right[i, 0])
        c = np.float32(right[i, 1]) - np.float32(right[i, 0])
        position = np.float32(left[i, 0])
        if agreement >= 0 and max(a, b, c) - min(a, b, c) <= 1 + agreement * b:
            rates[i] = steady[i]
        elif (a < b and b < c) or (a > b and b > c):
            # The cut that keeps the charge: tm / a + (b - tm) / c = 1.
            rates[i] = 1 / a if position <= a * (c - b) / (c - a) else 1 / c
        else:
            rates[i] = max(line_rate(a, b, c, position), np.float32(0))
    return rates


@njit(cache=True, nogil=True)
def line_rate(a: np.float32, b: np.float32, c: np.float32, position: np.float32) -> np.float32:
    """Least-squares line through three interval rates at the middles of their intervals, at a + position."""
    t0, t1, t2 = a / 2, a + b / 2, a + b + c / 2
    r0, r1, r2 = 1 / a, 1 / b, 1 / c
    tm, rm = (t0 + t1 + t2) / 3, (r0 + r1 + r2) / 3
    over = (t0 - tm) * (r0 - rm) + (t1 - tm) * (r1 - rm) + (t2 - tm) * (r2 - rm)
    under = (t0 - tm) ** 2 + (t1 - tm) ** 2 + (t2 - tm) ** 2
    return rm + over / under * (a + position - tm)
