# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The inertial readings of the last seconds, cut into steps between two instants."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from event_perception.events import ImuSample

Vector = NDArray[np.float64]
LONGEST_STEP_NS = 100_000_000  # a longer time between two readings is a gap
SLACK_NS = 20_000_000  # before the first and after the last reading, these are taken to hold so long


class ImuReadings:
    """Specific force and rate over time.

    Args:
        memory_s: How long readings are kept.
    """

    def __init__(self, memory_s: float) -> None:
        self._memory_ns = round(memory_s * 1e9)
        self._t_ns: list[int] = []
        self._values: list[Vector] = []

    def push(self, samples: Sequence[ImuSample]) -> None:
        """Add those later than the latest one; those that are not finite are passed over."""
        first = len(samples)
        while first > 0 and (not self._t_ns or samples[first - 1].t_ns > self._t_ns[-1]):
            first -= 1
        for sample in samples[first:]:
            value = np.concatenate([sample.linear_acceleration_m_s2, sample.angular_velocity_rad_s])
            if np.isfinite(value).all() and (not self._t_ns or sample.t_ns > self._t_ns[-1]):
                self._t_ns.append(sample.t_ns)
                self._values.append(np.asarray(value, np.float64))
        self._forget()

    def cover(self, start_ns: int, end_ns: int) -> bool:
        """Whether there are readings all the way from start to end."""
        a, b = bisect_right(self._t_ns, start_ns), bisect_left(self._t_ns, end_ns)
        inside = self._t_ns[max(a - 1, 0) : b + 1]
        if not inside or inside[0] > start_ns + SLACK_NS or inside[-1] < end_ns - SLACK_NS:
            return False
        return all(later - earlier <= LONGEST_STEP_NS for earlier, later in pairwise(inside))

    def steps(self, start_ns: int, end_ns: int) -> Iterator[tuple[Vector, Vector, float]]:
        """Force (3,), rate (3,) and duration of the steps from start to end: means of the readings around each."""
        a, b = bisect_right(self._t_ns, start_ns), bisect_left(self._t_ns, end_ns)
        times = [start_ns, *self._t_ns[a:b], end_ns]
        values = [self.at(start_ns), *self._values[a:b], self.at(end_ns)]
        for (t0, earlier), (t1, later) in pairwise(zip(times, values)):
            mean = 0.5 * (earlier + later)
            yield mean[:3], mean[3:], (t1 - t0) * 1e-9

    def at(self, t_ns: int) -> Vector:
        """Force and rate (6,) at an instant, between the readings around it."""
        k = bisect_left(self._t_ns, t_ns)
        if k == 0 or k == len(self._t_ns):
            return self._values[min(k, len(self._t_ns) - 1)]
        t0, t1 = self._t_ns[k - 1], self._t_ns[k]
        part = (t_ns - t0) / (t1 - t0)
        return (1 - part) * self._values[k - 1] + part * self._values[k]

    def mean(self, start_ns: int, end_ns: int) -> Vector:
        """Force and rate (6,) on average."""
        steps = list(self.steps(start_ns, end_ns))
        total = sum(dt for _, _, dt in steps)
        return np.asarray(sum(dt * np.concatenate([f, w]) for f, w, dt in steps) / total)

    def _forget(self) -> None:
        if not self._t_ns or len(self._t_ns) < 1000:
            return
        old = bisect_left(self._t_ns, self._t_ns[-1] - self._memory_ns)
        if old > 500:  # not one by one
            del self._t_ns[:old], self._values[:old]
