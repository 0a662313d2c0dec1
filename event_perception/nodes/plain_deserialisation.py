# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a subscription that is not raw does with a dvs_msgs/EventArray: the baseline of the codec benchmark."""

from typing import Any

from dvs_msgs.msg import EventArray
from rclpy.serialization import deserialize_message


def deserialise_event_array(data: bytes) -> Any:
    """One message object with one Python object an event."""
    return deserialize_message(data, EventArray)
