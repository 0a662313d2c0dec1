# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to events whose times carry gradients: the physical pixel, in torch.

Between frames i and i + 1 the signal S of a pixel (filtered log light plus leak) is a straight line, and its
reference is r = S_0 + a c_on - b c_off after a ON and b OFF events. The k-th event of the interval is at

    t = t_i + (t_{i+1} - t_i) (r + s k c_s - S_i) / (S_{i+1} - S_i),   s = +1 or -1.

Counts a, b and k are integers without gradient; S and c stay attached, so the derivative of a time is that of the
implicit function F(t) = S(t) - r - s k c_s = 0, dt = -F_theta / F_t, and reaches whatever the frames depend
on: light, thresholds, pose, lens. A pixel may fire several times a frame, and fires exactly when ``DvsEmulator``
does.

What is not here: a parameter also makes events appear and disappear. The gradients here are those with the number
of events of every pixel held fixed; ``expected_events`` adds births and deaths.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from event_perception.errors import ConfigError, DataError
from event_perception.events import EventArray
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset
from event_perception.simulation.photoreceptor import Photoreceptor

NOT_DIFFERENTIABLE = (
    'shot_noise_rate_hz', 'hot_pixel_fraction', 'refractory_s', 'time_jitter_s', 'random_initial_phase',
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class AttachedEvents:
    """Events in time order, their times attached to the graph.

    Attributes:
        t_s: Seconds after ``start_ns``, float64 (n,).
        x: Columns, int64 (n,).
        y: Rows, int64 (n,).
        p: Polarities, int64 (n,), -1 or +1.
        start_ns: Instant of the first frame.
        height: Sensor rows.
        width: Sensor columns.
    """

    t_s: Tensor
    x: Tensor
    y: Tensor
    p: Tensor
    start_ns: int
    height: int
    width: int

    def __len__(self) -> int:
        return self.t_s.shape[0]

    def detached(self, time_resolution_ns: int = 1) -> EventArray:
        """The same events without gradients, times rounded down to multiples of the resolution."""
        after_ns = np.floor(self.t_s.detach().cpu().numpy() * 1e9).astype(np.int64)
        t_ns = (self.start_ns + after_ns) // time_resolution_ns * time_resolution_ns
        x, y, p = (v.cpu().numpy() for v in (self.x, self.y, self.p))
        return EventArray(t_ns, x, y, p, height=self.height, width=self.width)


class DifferentiableDvs:
    """A DVS that is fed one frame at a time and whose event times can be differentiated.

    Args:
        height: Rows.
        width: Columns.
        config: Pixel model; noise, dead time, jitter and random phase must be off (preset ``ideal`` or ``clean``).
        threshold_on: ON thresholds, scalar or (height, width), perhaps attached; those of ``config`` when None.
        threshold_off: OFF thresholds, alike.

    Raises:
        ConfigError: If the configuration has something that is not differentiable.
        DataError: If a threshold has another shape or is not positive.
    """

    def __init__(
        self,
        *,
        height: int,
        width: int,
        config: DvsConfig | None = None,
        threshold_on: Tensor | None = None,
        threshold_off: Tensor | None = None,
    ) -> None:
        self.height, self.width = height, width
        self.config = _checked(config or dvs_preset('ideal'))
        same = DvsEmulator(height=height, width=width, config=self.config)  # draws the same pixels
        self.threshold_on = self._threshold(threshold_on, same.threshold_on)
        self.threshold_off = self._threshold(threshold_off, same.threshold_off)
        self._leak_per_s = torch.as_tensor(same.leak_per_s).flatten()
        self._photoreceptor = Photoreceptor(self.config)
        self._t_ns: int | None = None

    def push(self, frame: Tensor, t_ns: int) -> AttachedEvents:
        """Events between the previous frame and this one; none for the first frame.

        Args:
            frame: Light (H, W) as ``config.input_transfer`` says, perhaps attached.
            t_ns: Its instant; must increase.

        Raises:
            DataError: If the shape is wrong, a value is not finite, or time does not increase.
        """
        if tuple(frame.shape) != (self.height, self.width) or not bool(torch.isfinite(frame).all()):
            raise DataError(f'frame {tuple(frame.shape)}: give finite light of {(self.height, self.width)}')
        if self._t_ns is not None and t_ns <= self._t_ns:
            raise DataError(f'frame at {t_ns} ns is not after {self._t_ns} ns; make a new sensor at a jump')
        if self._t_ns is None:
            self._start(self._photoreceptor.push(frame.to(torch.float64).flatten(), 0.0), t_ns)
            return self._events(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.float64))
        old_s, new_s = ((t - self._start_ns) * 1e-9 for t in (self._t_ns, t_ns))
        level = self._photoreceptor.push(frame.to(torch.float64).flatten(), new_s - old_s)
        self._t_ns = t_ns
        return self._cross(level + self._leak_per_s * new_s, old_s, new_s)

    def detach(self) -> None:
        """Cut the graph at the last frame, for training in stretches; what follows has no gradient before it."""
        self._photoreceptor.detach()
        for name in ('_signal', '_first_signal'):
            setattr(self, name, getattr(self, name).detach())

    def _start(self, level: Tensor, t_ns: int) -> None:
        self._t_ns, self._start_ns = t_ns, t_ns
        self._signal = self._first_signal = level
        self._n_on = torch.zeros_like(level).detach()
        self._n_off = self._n_on.clone()

    def _cross(self, signal: Tensor, old_s: float, new_s: float) -> AttachedEvents:
        """Crossings of one interval, and the counts after it."""
        on, off = (
            t.expand(self.height, self.width).flatten() for t in (self.threshold_on, self.threshold_off)
        )
        reference = self._first_signal + self._n_on * on - self._n_off * off
        residual, change = self._signal - reference, signal - self._signal
        n = signed_counts(residual + change, on, off)
        pixel = torch.repeat_interleave(n.abs())
        k = 1 + torch.arange(len(pixel)) - (n.abs().cumsum(0) - n.abs())[pixel]
        sign = n.sign()[pixel]
        threshold = torch.where(sign > 0, on[pixel], off[pixel])
        share = _divided(sign * k * threshold - residual[pixel], change[pixel]).clamp(0.0, 1.0)
        t_s = old_s + (new_s - old_s) * share
        self._signal = signal
        self._n_on = self._n_on + n.clamp(min=0)
        self._n_off = self._n_off - n.clamp(max=0)
        order = torch.argsort(t_s.detach(), stable=True)
        return self._events(pixel[order], t_s[order], sign[order])

    def _events(self, pixel: Tensor, t_s: Tensor, p: Tensor | None = None) -> AttachedEvents:
        size: dict[str, Any] = {'height': self.height, 'width': self.width, 'start_ns': self._start_ns}
        y = torch.div(pixel, self.width, rounding_mode='floor')
        return AttachedEvents(t_s, pixel % self.width, y, pixel if p is None else p, **size)

    def _threshold(self, given: Tensor | None, drawn: np.ndarray) -> Tensor:
        if given is None:
            return torch.as_tensor(drawn, dtype=torch.float64)
        if tuple(given.shape) not in ((), (self.height, self.width)) or not bool((given > 0).all()):
            raise DataError(
                f'threshold has shape {tuple(given.shape)}; give one or {(self.height, self.width)} positive numbers'
            )
        return given.to(torch.float64)


def diff_events(
    frames: Tensor,
    t_ns: Any,
    *,
    config: DvsConfig | None = None,
    threshold_on: Tensor | None = None,
    threshold_off: Tensor | None = None,
) -> AttachedEvents:
    """Events of a clip, times attached to frames and thresholds.

    Args:
        frames: Light (F, H, W).
        t_ns: Instants (F,), increasing.
        config: See ``DifferentiableDvs``.
        threshold_on: See there.
        threshold_off: See there.
    """
    sensor = DifferentiableDvs(
        height=frames.shape[1], width=frames.shape[2], config=config,
        threshold_on=threshold_on, threshold_off=threshold_off,
    )  # fmt: skip
    parts = [sensor.push(frame, int(t)) for frame, t in zip(frames, t_ns)]
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name in ('t_s', 'x', 'y', 'p')}
    return AttachedEvents(**joined, start_ns=int(t_ns[0]), height=sensor.height, width=sensor.width)


def signed_counts(residual: Tensor, on: Tensor, off: Tensor) -> Tensor:
    """Events that bring a residual back between its thresholds: n ON events as n, n OFF events as -n; int64."""
    d = residual.detach()
    up, down = torch.floor(d / on.detach()), torch.floor(-d / off.detach())
    return (up.clamp(min=0) - down.clamp(min=0)).to(torch.long)


def _divided(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient; 0 where nothing changes (there, rounding alone put the signal on its threshold)."""
    still = denominator == 0
    return torch.where(still, 0.0, numerator / torch.where(still, 1.0, denominator))


def _checked(config: DvsConfig) -> DvsConfig:
    wrong = {name: getattr(config, name) for name in NOT_DIFFERENTIABLE if getattr(config, name)}
    if config.model != 'physical':
        wrong['model'] = config.model
    if config.cutoff_hz > 0 and config.filter != 'exact':
        wrong['filter'] = config.filter
    if wrong:
        raise ConfigError(f"{wrong}: not differentiable; start from dvs_preset('ideal') or set them to 0")
    return config
