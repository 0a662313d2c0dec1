# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""iniVation AEDAT4 files, through the optional package ``aedat``.

AEDAT4 is FlatBuffers in compressed packets; a reader of our own would be a second one to keep alive.
"""

import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from event_perception.errors import DataError
from event_perception.events import EventArray, FrameImage, ImuSample
from event_perception.io.image_messages import grey
from event_perception.io.recording import Recording, RecordingConfig
from event_perception.io.recording_info import RecordingInfo, StreamInfo
from event_perception.io.stretch import Sample

STANDARD_GRAVITY_M_S2 = 9.80665  # accelerations come in units of it
US = 1000
logger = logging.getLogger('event_perception')

USES = {'events': 'events', 'frame': 'frames', 'imus': 'imu'}


class Aedat4Recording(Recording):
    """An AEDAT4 file; times are the camera's, microseconds since the epoch put into nanoseconds.

    Of several streams of one kind the one of the lowest number is taken.

    Args:
        path: The file.
        config: How to read it.

    Raises:
        DataError: If the package ``aedat`` is missing, or the file cannot be read or holds no events.
    """

    def __init__(self, path: Path, config: RecordingConfig | None = None) -> None:
        super().__init__(path, config)
        events = [number for number, use in self._uses.items() if use == 'events']
        if not events:
            raise DataError(f'{path}: no stream of events; it holds {sorted(self._kinds.values())}')
        self._events_stream = events[0]

    @cached_property
    def _streams(self) -> dict[int, dict[str, Any]]:
        streams: dict[int, dict[str, Any]] = _decoder(self.path).id_to_stream()
        return dict(sorted(streams.items()))

    @property
    def _kinds(self) -> dict[int, str]:
        return {number: str(stream['type']) for number, stream in self._streams.items()}

    @cached_property
    def _uses(self) -> dict[int, str]:
        uses: dict[int, str] = {}
        for number, kind in self._kinds.items():
            use = USES.get(kind, '')
            if use and use not in uses.values():
                uses[number] = use
        return uses

    @property
    def _size(self) -> tuple[int, int]:
        stream = self._streams[self._events_stream]
        return int(stream['height']), int(stream['width'])

    def _summary(self) -> RecordingInfo:
        streams = tuple(
            StreamInfo(f'stream {number}', kind, None, self._uses.get(number, ''))
            for number, kind in self._kinds.items()
        )
        height, width = self._size
        return RecordingInfo(self.path, 'AEDAT4', streams, f'stream {self._events_stream}', height, width)

    def _stream(self) -> Iterator[tuple[int, Sample]]:
        convert: dict[str, Callable[[Any], Iterator[tuple[int, Sample]]]] = {
            'events': self._event_samples,
            'imus': _imu_samples,
            'frame': _frame_samples,
        }
        for packet in self._packets():
            if packet['stream_id'] in self._uses:
                kind = self._kinds[packet['stream_id']]
                yield from convert[kind](packet[kind])

    def _packets(self) -> Iterator[dict[str, Any]]:
        decoder = iter(_decoder(self.path))
        while True:
            try:
                packet = next(decoder)
            except StopIteration:
                return
            except BaseException as error:
                _raise_if_not_of_the_package(error)
                self._warnings['truncated_files'] += 1
                logger.warning('%s is damaged (%s): read up to there', self.path, error)
                return
            yield packet

    def _event_samples(self, rows: Any) -> Iterator[tuple[int, Sample]]:
        height, width = self._size
        t_ns = rows['t'].astype(np.int64) * US
        p = np.where(rows['on'], 1, -1).astype(np.int8)
        events = EventArray(t_ns, rows['x'], rows['y'], p, height=height, width=width)
        for start in range(0, len(events), self.config.chunk_events):
            part = events[start : start + self.config.chunk_events]
            yield int(part.t_ns.max()), part


def _imu_samples(rows: Any) -> Iterator[tuple[int, Sample]]:
    """Rows in g and degrees per second."""
    gyro = np.stack([rows[f'gyroscope_{axis}'] for axis in 'xyz'], axis=-1).astype(np.float64)
    acceleration = np.stack([rows[f'accelerometer_{axis}'] for axis in 'xyz'], axis=-1).astype(np.float64)
    for t_us, omega, a in zip(rows['t'].tolist(), np.deg2rad(gyro), acceleration * STANDARD_GRAVITY_M_S2):
        yield t_us * US, ImuSample(t_us * US, omega, a)


def _frame_samples(frame: dict[str, Any]) -> Iterator[tuple[int, Sample]]:
    """A frame, at the middle of its exposure."""
    t_ns = int(frame['t']) * US
    yield t_ns, FrameImage(t_ns, grey(np.asarray(frame['pixels']), str(frame['format']).lower()))


def _decoder(path: Path) -> Any:
    try:
        import aedat
    except ImportError as error:
        raise DataError(f'{path}: AEDAT4 needs the package aedat: pip install aedat') from error
    try:
        return aedat.Decoder(str(path))
    except BaseException as error:
        _raise_if_not_of_the_package(error)
        raise DataError(f'{path}: cannot be read as AEDAT4: {error}') from error


def _raise_if_not_of_the_package(error: BaseException) -> None:
    """A panic of the compiled package is a BaseException; on damaged files it panics."""
    if not isinstance(error, Exception) and 'Panic' not in type(error).__name__:
        raise error
