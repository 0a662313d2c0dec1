# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Line counters in recordings of the 1000 x 1000 spike camera: where planes begin, and whether one is whole.

A row is two packets of 64 bytes: 500 pixels, then 12 bits of header. The last little-endian u16 of a packet
holds pixels 496-499 (bits 0-3), the line 1-500 (bits 4-13) and the channel (bits 14-15). Channels 0 and 1
are the left and right half of lines 500 down to 1; channels 2 and 3 those of lines 1 up to 500.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError

PACKET_BYTES = 64
PACKET_PIXELS = 500
LINES = 500
PIXEL_BITS = 0x000F


def expected_headers() -> NDArray[np.uint16]:
    """Line and channel of the 2000 packets of a plane, in file order, pixel bits zero."""
    down, up = np.arange(LINES, 0, -1), np.arange(1, LINES + 1)
    lines = np.repeat(np.concatenate([down, up]), 2)
    channels = np.concatenate([np.tile([0, 1], LINES), np.tile([2, 3], LINES)])
    return np.asarray(channels << 14 | lines << 4, np.uint16)


def packet_headers(planes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Line and channel of every packet, pixel bits zeroed, (n, packets)."""
    packets = planes.reshape(planes.shape[0], -1, PACKET_BYTES)
    low, high = packets[..., PACKET_BYTES - 2], packets[..., PACKET_BYTES - 1]
    words = low.astype(np.uint16) | high.astype(np.uint16) << np.uint16(8)
    headers: NDArray[np.uint16] = np.bitwise_and(words, np.uint16(0xFFFF - PIXEL_BITS))
    return headers


def plane_headers(planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether every packet of a plane carries the line and channel of its place, bool (n,)."""
    expected = expected_headers()
    return np.array([np.array_equal(packet_headers(plane[None])[0], expected) for plane in planes], bool)


def find_first_plane(content: NDArray[np.uint8], plane_bytes: int, path: Path) -> int:
    """Offset of the first plane: a packet of (line 500, channel 0) followed by one of (line 500, channel 1).

    Raises:
        DataError: If the planes are not of this camera's size, or none begins in the first two planes' bytes.
    """
    if plane_bytes != 2 * LINES * 2 * PACKET_BYTES:
        raise DataError(
            f'{path}: kind=pcie is the 1000 x 1000 camera (128000 bytes a plane), got {plane_bytes} bytes a '
            f'plane; set height=1000, width=1000'
        )
    step = 16
    expected = expected_headers()
    last_start = min(content.size - 2 * PACKET_BYTES, 2 * plane_bytes)
    for offset in range(0, last_start + 1, step):
        head = content[offset : offset + 2 * PACKET_BYTES]
        if np.array_equal(packet_headers(head[None])[0], expected[:2]):
            return offset
    raise DataError(f'{path}: no plane begins (line 500, channels 0 and 1) in the first {last_start} bytes')


def stamp_headers(planes: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.uint8]:
    """Planes (n, 128000) with line and channel written behind the pixels of every packet.

    Raises:
        DataError: If the size is not 1000 x 1000.
    """
    if (height, width) != (2 * LINES, 2 * PACKET_PIXELS):
        raise DataError(f'kind=pcie holds 1000 x 1000 pixels, got {height} x {width}; choose another kind')
    stamped = planes.reshape(planes.shape[0], -1, PACKET_BYTES).copy()
    expected = expected_headers()
    low, high = PACKET_BYTES - 2, PACKET_BYTES - 1
    stamped[..., low] = (stamped[..., low] & PIXEL_BITS) | (expected & 0xF0).astype(np.uint8)
    stamped[..., high] = (expected >> 8).astype(np.uint8)
    return stamped.reshape(planes.shape[0], -1)
