# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cutting a stream of event batches into windows, by time or by count, whatever the batches' sizes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from event_perception.config import param
from event_perception.events.event_array import EventArray, concatenate
from event_perception.events.window import EventWindow


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """How a stream is cut into windows."""

    kind: Literal['time', 'count'] = param('time', 'Cut by duration or by number of events.')
    duration_s: float = param(
        0.02, 'Length of a window cut by time, seconds; windows start at its multiples.', ge=1e-4, le=1.0
    )
    count: int = param(20_000, 'Events of a window cut by count.', ge=10, le=10_000_000)
    max_events: int = param(
        200_000, 'Most events kept of one window; the newest win, the others are counted.', ge=10
    )
    max_disorder_s: float = param(
        0.1, 'A step back in time up to this is disorder, beyond it a new stream, seconds.', ge=0.0, le=10.0
    )


@dataclass(frozen=True, slots=True)
class SlicerCounts:
    """What happened to the events that came in; nothing vanishes uncounted."""

    received: int = 0
    windowed: int = 0
    late: int = 0
    over_limit: int = 0
    discarded_by_reset: int = 0
    resets: int = 0


class WindowSlicer:
    """Turns batches of events into windows; the result does not depend on how the batches are cut.

    Windows by time are [k d, (k+1) d) for whole k, so that two runs over one recording agree wherever they
    start. A stretch without events gives no window. Events older than the open window are dropped and
    counted as late; a step back by more than ``max_disorder_s`` (a looped recording, a restarted
    sensor) starts afresh.
    """

    def __init__(self, config: WindowConfig | None = None) -> None:
        self.config = config or WindowConfig()
        self._received = self._windowed = self._late = self._over = self._discarded = self._resets = 0
        self._duration_ns = round(self.config.duration_s * 1e9)
        self._clear()

    @property
    def counts(self) -> SlicerCounts:
        """Running totals since construction."""
        return SlicerCounts(
            self._received, self._windowed, self._late, self._over, self._discarded, self._resets
        )

    @property
    def pending(self) -> int:
        """Events that wait for their window to close."""
        return self._n_pending

    def push(self, events: EventArray) -> list[EventWindow]:
        """Add a batch; returns the windows that it closes, oldest first."""
        self._received += len(events)
        windows: list[EventWindow] = []
        for part in self._split_at_jumps(events):
            windows += self._push_continuous(part)
        return windows

    def flush(self) -> list[EventWindow]:
        """Close the open window with what it has."""
        if not self._n_pending:
            return []
        joined = concatenate(self._pending).sorted()
        if self.config.kind == 'count':
            return [self._emit(joined, int(joined.t_ns[0]), int(joined.t_ns[-1]) + 1)]
        t0 = int(joined.t_ns[0]) // self._duration_ns * self._duration_ns
        return [self._emit(joined, t0, t0 + self._duration_ns)]

    def _clear(self) -> None:
        self._pending: list[EventArray] = []
        self._n_pending = 0
        self._newest_ns: int | None = None
        self._oldest_ns: int | None = None  # of those pending
        self._closed_until_ns: int | None = None

    def _split_at_jumps(self, events: EventArray) -> list[EventArray]:
        """Cut a batch where time steps back too far, resetting the state there."""
        if not len(events):
            return []
        limit_ns = round(self.config.max_disorder_s * 1e9)
        before = events.t_ns[0] if self._newest_ns is None else np.int64(self._newest_ns)
        previous = np.concatenate([[before], events.t_ns[:-1]])
        cuts = np.flatnonzero(events.t_ns - previous < -limit_ns)
        return [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)])]

    def _push_continuous(self, part: EventArray) -> list[EventWindow]:
        if not len(part):
            return []
        limit_ns = round(self.config.max_disorder_s * 1e9)
        if self._newest_ns is not None and int(part.t_ns[0]) < self._newest_ns - limit_ns:
            self._reset()
        part = self._without_late(part)
        if len(part):
            self._pending.append(part)
            self._n_pending += len(part)
            first = int(part.t_ns.min())
            self._newest_ns = max(int(part.t_ns.max()), self._newest_ns or int(part.t_ns[0]))
            self._oldest_ns = first if self._oldest_ns is None else min(first, self._oldest_ns)
        return self._close_by_time() if self.config.kind == 'time' else self._close_by_count()

    def _reset(self) -> None:
        self._resets += 1
        self._discarded += self._n_pending
        self._clear()

    def _without_late(self, part: EventArray) -> EventArray:
        if self._closed_until_ns is None or part.t_ns.min() >= self._closed_until_ns:
            return part
        keep = part.t_ns >= self._closed_until_ns
        self._late += int(len(part) - np.count_nonzero(keep))
        return part[keep]

    def _close_by_time(self) -> list[EventWindow]:
        """Windows whose end has been passed."""
        if self._newest_ns is None or self._oldest_ns is None:
            return []
        open_from = self._newest_ns // self._duration_ns * self._duration_ns
        if self._oldest_ns >= open_from:
            return []
        joined = concatenate(self._pending).sorted()
        windows = []
        start, done = 0, int(np.searchsorted(joined.t_ns, open_from))
        while start < done:
            t0 = int(joined.t_ns[start]) // self._duration_ns * self._duration_ns
            stop = int(np.searchsorted(joined.t_ns, t0 + self._duration_ns))
            windows.append(self._emit(joined[start:stop], t0, t0 + self._duration_ns))
            start = stop
        self._keep(joined[done:], open_from)
        return windows

    def _close_by_count(self) -> list[EventWindow]:
        if self._n_pending < self.config.count:
            return []
        joined = concatenate(self._pending)
        windows = []
        start = 0
        while len(joined) - start >= self.config.count:
            part = joined[start : start + self.config.count].sorted()
            windows.append(self._emit(part, int(part.t_ns[0]), int(part.t_ns[-1]) + 1))
            start += self.config.count
        self._keep(joined[start:], None)
        return windows

    def _keep(self, rest: EventArray, closed_until_ns: int | None) -> None:
        self._pending = [rest] if len(rest) else []
        self._n_pending = len(rest)
        self._oldest_ns = int(rest.t_ns.min()) if len(rest) else None
        self._closed_until_ns = closed_until_ns

    def _emit(self, events: EventArray, t0_ns: int, t1_ns: int) -> EventWindow:
        surplus = max(0, len(events) - self.config.max_events)
        self._over += surplus
        self._windowed += len(events) - surplus
        return EventWindow.from_events(events[surplus:], t0_ns=t0_ns, t1_ns=t1_ns)
