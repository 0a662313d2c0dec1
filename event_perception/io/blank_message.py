# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Empty ROS messages without ROS: objects of the rosbags type stores with every field at zero."""

from typing import Any

import numpy as np

from event_perception.errors import DataError
from event_perception.io.bag_types import typestore

NUMPY_TYPES = {'byte': 'uint8', 'octet': 'uint8', 'char': 'uint8'}


def blank_message(type_name: str, *, ros1: bool = False) -> Any:
    """An object of a message type with every field at zero, as rclpy's constructors give it.

    Args:
        type_name: In ROS 2 spelling, such as 'sensor_msgs/msg/Imu'.
        ros1: Whether to make the ROS 1 form of it.

    Raises:
        DataError: If the type is unknown.
    """
    store = typestore(ros1)
    if type_name not in store.fielddefs:
        raise DataError(f'message type {type_name!r} is unknown to the type store')
    _, fields = store.fielddefs[type_name]
    return store.types[type_name](**{name: _blank(kind, ros1) for name, kind in fields})


def _blank(kind: Any, ros1: bool) -> Any:
    from rosbags.interfaces import Nodetype

    node, detail = kind
    if node == Nodetype.NAME:
        return blank_message(detail, ros1=ros1)
    if node == Nodetype.BASE:
        return _blank_value(detail[0])
    element, length = detail
    size = length if node == Nodetype.ARRAY else 0
    if element[0] == Nodetype.NAME or element[1][0] == 'string':
        return [_blank(element, ros1) for _ in range(size)]
    name = element[1][0]
    return np.zeros(size, NUMPY_TYPES.get(name, name))


def _blank_value(name: str) -> Any:
    if name in ('string', 'wstring'):
        return ''
    if name == 'bool':
        return False
    return 0.0 if name.startswith('float') else 0
