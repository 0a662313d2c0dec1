# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A raw spike file as a recording: runs of planes, read as they are needed."""

from collections.abc import Iterator
from pathlib import Path

from event_perception.events.spike_stream import SpikeStream
from event_perception.io.recording import Recording, RecordingConfig, SpikeFormat
from event_perception.io.recording_info import RecordingInfo, StreamInfo
from event_perception.io.stretch import Sample


class SpikeRecording(Recording):
    """A ``.dat`` file of concatenated planes; time starts at 0 with the first plane.

    Args:
        path: The file.
        config: How to read it.
        spikes: What the file does not say: size, period, layout and gain (see ``event_perception.io.spike_dat``).
    """

    _is_ordered = True

    def __init__(self, path: Path, config: RecordingConfig | None, spikes: SpikeFormat) -> None:
        super().__init__(path, config)
        # Opened now, so that a wrong size is found before a run begins; the planes stay on disk.
        self._planes = SpikeStream.from_dat(
            path,
            height=spikes.height,
            width=spikes.width,
            plane_period_ns=spikes.plane_period_ns,
            kind=spikes.kind,
            bit_order=spikes.bit_order,
            gain=spikes.gain,
            check_bit_order=self.config.check_bit_order,
            check_plane_size=self.config.check_plane_size,
        )

    def _summary(self) -> RecordingInfo:
        planes = self._planes
        last_ns = planes.next_ns - planes.plane_period_ns if len(planes) else None
        stream = StreamInfo(self.path.name, 'spike planes', len(planes), 'spikes')
        return RecordingInfo(
            self.path,
            'spike planes',
            (stream,),
            self.path.name,
            planes.height,
            planes.width,
            planes.start_ns if len(planes) else None,
            last_ns,
        )

    def _stream(self) -> Iterator[tuple[int, Sample]]:
        planes, step = self._planes, self.config.chunk_planes
        self._warnings['truncated_bytes'] += planes.ignored_bytes
        for start in range(0, len(planes), step):
            part = planes[start : start + step]
            yield part.next_ns - part.plane_period_ns, part
