# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""An ``event_camera_msgs/EventPacket`` read where it lies: from its serialised bytes, without copying the payload.

ROS turns bytes into a message by copying them twice. Of a spike camera come 250 MB a second, and that is half a
core; so its subscription asks for the bytes. Layout: CDR as ROS 2 writes it, little-endian, members aligned to
their size, counted from behind the four bytes that say so.
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError

LITTLE_ENDIAN_CDR = b'\x00\x01'
HEADER_BYTES = 4


class Stamp(NamedTuple):
    """builtin_interfaces/Time."""

    sec: int
    nanosec: int


class Header(NamedTuple):
    """std_msgs/Header."""

    stamp: Stamp
    frame_id: str


class PacketView(NamedTuple):
    """The members of an EventPacket; ``events`` is a read-only view of the bytes that it was read from."""

    header: Header
    height: int
    width: int
    seq: int
    time_base: int
    encoding: str
    is_bigendian: bool
    events: NDArray[np.uint8]


def view_packet(data: bytes) -> PacketView:
    """Read a serialised EventPacket.

    Raises:
        DataError: If the bytes are not one: another byte order, or fewer of them than it says.
    """
    if data[:2] != LITTLE_ENDIAN_CDR:
        raise DataError(f'a serialised message that begins with {data[:2]!r}; expected little-endian CDR')
    reader = _Reader(data)
    try:
        header = Header(Stamp(*reader.numbers('<iI', 4)), reader.text())
        height, width = reader.numbers('<II', 4)
        seq, time_base = reader.numbers('<QQ', 8)
        encoding = reader.text()
        (is_bigendian,) = reader.numbers('<?', 1)
        (size,) = reader.numbers('<I', 4)
        events = np.frombuffer(data, np.uint8, size, reader.at)
    except (struct.error, ValueError) as error:
        raise DataError(f'{len(data)} bytes are no whole EventPacket: {error}') from error
    return PacketView(header, height, width, seq, time_base, encoding, is_bigendian, events)


class _Reader:
    """Goes through the bytes; ``at`` is the place of the next member."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, HEADER_BYTES

    def numbers(self, layout: str, alignment: int) -> tuple:
        """Numbers of one size, aligned to it."""
        self.at += (HEADER_BYTES - self.at) % alignment
        values = struct.unpack_from(layout, self._data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def text(self) -> str:
        """A string: its length with the zero behind it, and its bytes."""
        (size,) = self.numbers('<I', 4)
        raw = self._data[self.at : self.at + size]
        if len(raw) < size or not size:
            raise ValueError(f'a string of {size} bytes')
        self.at += size
        return raw[:-1].decode('utf-8')
