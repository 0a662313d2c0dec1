# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS stamps and headers to integer nanoseconds and back."""

from typing import Any

from event_perception.errors import DataError

NS = 1_000_000_000


def stamp_ns(stamp: Any) -> int:
    """Nanoseconds of a ``builtin_interfaces/Time``; any object with ``sec`` and ``nanosec``."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def header_ns(message: Any) -> int:
    """Nanoseconds of a message's header stamp."""
    return stamp_ns(message.header.stamp)


def fill_stamp(stamp: Any, t_ns: int) -> None:
    """Write nanoseconds into a ``builtin_interfaces/Time``.

    Raises:
        DataError: If the seconds do not fit the message's int32.
    """
    sec, nanosec = divmod(int(t_ns), NS)
    if not -(2**31) <= sec < 2**31:
        raise DataError(f't_ns={t_ns}: a ROS stamp holds -2**31 to 2**31-1 seconds; is this nanoseconds?')
    stamp.sec, stamp.nanosec = sec, nanosec


def fill_header(header: Any, t_ns: int, frame_id: str) -> None:
    """Write stamp and frame into a ``std_msgs/Header``."""
    fill_stamp(header.stamp, t_ns)
    header.frame_id = str(frame_id)
