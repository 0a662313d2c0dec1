# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A callback that survives messages which cannot be read: they are counted and said, never fatal."""

from collections.abc import Callable
from typing import Any

from event_perception.errors import EventPerceptionError
from event_perception.nodes.statistics import Statistics

LOG_PERIOD_S = 5.0


def guarded(take: Callable[[Any], None], statistics: Statistics, logger: Any) -> Callable[[Any], None]:
    """Wrap ``take`` so that a known error drops the message instead of the node.

    Args:
        take: What is done with a message.
        statistics: Counts 'messages unreadable'.
        logger: Of the node; warns now and then.
    """

    def callback(message: Any) -> None:
        try:
            take(message)
        except EventPerceptionError as error:
            statistics.count('messages unreadable')
            logger.warning(f'message dropped: {error}', throttle_duration_sec=LOG_PERIOD_S)

    return callback
