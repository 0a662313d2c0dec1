# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the nodes share that play something from a thread of their own: wait for listeners, play, loop, linger."""

import threading
from abc import ABC, abstractmethod
from traceback import format_exception
from typing import Any, Protocol

from rclpy.node import Node

from event_perception.nodes.pacing import Pacer
from event_perception.nodes.publishing import REFUSALS

POLL_S = 0.02
LOG_PERIOD_S = 5.0
STOP_TIMEOUT_S = 5.0


class PlayConfig(Protocol):
    """What is needed of the configuration of such a node."""

    wait_for: int
    settle_s: float
    loop: bool
    linger_s: float


class Player(ABC):
    """Plays from a thread while the executor answers services.

    A node sets ``_config`` and ``_pacer`` and supplies ``_play`` and ``_listeners``.

    Args:
        name: Name of the node.
        what: What listeners are waited for, in words.

    Attributes:
        failure: The unexpected error that ended the playing, if one has.
        done: Whether everything has been played.
    """

    _config: Any
    _pacer: Pacer

    def __init__(self, name: str, what: str) -> None:
        self.node = Node(name)
        self.failure: Exception | None = None
        self.done = False
        self._logger = self.node.get_logger()
        self._what = what
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def _play(self) -> None:
        """Play everything once."""

    @abstractmethod
    def _listeners(self) -> int:
        """Subscriptions that ``wait_for`` counts."""

    def _end(self) -> None:
        """Stop playing and wait for the thread."""
        self._pacer.stop()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        config: PlayConfig = self._config
        try:
            self._wait_for_listeners(config)
            while not self._pacer.stopped:
                self._play()
                if not config.loop:
                    break
            self._pacer.wait(config.linger_s)
        except REFUSALS as error:
            if self.node.context.ok():  # otherwise a signal has ended ROS under our feet
                self._fail(error)
        except Exception as error:
            self._fail(error)
        self.done = True

    def _wait_for_listeners(self, config: PlayConfig) -> None:
        while self._listeners() < config.wait_for and self._pacer.wait(POLL_S):
            self._logger.info(
                f'waiting for subscriptions of the {self._what}', throttle_duration_sec=LOG_PERIOD_S
            )
        if config.wait_for:
            self._pacer.wait(config.settle_s)

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._logger.fatal(''.join(format_exception(error)))
