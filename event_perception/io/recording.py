# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every recording is: a summary, samples in time order, and counts of what was left out.

Times are the recording's own. Of event packets that is sensor time, which for ``evt3`` counts from an
arbitrary start and not from the epoch; only where such a recording also holds streams in ROS time are the
events mapped to ROS time, so that one order exists (``RecordingConfig.event_time``).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from event_perception.clock import ClockConfig
from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, FrameImage, ImuSample
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.time_order import TimeOrder
from event_perception.io.trajectory import PoseSample
from event_perception.motion.camera import CameraModel

Sample: TypeAlias = EventArray | SpikeStream | ImuSample | CameraModel | DepthImage | FrameImage | PoseSample


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """How recordings are read."""

    event_time: Literal['auto', 'sensor', 'ros'] = param(
        'auto',
        'Clock of the events of a bag: the sensor, or ROS time through an offset filter; auto takes ROS time '
        'only if the sensor counts from elsewhere and other streams must be merged.',
    )
    chunk_events: int = param(50_000, 'Most events of one sample read from a file.', ge=100, le=10_000_000)
    chunk_planes: int = param(400, 'Most planes of one sample read from a spike file.', ge=1, le=100_000)
    order_horizon_s: float = param(
        0.2, 'How late a stream may come against another in a recording, seconds.', ge=0.0, le=10.0
    )
    max_held_mb: int = param(256, 'Most memory for samples held to bring streams in order, megabytes.', ge=1)
    count_below_mb: int = param(
        64, 'Events are counted for a summary only in files up to this size, megabytes.', ge=0
    )
    height: int = param(0, 'Sensor rows, where the recording does not say; 0 means unknown.', ge=0, le=65535)
    width: int = param(
        0, 'Sensor columns, where the recording does not say; 0 means unknown.', ge=0, le=65535
    )
    clock: ClockConfig = ClockConfig()


class SpikeFormat(Protocol):
    """What a raw spike file does not say about itself; 0 means unknown."""

    height: int
    width: int
    plane_period_ns: int


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a recording.

    Attributes:
        name: Topic, file or stream.
        type: Message type, or what the file holds.
        count: Messages or rows; None if unknown without reading everything.
        use: What it is used as: events, spikes, imu, camera, depth, frames, poses; empty if it is not used.
        encoding: Of event packets and images; empty if there is none.
    """

    name: str
    type: str
    count: int | None
    use: str = ''
    encoding: str = ''


@dataclass(frozen=True)
class RecordingInfo:
    """Summary of a recording.

    Attributes:
        path: Where it is.
        kind: What it is, e.g. 'rosbag2 mcap', 'ROS 1 bag', 'ECD folder', 'Prophesee EVT3'.
        streams: Everything it holds.
        events_topic: The stream that the events come from; empty if there is none.
        height: Sensor rows; None if unknown.
        width: Sensor columns; None if unknown.
        start_ns: Time of the first event (of the first message without events); None if unknown.
        end_ns: Time of the last one; None if unknown.
        n_events: Number of events; None if they were not counted.
        event_time: 'sensor' or 'ros': the clock that the events' times are of.
        camera: Calibration found in the recording.
    """

    path: Path
    kind: str
    streams: tuple[StreamInfo, ...]
    events_topic: str = ''
    height: int | None = None
    width: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    n_events: int | None = None
    event_time: str = 'sensor'
    camera: CameraModel | None = None

    @property
    def duration_s(self) -> float | None:
        """Span of the times, seconds."""
        if self.start_ns is None or self.end_ns is None:
            return None
        return (self.end_ns - self.start_ns) * 1e-9


class Recording(ABC):
    """A recording on disk. Nothing is kept in memory between calls but counts.

    A kind of recording supplies ``_summary``, ``_camera`` and ``_stream``.

    Args:
        path: File or folder.
        config: How to read it.
    """

    def __init__(self, path: Path, config: RecordingConfig | None = None) -> None:
        self.path = path
        self.config = config or RecordingConfig()
        self._warnings: Counter[str] = Counter()
        self._known_camera: CameraModel | None = None
        self._camera_known = False

    _is_ordered = False
    """Whether ``_stream`` is in order as it is."""

    @abstractmethod
    def _summary(self) -> RecordingInfo:
        """The summary without times and number of events, if those need reading everything."""

    @abstractmethod
    def _stream(self) -> Iterator[tuple[int, Sample]]:
        """All samples with the times that order them, late by at most the horizon."""

    def _camera(self) -> CameraModel | None:
        """Calibration that the recording holds."""
        return None

    def camera(self) -> CameraModel | None:
        """Calibration that the recording holds, or None."""
        if not self._camera_known:
            self._known_camera, self._camera_known = self._camera(), True
        return self._known_camera

    def warnings(self) -> dict[str, int]:
        """What was left out when reading so far, by name, only what happened; empty is good."""
        return {name: count for name, count in sorted(self._warnings.items()) if count}

    def samples(
        self, *, start_s: float = 0.0, duration_s: float | None = None, poses: bool = False
    ) -> Iterator[Sample]:
        """Samples in time order; an EventArray counts by its last event.

        Everything from the beginning on is decoded, whatever ``start_s`` is: what the time of an event is
        can depend on all bytes before it.

        Args:
            start_s: Skip this much, from the first event on, seconds.
            duration_s: Stop after this much, seconds; None for all.
            poses: Whether poses (ground truth) come too.

        Raises:
            DataError: If the recording cannot be read.
        """
        if start_s < 0 or (duration_s is not None and duration_s <= 0):
            raise DataError(f'start {start_s} s, duration {duration_s} s: start is >= 0, duration > 0')
        cut = _Cut(round(start_s * 1e9), None if duration_s is None else round(duration_s * 1e9))
        self._warnings.clear()
        order = TimeOrder(
            round(self.config.order_horizon_s * 1e9), self.config.max_held_mb * 1_000_000, _bytes_of
        )
        stream = self._stream()
        for sample in (sample for _, sample in stream) if self._is_ordered else order.order(stream):
            if isinstance(sample, PoseSample) and not poses:
                continue
            yield from cut.apply(sample)
            if cut.done:
                break
        self._warnings['time_restarts'] += order.restarts

    def poses(self) -> Iterator[PoseSample]:
        """Ground truth poses of the whole recording, in time order."""
        for sample in self.samples(poses=True):
            if isinstance(sample, PoseSample):
                yield sample

    def info(self, *, count_events: bool | None = None) -> RecordingInfo:
        """Summary.

        Args:
            count_events: Whether to read everything, for number and times of the events; None reads if the
                recording is small (``RecordingConfig.count_below_mb``).
        """
        info = self._summary()
        if count_events is None:
            count_events = self._size_bytes() <= self.config.count_below_mb * 1_000_000
        if count_events:
            info = self._counted(info)
        return replace(info, camera=self.camera())

    def describe(self, *, count_events: bool | None = None) -> dict[str, Any]:
        """The summary as a plain tree, ready for JSON; what is not known is None."""
        info = self.info(count_events=count_events)
        streams = {
            s.name: {'type': s.type, 'count': s.count, 'use': s.use or None, 'encoding': s.encoding or None}
            for s in info.streams
        }
        camera = info.camera
        return {
            'path': str(info.path),
            'kind': info.kind,
            'events_topic': info.events_topic or None,
            'sensor': None if info.width is None else f'{info.width}x{info.height}',
            'start_ns': info.start_ns,
            'end_ns': info.end_ns,
            'duration_s': info.duration_s,
            'n_events': info.n_events,
            'event_time': info.event_time,
            'camera': None if camera is None else _camera_tree(camera),
            'streams': streams,
            'warnings': self.warnings(),
        }

    def _size_bytes(self) -> int:
        files = self.path.rglob('*') if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())

    def _counted(self, info: RecordingInfo) -> RecordingInfo:
        n, first, last, of_events = 0, None, None, True
        height, width = info.height, info.width
        for sample in self.samples():
            span = _span_ns(sample)
            if span is None:
                continue
            of_events = isinstance(sample, EventArray)
            n += len(sample) if isinstance(sample, EventArray) else 0
            first = span[0] if first is None else min(first, span[0])
            last = span[1] if last is None else max(last, span[1])
            height, width = sample.height, sample.width  # type: ignore[union-attr]
        if first is None:
            return replace(info, n_events=0)
        return replace(
            info, n_events=n if of_events else None, start_ns=first, end_ns=last, height=height, width=width
        )


class _Cut:
    """Cuts a stretch out of a stream of samples; its origin is the first event."""

    def __init__(self, start_ns: int, duration_ns: int | None) -> None:
        self._start_ns, self._duration_ns = start_ns, duration_ns
        self._from_ns: int | None = None if start_ns else -(2**63)
        self._until_ns = 2**63 - 1
        self._begun = False
        self.done = False

    def apply(self, sample: Sample) -> list[Sample]:
        if isinstance(sample, CameraModel):
            return [sample]
        span = _span_ns(sample)
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


def _span_ns(sample: Sample) -> tuple[int, int] | None:
    """Times of the first and the last event or plane; None of other samples."""
    if isinstance(sample, EventArray):
        return (int(sample.t_ns.min()), int(sample.t_ns.max())) if len(sample) else None
    if isinstance(sample, SpikeStream):
        return (sample.start_ns, sample.next_ns - sample.plane_period_ns) if len(sample) else None
    return None


def _bytes_of(sample: Sample) -> int:
    """Size of the arrays of a sample."""
    arrays = ('t_ns', 'x', 'y', 'p', 'planes', 'depth_m', 'value')
    return 1 + sum(int(getattr(getattr(sample, name, None), 'nbytes', 0)) for name in arrays)


def _camera_tree(camera: CameraModel) -> dict[str, Any]:
    return {
        'fx': camera.fx,
        'fy': camera.fy,
        'cx': camera.cx,
        'cy': camera.cy,
        'height': camera.height,
        'width': camera.width,
        'distortion_model': camera.distortion_model,
        'distortion': list(camera.distortion),
        'frame_id': camera.frame_id,
    }
