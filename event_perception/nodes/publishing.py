# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A publisher that knows whether anybody listens, and that neither back-pressure nor shutdown can throw from."""

from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from event_perception.nodes.statistics import Statistics

DEPTH = 10  # of images: reliable, so that subscribers of either kind match
SMALL_DEPTH = 200  # of small messages: a subscriber may fall behind by seconds
LOG_PERIOD_S = 5.0
REFUSALS = (rclpy_implementation.RCLError, rclpy_implementation.InvalidHandle)


class Outlet:
    """One topic out.

    Args:
        node: Who publishes.
        kind: Message class.
        topic: Name of the topic.
        statistics: Where what was published and what failed is counted.
        quality: Quality of service; by default reliable and volatile.
    """

    def __init__(
        self, node: Node, kind: Any, topic: str, statistics: Statistics, quality: QoSProfile | None = None
    ) -> None:
        self._publisher = node.create_publisher(
            kind, topic, quality or QoSProfile(depth=DEPTH if kind is Image else SMALL_DEPTH)
        )
        self._logger, self._statistics = node.get_logger(), statistics
        self._kind, self._name = kind, topic.rpartition('/')[2]

    @property
    def watched(self) -> bool:
        """Whether anybody subscribes."""
        return bool(self._publisher.get_subscription_count())

    def flush(self, timeout_s: float) -> None:
        """Wait until reliable subscribers have everything: after the end of the node nothing is repeated."""
        try:
            self._publisher.wait_for_all_acked(Duration(seconds=timeout_s))
        except REFUSALS as error:
            self._logger.warning(f'{self._name} not flushed: {error}')

    def send(self, fill: Callable[[Any], None]) -> None:
        """Make a message, let it be filled, and publish it if anybody subscribes."""
        try:
            if self.watched:
                message = self._kind()
                fill(message)
                self._publisher.publish(message)
                self._statistics.count(f'{self._name} published')
        except REFUSALS as error:
            self._statistics.count('messages not published')
            self._logger.warning(f'{self._name} not published: {error}', throttle_duration_sec=LOG_PERIOD_S)
