# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of the Event Camera Dataset: events, IMU, frames, poses and calibration as text.

Source of the format: Mueggler, Rebecq, Gallego, Delbruck, Scaramuzza, The Event-Camera Dataset and Simulator,
IJRR 2017. Its sensor, a DAVIS240C of 240 x 180 pixels, is assumed where nothing says otherwise: neither
``events.txt`` nor ``calib.txt`` has a size.
"""

import heapq
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from event_perception.errors import DataError
from event_perception.events import EventArray, FrameImage, ImuSample
from event_perception.io.recording import Recording, RecordingConfig
from event_perception.io.recording_info import RecordingInfo, StreamInfo
from event_perception.io.seconds import ns_from_seconds
from event_perception.io.stretch import Sample
from event_perception.io.trajectory import iterate_trajectory
from event_perception.motion.camera import CameraModel

DAVIS240C = (180, 240)
EVENTS, CALIB, IMU, FRAMES, POSES = 'events.txt', 'calib.txt', 'imu.txt', 'images.txt', 'groundtruth.txt'
HEADER_BYTES = 100


class EcdRecording(Recording):
    """An ECD folder, or a text of events alone.

    Args:
        path: A folder with ``events.txt``, and any of calib.txt, imu.txt, images.txt and groundtruth.txt; or
            the text file itself.
        config: How to read it; ``height`` and ``width`` for another sensor.
    """

    _is_ordered = True

    def __init__(self, path: Path, config: RecordingConfig | None = None) -> None:
        super().__init__(path, config)
        self._folder = path if path.is_dir() else path.parent
        self._events = path / EVENTS if path.is_dir() else path

    def _file(self, name: str) -> Path | None:
        """A file beside the events; none beside a single text of events."""
        file = self._folder / name
        return file if self.path.is_dir() and file.is_file() else None

    @cached_property
    def _header(self) -> tuple[int, int] | None:
        """Size (height, width) where the first line is ``width height``, as some converters write it."""
        with self._events.open('rb') as file:
            words = file.readline(HEADER_BYTES).split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            return int(words[1]), int(words[0])
        return None

    @property
    def size(self) -> tuple[int, int]:
        """Sensor (height, width): as configured, as the file says, else that of a DAVIS240C."""
        if self.config.height and self.config.width:
            return self.config.height, self.config.width
        return self._header or DAVIS240C

    def _summary(self) -> RecordingInfo:
        uses = {EVENTS: 'events', IMU: 'imu', FRAMES: 'frames', POSES: 'poses', CALIB: 'camera'}
        streams = [StreamInfo(self._events.name, 'text of events', None, 'events')]
        streams += [
            StreamInfo(name, 'text', None, use)
            for name, use in uses.items()
            if name != EVENTS and self._file(name)
        ]
        height, width = self.size
        kind = 'ECD folder' if self.path.is_dir() else 'text of events'
        return RecordingInfo(
            self.path, kind, tuple(streams), self._events.name, height, width, event_time='sensor'
        )

    def _camera(self) -> CameraModel | None:
        from event_perception.io.camera_file import read_camera

        file = self._file(CALIB)
        height, width = self.size
        return None if file is None else read_camera(file, height=height, width=width)

    def _stream(self) -> Iterator[tuple[int, Sample]]:
        camera = self.camera()
        if camera is not None:
            yield -(2**62), camera
        streams = [self._event_samples()]
        for name, samples in ((IMU, self._imu), (FRAMES, self._frames), (POSES, self._poses)):
            file = self._file(name)
            if file is not None:
                streams.append(samples(file))
        yield from heapq.merge(*streams, key=lambda timed: timed[0])

    def _event_samples(self) -> Iterator[tuple[int, Sample]]:
        from event_perception.io.event_text import read_events_text

        height, width = self.size
        step = self.config.chunk_events
        for number, block in enumerate(read_events_text(self._events)):
            self._warnings['unreadable_lines'] += block.unreadable
            if number == 0 and self._header is not None:
                self._warnings['unreadable_lines'] -= 1
            if number == 0 and not block.t_ns.size:
                raise DataError(
                    f'{self._events}: no line reads "t x y polarity" with t in seconds; are the times microseconds?'
                )
            try:
                p = np.where(block.p == 0, -1, block.p)
                events = EventArray(block.t_ns, block.x, block.y, p, height=height, width=width)
            except DataError as error:
                raise DataError(
                    f'{self._events}: {error}; for another sensor than {width}x{height} '
                    'give --set recording.height=... --set recording.width=...'
                ) from error
            for start in range(0, len(events), step):
                part = events[start : start + step]
                yield int(part.t_ns.max()), part

    def _imu(self, file: Path) -> Iterator[tuple[int, Sample]]:
        """Lines ``t ax ay az gx gy gz``, m/s^2 and rad/s."""
        for t_ns, words in self._rows(file, 7):
            values = np.array(words, np.float64)
            yield t_ns, ImuSample(t_ns, values[3:], values[:3])

    def _frames(self, file: Path) -> Iterator[tuple[int, Sample]]:
        """Lines ``t file``; an image that cannot be read is counted."""
        import cv2

        from event_perception.io.image_messages import grey

        for t_ns, words in self._rows(file, 2, str):
            pixels = cv2.imread(str(self._folder / words[0]), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
            if pixels is None:
                self._warnings['unreadable_images'] += 1
            else:
                yield t_ns, FrameImage(t_ns, grey(pixels))

    def _poses(self, file: Path) -> Iterator[tuple[int, Sample]]:
        for pose in iterate_trajectory(file):
            yield pose.t_ns, pose

    def _rows(
        self, file: Path, columns: int, kind: Callable[[str], Any] = float
    ) -> Iterator[tuple[int, list[Any]]]:
        """Time and further columns of each line; a line of another kind is counted."""
        with file.open(encoding='utf-8', errors='replace') as lines:
            for line in lines:
                words = line.replace(',', ' ').split()
                if not words or words[0].startswith('#'):
                    continue
                try:
                    if len(words) != columns:
                        raise ValueError(f'{len(words)} columns')
                    row = ns_from_seconds(words[0]), [kind(word) for word in words[1:]]
                except ValueError:
                    self._warnings['unreadable_lines'] += 1
                    continue
                yield row
