# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The expected event image of sensors whose thresholds are known in distribution, with its exact gradient.

    V = E[sum_k s_k phi(t_k)]  over thresholds (and phases),   phi any image that downstream code makes of events

    dV = E[sum_k s_k phi'(t_k) dt_k]  +  sum over breaks  p(s) ds [V(s - 0) - V(s + 0)]

The first term moves events, with implicit event times. The second creates and removes them: at a break, some end of
a stretch of the signal is exactly the level of an event, and p(s) ds is the share of sensors that it passes over.
Here both come as one list of weighted events. Those of K stratified sensors a pixel weigh 1/K each. Those on the two
sides of a break are *ghosts*: their weight is zero, its derivative is +-p(s) ds. Any image that is linear in weights
(``bin_events``, ``voxel_grid``, warped or not) then has the right value and the right gradient.

The derivation, its checks and its limits are in docs/differentiable_events.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_perception.errors import DataError
from event_perception.simulation import replay_kernels
from event_perception.simulation.threshold_spread import ThresholdSpread

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WeightedEvents:
    """Events in no particular order.

    Attributes:
        t_s: Seconds after the first frame, float64 (n,), attached.
        pixel: Flat index y * width + x, int64 (n,).
        p: Polarities, int64 (n,), -1 or +1.
        weight: What each counts, float64 (n,); zero with a derivative for ghosts.
        n_ghosts: How many of them, the last ones, are ghosts.
        height: Sensor rows.
        width: Sensor columns.
    """

    t_s: Tensor
    pixel: Tensor
    p: Tensor
    weight: Tensor
    n_ghosts: int
    height: int
    width: int

    def __len__(self) -> int:
        return self.t_s.shape[0]

    @property
    def x(self) -> Tensor:
        """Columns (n,)."""
        return self.pixel % self.width

    @property
    def y(self) -> Tensor:
        """Rows (n,)."""
        return torch.div(self.pixel, self.width, rounding_mode='floor')


def expected_events(
    signal: Tensor,
    t_s: Any,
    spread: ThresholdSpread,
    *,
    samples: int = 16,
    lines: int = 4,
    births: bool = True,
    window_end: bool = True,
    seed: int = 0,
) -> WeightedEvents:
    """Events of ``samples`` sensors at every pixel, weighted to their mean, and ghosts.

    Args:
        signal: Log light, filtered or not, linear between the knots (F, H, W), perhaps attached.
        t_s: Instants of the knots (F,), seconds, increasing.
        spread: Distribution of thresholds.
        samples: Sensors at every pixel; the mean is stratified.
        lines: Lines along which births are integrated, where more than one is of use.
        births: Whether ghosts are wanted; without them the gradient holds the number of events fixed.
        window_end: Whether the end of the clip makes births; leave it out only where the image of events ignores
            the last instants.
        seed: Of the samples: the same seed gives the same sensors whatever the signal.

    Raises:
        DataError: If shapes do not fit, a value is not finite, times do not increase, or nothing is sampled.
    """
    times = _checked(signal, t_s, samples, lines)
    F, height, width = signal.shape
    flat = signal.to(torch.float64).reshape(F, -1).T  # (pixels, F): a pixel is contiguous
    rng = np.random.default_rng(seed)
    parts = [_moving(flat, times, spread, samples, rng)]
    if births:
        parts.append(_ghosts(flat, times, spread, spread.lines_needed(lines), window_end, rng))
    t, pixel, p, weight = (torch.cat(column) for column in zip(*parts))
    n_ghosts = len(parts[1][0]) if births else 0
    return WeightedEvents(t, pixel, p, weight, n_ghosts, height, width)


def _moving(
    signal: Tensor, t_s: Tensor, spread: ThresholdSpread, samples: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Events of sampled sensors, times attached by the implicit function of ``diff_events``."""
    place = torch.arange(signal.shape[0]).repeat(samples)
    numbers = torch.as_tensor(spread.samples(samples, signal.shape[0], rng).reshape(-1, 3))
    on, off, first = spread.pixel(numbers, place)
    row, event = _events_of(signal, place, torch.stack([on, off, first], -1))
    i, a, b, sign = event.T.long()
    at = place[row]
    start, end = signal[at, i], signal[at, i + 1]
    level = signal[at, 0] - first[row] + a * on[row] - b * off[row]
    share = ((level - start) / (end - start)).clamp(0.0, 1.0)
    t = t_s[i] + (t_s[i + 1] - t_s[i]) * share
    return t, at, sign, torch.full_like(t, 1.0 / samples)


def _events_of(signal: Tensor, place: Tensor, pixel: Tensor) -> tuple[Tensor, Tensor]:
    """Row of each event, and (interval, a, b, sign) (n, 4)."""
    values, where, pixels = _array(signal), place.numpy(), _array(pixel)
    count = np.empty(len(where), np.int64)
    replay_kernels.count_rows(values, where, pixels, count)
    start = np.concatenate([[0], np.cumsum(count)])
    event, time = np.empty((start[-1], 4), np.int32), np.empty(start[-1])
    replay_kernels.list_rows(values, where, pixels, start, event, time)
    return torch.repeat_interleave(torch.as_tensor(count)), torch.as_tensor(event)


def _ghosts(
    signal: Tensor,
    t_s: Tensor,
    spread: ThresholdSpread,
    lines: int,
    window_end: bool,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is born or dies at the breaks: weight 0, derivative p(s) ds."""
    n_pixels = signal.shape[0]
    place = torch.arange(n_pixels).repeat(lines)
    origin, direction = spread.lines(lines, n_pixels, rng)
    origin = origin.reshape(-1, 3)
    found, ghost, time = _swept(signal, place, spread, origin, direction, window_end)
    line, knot, a, b = (torch.as_tensor(found[:, k].astype(np.int64)) for k in range(4))
    s = torch.as_tensor(found[:, 4])
    at = place[line]
    numbers = torch.as_tensor(origin)[line] + s[:, None] * torch.as_tensor(direction)
    on, off, first = spread.pixel(numbers, at)
    g = signal[at, knot] - signal[at, 0] + first - a * on + b * off
    share = _density(spread, s) * (g.detach() - g) / _slope_of_g(spread, numbers, direction, at, a, b) / lines
    index, sign, side = (torch.as_tensor(ghost[:, k].astype(np.int64)) for k in range(3))
    i = torch.as_tensor(np.minimum(time.astype(np.int64), len(t_s) - 2))
    t = t_s[i] + (t_s[i + 1] - t_s[i]) * (torch.as_tensor(time) - i)
    return t, at[index], sign, side * share[index]


def _swept(
    signal: Tensor,
    place: Tensor,
    spread: ThresholdSpread,
    origin: Numbers,
    direction: Numbers,
    window_end: bool,
) -> tuple[Numbers, NDArray[np.int64], Numbers]:
    """Breaks, ghosts and their times; done again with enough room where the first guess had too little."""
    start, slope = (_array(torch.stack(v, -1)) for v in _linear(spread, origin, direction, place))
    n_found, n_ghost = 8 * len(place), 16 * len(place)
    while True:
        found, time = np.empty((n_found, 5)), np.empty(n_ghost)
        ghost = np.empty((n_ghost, 3), np.int64)
        needed = replay_kernels.sweep(
            _array(signal), place.numpy(), start, slope, *spread.s_range, window_end, found, ghost, time
        )
        if needed[0] <= n_found and needed[1] <= n_ghost:
            return found[: needed[0]], ghost[: needed[1]], time[: needed[1]]
        n_found, n_ghost = needed


def _linear(
    spread: ThresholdSpread, origin: Numbers, direction: Numbers, place: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """c_on, c_off, d_0 at s = 0 and their derivatives along s: all are linear in s on a line."""
    with torch.no_grad():
        here = spread.pixel(torch.as_tensor(origin), place)
        there = spread.pixel(torch.as_tensor(origin + direction), place)
    return here, tuple(q - p for p, q in zip(here, there))


def _slope_of_g(
    spread: ThresholdSpread, numbers: Tensor, direction: Numbers, at: Tensor, a: Tensor, b: Tensor
) -> Tensor:
    """dG/ds, detached."""
    on, off, first = _linear(spread, numbers.numpy(), direction, at)[1]
    return first - a * on + b * off


def _density(spread: ThresholdSpread, s: Tensor) -> Tensor:
    if spread.density == 'uniform':
        return torch.ones_like(s)
    return torch.exp(-0.5 * s * s) / np.sqrt(2 * np.pi)


def _array(values: Tensor) -> Numbers:
    return np.ascontiguousarray(values.detach().cpu().numpy(), np.float64)


def _checked(signal: Tensor, t_s: Any, samples: int, lines: int) -> Tensor:
    times = torch.as_tensor(t_s, dtype=torch.float64)
    if signal.ndim != 3 or len(signal) < 2 or tuple(times.shape) != (len(signal),):
        raise DataError(
            f'signal {tuple(signal.shape)} at {tuple(times.shape)} instants: give (F >= 2, H, W), (F,)'
        )
    if not bool(torch.isfinite(signal).all()):
        raise DataError('signal has values that are not finite; check light, pose and lens that made it')
    if not bool((times[1:] > times[:-1]).all()):
        raise DataError('instants of the frames must increase')
    if samples < 1 or lines < 1:
        raise DataError(f'samples={samples}, lines={lines}: give 1 or more')
    return times
