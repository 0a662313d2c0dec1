# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is said of a recording without processing it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event_perception.motion.camera import CameraModel


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


def described(info: RecordingInfo) -> dict[str, Any]:
    """The summary as a plain tree, ready for JSON; what is not known is None."""
    streams = {
        s.name: {'type': s.type, 'count': s.count, 'use': s.use or None, 'encoding': s.encoding or None}
        for s in info.streams
    }
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
        'camera': None if info.camera is None else _camera_tree(info.camera),
        'streams': streams,
    }


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
