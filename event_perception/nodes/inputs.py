# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Subscriptions: messages in, samples into the inbox. What cannot be read is counted and said, never fatal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from event_camera_msgs.msg import EventPacket
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, Imu

from event_perception.clock import SensorClock
from event_perception.errors import CalibrationError, DataError
from event_perception.events import DepthImage, EventArray, FrameImage, ImuSample, SpikeStream, TwistPrior
from event_perception.io.codecs.dvs_event_array import decode_event_array_cdr
from event_perception.io.codecs.spike_planes import SpikePacketCounts
from event_perception.io.event_packets import EventPacketStream, PacketCounts, SpikePacketStream
from event_perception.io.image_messages import depth_from_message, frame_from_message
from event_perception.io.messages import camera_from_message, imu_from_message, twist_from_message
from event_perception.io.packet_view import view_packet
from event_perception.io.stamps import header_ns
from event_perception.nodes.config import EVENT_PACKET, NodeConfig
from event_perception.nodes.guard import guarded
from event_perception.nodes.inbox import Inbox
from event_perception.nodes.statistics import Statistics
from event_perception.nodes.transforms import TransformListener
from event_perception.odometry.frames import Transform, imu_in_camera, twist_in_camera

LOG_PERIOD_S = 5.0
OTHER_DEPTH = 100  # messages that ROS keeps of IMU, depth and images

Sample: TypeAlias = ImuSample | DepthImage | FrameImage | TwistPrior


class Inputs:
    """Everything that a perception node subscribes to.

    Args:
        node: Whose executor runs the callbacks.
        config: Parameters of the node.
        inbox: Where samples go.
        clock: Updated with every message of events.
        transforms: Tells how IMU and prior velocity are mounted.
        statistics: Where problems are counted.
        spikes: Whether spike planes are taken, too.

    Attributes:
        frame_id: Frame of the latest events or planes.
        kind: What the camera sends, ``events`` or ``spikes``; empty before the first packet.
        planes: The latest spike planes.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        *,
        inbox: Inbox,
        clock: SensorClock,
        transforms: TransformListener,
        statistics: Statistics,
        spikes: bool,
    ) -> None:
        self._node, self._config, self._inbox, self._clock = node, config, inbox, clock
        self._statistics = statistics
        self._logger = node.get_logger()
        self._transforms = transforms
        self._packets = EventPacketStream()
        self._spikes = SpikePacketStream(check_bit_order=config.check_bit_order)
        self.frame_id = self.kind = ''
        self.planes: SpikeStream | None = None
        self._subscribe_events()
        if spikes:
            quality = QoSProfile(depth=config.spikes_depth, reliability=ReliabilityPolicy.BEST_EFFORT)
            node.create_subscription(EventPacket, 'spikes', self._guard(self._take_planes), quality, raw=True)
        self._subscribe_others()

    @property
    def camera_frame(self) -> str:
        """Optical frame: the parameter, or what the events say."""
        return self._config.camera_frame or self.frame_id

    @property
    def counts(self) -> PacketCounts:
        """What became of the event packets."""
        return self._packets.counts

    @property
    def spike_counts(self) -> SpikePacketCounts:
        """What became of the packets of spike planes."""
        return self._spikes.counts

    @property
    def last_rejection(self) -> str:
        """Why the latest refused packet of spike planes was refused; empty before."""
        return self._spikes.last_rejection

    def _subscribe_events(self) -> None:
        quality = QoSProfile(depth=self._config.events_depth, reliability=ReliabilityPolicy.BEST_EFFORT)
        if self._config.events_type == EVENT_PACKET:
            self._node.create_subscription(EventPacket, 'events', self._guard(self._take_packet), quality)
        else:
            from dvs_msgs.msg import EventArray as EventArrayMessage

            self._node.create_subscription(
                EventArrayMessage, 'events', self._guard(self._take_serialized), quality, raw=True
            )

    def _subscribe_others(self) -> None:
        config = self._config
        if not config.camera_file:
            self._subscribe(CameraInfo, 'camera_info', lambda m: self._inbox.put(camera_from_message(m)))
        for kind, topic, read in (
            (Imu, config.imu_topic, imu_from_message),
            (Image, config.depth_topic, depth_from_message),
            (Image, config.image_topic, frame_from_message),
            (Odometry, config.odom_prior_topic, twist_from_message),
        ):
            if topic:
                self._subscribe(kind, topic, self._taker(read))

    def _subscribe(self, kind: Any, topic: str, take: Callable[[Any], None]) -> None:
        quality = QoSProfile(depth=OTHER_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._node.create_subscription(kind, topic, self._guard(take), quality)

    def _guard(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        return guarded(take, self._statistics, self._logger)

    def _take_packet(self, message: EventPacket) -> None:
        self._one_camera('events')
        events = self._packets.push(message)
        self.frame_id = self._packets.frame_id
        self._take_events(events, header_ns(message))

    def _take_serialized(self, message: bytes) -> None:
        self._one_camera('events')
        array = decode_event_array_cdr(message)
        self.frame_id = array.frame_id
        self._statistics.count('events outside', array.outside)
        self._take_events(array.events, array.stamp_ns)

    def _take_planes(self, serialized: bytes) -> None:
        self._one_camera('spikes')
        message = view_packet(serialized)
        planes = self._spikes.push(message)
        self.frame_id = self._spikes.frame_id
        if planes is None:
            raise DataError(self._spikes.last_rejection)
        self.planes = planes
        self._clock.update(planes.start_ns, header_ns(message))
        self._inbox.put(planes)

    def _one_camera(self, kind: str) -> None:
        """Count a packet; one clock and one image topic serve one camera."""
        self._statistics.count('packets received')
        if self.kind and kind != self.kind:
            raise DataError(
                f'{kind} come in beside {self.kind}: a node serves one camera; start another node for the other '
                'and remap its topics'
            )
        self.kind = kind

    def _take_events(self, events: EventArray, stamp_ns: int) -> None:
        if len(events):
            self._clock.update(int(events.t_ns[0]), stamp_ns)
            self._inbox.put(events)

    def _taker(self, read: Callable[[Any], Sample]) -> Callable[[Any], None]:
        """A callback for a measurement that is stamped and may be told in another frame."""

        def take(message: Any) -> None:
            sample = self._in_camera_frame(read(message), message)
            if self._config.sample_stamps == 'ros':
                sample = replace(sample, t_ns=sample.t_ns - self._clock.offset_ns)
            self._inbox.put(sample)

        return take

    def _in_camera_frame(self, sample: Sample, message: Any) -> Sample:
        """IMU and prior velocity turned into the optical frame; tf that is missing is an error of the message."""
        if isinstance(sample, ImuSample):
            return imu_in_camera(sample, self._to_camera(sample.frame_id), self.camera_frame)
        if isinstance(sample, TwistPrior):
            return twist_in_camera(sample, self._to_camera(message.child_frame_id))
        return sample

    def _to_camera(self, frame: str) -> Transform:
        if not frame:
            raise CalibrationError(
                'a message without frame_id: its publisher must say which frame it measures in'
            )
        return self._transforms.lookup(self.camera_frame, frame)
