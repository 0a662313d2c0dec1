# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A bounded inbox and the one thread that empties it: the executor appends, the worker computes.

Under overload the oldest events or spike planes are dropped and counted, so that results stay young; nothing else
is lost and nothing waits. No ROS here.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from event_perception.events import EventArray, SpikeStream

PLANE_BYTES = 64_000_000  # most bytes of spike planes that wait, unless told otherwise


@dataclass(frozen=True)
class InboxCounts:
    """What went in and what had to be dropped, running totals."""

    events: int = 0
    dropped_events: int = 0
    dropped_batches: int = 0
    dropped_samples: int = 0
    planes: int = 0
    dropped_planes: int = 0


@dataclass(frozen=True)
class Item:
    """One sample, its place in the order of arrival, and when it came on the monotonic clock."""

    sample: Any
    order: int
    arrival_s: float


class Inbox:
    """Samples in the order of their arrival, bounded by number of events and by the time that they span.

    Args:
        max_events: Most events that wait.
        max_lag_ns: Most sensor time that waiting events or planes may span before the oldest are dropped.
        max_samples: Most other samples (IMU, depth, images) that wait.
        max_plane_bytes: Most bytes of spike planes that wait.
    """

    def __init__(
        self, *, max_events: int, max_lag_ns: int, max_samples: int, max_plane_bytes: int = PLANE_BYTES
    ) -> None:
        self._max_events, self._max_lag_ns, self._max_samples = max_events, max_lag_ns, max_samples
        self._max_plane_bytes = max_plane_bytes
        self._batches: deque[Item] = deque()
        self._others: deque[Item] = deque()
        self._order = self._waiting_events = self._waiting_planes = self._plane_bytes = 0
        self._counts = InboxCounts()
        self._closed = False
        self._changed = threading.Condition()

    @property
    def counts(self) -> InboxCounts:
        """Running totals."""
        with self._changed:
            return self._counts

    @property
    def waiting_events(self) -> int:
        """Events that wait for the worker."""
        return self._waiting_events

    @property
    def waiting_planes(self) -> int:
        """Spike planes that wait for the worker."""
        return self._waiting_planes

    @property
    def lag_ns(self) -> int:
        """Sensor time that events or planes span which wait for the worker."""
        with self._changed:
            return self._lag_ns() if self._batches else 0

    def put(self, sample: Any) -> None:
        """Append a sample; never waits. Empty batches are ignored."""
        with self._changed:
            item = Item(sample, self._order, monotonic())
            self._order += 1
            if not isinstance(sample, (EventArray, SpikeStream)):
                self._others.append(item)
            elif len(sample):
                self._batches.append(item)
                self._add(sample, 1)
                self._count(**{'events' if isinstance(sample, EventArray) else 'planes': len(sample)})
            self._make_room()
            self._changed.notify()

    def get(self) -> Item | None:
        """The oldest item, waiting for one; None once the inbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._others or self._closed)
            return None if self._closed else self._take_oldest()

    def close(self) -> None:
        """Wake the worker and let it end; what waits is counted as dropped."""
        with self._changed:
            self._closed = True
            while self._batches:
                self._drop_batch()
            self._changed.notify_all()

    def _take_oldest(self) -> Item:
        if not self._batches or (self._others and self._others[0].order < self._batches[0].order):
            return self._others.popleft()
        item = self._batches.popleft()
        self._add(item.sample, -1)
        return item

    def _add(self, batch: EventArray | SpikeStream, sign: int) -> None:
        """Keep account of what waits: a batch comes (1) or goes (-1)."""
        if isinstance(batch, EventArray):
            self._waiting_events += sign * len(batch)
        else:
            self._waiting_planes += sign * len(batch)
            self._plane_bytes += sign * batch.planes.nbytes

    def _count(self, **by: int) -> None:
        self._counts = replace(self._counts, **{k: getattr(self._counts, k) + n for k, n in by.items()})

    def _make_room(self) -> None:
        while len(self._batches) > 1 and (
            self._waiting_events > self._max_events
            or self._plane_bytes > self._max_plane_bytes
            or self._lag_ns() > self._max_lag_ns
        ):
            self._drop_batch()
        while len(self._others) > self._max_samples:
            self._others.popleft()
            self._count(dropped_samples=1)

    def _lag_ns(self) -> int:
        """Sensor time from the oldest waiting batch to the newest; a step back in time is no lag."""
        return _first_ns(self._batches[-1].sample) - _first_ns(self._batches[0].sample)

    def _drop_batch(self) -> None:
        batch = self._batches.popleft().sample
        self._add(batch, -1)
        kind = 'dropped_events' if isinstance(batch, EventArray) else 'dropped_planes'
        self._count(dropped_batches=1, **{kind: len(batch)})


def _first_ns(batch: EventArray | SpikeStream) -> int:
    return int(batch.t_ns[0]) if isinstance(batch, EventArray) else batch.start_ns


class Worker:
    """One thread that hands every item to a function; an error ends it and is kept for the owner.

    Args:
        inbox: Where items come from.
        handle: Called with each item.
        on_error: Called once, from the thread, with an error that ``handle`` let through.
    """

    def __init__(
        self, inbox: Inbox, handle: Callable[[Item], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._inbox, self._handle, self._on_error = inbox, handle, on_error
        self._thread = threading.Thread(target=self._run, name='event_perception_worker', daemon=True)

    def start(self) -> None:
        """Begin to empty the inbox."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Close the inbox and wait for the item in hand; whether the thread has ended."""
        self._inbox.close()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None:
            try:
                self._handle(item)
            except Exception as error:
                self._on_error(error)
                return
