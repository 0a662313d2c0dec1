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
from event_perception.simulation import dvs_kernels as kernels
from event_perception.simulation.dvs_config import DvsConfig
from event_perception.simulation.noise import NO_NOISE, NoiseSource, TimeJitter

SMALLEST_THRESHOLD = 0.01  # of any pixel, as in v2e
LONG_AGO_NS = -(1 << 62)
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
        return leak.reshape(self.height, self.width)

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
        if not np.isfinite(frame).all():
            raise DataError(f'frame at {t_ns} ns has values that are not finite; mask or repair them first')
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
        log_new = np.empty(light.size, np.float32)
        kernels.log_light(light, is_log, c.linlog_knee_dn, log_new)
        if self._t_ns is None:
            self._start(log_new)
            return EventArray.empty(height=self.height, width=self.width)
        dt_ns = int(t_ns) - self._t_ns
        level_old = self._level
        if c.cutoff_hz > 0:
            self._level = level_old.copy()
            rate = 2 * np.pi * c.cutoff_hz
            exact = c.filter == 'exact'
            kernels.filter_light(light, is_log, log_new, self._log, self._level, rate, dt_ns * 1e-9, exact)
        else:
            self._level = log_new
        return self._fire(level_old, light, self._t_ns, dt_ns)

    def _start(self, log_light: NDArray) -> None:
        self._level, self._log = log_light, log_light.copy()
        self._residual = np.zeros(log_light.size)
        if self.config.random_initial_phase:
            self._residual = self._rng.uniform(-self._off.astype(float), self._on)
        self._t_event_ns = np.full(log_light.size, LONG_AGO_NS, np.int64)
        self._scratch(4096)

    def _scratch(self, size: int) -> None:
        self._tau = np.empty(size)
        self._pixel = np.empty(size, np.int32)
        self._polarity = np.empty(size, np.int8)

    def _fire(self, level_old: NDArray, light: NDArray, t_ns: int, dt_ns: int) -> EventArray:
        c = self.config
        noise = NO_NOISE if self._noise.silent else self._noise.draw(self._white_fraction(light), dt_ns)
        leak = self._leak_per_s * (dt_ns * 1e-9)
        largest_leak = float(leak.max(initial=0.0))
        bound = kernels.count_bound(level_old, self._level, self._residual, self._smallest, largest_leak)
        if bound + noise.pixel.size > self._tau.size:
            self._scratch(2 * (bound + noise.pixel.size))
        n = kernels.fire(
            level_old, self._level, self._residual, self._on, self._off,
            leak, float(dt_ns), t_ns, self._t_event_ns, c.refractory_s * 1e9,
            c.refractory_mode == 'dead', noise.pixel, noise.tau_ns, noise.sign,
            self._tau, self._pixel, self._polarity,
        )  # fmt: skip
        return self._in_time_order(n, t_ns, dt_ns)

    def _in_time_order(self, n: int, t_previous_ns: int, dt_ns: int) -> EventArray:
        step = self.config.time_resolution_ns
        first = t_previous_ns % step
        t_ns, x, y = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16)
        p = np.empty(n, np.int8)
        n_steps = (first + dt_ns) // step + 1
        tau, pixel, polarity = self._tau[:n], self._pixel[:n], self._polarity[:n]
        if n_steps > 65536 + MAX_STEPS_PER_EVENT * n:
            order = np.argsort(tau, kind='stable')
            tau, pixel, polarity = tau[order], pixel[order], polarity[order]
            t_ns[:] = ((first + tau) // step).astype(np.int64) * step
            x[:], y[:], p[:] = pixel % self.width, pixel // self.width, polarity
        else:
            kernels.sort_by_step(n, tau, pixel, polarity, first, step, n_steps, self.width, t_ns, x, y, p)
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

    def _leak(self) -> NDArray[np.float64]:
        """Sinking of the reference, ln units per second; empty without leak. Mean rate over pixels as set."""
        c = self.config
        if c.leak_rate_hz == 0:
            return np.zeros(0)
        spread = 10.0 ** (c.noise_rate_decades * self._rng.standard_normal(self._on.size))
        mean = np.exp(0.5 * (c.noise_rate_decades * np.log(10)) ** 2)
        return c.leak_rate_hz * self._on * spread / mean


def srgb_to_linear(value: ArrayLike) -> NDArray[np.float64]:
    """Inverse of the sRGB transfer curve (IEC 61966-2-1), on [0, 1]."""
    v = np.asarray(value, np.float64)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
