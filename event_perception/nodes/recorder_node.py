# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what a perception node publishes into a run folder, with the latencies seen from outside."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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
MATCH_S = 0.3  # a publisher is asked for this often; the last one matched has as long to see us
MOST_WAITING = 500  # pictures; a few hundred megabytes


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
        self._pictures: list[tuple[str, Image]] = []
        self._picture_period_ns = max(round(config.picture_period_s * 1e9), 1)
        self._latest_period: dict[str, int] = {}
        self._awaited: list[str] = []
        self._source = config.source.strip('/')
        self._subscribe(f'/{self._source}', config)

    def _subscribe(self, source: str, config: RecorderConfig) -> None:
        motion: list[tuple[Any, str, Callable[..., None], QoSProfile]] = [
            (EventPacket, 'events', self._on_packet, EVENTS),
            (TwistWithCovarianceStamped, f'{source}/twist', self._on_twist, RESULTS),
            (Odometry, f'{source}/odometry', self._on_odometry, RESULTS),
        ]
        topics: list[tuple[Any, str, Callable[..., None], QoSProfile]] = [
            *(motion if config.motion else []),
            (DiagnosticArray, '/diagnostics', self._on_diagnostics, RESULTS),
            *(
                (Image, f'{source}/{name}', partial(self._on_picture, name), RESULTS)
                for name in config.pictures
            ),
        ]
        for kind, topic, callback, quality in topics:
            subscription = self.node.create_subscription(kind, topic, callback, quality)
            if topic.startswith(source):
                self._awaited.append(subscription.topic_name)

    def start(self) -> None:
        """Say when everything that is recorded has a publisher, and later that nothing more comes."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._matching = self.node.create_timer(MATCH_S, self._say_recording, clock=steady)
        self.node.create_timer(QUIET_S, self._say_quiet, clock=steady)

    def _say_recording(self) -> None:
        if not all(self.node.count_publishers(topic) for topic in self._awaited):
            self.node.get_logger().info('waiting for the node to record', throttle_duration_sec=5.0)
            return
        self._matching.cancel()
        self.node.get_logger().info('recording')

    def _say_quiet(self) -> None:
        seen = self._log.packets + sum(self._counts.values())
        if seen and seen == self._seen:
            self._write_pictures()
            self.node.get_logger().info(f'quiet after {seen} messages')
        self._seen = seen

    def stop(self) -> None:
        """Write what waits, and the summary."""
        self._write_pictures()
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

    def _on_picture(self, topic: str, message: Image) -> None:
        """Pictures are written when nothing comes, so that writing takes no time from those who publish."""
        self._counts[topic] += 1
        period = header_ns(message) // self._picture_period_ns
        if self._latest_period.get(topic) == period:
            return
        self._latest_period[topic] = period
        self._pictures.append((topic, message))
        if len(self._pictures) >= MOST_WAITING:
            self._write_pictures()

    def _write_pictures(self) -> None:
        for topic, message in self._pictures:
            pixels, t_ns = image_to_array(message), header_ns(message)
            if topic == 'flow':
                flow = np.moveaxis(pixels, -1, 0)
                valid = np.isfinite(flow).all(axis=0)
                self._folder.write(FlowField(t_ns, np.where(valid, flow, np.float32(0)), valid))
            elif topic == 'image':
                self._folder.write(ReconstructedImage(t_ns, pixels.astype(np.float32) * np.float32(1 / 255)))
            else:
                self._folder.write_picture(topic, t_ns, pixels)
        self._pictures.clear()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith(f'{self._source}: pipeline'):
                self._diagnostics = {value.key: value.value for value in status.values}


def published_s(info: MessageInfo) -> float:
    """When the publisher's middleware sent a message, seconds of the system clock."""
    return info['source_timestamp'] * 1e-9


def main() -> None:
    """Run the node until a signal ends it."""
    sys.exit(run(RecorderNode, message_info=True))


if __name__ == '__main__':
    main()
