# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Speed and agreement of the DVS emulator: compiled against vectorised NumPy, the same frames, the same run."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from event_perception.events import EventArray, concatenate
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset
from event_perception.simulation.scenes import room_sequence
from event_perception.simulation.trajectories import LOOK_ALONG_X, SplineTrajectory

HEIGHT, WIDTH, FRAMES, NUMPY_FRAMES = 260, 346, 200, 40
REPEATS = 5
FRAMES_PER_S_BAR, NUMPY_RATIO_BAR = 500.0, 20.0
CASES: dict[str, dict[str, Any]] = {
    'ideal': {},
    'defaults_without_noise': {'cutoff_hz': 300.0, 'leak_rate_hz': 0.01},
    'defaults_with_refractory': {'cutoff_hz': 300.0, 'leak_rate_hz': 0.01, 'refractory_s': 5e-4},
}


def bench_simulation() -> dict[str, Any]:
    """Frames per second at 346x260 and 1 kHz, one thread, and agreement with NumPy.

    Returns:
        For every case: frames and events per second, the ratio to NumPy next to its bar, and the relative
        difference of event counts and correlation of net polarity maps over the first frames. ``times``: errors
        on an exponential ramp, ns. ``noise``: measured rates divided by what was set.
    """
    frames = benchmark_clip()
    maps = np.random.default_rng(1).normal(0.2, 0.03, (2, HEIGHT, WIDTH)).astype(np.float32)
    speed = {name: _case(frames, maps, changes) for name, changes in CASES.items()}
    return speed | {'times': _ramp(), 'noise': {f'{rate:g}_hz': _rates(rate) for rate in (0.1, 1.0, 5.0)}}


def _case(frames: NDArray, maps: NDArray, changes: dict[str, Any]) -> dict[str, Any]:
    config = dvs_preset('ideal', noise_rate_decades=0.0, **changes)
    if config.refractory_s == 0 and config.cutoff_hz == 0:
        maps = np.full_like(maps, 0.2)

    def compiled() -> DvsEmulator:
        return DvsEmulator(
            height=HEIGHT, width=WIDTH, config=config, threshold_on=maps[0], threshold_off=maps[1]
        )

    _timed(compiled, frames[:3])  # compiles
    fast_s, events = min((_timed(compiled, frames) for _ in range(REPEATS)), key=lambda r: r[0])
    few = frames[:NUMPY_FRAMES]
    slow_s, plain = min(
        (_timed(lambda: NumpyDvs(maps, config), few) for _ in range(REPEATS)), key=lambda r: r[0]
    )
    same_s, same = min((_timed(compiled, few) for _ in range(REPEATS)), key=lambda r: r[0])
    net, expected = _net(same), _net(plain)
    return {
        'frames_per_s': round((FRAMES - 1) / fast_s),
        'frames_per_s_bar': FRAMES_PER_S_BAR,
        'mev_s': round(len(events) / fast_s / 1e6, 2),
        'numpy_frames_per_s': round((NUMPY_FRAMES - 1) / slow_s, 1),
        'times_numpy': round(slow_s / same_s, 1),
        'times_numpy_bar': NUMPY_RATIO_BAR,
        'relative_count_difference': abs(len(same) - len(plain)) / len(plain),
        'net_polarity_correlation': float(np.corrcoef(net.ravel(), expected.ravel())[0, 1]),
    }


def _ramp() -> dict[str, float]:
    """Log light rises by 7 a second, frames 1 ms apart: the k-th event of a pixel is due at k theta / 7 s."""
    theta = np.linspace(0.15, 0.25, 1000, dtype=np.float32)[None]
    t_ns = np.arange(200) * 1_000_000
    config = dvs_preset('ideal', time_resolution_ns=1)
    emulator = DvsEmulator(height=1, width=1000, config=config, threshold_on=theta, threshold_off=theta)
    light = 50.0 * np.exp(7e-9 * t_ns)
    events = concatenate([emulator.push(np.full((1, 1000), v), int(t)) for v, t in zip(light, t_ns)])
    order = np.lexsort((events.t_ns, events.x))
    x = events.x[order]
    number = 1 + np.arange(len(x)) - np.searchsorted(x, x)
    error_ns = np.abs(events.t_ns[order] - number * theta[0, x].astype(np.float64) / 7e-9)
    return {
        'median_error_ns': float(np.median(error_ns)),
        'median_error_ns_bar': 50_000.0,
        'largest_error_ns': float(error_ns.max()),
        'events': len(x),
    }


def _rates(rate_hz: float) -> dict[str, float]:
    """Still pixels for six periods: shot noise in the dark, leak in grey light; leak from the second period on."""
    shot = _still(0.0, rate_hz, shot_noise_rate_hz=rate_hz) / (1 - 0.75 * 20 / 275)
    leak = _still(100.0, rate_hz, leak_rate_hz=rate_hz, random_initial_phase=True)
    return {'shot': round(shot / rate_hz, 4), 'leak': round(leak / rate_hz, 4), 'bar': 0.05}


def _still(light_dn: float, rate_hz: float, **changes: Any) -> float:
    """Events a pixel and second."""
    height, width, step_ns = 130, 173, round(0.05e9 / rate_hz)
    config = dvs_preset('ideal', threshold_sigma=0.03, seed=3, **changes)
    emulator = DvsEmulator(height=height, width=width, config=config)
    frame = np.full((height, width), light_dn)
    events = concatenate([emulator.push(frame, k * step_ns) for k in range(121)])
    settled = events.between(40 * step_ns, 120 * step_ns)
    return len(settled) / (height * width * 80 * step_ns * 1e-9)


def benchmark_clip() -> NDArray[np.float32]:
    """A room seen by a camera that turns, approaches and moves sideways; light in dn, about 1 px a frame."""
    t = np.linspace(-0.1, 0.3, 40)[:, None]
    trajectory = SplineTrajectory(
        t[:, 0],
        (-1.0, 0.0, 1.5) + t * (0.8, -0.8, 0.3),
        LOOK_ALONG_X * Rotation.from_rotvec(t * (0.8, 1.6, -1.0)),
    )
    sequence = room_sequence(seed=1, duration_s=0.2, trajectory=trajectory)
    return np.stack([np.exp(sequence.log_light(k * 1_000_000)) for k in range(FRAMES)])


def _timed(make: Callable[[], Any], frames: NDArray) -> tuple[float, EventArray]:
    emulator = make()
    parts = [emulator.push(frames[0], 0)]
    start = time.thread_time()  # of this thread alone: other load does not count
    parts += [emulator.push(frame, (k + 1) * 1_000_000) for k, frame in enumerate(frames[1:])]
    return time.thread_time() - start, concatenate(parts)


def _net(events: EventArray) -> NDArray[np.int64]:
    net = np.zeros((HEIGHT, WIDTH), np.int64)
    np.add.at(net, (events.y, events.x), events.p)
    return net


class NumpyDvs:
    """The equations of the emulator on whole arrays: in each round every pixel that is due gives one event."""

    def __init__(self, maps: NDArray, config: DvsConfig) -> None:
        self._on, self._off = maps.astype(np.float64)
        self._config = config
        self._t_ns: int | None = None
        self._free = np.full(self._on.shape, -np.inf)

    def push(self, frame: NDArray, t_ns: int) -> EventArray:
        """Events since the last frame (H, W) of light in dn."""
        light = frame.astype(np.float64)
        knee = self._config.linlog_knee_dn
        u = np.where(light <= knee, light * np.log(knee) / knee, np.log(np.maximum(light, 1e-9)))
        if self._t_ns is None:
            self._u, self._level, self._residual, self._t_ns = u, u, np.zeros_like(u), t_ns
            return EventArray.empty(height=u.shape[0], width=u.shape[1])
        start_ns, dt_ns = self._t_ns, t_ns - self._t_ns
        level = self._filtered(u, light, dt_ns * 1e-9)
        change = level - self._level + self._config.leak_rate_hz * self._on * dt_ns * 1e-9
        self._u, self._level, self._t_ns = u, level, t_ns
        return self._fire(change / dt_ns, float(start_ns), float(dt_ns))

    def _filtered(self, u: NDArray, light: NDArray, dt_s: float) -> NDArray:
        if self._config.cutoff_hz == 0:
            return u
        x = 2 * np.pi * self._config.cutoff_hz * (light + 20) / 275 * dt_s
        decay = np.exp(-x)
        return u + (self._level - self._u) * decay - (u - self._u) * (1 - decay) / x

    def _fire(self, rate: NDArray, start_ns: float, dt_ns: float) -> EventArray:
        t, found = np.zeros_like(rate), []
        dead_ns = self._config.refractory_s * 1e9
        while True:
            waited = np.maximum(t, self._free - start_ns)
            d = self._residual + rate * (waited - t)
            level = np.where(rate > 0, self._on, -self._off)
            with np.errstate(divide='ignore', invalid='ignore'):
                when = waited + np.where(rate == 0, np.inf, (level - d) / rate)
            over, under = d >= self._on, d <= -self._off
            when = np.where(over | under, waited, when)
            due = when <= dt_ns
            if not due.any():
                break
            y, x = np.nonzero(due)
            p = np.where(over | (~under & (rate > 0)), 1, -1)[y, x]
            found.append((when[y, x], x, y, p))
            jump = np.where(p > 0, self._on[y, x], -self._off[y, x])
            self._residual[y, x] += rate[y, x] * (when[y, x] - t[y, x]) - jump
            t[y, x] = when[y, x]
            if dead_ns > 0:
                self._free[y, x] = start_ns + when[y, x] + dead_ns
        self._residual += rate * (dt_ns - t)
        return self._sorted(found, start_ns)

    def _sorted(self, found: list[Any], start_ns: float) -> EventArray:
        if not found:
            return EventArray.empty(height=self._on.shape[0], width=self._on.shape[1])
        when, x, y, p = (np.concatenate(part) for part in zip(*found))
        order = np.argsort(when, kind='stable')
        t_ns = int(start_ns) + when[order].astype(np.int64) // 1000 * 1000
        height, width = self._on.shape
        return EventArray(t_ns, x[order], y[order], p[order], height=height, width=width)
