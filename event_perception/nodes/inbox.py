# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A bounded inbox and the one thread that empties it: the executor appends, the worker computes.

Under overload the oldest events are dropped and counted, so that results stay young; nothing else is lost and
nothing waits. No ROS here.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from event_perception.events import EventArray


@dataclass(frozen=True)
class InboxCounts:
    """What went in and what had to be dropped, running totals."""

    events: int = 0
    dropped_events: int = 0
    dropped_batches: int = 0
    dropped_samples: int = 0


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
        max_lag_ns: Most sensor time that waiting events may span before the oldest are dropped.
        max_samples: Most other samples (IMU, depth, images) that wait.
    """

    def __init__(self, *, max_events: int, max_lag_ns: int, max_samples: int) -> None:
        self._max_events, self._max_lag_ns, self._max_samples = max_events, max_lag_ns, max_samples
        self._batches: deque[Item] = deque()
        self._others: deque[Item] = deque()
        self._order = self._waiting_events = 0
        self._events = self._dropped_events = self._dropped_batches = self._dropped_samples = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def counts(self) -> InboxCounts:
        """Running totals."""
        with self._changed:
            return InboxCounts(
                self._events, self._dropped_events, self._dropped_batches, self._dropped_samples
            )

    @property
    def waiting_events(self) -> int:
        """Events that wait for the worker."""
        return self._waiting_events

    def put(self, sample: Any) -> None:
        """Append a sample; never waits. Empty batches are ignored."""
        with self._changed:
            item = Item(sample, self._order, monotonic())
            self._order += 1
            if not isinstance(sample, EventArray):
                self._others.append(item)
            elif len(sample):
                self._batches.append(item)
                self._events += len(sample)
                self._waiting_events += len(sample)
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
        self._waiting_events -= len(item.sample)
        return item

    def _make_room(self) -> None:
        while len(self._batches) > 1 and (
            self._waiting_events > self._max_events or self._lag_ns() > self._max_lag_ns
        ):
            self._drop_batch()
        while len(self._others) > self._max_samples:
            self._others.popleft()
            self._dropped_samples += 1

    def _lag_ns(self) -> int:
        """Sensor time from the oldest waiting batch to the newest; a step back in time is no lag."""
        return int(self._batches[-1].sample.t_ns[0]) - int(self._batches[0].sample.t_ns[0])

    def _drop_batch(self) -> None:
        item = self._batches.popleft()
        self._waiting_events -= len(item.sample)
        self._dropped_events += len(item.sample)
        self._dropped_batches += 1


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
