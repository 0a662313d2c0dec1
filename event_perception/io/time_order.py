# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Putting samples of several streams in time order with bounded memory."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class TimeOrder:
    """A reorder buffer: what comes at most ``horizon_ns`` late leaves in order.

    A sample is held until another one that is newer by the horizon has come. A step back by more than the
    horizon is not lateness but a new beginning (a looped bag, a restarted sensor): all that was held
    leaves first. Held is what arrives within one horizon, and never more than ``max_held``, whatever the times.

    Args:
        horizon_ns: How much later than a newer sample an older one may arrive.
        max_held: Most weight held.
        weight: Weight of a sample, such as its bytes; 1 each unless given.
    """

    def __init__(
        self, horizon_ns: int, max_held: int, weight: Callable[[Any], int] = lambda sample: 1
    ) -> None:
        self._horizon_ns = horizon_ns
        self._max_held, self._weight = max_held, weight
        self._held = 0
        self._heap: list[tuple[int, int, Any]] = []
        self._pushed = 0
        self._newest_ns: int | None = None
        self.restarts = 0

    def push(self, t_ns: int, sample: Any) -> list[Any]:
        """Add a sample; returns what may leave now, oldest first, equal times in order of arrival."""
        ready: list[Any] = []
        if self._newest_ns is not None and t_ns < self._newest_ns - self._horizon_ns:
            ready = self.flush()
            self.restarts += 1
        self._pushed += 1
        self._held += self._weight(sample)
        heapq.heappush(self._heap, (t_ns, self._pushed, sample))
        self._newest_ns = t_ns if self._newest_ns is None else max(self._newest_ns, t_ns)
        limit_ns = self._newest_ns - self._horizon_ns
        while self._heap and (self._heap[0][0] <= limit_ns or self._held > self._max_held):
            ready.append(heapq.heappop(self._heap)[2])
            self._held -= self._weight(ready[-1])
        return ready

    def flush(self) -> list[Any]:
        """Let everything go, oldest first."""
        ready = [sample for _, _, sample in sorted(self._heap, key=lambda entry: entry[:2])]
        self._heap.clear()
        self._newest_ns, self._held = None, 0
        return ready

    def order(self, stream: Iterable[tuple[int, Any]]) -> Iterator[Any]:
        """All samples of a stream of (t_ns, sample), in order."""
        for t_ns, sample in stream:
            yield from self.push(t_ns, sample)
        yield from self.flush()
