# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames to events: a DVS that is fed one frame at a time.

Physical model, per pixel: log light L, filtered to l; reference r; an ON event whenever l - r reaches its ON
threshold, an OFF event whenever it reaches minus its OFF threshold, and the reference moves by the threshold.
The reference sinks by leak_rate * threshold_on per second. After Hu, Liu and Delbruck, "v2e: From video frames
to realistic DVS events", CVPRW 2021; unlike there, event times are the crossings themselves.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.simulation import crossing_kernels, dvs_kernels
from event_perception.simulation.dvs_config import DvsConfig
from event_perception.simulation.noise import NO_NOISE, NoiseSource, TimeJitter

SMALLEST_THRESHOLD = 0.01  # of any pixel, as in v2e
LONG_AGO_NS = -(1 << 62)
NOT_FINITE = 'values that are not finite; mask or repair them first'
MAX_STEPS_PER_EVENT = 64  # beyond it, comparing sorts faster than counting


class DvsEmulator:
    """Turns frames into events; state is kept between calls.

    Args:
        height: Rows.
        width: Columns.
        config: Pixel model and its parameters.
        threshold_on: ON thresholds (height, width) to use instead of drawn ones.
        threshold_off: OFF thresholds, alike.

    Raises:
        DataError: If a threshold map has another shape or is not positive.
    """

    def __init__(
        self,
        *,
        height: int,
        width: int,
        config: DvsConfig | None = None,
        threshold_on: ArrayLike | None = None,
        threshold_off: ArrayLike | None = None,
    ) -> None:
        self.height, self.width = height, width
        self.config = config or DvsConfig()
        self._given = (threshold_on, threshold_off)
        self.reset()

    def reset(self) -> None:
        """Start again, with the same seed: the next frame only sets the references."""
        c = self.config
        self._rng = np.random.default_rng(c.seed)
        self._on = self._thresholds(c.threshold_on, self._given[0])
        self._off = self._thresholds(c.threshold_off, self._given[1])
        self._smallest = float(min(self._on.min(), self._off.min()))
        self._leak_per_s = self._leak()
        self._noise = NoiseSource(c, self._on, self._off, self._rng)
        self._jitter = TimeJitter(
            c.time_jitter_s,
            height=self.height,
            width=self.width,
            resolution_ns=c.time_resolution_ns,
            rng=self._rng,
        )
        self._t_ns: int | None = None

    @property
    def threshold_on(self) -> NDArray[np.float32]:
        """ON thresholds (H, W)."""
        return self._on.reshape(self.height, self.width)

    @property
    def threshold_off(self) -> NDArray[np.float32]:
        """OFF thresholds (H, W)."""
        return self._off.reshape(self.height, self.width)

    @property
    def leak_per_s(self) -> NDArray[np.float64]:
        """How fast the reference sinks (H, W), ln units per second."""
        leak = self._leak_per_s if self._leak_per_s.size else np.zeros(self._on.size)
        return leak.astype(np.float64).reshape(self.height, self.width)

    def push(self, frame: ArrayLike, t_ns: int) -> EventArray:
        """Events between the previous frame and this one; none for the first frame.

        Args:
            frame: Light (H, W) as ``config.input_transfer`` says.
            t_ns: Its instant; must increase.

        Raises:
            DataError: If the shape is wrong, a value is not finite, or time does not increase.
        """
        frame = self._checked(frame, t_ns)
        if self.config.model == 'naive':
            events = self._push_naive(frame, t_ns)
        else:
            events = self._push_physical(frame, t_ns)
        self._t_ns = int(t_ns)
        return self._jitter.push(events, self._t_ns) if self.config.time_jitter_s > 0 else events

    def flush(self) -> EventArray:
        """The last events, if time jitter holds some back."""
        return self._jitter.flush()

    def _checked(self, frame: ArrayLike, t_ns: int) -> NDArray:
        frame = np.asarray(frame)
        if frame.shape != (self.height, self.width):
            raise DataError(f'frame has shape {frame.shape}; this sensor has {(self.height, self.width)}')
        if self.config.model == 'naive' and not np.isfinite(frame).all():
            raise DataError(f'frame at {t_ns} ns: {NOT_FINITE}')
        if self._t_ns is not None and t_ns <= self._t_ns:
            raise DataError(f'frame at {t_ns} ns is not after {self._t_ns} ns; call reset() at a jump')
        return frame

    def _push_naive(self, frame: NDArray, t_ns: int) -> EventArray:
        """ON where ln(I + eps) rose by the threshold since the last frame, OFF where it fell by it."""
        level = np.log(self._light_dn(frame, np.float64) + self.config.naive_epsilon)
        if self._t_ns is None:
            self._level = level
            return EventArray.empty(height=self.height, width=self.width)
        change = level - self._level
        self._level = level
        p = (change >= self.config.threshold_on).astype(np.int8)
        p -= change <= -self.config.threshold_off
        y, x = np.nonzero(p)
        return self._events(np.full(x.size, t_ns, np.int64), x, y, p[y, x])

    def _push_physical(self, frame: NDArray, t_ns: int) -> EventArray:
        c = self.config
        is_log = c.input_transfer == 'log'
        light = self._light_dn(frame, np.float32).ravel()
        if not dvs_kernels.all_finite(light.view(np.int32)):
            raise DataError(f'frame at {t_ns} ns: {NOT_FINITE}')
        if self._t_ns is None:
            self._start(light, is_log)
            return EventArray.empty(height=self.height, width=self.width)
        return self._advance(light, is_log, self._t_ns, int(t_ns) - self._t_ns)

    def _start(self, light: NDArray, is_log: bool) -> None:
        n = light.size
        self._log = np.empty(n, np.float32)
        dvs_kernels.log_light(light, is_log, self.config.linlog_knee_dn, self._log)
        self._level = self._log.copy()
        self._residual = np.zeros(n)
        if self.config.random_initial_phase:
            self._residual = self._rng.uniform(-self._off.astype(float), self._on)
        self._t_event_ns = np.full(n, LONG_AGO_NS, np.int64)
        self._found: list[NDArray] = [np.empty(4096), np.empty(4096, np.int32), np.empty(4096, np.int8)]

    def _advance(self, light: NDArray, is_log: bool, t_ns: int, dt_ns: int) -> EventArray:
        c = self.config
        noise = NO_NOISE
        if not self._noise.silent:
            noise = self._noise.draw(lambda pixels: self._white_fraction(light[pixels]), dt_ns)
        n, *self._found = crossing_kernels.advance(
            light, is_log, c.linlog_knee_dn, 2 * np.pi * c.cutoff_hz, c.filter == 'exact', self._log,
            self._level, self._residual, self._on, self._off, self._smallest, self._leak_per_s,
            float(dt_ns), t_ns, self._t_event_ns, c.refractory_s * 1e9, c.refractory_mode == 'dead',
            noise.pixel, noise.tau_ns, noise.sign, *self._found,
        )  # fmt: skip
        return self._in_time_order(n, t_ns, dt_ns)

    def _in_time_order(self, n: int, t_previous_ns: int, dt_ns: int) -> EventArray:
        step = self.config.time_resolution_ns
        first = t_previous_ns % step
        t_ns, x, y = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16)
        p = np.empty(n, np.int8)
        n_steps = (first + dt_ns) // step + 1
        tau, pixel, polarity = (found[:n] for found in self._found)
        if n_steps > 65536 + MAX_STEPS_PER_EVENT * n:
            order = np.argsort(tau, kind='stable')
            tau, pixel, polarity = tau[order], pixel[order], polarity[order]
            t_ns[:] = ((first + tau) // step).astype(np.int64) * step
            x[:], y[:], p[:] = pixel % self.width, pixel // self.width, polarity
        else:
            crossing_kernels.sort_by_step(
                n, tau, pixel, polarity, first, step, n_steps, self.width, t_ns, x, y, p
            )
        t_ns += t_previous_ns - first
        return self._events(t_ns, x, y, p)

    def _events(self, t_ns: NDArray, x: NDArray, y: NDArray, p: NDArray) -> EventArray:
        return EventArray.trusted(t_ns, x, y, p, height=self.height, width=self.width)

    def _light_dn(self, frame: NDArray, dtype: type) -> NDArray:
        """Frame to linear light, white = 255 (to its logarithm where frames are logarithms)."""
        transfer = self.config.input_transfer
        if transfer == 'linear':
            return frame.astype(dtype) * dtype(255)
        if transfer == 'srgb':
            return (255.0 * srgb_to_linear(frame / 255.0)).astype(dtype)
        if transfer == 'log' and self.config.model == 'naive':
            return np.exp(frame.astype(dtype))
        return np.ascontiguousarray(frame, dtype)

    def _white_fraction(self, light: NDArray) -> NDArray:
        """I01 of v2e."""
        dn = np.exp(light) if self.config.input_transfer == 'log' else light
        return (dn + 20.0) / 275.0

    def _thresholds(self, nominal: float, given: ArrayLike | None) -> NDArray[np.float32]:
        shape = (self.height, self.width)
        if given is None:
            drawn = self._rng.normal(nominal, self.config.threshold_sigma, shape)
            return np.maximum(drawn, SMALLEST_THRESHOLD).astype(np.float32).ravel()
        given = np.array(given, np.float32)
        if given.shape != shape or not (given > 0).all():
            raise DataError(f'threshold map has shape {given.shape}; give positive numbers of shape {shape}')
        return given.ravel()

    def _leak(self) -> NDArray[np.float32]:
        """Sinking of the reference, ln units per second; empty without leak. Mean rate over pixels as set."""
        c = self.config
        if c.leak_rate_hz == 0:
            return np.zeros(0, np.float32)
        spread = 10.0 ** (c.noise_rate_decades * self._rng.standard_normal(self._on.size))
        mean = np.exp(0.5 * (c.noise_rate_decades * np.log(10)) ** 2)
        return (c.leak_rate_hz * self._on * spread / mean).astype(np.float32)


def srgb_to_linear(value: ArrayLike) -> NDArray[np.float64]:
    """Inverse of the sRGB transfer curve (IEC 61966-2-1), on [0, 1]."""
    v = np.asarray(value, np.float64)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
