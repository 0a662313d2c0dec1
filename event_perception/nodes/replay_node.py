# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Replays any recording on topics, at its own pace: waits for listeners, can pause, loop, run faster or slower."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import SetBool

from event_perception.errors import DataError
from event_perception.io import fill_camera_info, open_recording, read_camera
from event_perception.io.stamps import fill_stamp
from event_perception.nodes.config import ReplayConfig
from event_perception.nodes.pacing import Pacer
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.player import Player
from event_perception.nodes.replay_source import open_source
from event_perception.nodes.run import run

DEPTH = 1000
CAMERA_PERIOD_NS = 1_000_000_000


class ReplayNode(Player):
    """Plays one recording from a thread of its own, while the executor answers ``~/pause``.

    Attributes:
        failure: The unexpected error that ended the replay, if one has.
        done: Whether everything has been played.

    Raises:
        EventPerceptionError: If a parameter, the recording or the calibration cannot be used.
    """

    def __init__(self) -> None:
        super().__init__('replay_node', 'camera')
        self._config = NodeParameters[ReplayConfig](self.node, ReplayConfig).config
        self._pacer = Pacer(self._config.rate, self._tick)
        self._published: Counter[str] = Counter()
        self._camera_due_ns: int | None = None
        self._open()
        self.node.create_service(SetBool, '~/pause', self._pause)

    def _open(self) -> None:
        config = self._config
        if not config.recording:
            raise DataError('nothing to replay: set the parameter recording to a bag, folder or file')
        recording = open_recording(
            Path(config.recording), events_topic=config.events_topic or None, spikes=config.spikes
        )
        self._source = open_source(recording, config)
        topics = self._source.topics()
        self._camera = read_camera(Path(config.camera_file)) if config.camera_file else None
        if self._camera is None and not self._source.has_camera:
            self._camera = recording.camera()
        if self._camera is not None:
            topics = {'camera_info': CameraInfo, **topics}
        self._publishers = {topic: self._publisher(topic, kind) for topic, kind in topics.items()}
        self._clock = self.node.create_publisher(Clock, '/clock', 1) if config.clock else None

    def _publisher(self, topic: str, kind: Any) -> Publisher:
        return self.node.create_publisher(kind, topic, QoSProfile(depth=DEPTH))

    def start(self) -> None:
        """Begin as soon as enough subscriptions are there."""
        self._thread.start()

    def stop(self) -> None:
        """End the replay where it is, and say what was published."""
        self._end()
        counts = ', '.join(f'{topic} {count}' for topic, count in sorted(self._published.items()))
        self._logger.info(f'published: {counts or "nothing"}')
        self.node.destroy_node()

    def _listeners(self) -> int:
        return self._publishers[self._source.stream].get_subscription_count()

    def _play(self) -> None:
        if not (self._source.goes_on and self._published):
            self._pacer.restart()
            self._logger.info('playing')
        self._camera_due_ns = None
        for item in self._source.messages():
            if not self._pacer.wait_until(item.t_ns):
                return
            self._send_camera(item.t_ns)
            self._publishers[item.topic].publish(item.message)
            self._published[item.topic] += 1

    def _send_camera(self, t_ns: int) -> None:
        """The calibration, again and again: whoever comes later needs it too."""
        due = self._camera_due_ns
        if self._camera is None or (due is not None and t_ns < due):
            return
        self._camera_due_ns = t_ns + CAMERA_PERIOD_NS
        message = CameraInfo()
        frame_id = self._camera.frame_id or self._config.camera_frame
        fill_camera_info(message, self._camera, t_ns=t_ns, frame_id=frame_id)
        self._publishers['camera_info'].publish(message)
        self._published['camera_info'] += 1

    def _tick(self, t_ns: int) -> None:
        if self._clock is not None:
            message = Clock()
            fill_stamp(message.clock, t_ns)
            self._clock.publish(message)

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._pacer.pause(bool(request.data))
        response.success, response.message = True, 'paused' if request.data else 'playing'
        return response


def main() -> None:
    """Run the node until the recording is over or a signal ends it."""
    sys.exit(run(ReplayNode))


if __name__ == '__main__':
    main()
