# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Message types that bags hold and the type stores of rosbags lack, and the stores with them."""

from functools import cache
from typing import Any

EVENT_PACKET = """\
std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
"""

EVENT = """\
uint16 x
uint16 y
builtin_interfaces/Time ts
bool polarity
"""

EVENT_ARRAY = """\
std_msgs/Header header
uint32 height
uint32 width
{package}/Event[] events
"""

PACKET_TYPES = ('event_camera_msgs/msg/EventPacket', 'event_array_msgs/msg/EventArray')
"""The second is the name that the first had until 2023; the fields are the same."""
ARRAY_TYPES = ('dvs_msgs/msg/EventArray', 'prophesee_event_msgs/msg/EventArray')


def definitions() -> dict[str, str]:
    """Message type to definition, in ROS 2 names."""
    texts = dict.fromkeys(PACKET_TYPES, EVENT_PACKET)
    for name in ARRAY_TYPES:
        package = name.split('/')[0]
        texts[f'{package}/msg/Event'] = EVENT
        texts[name] = EVENT_ARRAY.format(package=package)
    return texts


@cache
def typestore(ros1: bool = False) -> Any:
    """A rosbags type store that knows the standard messages and those of event cameras."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if ros1 else Stores.LATEST)
    types: dict[str, Any] = {}
    for name, text in definitions().items():
        if ros1:
            text = text.replace('builtin_interfaces/Time', 'time')
        types |= get_types_from_msg(text, name)
    store.register(types)
    return store
