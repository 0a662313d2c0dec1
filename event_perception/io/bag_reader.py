# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of the used topics of a bag to samples."""

import logging
from collections.abc import Callable
from typing import Any

from event_perception.clock import SensorClock
from event_perception.errors import CalibrationError, DataError
from event_perception.events import EventArray
from event_perception.io.bag_storage import Bag, RawMessage
from event_perception.io.bag_types import ARRAY_TYPES
from event_perception.io.codecs.dvs_event_array import (
    EventArrayMessage,
    decode_event_array_cdr,
    decode_event_array_ros1,
)
from event_perception.io.event_packets import EventPacketStream, SpikePacketStream
from event_perception.io.image_messages import depth_from_message, frame_from_message
from event_perception.io.messages import camera_from_message, imu_from_message, pose_from_message
from event_perception.io.recording import RecordingConfig
from event_perception.io.stamps import header_ns
from event_perception.io.stretch import Sample
from event_perception.motion.camera import CameraModel

logger = logging.getLogger('event_perception')


class BagReader:
    """Messages of the used topics to samples; keeps what must be remembered from message to message."""

    def __init__(self, bag: Bag, uses: dict[str, str], event_time: str, config: RecordingConfig) -> None:
        clock = SensorClock(config.clock) if event_time == 'ros' else None
        self._bag, self._uses = bag, uses
        self._packets = EventPacketStream(clock)
        self._spikes = SpikePacketStream(clock, check_bit_order=config.check_bit_order)
        self._clock, self._config = clock, config
        self._understood, self._outside = False, 0
        self._latest_camera: CameraModel | None = None
        self._refused: dict[str, int] = {}

    def samples(self, raw: RawMessage) -> list[tuple[int, Sample]]:
        """What a message holds, with the times that order it; nothing if it repeats or is refused.

        Raises:
            DataError: If no message of the events was understood so far, and this one is not either.
        """
        use = self._uses[raw.topic]
        try:
            if use in ('events', 'spikes'):
                samples = self._events(raw)
                self._understood = True
                return samples
            return self._other(use, self._bag.deserialize(raw))
        except (DataError, CalibrationError) as error:
            # If not even the first message is understood, no other will be: the encoding is unknown.
            if use in ('events', 'spikes') and not self._understood:
                raise DataError(f'{raw.topic}: {error}') from error
            name = f'refused_{use}_messages'
            if name not in self._refused:
                logger.warning('%s: %s', raw.topic, error)
            self._refused[name] = self._refused.get(name, 0) + 1
            return []

    def _events(self, raw: RawMessage) -> list[tuple[int, Sample]]:
        if raw.type in ARRAY_TYPES:
            array = event_array(self._bag, raw, self._config)
            self._outside += array.outside
            return _timed(array.events)
        message = self._bag.deserialize(raw)
        if self._uses[raw.topic] == 'events':
            return _timed(self._packets.push(message))
        planes = self._spikes.push(message)
        return [] if planes is None else [(planes.next_ns - planes.plane_period_ns, planes)]

    def _other(self, use: str, message: Any) -> list[tuple[int, Sample]]:
        if use == 'camera':
            camera = camera_from_message(message)
            if camera == self._latest_camera:
                return []
            self._latest_camera = camera
            return [(header_ns(message), camera)]
        convert: dict[str, Callable[[Any], Sample]] = {
            'imu': imu_from_message,
            'depth': depth_from_message,
            'frames': frame_from_message,
            'poses': pose_from_message,
        }
        return [(header_ns(message), convert[use](message))]

    def warnings(self) -> dict[str, int]:
        """What was left out so far, by name."""
        packets, spikes = self._packets.counts, self._spikes.counts
        clock_resets = 0 if self._clock is None else self._clock.counts.resets
        return self._refused | {
            'lost_packets': packets.lost_packets,
            'stream_restarts': packets.restarts,
            'events_outside_sensor': packets.outside + self._outside,
            'events_before_first_time': packets.before_time,
            'invalid_events': packets.invalid,
            'unknown_words': packets.unknown_words,
            'truncated_bytes': packets.truncated_bytes,
            'refused_spike_packets': spikes.rejected,
            'missing_planes': spikes.missing_planes,
            'clock_resets': clock_resets,
        }


def _timed(events: EventArray) -> list[tuple[int, Sample]]:
    return [(int(events.t_ns.max()), events)] if len(events) else []


def event_array(bag: Bag, raw: RawMessage, config: RecordingConfig) -> EventArrayMessage:
    """Events of one dvs_msgs or prophesee_event_msgs EventArray, from its bytes."""
    decode = decode_event_array_ros1 if bag.ros1 else decode_event_array_cdr
    return decode(raw.data, height=config.height or None, width=config.width or None)
