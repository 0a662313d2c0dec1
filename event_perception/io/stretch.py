# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a recording yields, and cutting a stretch of time out of it."""

from typing import TypeAlias

from event_perception.events import DepthImage, EventArray, FrameImage, ImuSample
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.trajectory import PoseSample
from event_perception.motion.camera import CameraModel

Sample: TypeAlias = EventArray | SpikeStream | ImuSample | CameraModel | DepthImage | FrameImage | PoseSample


class Cut:
    """Cuts a stretch out of a stream of samples; its origin is the first event.

    Args:
        start_ns: Skip this much from the first event on; 0 keeps also what comes before it.
        duration_ns: Length of the stretch; None for all.

    Attributes:
        done: Whether nothing more can follow.
    """

    def __init__(self, start_ns: int, duration_ns: int | None) -> None:
        self._start_ns, self._duration_ns = start_ns, duration_ns
        self._from_ns: int | None = None if start_ns else -(2**63)
        self._until_ns = 2**63 - 1
        self._begun = False
        self.done = False

    def apply(self, sample: Sample) -> list[Sample]:
        """What of the sample lies in the stretch; camera models always do."""
        if isinstance(sample, CameraModel):
            return [sample]
        span = span_ns(sample)
        if span is not None and not self._begun:
            self._begin(span[0])
        if self._from_ns is None:
            return []
        if isinstance(sample, EventArray):
            return self._events(sample)
        if isinstance(sample, SpikeStream):
            return self._planes(sample)
        return [sample] if self._from_ns <= sample.t_ns < self._until_ns else []

    def _begin(self, origin_ns: int) -> None:
        self._begun = True
        if self._start_ns:
            self._from_ns = origin_ns + self._start_ns
        if self._duration_ns is not None:
            self._until_ns = origin_ns + self._start_ns + self._duration_ns

    def _events(self, events: EventArray) -> list[Sample]:
        from_ns = self._from_ns or 0
        lowest, highest = int(events.t_ns.min()), int(events.t_ns.max())
        self.done = lowest >= self._until_ns
        if lowest >= from_ns and highest < self._until_ns:
            return [events]
        part = events[(events.t_ns >= from_ns) & (events.t_ns < self._until_ns)]
        return [part] if len(part) else []

    def _planes(self, spikes: SpikeStream) -> list[Sample]:
        period, start = spikes.plane_period_ns, spikes.start_ns
        self.done = start >= self._until_ns
        first = max(0, -((start - (self._from_ns or 0)) // period))
        stop = max(first, min(len(spikes), -((start - self._until_ns) // period)))
        return [spikes[first:stop]] if stop > first else []


def span_ns(sample: Sample) -> tuple[int, int] | None:
    """Times of the first and the last event or plane; None of other samples."""
    if isinstance(sample, EventArray):
        return (int(sample.t_ns.min()), int(sample.t_ns.max())) if len(sample) else None
    if isinstance(sample, SpikeStream):
        return (sample.start_ns, sample.next_ns - sample.plane_period_ns) if len(sample) else None
    return None
