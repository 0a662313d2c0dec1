# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Odometry, path and transform out, told of the robot's base where one is named."""

from typing import Any

from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry, Path
from rclpy.node import Node
from rclpy.qos import QoSProfile
from tf2_msgs.msg import TFMessage

from event_perception.errors import CalibrationError
from event_perception.io.fill_messages import fill_odometry, fill_pose, fill_transform
from event_perception.io.stamps import fill_header
from event_perception.nodes.config import NodeConfig
from event_perception.nodes.publishing import Outlet
from event_perception.nodes.statistics import Statistics
from event_perception.nodes.transforms import TF_DEPTH, TransformListener
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.frames import odometry_of_base

LOG_PERIOD_S = 5.0


class OdometryOutputs:
    """Publishes ``~/odometry``, ``~/path`` and, if asked, the transform of the odometry frame.

    With a base frame named, nothing goes out until tf tells where the camera is mounted on it.

    Args:
        node: Who publishes.
        config: Parameters of the node.
        transforms: Tells where the camera is mounted.
        statistics: Where what was held back is counted.

    Attributes:
        outlets: All topics.
    """

    def __init__(
        self, node: Node, config: NodeConfig, transforms: TransformListener, statistics: Statistics
    ) -> None:
        self._config, self._transforms, self._statistics = config, transforms, statistics
        self._logger = node.get_logger()
        self._odometry = Outlet(node, Odometry, '~/odometry', statistics)
        self._path = Outlet(node, Path, '~/path', statistics)
        self._tf = Outlet(node, TFMessage, '/tf', statistics, QoSProfile(depth=TF_DEPTH))
        self.outlets = [self._odometry, self._path, self._tf]
        self._poses: list[PoseStamped] = []
        self._last_pose_ns: int | None = None

    def send(self, estimate: OdometryEstimate, *, t_ns: int, camera_frame: str) -> None:
        """Publish one estimate.

        Args:
            estimate: Odometry of the camera.
            t_ns: The instant that it describes, ROS time.
            camera_frame: Its optical frame.
        """
        child = self._config.base_frame or camera_frame
        try:
            told = odometry_of_base(estimate, self._transforms.lookup(child, camera_frame))
        except CalibrationError as error:
            self._statistics.count('odometry waiting for tf')
            self._logger.warning(f'no odometry yet: {error}', throttle_duration_sec=LOG_PERIOD_S)
            return
        frames: dict[str, Any] = {'t_ns': t_ns, 'frame_id': self._config.odom_frame, 'child_frame_id': child}
        self._odometry.send(
            lambda m: fill_odometry(
                m,
                told.T_odom_camera,
                told.pose_covariance,
                told.v_m_s,
                told.omega_rad_s,
                told.twist_covariance,
                **frames,
            )
        )
        if self._config.publish_tf:
            self._tf.send(lambda m: m.transforms.append(_transform(told, frames)))
        self._extend_path(told, t_ns)

    def _extend_path(self, told: OdometryEstimate, t_ns: int) -> None:
        last = self._last_pose_ns
        if last is not None and 0 <= t_ns - last < self._config.output.path_period_s * 1e9:
            return
        if last is not None and t_ns < last:
            self._poses.clear()  # time has started again, as a looped recording does
        self._last_pose_ns = t_ns
        pose = PoseStamped()
        fill_header(pose.header, t_ns, self._config.odom_frame)
        fill_pose(pose.pose, told.T_odom_camera)
        self._poses = [*self._poses[1 - self._config.output.path_length :], pose]
        self._path.send(self._fill_path)

    def _fill_path(self, message: Path) -> None:
        message.header = self._poses[-1].header
        message.poses = self._poses


def _transform(told: OdometryEstimate, frames: dict[str, Any]) -> TransformStamped:
    message = TransformStamped()
    fill_transform(message, told.T_odom_camera, **frames)
    return message
