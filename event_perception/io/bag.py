# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bags as recordings: which topic is used as what, and messages to samples in time order."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path

from event_perception.errors import CalibrationError, DataError
from event_perception.io.bag_reader import BagReader, event_array
from event_perception.io.bag_storage import Bag, RawMessage, TopicInfo
from event_perception.io.bag_types import ARRAY_TYPES, PACKET_TYPES
from event_perception.io.codecs.spike_planes import ENCODING as SPIKE_PLANES
from event_perception.io.event_packets import EventPacketStream
from event_perception.io.image_messages import DEPTH_UNITS_M
from event_perception.io.messages import camera_from_message
from event_perception.io.recording import Recording, RecordingConfig
from event_perception.io.recording_info import RecordingInfo, StreamInfo
from event_perception.io.stamps import header_ns
from event_perception.io.stretch import Sample
from event_perception.motion.camera import CameraModel

USES = {
    'sensor_msgs/msg/Imu': 'imu',
    'sensor_msgs/msg/CameraInfo': 'camera',
    'sensor_msgs/msg/Image': 'image',
    'geometry_msgs/msg/PoseStamped': 'poses',
    'geometry_msgs/msg/PoseWithCovarianceStamped': 'poses',
    'nav_msgs/msg/Odometry': 'poses',
}
FOREIGN_CLOCK_NS = 1_000_000_000
"""Sensor times further than this from the stamps of their messages count from elsewhere."""
LOOK_FOR_TIME = 50  # packets at the beginning that may hold no event with a known time

logger = logging.getLogger('event_perception')


class BagRecording(Recording):
    """A rosbag2 (mcap, sqlite3) or a ROS 1 bag.

    Of several topics for one use that whose name shares most with the topic of the events is taken, of
    equals the first by name; the summary says which.

    Args:
        path: A rosbag2 folder, one of its files, or a ROS 1 bag.
        config: How to read it.
        events_topic: The topic of the events; None for the first by name.

    Raises:
        DataError: If the topic is not in the bag, or does not hold events.
    """

    def __init__(
        self, path: Path, config: RecordingConfig | None = None, *, events_topic: str | None = None
    ) -> None:
        super().__init__(path, config)
        self._bag = Bag(path)
        self._topics = self._bag.topics()
        self.events_topic = self._choose_events(events_topic)

    def _choose_events(self, wanted: str | None) -> str:
        candidates = [
            name for name, info in self._topics.items() if info.type in (*PACKET_TYPES, *ARRAY_TYPES)
        ]
        if wanted is not None and wanted not in candidates:
            raise DataError(f'{self.path}: no events on topic {wanted!r}; topics of events: {candidates}')
        if len(candidates) > 1 and wanted is None:
            logger.warning('%s: events on %s: taking %s', self.path, candidates, candidates[0])
        return wanted or (candidates[0] if candidates else '')

    @cached_property
    def _uses(self) -> dict[str, str]:
        """Topic to use, of the topics that are used."""
        uses = {self.events_topic: 'events'} if self.events_topic else {}
        if self._encoding(self.events_topic) == SPIKE_PLANES:
            uses[self.events_topic] = 'spikes'
        by_use: dict[str, list[str]] = {}
        for name, info in self._topics.items():
            use = USES.get(info.type, '')
            if use == 'image':
                use = _image_use(self._encoding(name))
            if use and info.count != 0:
                by_use.setdefault(use, []).append(name)
        for use, names in by_use.items():
            uses[max(sorted(names), key=self._preference)] = use
        return uses

    def _preference(self, topic: str) -> tuple[bool, int]:
        """Poses rather than odometry, then leading name parts shared with the topic of the events."""
        parts = zip(topic.split('/'), self.events_topic.split('/'))
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], parts))
        return self._topics[topic].type != 'nav_msgs/msg/Odometry', shared

    def _encoding(self, topic: str) -> str:
        """Encoding of the first message on a topic of packets or images."""
        info = self._topics.get(topic)
        if info is None or info.type not in (*PACKET_TYPES, 'sensor_msgs/msg/Image'):
            return ''
        first = next(self._bag.messages([topic]), None)
        return '' if first is None else str(self._bag.deserialize(first).encoding)

    def _summary(self) -> RecordingInfo:
        streams = tuple(
            StreamInfo(name, info.type, info.count, self._uses.get(name, ''), self._encoding(name))
            for name, info in self._topics.items()
        )
        info = RecordingInfo(
            self.path, self._bag.kind, streams, self.events_topic, event_time=self._event_time
        )
        first = next(self._bag.messages([self.events_topic]), None) if self.events_topic else None
        if first is None:
            return info
        height, width = self._size_of(first)
        return replace(info, height=height, width=width)

    def _size_of(self, raw: RawMessage) -> tuple[int, int]:
        if raw.type in ARRAY_TYPES:
            events = event_array(self._bag, raw, self.config).events
            return events.height, events.width
        message = self._bag.deserialize(raw)
        return int(message.height), int(message.width)

    def _camera(self) -> CameraModel | None:
        topics = [topic for topic, use in self._uses.items() if use == 'camera']
        for raw in self._bag.messages(topics):
            try:
                return camera_from_message(self._bag.deserialize(raw))
            except (CalibrationError, DataError) as error:
                logger.warning('%s: %s', raw.topic, error)
                return None
        return None

    @cached_property
    def _event_time(self) -> str:
        if self.config.event_time != 'auto':
            return self.config.event_time
        others = set(self._uses.values()) & {'imu', 'depth', 'frames', 'poses'}
        return 'ros' if others and self._counts_from_elsewhere else 'sensor'

    @cached_property
    def _counts_from_elsewhere(self) -> bool:
        """Whether sensor times and message stamps have different origins."""
        if not self.events_topic or self._topics[self.events_topic].type in ARRAY_TYPES:
            return False
        packets = EventPacketStream()
        for raw in islice(self._bag.messages([self.events_topic]), LOOK_FOR_TIME):
            message = self._bag.deserialize(raw)
            if message.encoding == SPIKE_PLANES:
                return abs(int(message.time_base) - header_ns(message)) > FOREIGN_CLOCK_NS
            events = packets.push(message)
            if len(events):
                return abs(int(events.t_ns[0]) - header_ns(message)) > FOREIGN_CLOCK_NS
        return False

    def _stream(self) -> Iterator[tuple[int, Sample]]:
        reader = BagReader(self._bag, self._uses, self._event_time, self.config)
        unordered = self._event_time == 'sensor' and len(self._uses) > 1 and self._counts_from_elsewhere
        self._bag.warnings.clear()
        try:
            for raw in self._bag.messages(self._uses):
                for t_ns, sample in reader.samples(raw):
                    yield (raw.t_ns if unordered else t_ns), sample
        finally:
            self._warnings.update(reader.warnings())
            self._warnings.update(self._bag.warnings)
            self._warnings.update(_unused(self._topics, self._uses, self._bag))


def _image_use(encoding: str) -> str:
    """Depth or frames by the encoding; others, such as flow, are not used."""
    if encoding in DEPTH_UNITS_M:
        return 'depth'
    return '' if encoding == '32FC2' else 'frames'


def _unused(topics: dict[str, TopicInfo], uses: dict[str, str], bag: Bag) -> dict[str, int]:
    """Messages on topics of types that nobody here understands."""
    unknown = [info for info in topics.values() if not bag.knows(info.type)]
    return {'messages_of_unknown_type': sum(info.count or 0 for info in unknown)}
