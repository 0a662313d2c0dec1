# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what a perception node publishes into a run folder, with the latencies seen from outside."""

import json
import sys
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from event_camera_msgs.msg import EventPacket
from geometry_msgs.msg import TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import MessageInfo
from sensor_msgs.msg import Image

from event_perception.clock import SensorClock
from event_perception.errors import ConfigError
from event_perception.evaluation.pictures import png_bytes
from event_perception.flow.field import FlowField
from event_perception.images.frame import ReconstructedImage
from event_perception.io import EventPacketStream, TumWriter, image_to_array
from event_perception.io.quaternion import transform
from event_perception.io.stamps import header_ns
from event_perception.nodes.config import RecorderConfig
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.run import run
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.folder import RunFolder, finite
from event_perception.runs.topic_log import TopicLog

EVENTS = QoSProfile(depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
RESULTS = QoSProfile(depth=1000)
QUIET_S = 1.5


class RecorderNode:
    """Subscribes to everything, writes it down, and sums up when it is stopped.

    Attributes:
        failure: Always None: what cannot be written ends the process.
        done: Always False: only a signal ends a recording.
    """

    failure: Exception | None = None
    done = False

    def __init__(self) -> None:
        self.node = Node('recorder_node')
        config = NodeParameters[RecorderConfig](self.node, RecorderConfig).config
        if not config.directory:
            raise ConfigError('nowhere to write: set the parameter directory to a new folder')
        self._folder = RunFolder(Path(config.directory), PipelineConfig())
        self._trajectory = TumWriter(self._folder.path / 'trajectory.tum')
        self._log = TopicLog(config.window_s)
        self._packets = EventPacketStream(SensorClock())
        self._counts = {'twist': 0, 'odometry': 0, 'flow': 0, 'image': 0, 'iwe': 0}
        self._diagnostics: dict[str, str] = {}
        self._seen = 0
        self._subscribe(config.source.rstrip('/'))

    def _subscribe(self, source: str) -> None:
        for kind, topic, callback, quality in (
            (EventPacket, 'events', self._on_packet, EVENTS),
            (TwistWithCovarianceStamped, f'{source}/twist', self._on_twist, RESULTS),
            (Odometry, f'{source}/odometry', self._on_odometry, RESULTS),
            (Image, f'{source}/flow', self._on_flow, RESULTS),
            (Image, f'{source}/image', self._on_image, RESULTS),
            (Image, f'{source}/iwe', self._on_warped, RESULTS),
            (DiagnosticArray, '/diagnostics', self._on_diagnostics, RESULTS),
        ):
            self.node.create_subscription(kind, topic, callback, quality)

    def start(self) -> None:
        """Say that everything is subscribed to, and later that nothing more comes."""
        self.node.get_logger().info('recording')
        self.node.create_timer(QUIET_S, self._say_quiet, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _say_quiet(self) -> None:
        seen = self._log.packets + sum(self._counts.values())
        if seen and seen == self._seen:
            self.node.get_logger().info(f'quiet after {seen} messages')
        self._seen = seen

    def stop(self) -> None:
        """Write the summary."""
        self._trajectory.close()
        self._log.write(self._folder.path / 'twist.csv')
        latencies = self._log.latencies_s()
        np.save(self._folder.path / 'latencies_s.npy', latencies)
        seen = {'packets': self._log.packets, 'events': self._log.events} | self._counts
        self._folder.write_metrics({'seen': seen, 'perception': self._diagnostics})
        self.node.get_logger().info(f'recorded: {json.dumps(finite(seen))}')
        self.node.destroy_node()

    def _on_packet(self, message: EventPacket, info: MessageInfo) -> None:
        events = self._packets.push(message)
        if len(events):
            first_ns, last_ns = int(events.t_ns[0]), int(events.t_ns[-1])
            self._log.packet(first_ns, last_ns, len(events), published_s(info))

    def _on_twist(self, message: TwistWithCovarianceStamped, info: MessageInfo) -> None:
        angular = message.twist.twist.angular
        self._log.twist(header_ns(message), (angular.x, angular.y, angular.z), published_s(info))
        self._counts['twist'] += 1

    def _on_odometry(self, message: Odometry) -> None:
        p, q = message.pose.pose.position, message.pose.pose.orientation
        self._trajectory.write(header_ns(message), transform((p.x, p.y, p.z), (q.x, q.y, q.z, q.w)))
        self._counts['odometry'] += 1

    def _on_flow(self, message: Image) -> None:
        flow = np.moveaxis(image_to_array(message), -1, 0)
        valid = np.isfinite(flow).all(axis=0)
        self._folder.write(FlowField(header_ns(message), np.where(valid, flow, np.float32(0)), valid))
        self._counts['flow'] += 1

    def _on_image(self, message: Image) -> None:
        grey = image_to_array(message).astype(np.float32) * np.float32(1 / 255)
        self._folder.write(ReconstructedImage(header_ns(message), grey))
        self._counts['image'] += 1

    def _on_warped(self, message: Image) -> None:
        file = self._folder.path / 'iwe' / f'{header_ns(message)}.png'
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png_bytes(image_to_array(message)))
        self._counts['iwe'] += 1

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith('perception_node: pipeline'):
                self._diagnostics = {value.key: value.value for value in status.values}


def published_s(info: MessageInfo) -> float:
    """When the publisher's middleware sent a message, seconds of the system clock."""
    return info['source_timestamp'] * 1e-9


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(RecorderNode))


if __name__ == '__main__':
    main()
