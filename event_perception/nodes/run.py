# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From process start to exit code: initialise ROS, run one node until a signal ends it, clean up."""

import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import cv2
import rclpy
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from event_perception.errors import EventPerceptionError

# How long one thread keeps the interpreter while the worker waits; Python's 5 ms would be most of a latency.
SWITCH_INTERVAL_S = 0.0005
POLL_S = 0.1  # how soon a signal or the end of the work is seen


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


def run(
    make: Callable[[], Runnable], arguments: list[str] | None = None, *, message_info: bool = False
) -> int:
    """Run a node; SIGINT and SIGTERM are the normal end.

    ROS's own signal handlers would take ROS away before the node has said what it did, hence ours.

    Args:
        make: Makes the node.
        arguments: Of the command line; by default those of the process.
        message_info: Whether callbacks take the middleware's information with their message.

    Returns:
        0 after a signal or when its work is done, 1 if it could not start or met an unexpected error.
    """
    cv2.setNumThreads(1)  # its pool is no faster on images of this size and takes the cores of other nodes
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    try:
        return _run(make, ended, message_info)
    except EventPerceptionError as error:
        get_logger('event_perception').fatal(str(error))
        return 1
    finally:
        rclpy.try_shutdown()


def _run(make: Callable[[], Runnable], ended: threading.Event, message_info: bool) -> int:
    runnable = make()
    executor = SingleThreadedExecutor() if message_info else _executor()
    executor.add_node(runnable.node)
    try:
        runnable.start()
        while not (ended.is_set() or runnable.done):
            executor.spin_once(timeout_sec=POLL_S)
    finally:
        executor.remove_node(runnable.node)
        runnable.stop()
        executor.shutdown()
    return 1 if runnable.failure else 0


def _executor() -> Executor:
    """One thread that runs callbacks: the executor of events where ROS has it (Kilted and later).

    It costs 0.13 ms a message; the older one, which builds a set of everything to wait for each time, 0.4 ms. It
    cannot call what takes a message and the middleware's information (SystemError in rclpy 9).
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    executor: Executor = EventsExecutor()
    return executor
