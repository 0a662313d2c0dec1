# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Topics of a simulated camera in: images, depth, calibration and odometry become frames for the worker.

What cannot be read is counted and said; what is missing is waited for a little, then counted and said.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from event_perception.errors import CalibrationError
from event_perception.io.image_messages import depth_from_message
from event_perception.io.messages import camera_from_message, pose_from_message
from event_perception.io.stamps import header_ns
from event_perception.motion import CameraModel
from event_perception.nodes.guard import guarded
from event_perception.nodes.inbox import Inbox
from event_perception.nodes.sim_config import SimulatorConfig
from event_perception.nodes.statistics import Statistics
from event_perception.nodes.transforms import TransformListener
from event_perception.simulation.camera_light import log_light_from_message
from event_perception.simulation.camera_stream import CameraFrame
from event_perception.simulation.frame_matcher import FrameMatcher, MatchedFrame

SENSOR_DEPTH, ODOMETRY_DEPTH = 10, 100
LOG_PERIOD_S = 5.0


@dataclass(frozen=True, eq=False)
class Work:
    """One frame for the worker, and whether time has jumped before it."""

    frame: CameraFrame
    restart: bool


class SimulatorInputs:
    """Everything that the simulator node subscribes to.

    Args:
        node: Whose executor runs the callbacks.
        config: Parameters of the node.
        inbox: Where frames go.
        statistics: Where problems are counted.

    Attributes:
        frame_id: Optical frame of the latest image.
        camera: Calibration, once it came.
        matcher: Puts frames together.
        tf_problem: Why the mounting of the camera is not known; empty when it is.
    """

    def __init__(self, node: Node, config: SimulatorConfig, inbox: Inbox, statistics: Statistics) -> None:
        self._node, self._config, self._inbox, self._statistics = node, config, inbox, statistics
        self._logger = node.get_logger()
        self._transforms = TransformListener(node)
        self.frame_id = ''
        self._base_frame = config.base_frame
        self.camera: CameraModel | None = None
        self.tf_problem = ''
        self._restart = False
        # Depth and pose are of no use to methods that do not re-project.
        reprojects = config.stream.method in ('auto', 'depth')
        self.wants_depth = reprojects and bool(config.depth_topic)
        self.wants_poses = self.wants_depth and bool(config.odom_topic)
        self.matcher = FrameMatcher(
            depth=self.wants_depth,
            poses=self.wants_poses,
            restart_s=config.restart_s,
            wait_frames=config.wait_frames,
        )
        self._subscribe()

    def _subscribe(self) -> None:
        config = self._config
        policy = ReliabilityPolicy.RELIABLE if config.reliable else ReliabilityPolicy.BEST_EFFORT
        for wanted, kind, topic, take, depth in (
            (True, Image, config.image_topic, self._take_image, SENSOR_DEPTH),
            (True, CameraInfo, 'camera_info', self._take_camera_info, SENSOR_DEPTH),
            (self.wants_depth, Image, config.depth_topic, self._take_depth, SENSOR_DEPTH),
            (self.wants_poses, Odometry, config.odom_topic, self._take_odometry, ODOMETRY_DEPTH),
        ):
            if wanted:
                quality = QoSProfile(depth=depth, reliability=policy)
                self._node.create_subscription(kind, topic, self._guard(take), quality)

    def _guard(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        return guarded(take, self._statistics, self._logger)

    def _take_image(self, message: Image) -> None:
        light = log_light_from_message(message, self._config.light)
        self.frame_id = self._config.camera_frame or str(message.header.frame_id)
        if self.matcher.push_image(header_ns(message), light):
            self._restart = True
            self._logger.warning('time went back: the simulation was started again, so does the sensor')
        self._forward()

    def _take_camera_info(self, message: CameraInfo) -> None:
        camera = camera_from_message(message)
        if camera != self.camera:  # an equal one keeps what has been computed of it
            self.camera = camera

    def _take_depth(self, message: Image) -> None:
        depth = depth_from_message(message)
        self.matcher.push_depth(depth.t_ns, depth.depth_m)
        self._forward()

    def _take_odometry(self, message: Odometry) -> None:
        pose = pose_from_message(message)
        self._base_frame = self._config.base_frame or str(message.child_frame_id)
        self.matcher.poses.push(pose.t_ns, pose.T_world_body)
        self._forward()

    def _forward(self) -> None:
        for matched in self.matcher.pop():
            self._inbox.put(Work(self._frame(matched), self._restart))
            self._restart = False

    def _frame(self, matched: MatchedFrame) -> CameraFrame:
        frame = CameraFrame(matched.t_ns, matched.log_light, matched.depth_m, None, self.camera)
        if matched.T_odom_base is None:
            return frame
        try:
            T_base_camera = self._transforms.lookup(self._base_frame, self.frame_id)
        except CalibrationError as error:
            self.tf_problem = str(error)
            self._statistics.count('frames without tf')
            return frame
        self.tf_problem = ''
        return replace(frame, T_world_camera=matched.T_odom_base @ T_base_camera)
