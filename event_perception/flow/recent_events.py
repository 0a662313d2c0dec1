# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The last tens of milliseconds of a stream of windows: what a flow estimator looks at, whatever the windows' length.

Flow needs a few pixels of motion, and windows are cut for other reasons. So an estimator keeps what came before.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import EventWindow

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RecentEventsConfig:
    """How far an estimate looks back."""

    count: int = param(
        30_000, 'Events that an estimate takes, counted back from the end of the window.', ge=100
    )
    min_s: float = param(0.02, 'But never less than this much time, seconds.', ge=1e-3, le=1.0)
    max_s: float = param(0.06, 'And never more than this, seconds.', ge=1e-3, le=1.0)
    max_events: int = param(60_000, 'Most events of one estimate; of more, evenly chosen ones.', ge=100)


class RecentEvents:
    """Coordinates and times of recent events.

    Args:
        config: How far back.
        height: Sensor rows.
        width: Sensor columns.
    """

    def __init__(self, config: RecentEventsConfig, height: int, width: int) -> None:
        self.config = config
        self._half = np.float32(0.5 * width)
        self._middle = np.float32(0.5 * (width - 1)), np.float32(0.5 * (height - 1))
        self._clear()

    def _clear(self) -> None:
        self._x, self._y = np.zeros(0, np.float32), np.zeros(0, np.float32)
        self._t_ns = np.zeros(0, np.int64)
        self._end_ns: int | None = None

    def push(self, window: EventWindow) -> bool:
        """Add what a window has that is new; returns whether time went back, or there was a long gap."""
        again = self._end_ns is not None and not (
            self._end_ns < window.t1_ns and window.t0_ns - self._end_ns <= self.config.max_s * 1e9
        )
        if again:
            self._clear()
        t_ns = window.t_ref_ns + (window.dt_s.astype(np.float64) * 1e9).astype(np.int64)
        new = slice(0 if self._end_ns is None else int(np.searchsorted(t_ns, self._end_ns)), None)
        x = (window.x[new].astype(np.float32) - self._middle[0]) / self._half
        y = (window.y[new].astype(np.float32) - self._middle[1]) / self._half
        t_ns = t_ns[new]
        self._end_ns = window.t1_ns
        first = self._first(np.concatenate([self._t_ns, t_ns]), window.t1_ns)
        self._x = np.concatenate([self._x, x])[first:]
        self._y = np.concatenate([self._y, y])[first:]
        self._t_ns = np.concatenate([self._t_ns, t_ns])[first:]
        return again

    def _first(self, t_ns: NDArray[np.int64], end_ns: int) -> int:
        """Index of the first event that is kept."""
        by_count = len(t_ns) - self.config.count
        longest = int(np.searchsorted(t_ns, end_ns - round(self.config.max_s * 1e9)))
        shortest = int(np.searchsorted(t_ns, end_ns - round(self.config.min_s * 1e9)))
        return max(longest, min(by_count, shortest), 0)

    def centred(self, end_ns: int) -> tuple[Float32, Float32, Float32, int]:
        """Coordinates from -1 to 1 across the width, times from the middle of the events, s, and that instant."""
        if not len(self._t_ns):
            return self._x, self._y, np.zeros(0, np.float32), end_ns
        step = -(-len(self._t_ns) // self.config.max_events)
        t_ref_ns = (int(self._t_ns[0]) + end_ns) // 2
        d = ((self._t_ns[::step] - t_ref_ns) * 1e-9).astype(np.float32)
        return np.ascontiguousarray(self._x[::step]), np.ascontiguousarray(self._y[::step]), d, t_ref_ns
