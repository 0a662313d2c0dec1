# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Odometry, path, transform, state and map out, told of the robot's base where one is named."""

from math import sqrt
from time import monotonic
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry, Path
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage

from event_perception.errors import CalibrationError
from event_perception.io.fill_messages import fill_odometry, fill_pose, fill_transform
from event_perception.io.image_messages import fill_image
from event_perception.io.stamps import fill_header
from event_perception.nodes.config import NodeConfig
from event_perception.nodes.publishing import Outlet
from event_perception.nodes.statistics import Statistics
from event_perception.nodes.transforms import TF_DEPTH, TransformListener
from event_perception.odometry.estimate import MapImage, OdometryEstimate
from event_perception.odometry.frames import odometry_of_base

LOG_PERIOD_S = 5.0
LEVELS = {
    'tracking': DiagnosticStatus.OK,
    'degraded': DiagnosticStatus.WARN,
    'lost': DiagnosticStatus.ERROR,
}
SILENCE_S = 0.3  # without an estimate for so long, the state is told as lost


class OdometryOutputs:
    """Publishes ``~/odometry``, ``~/path``, ``~/status``, ``~/map`` and, if asked, the transform of the frames.

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
        self._status = Outlet(node, DiagnosticStatus, '~/status', statistics)
        self._map = Outlet(node, Image, '~/map', statistics)
        self.outlets = [self._odometry, self._path, self._tf, self._status, self._map]
        self._name = node.get_fully_qualified_name().lstrip('/')
        self._last_s: float | None = None
        self._drawn_s = -np.inf
        self._poses: list[PoseStamped] = []
        self._last_pose_ns: int | None = None

    def send(self, estimate: OdometryEstimate, *, t_ns: int, camera_frame: str) -> None:
        """Publish one estimate.

        Args:
            estimate: Odometry of the camera.
            t_ns: The instant that it describes, ROS time.
            camera_frame: Its optical frame.
        """
        self._last_s = monotonic()
        self._tell(estimate.status, estimate.reason, _state(estimate))
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

    def map_wanted(self) -> bool:
        """Whether somebody looks at the map, and the next picture of it may be drawn."""
        return self._map.watched and monotonic() - self._drawn_s >= self._config.output.map_period_s

    def send_map(self, picture: MapImage, *, t_ns: int) -> None:
        """Publish a picture of the map."""
        self._drawn_s = monotonic()
        pixels = (255 * picture.value + 0.5).astype(np.uint8)
        self._map.send(lambda m: fill_image(m, pixels, 'mono8', t_ns=t_ns, frame_id=self._config.odom_frame))

    def watch(self) -> None:
        """Tell when estimates have stopped coming; to be called now and then."""
        if self._last_s is not None and monotonic() - self._last_s > SILENCE_S:
            silent_s = monotonic() - self._last_s
            self._tell('lost', f'no events for {silent_s:.1f} s', {'status': 'lost', 'silent (s)': silent_s})

    def _tell(self, status: str, reason: str, values: dict[str, Any]) -> None:
        def fill(message: DiagnosticStatus) -> None:
            message.level, message.message = LEVELS[status], f'{status}: {reason}'
            message.name, message.hardware_id = f'{self._name}: odometry', self._config.odom_frame
            message.values = [
                KeyValue(key=k, value=f'{v:.6g}' if k != 'status' else v) for k, v in values.items()
            ]

        self._status.send(fill)

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


def _state(estimate: OdometryEstimate) -> dict[str, Any]:
    variance = np.trace(estimate.pose_covariance[3:, 3:]) / 3
    return {
        'status': estimate.status,
        'correction (rad)': estimate.correction_rad,
        'correction (m)': estimate.correction_m,
        'orientation std (rad)': sqrt(float(variance)),
        't (s)': estimate.t_ns * 1e-9,
    }
