# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""tf in and out with plain messages: the same topics as tf2_ros, which not every installation has."""

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from event_perception.errors import EventPerceptionError
from event_perception.io.messages import transform, vector
from event_perception.odometry.frames import FrameTree, Transform

TF_DEPTH = 100
LOG_PERIOD_S = 10.0


class TransformListener:
    """Keeps the latest transforms of /tf and /tf_static.

    Args:
        node: Whose executor runs the callbacks.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tree = FrameTree()
        static = QoSProfile(depth=TF_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(TFMessage, '/tf_static', self._take, static)
        node.create_subscription(TFMessage, '/tf', self._take, TF_DEPTH)

    def lookup(self, target: str, source: str) -> Transform:
        """T_target_source, latest known.

        Raises:
            CalibrationError: If tf does not connect the two yet.
        """
        return self._tree.lookup(target, source)

    def _take(self, message: TFMessage) -> None:
        for stamped in message.transforms:
            q = stamped.transform.rotation
            try:
                T = transform(vector(stamped.transform.translation), (q.x, q.y, q.z, q.w))
                self._tree.set(_plain(stamped.header.frame_id), _plain(stamped.child_frame_id), T)
            except EventPerceptionError as error:
                self._node.get_logger().warning(f'tf ignored: {error}', throttle_duration_sec=LOG_PERIOD_S)


def _plain(frame: str) -> str:
    """Frame names of ROS 1 bags may begin with a slash; those of ROS 2 do not."""
    return frame.lstrip('/')
