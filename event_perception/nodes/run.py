# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From process start to exit code: initialise ROS, run one node until a signal ends it, clean up."""

from collections.abc import Callable
from typing import Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node

from event_perception.errors import EventPerceptionError

POLL_S = 0.2  # how soon the end of the work is seen


class Runnable(Protocol):
    """What can be run: a node, whether its work is done, and the error that ended it, if one has."""

    node: Node
    done: bool
    failure: Exception | None

    def start(self) -> None:
        """Begin to work."""
        ...

    def stop(self) -> None:
        """End all work and destroy the node."""
        ...


def run(make: Callable[[], Runnable], arguments: list[str] | None = None) -> int:
    """Run a node; SIGINT and SIGTERM are the normal end.

    Returns:
        0 after a signal, 1 if it could not start or met an unexpected error.
    """
    rclpy.init(args=arguments)
    try:
        runnable = make()
    except EventPerceptionError as error:
        get_logger('event_perception').fatal(str(error))
        rclpy.try_shutdown()
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()
        return 0
    try:
        _spin(runnable)
    finally:
        runnable.stop()
        rclpy.try_shutdown()
    return 1 if runnable.failure else 0


def _spin(runnable: Runnable) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(runnable.node)
    try:
        runnable.start()
        while rclpy.ok() and not runnable.done:
            executor.spin_once(timeout_sec=POLL_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        executor.shutdown()
