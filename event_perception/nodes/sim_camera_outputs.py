# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What Isaac Sim's ROS 2 bridge sends for every frame, with its names, types, encodings and quality of service."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped, TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from event_perception.io.fill_messages import (
    fill_camera_info,
    fill_odometry,
    fill_pose,
    fill_transform,
    fill_twist,
)
from event_perception.io.image_messages import fill_image
from event_perception.io.stamps import fill_header, fill_stamp
from event_perception.motion.lie import se3_adjoint
from event_perception.nodes.publishing import Outlet
from event_perception.nodes.sim_config import SimCameraConfig
from event_perception.nodes.statistics import Statistics
from event_perception.simulation.isaac_topics import (
    DEPTH_ENCODING,
    QUEUE_SIZE,
    RGB_ENCODING,
    CameraTopics,
    IsaacTopics,
)
from event_perception.simulation.stand_in import T_BASE_CAMERA, T_LEFT_RIGHT, RobotState, StandIn

WORLD_FRAME = 'world'
NO_COVARIANCE = np.zeros((6, 6))  # as the bridge has it


class SimCameraOutputs:
    """All publishers of the stand-in.

    Args:
        node: Who publishes.
        topics: Names.
        world: What is shown.
        config: Parameters of the stand-in.
    """

    def __init__(self, node: Node, topics: IsaacTopics, world: StandIn, config: SimCameraConfig) -> None:
        self._node, self._topics, self._world = node, topics, world
        outlet = partial(Outlet, node, statistics=Statistics(), quality=QoSProfile(depth=QUEUE_SIZE))
        self._clock, self._tf = outlet(Clock, '/clock'), outlet(TFMessage, '/tf')
        self._odometry = outlet(Odometry, topics.odometry)
        self._left = _CameraOutputs(outlet, topics.left, depth=config.depth)
        self._right = _CameraOutputs(outlet, topics.right, depth=config.depth) if config.stereo else None
        self._twist = outlet(TwistWithCovarianceStamped, '~/truth/twist')
        self._pose, self._flow = outlet(PoseStamped, '~/truth/pose'), outlet(Image, '~/truth/flow')

    def listeners(self) -> int:
        """Subscriptions of the left or only image."""
        return self._node.count_subscribers(self._node.resolve_topic_name(self._topics.left.image))

    def send_frame(self, t_ns: int) -> None:
        """One step of the simulation: time first, then where everything is, then what is seen."""
        self._clock.send(lambda m: fill_stamp(m.clock, t_ns))
        state = self._world.state(t_ns)
        self._tf.send(lambda m: m.transforms.extend(self._transforms(state, t_ns)))
        self._odometry.send(lambda m: self._fill_odometry(m, state, t_ns))
        self._send_truth(state, t_ns)
        self._left.send(self._world, t_ns, right=False)
        if self._right is not None:
            self._right.send(self._world, t_ns, right=True)

    def send_true_flow(self, t_ns: int) -> None:
        """Exact flow of the left or only camera, px/s."""

        def fill(message: Any) -> None:
            pixels = np.moveaxis(self._world.sequence.flow(t_ns).flow_px_s, 0, -1)
            fill_image(message, pixels, '32FC2', t_ns=t_ns, frame_id=self._topics.left.frame_id)

        self._flow.send(fill)

    def _transforms(self, state: RobotState, t_ns: int) -> list[TransformStamped]:
        names = self._topics
        chain = [
            (names.odom_frame, names.base_frame, state.T_odom_base),
            (names.base_frame, names.left.frame_id, T_BASE_CAMERA),
        ]
        if self._right is not None:
            chain.append((names.base_frame, names.right.frame_id, T_BASE_CAMERA @ T_LEFT_RIGHT))
        return [_transform(parent, child, T, t_ns) for parent, child, T in chain]

    def _fill_odometry(self, message: Any, state: RobotState, t_ns: int) -> None:
        twist = np.concatenate([state.camera_v_m_s, state.camera_omega_rad_s])
        base = se3_adjoint(T_BASE_CAMERA) @ twist
        fill_odometry(
            message,
            state.T_odom_base,
            NO_COVARIANCE,
            base[:3],
            base[3:],
            NO_COVARIANCE,
            t_ns=t_ns,
            frame_id=self._topics.odom_frame,
            child_frame_id=self._topics.base_frame,
        )

    def _send_truth(self, state: RobotState, t_ns: int) -> None:
        v, omega, frame = state.camera_v_m_s, state.camera_omega_rad_s, self._topics.left.frame_id
        self._twist.send(lambda m: fill_twist(m, v, omega, NO_COVARIANCE, t_ns=t_ns, frame_id=frame))

        def fill(message: Any) -> None:
            fill_header(message.header, t_ns, WORLD_FRAME)
            fill_pose(message.pose, state.T_world_camera)

        self._pose.send(fill)


class _CameraOutputs:
    """Image, depth and calibration of one camera, all with the stamp of the frame."""

    def __init__(self, outlet: Callable[..., Outlet], topics: CameraTopics, *, depth: bool) -> None:
        self._frame_id = topics.frame_id
        self._image = outlet(Image, topics.image)
        self._camera_info = outlet(CameraInfo, topics.camera_info)
        self._depth = outlet(Image, topics.depth) if depth else None

    def send(self, world: StandIn, t_ns: int, *, right: bool) -> None:
        stamp: dict[str, Any] = {'t_ns': t_ns, 'frame_id': self._frame_id}
        self._camera_info.send(lambda m: fill_camera_info(m, world.camera, **stamp))
        if self._depth is not None:
            self._depth.send(lambda m: fill_image(m, world.depth(t_ns, right=right), DEPTH_ENCODING, **stamp))
        self._image.send(lambda m: fill_image(m, world.picture(t_ns, right=right), RGB_ENCODING, **stamp))


def _transform(parent: str, child: str, T: NDArray[np.float64], t_ns: int) -> TransformStamped:
    message = TransformStamped()
    fill_transform(message, T, t_ns=t_ns, frame_id=parent, child_frame_id=child)
    return message
