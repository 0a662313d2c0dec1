# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as timed messages. Bags give the bytes that were recorded; other files get packets of our own."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import numpy as np
from event_camera_msgs.msg import EventPacket
from sensor_msgs.msg import Image, Imu

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, FrameImage, ImuSample, SpikeStream
from event_perception.io import Recording, fill_event_packet, fill_image, fill_imu
from event_perception.io.bag import BagRecording
from event_perception.io.bag_storage import Bag, RawMessage
from event_perception.io.bag_types import ARRAY_TYPES, PACKET_TYPES, typestore
from event_perception.io.codecs.dvs_event_array import decode_event_array_ros1, encode_event_array_cdr
from event_perception.io.codecs.encoders import encode_mono
from event_perception.io.codecs.spike_planes import ENCODING as SPIKE_PLANES
from event_perception.io.codecs.spike_planes import packets, planes_in
from event_perception.io.spike_recording import SpikeRecording
from event_perception.nodes.config import EVENT_ARRAY, EVENT_PACKET, ReplayConfig

TOPICS = {
    'events': 'events',
    'spikes': 'spikes',
    'camera': 'camera_info',
    'imu': 'imu',
    'depth': 'depth',
    'frames': 'image',
}
"""What a stream is used as, to the topic that it is replayed on."""
CAMERA_USES = ('events', 'spikes')
PACKET_EVENTS = 32_000  # of 8 bytes: 256 kB, below what best-effort transport begins to lose


class TimedMessage(NamedTuple):
    """One message: when it is due, on which topic, and an object or its serialised bytes."""

    t_ns: int
    topic: str
    message: Any


class Source(Protocol):
    """What can be replayed.

    ``has_camera`` tells whether a calibration is among the messages, ``stream`` on which topic events or planes are,
    and ``goes_on`` whether time goes on where the recording begins again.
    """

    has_camera: bool
    stream: str
    goes_on: bool

    def topics(self) -> dict[str, Any]:
        """Topic to message class."""
        ...

    def messages(self) -> Iterator[TimedMessage]:
        """All messages in time order."""
        ...


def open_source(recording: Recording, config: ReplayConfig) -> Source:
    """A bag message by message, anything else sample by sample."""
    return (
        BagSource(recording, config)
        if isinstance(recording, BagRecording)
        else SampleSource(recording, config)
    )


class BagSource:
    """Republishes what a bag holds, byte for byte where it is a ROS 2 bag.

    Args:
        recording: The bag.
        config: Parameters of the replay.

    Attributes:
        unknown: Topics left out because their message package is not installed.
    """

    def __init__(self, recording: BagRecording, config: ReplayConfig) -> None:
        self._bag, self._config = Bag(recording.path), config
        streams = recording.info(count_events=False).streams
        self._names = {s.name: s.name if config.keep_names else TOPICS.get(s.use, s.name) for s in streams}
        self.has_camera = any(s.use == 'camera' for s in streams)
        self.goes_on = False
        self.stream = next((self._names[s.name] for s in streams if s.use in CAMERA_USES), 'events')
        self._classes: dict[str, Any] = {}
        self.unknown: list[str] = []
        for stream in streams:
            try:
                self._classes[stream.name] = message_class(_modern(stream.type))
            except DataError:
                self.unknown.append(stream.name)

    def topics(self) -> dict[str, Any]:
        """Topic to message class."""
        return {self._names[name]: kind for name, kind in self._classes.items()}

    def messages(self) -> Iterator[TimedMessage]:
        """All messages in the order of recording, from start to end of the chosen part."""
        start_ns = end_ns = None
        for raw in self._bag.messages(self._classes):
            if start_ns is None:
                start_ns, end_ns = _part(raw.t_ns, self._config)
            if end_ns is not None and raw.t_ns >= end_ns:
                return
            if raw.t_ns >= start_ns:
                yield TimedMessage(raw.t_ns, self._names[raw.topic], self._serialized(raw))

    def _serialized(self, raw: RawMessage) -> bytes:
        """The message as ROS 2 has it on the wire."""
        if not self._bag.ros1:
            return bytes(raw.data)
        if raw.type in ARRAY_TYPES:
            array = decode_event_array_ros1(raw.data)
            return encode_event_array_cdr(array.events, stamp_ns=array.stamp_ns, frame_id=array.frame_id)
        return bytes(typestore().ros1_to_cdr(raw.data, raw.type))


class SampleSource:
    """Publishes the samples of a recording that holds no messages; times stay the recording's.

    Args:
        recording: The recording.
        config: Parameters of the replay.
    """

    def __init__(self, recording: Recording, config: ReplayConfig) -> None:
        self._recording, self._config = recording, config
        self._seq = self._first_plane = 0
        self.has_camera = False
        self.goes_on = isinstance(recording, SpikeRecording)
        self.stream = 'spikes' if self.goes_on else 'events'

    def topics(self) -> dict[str, Any]:
        """Topic to message class, of everything that may come."""
        if self.stream == 'spikes':
            return {'spikes': EventPacket}
        return {'events': EventPacket, 'imu': Imu, 'depth': Image, 'image': Image}

    def messages(self) -> Iterator[TimedMessage]:
        """Packets of events cut to the configured span, packets of planes, other samples as they are."""
        self._seq = self._seq if self.goes_on else 0
        duration_s = self._config.duration_s or None
        for sample in self._recording.samples(start_s=self._config.start_s, duration_s=duration_s):
            if isinstance(sample, SpikeStream):
                yield from self._plane_packets(sample)
            elif isinstance(sample, EventArray):
                yield from self._packets(sample)
            elif isinstance(sample, ImuSample):
                yield self._imu(sample)
            elif isinstance(sample, (DepthImage, FrameImage)):
                yield self._picture(sample)

    def _packets(self, events: EventArray) -> Iterator[TimedMessage]:
        events = events.sorted()
        span_ns = round(self._config.packet_duration_s * 1e9)
        starts = [0, *(np.flatnonzero(np.diff(events.t_ns // span_ns)) + 1).tolist()]
        for start, stop in zip(starts, [*starts[1:], len(events)]):
            for first in range(start, stop, PACKET_EVENTS):
                yield self._packet(events[first : min(stop, first + PACKET_EVENTS)])

    def _packet(self, events: EventArray) -> TimedMessage:
        """One packet, due when its last event has happened."""
        payload, time_base_ns = encode_mono(events)
        message = EventPacket()
        fill_event_packet(
            message,
            payload,
            'mono',
            height=events.height,
            width=events.width,
            seq=self._seq,
            stamp_ns=int(events.t_ns[0]),
            time_base_ns=time_base_ns,
            frame_id=self._config.camera_frame,
        )
        self._seq += 1
        return TimedMessage(int(events.t_ns[-1]), 'events', message)

    def _plane_packets(self, stream: SpikeStream) -> Iterator[TimedMessage]:
        """Packets of planes, each due when its last plane has been read out; they go on where the file is looped."""
        for time_base_ns, payload in packets(
            self._continued(stream), max_bytes=round(self._config.packet_mb * 1e6)
        ):
            message = EventPacket()
            fill_event_packet(
                message,
                payload,
                SPIKE_PLANES,
                height=stream.height,
                width=stream.width,
                seq=self._seq,
                stamp_ns=time_base_ns,
                time_base_ns=time_base_ns,
                frame_id=self._config.camera_frame,
            )
            self._seq += 1
            n_planes = planes_in(payload)
            yield TimedMessage(time_base_ns + (n_planes - 1) * stream.plane_period_ns, 'spikes', message)

    def _continued(self, stream: SpikeStream) -> SpikeStream:
        """The planes with the number and time that follow those before: a raw file knows neither."""
        first, self._first_plane = self._first_plane, self._first_plane + len(stream)
        return SpikeStream(
            stream.planes,
            height=stream.height,
            width=stream.width,
            plane_period_ns=stream.plane_period_ns,
            start_ns=first * stream.plane_period_ns,
            layout=stream.layout,
            gain=stream.gain,
            first_plane_index=first,
        )

    def _imu(self, sample: ImuSample) -> TimedMessage:
        message = Imu()
        fill_imu(message, replace(sample, frame_id=sample.frame_id or self._config.imu_frame))
        return TimedMessage(sample.t_ns, 'imu', message)

    def _picture(self, sample: DepthImage | FrameImage) -> TimedMessage:
        message = Image()
        stamp: dict[str, Any] = {'t_ns': sample.t_ns, 'frame_id': self._config.camera_frame}
        if isinstance(sample, DepthImage):
            fill_image(message, sample.depth_m, '32FC1', **stamp)
            return TimedMessage(sample.t_ns, 'depth', message)
        grey = np.rint(255 * np.clip(sample.value, 0, 1)).astype(np.uint8)
        fill_image(message, grey, 'mono8', **stamp)
        return TimedMessage(sample.t_ns, 'image', message)


def message_class(name: str) -> Any:
    """The Python class of a message type such as 'sensor_msgs/msg/Imu'.

    Raises:
        DataError: If its package is not installed.
    """
    package, _, kind = name.split('/')
    try:
        return getattr(import_module(f'{package}.msg'), kind)
    except (ImportError, AttributeError) as error:
        raise DataError(f'message type {name} is not installed: {error}') from error


def _modern(type_name: str) -> str:
    """Types whose bytes are those of another one that is installed."""
    if type_name in PACKET_TYPES:
        return EVENT_PACKET
    return EVENT_ARRAY if type_name in ARRAY_TYPES else type_name


def _part(first_ns: int, config: ReplayConfig) -> tuple[int, int | None]:
    """Start and end of the part to play, on the clock of the recording."""
    start_ns = first_ns + round(config.start_s * 1e9)
    return start_ns, start_ns + round(config.duration_s * 1e9) if config.duration_s else None
