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
from typing import Any, Literal, Protocol

from event_perception.clock import ClockConfig
from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.events.plane_layout import BitOrder
from event_perception.io.recording_info import RecordingInfo, described
from event_perception.io.spike_dat import DatKind
from event_perception.io.stretch import Cut, Sample, span_ns
from event_perception.io.time_order import TimeOrder
from event_perception.io.trajectory import PoseSample
from event_perception.motion.camera import CameraModel


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """How recordings are read."""

    event_time: Literal['auto', 'sensor', 'ros'] = param(
        'auto',
        'Clock of the events of a bag: the sensor, or ROS time through an offset filter; auto takes ROS time '
        'only if the sensor counts from elsewhere and other streams must be merged.',
    )
    chunk_events: int = param(50_000, 'Most events of one sample read from a file.', ge=100, le=10_000_000)
    check_bit_order: bool = param(
        True, 'Whether spike planes are refused whose picture the opposite bit order explains far better.'
    )
    check_plane_size: bool = param(
        True, 'Whether a raw spike file is refused whose height and width others explain far better.'
    )
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
    kind: DatKind
    bit_order: BitOrder
    gain: float


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
        cut = Cut(round(start_s * 1e9), None if duration_s is None else round(duration_s * 1e9))
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
        return described(self.info(count_events=count_events)) | {'warnings': self.warnings()}

    def _size_bytes(self) -> int:
        files = self.path.rglob('*') if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())

    def _counted(self, info: RecordingInfo) -> RecordingInfo:
        n, first, last, of_events = 0, None, None, True
        height, width = info.height, info.width
        for sample in self.samples():
            span = span_ns(sample)
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


def _bytes_of(sample: Sample) -> int:
    """Size of the arrays of a sample."""
    arrays = ('t_ns', 'x', 'y', 'p', 'planes', 'depth_m', 'value')
    return 1 + sum(int(getattr(getattr(sample, name, None), 'nbytes', 0)) for name in arrays)
