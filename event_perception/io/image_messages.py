# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``sensor_msgs/Image`` to arrays and back, without copies where the layout allows.

Reading gives a view of the message's bytes; writing hands over an ``array.array('B')``, the one type that
rclpy takes without going through it byte by byte. The results equal those of cv_bridge (passthrough).
"""

import re
import sys
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, FrameImage
from event_perception.io.stamps import fill_header, header_ns

NAMED = {
    'mono8': ('uint8', 1),
    'mono16': ('uint16', 1),
    'bgr8': ('uint8', 3),
    'rgb8': ('uint8', 3),
    'bgra8': ('uint8', 4),
    'rgba8': ('uint8', 4),
    'bgr16': ('uint16', 3),
    'rgb16': ('uint16', 3),
    'bgra16': ('uint16', 4),
    'rgba16': ('uint16', 4),
}
PLAIN = re.compile(r'(8|16|32|64)([USF])C(\d*)')
KINDS = {'U': 'uint', 'S': 'int', 'F': 'float'}
DEPTH_UNITS_M = {'32FC1': 1.0, '16UC1': 1e-3}
"""REP 118: depth images hold metres as float32 or millimetres as uint16."""
LUMA = {'r': 0.299, 'g': 0.587, 'b': 0.114}
"""Weights of a grey value: Rec. ITU-R BT.601."""


def encoding_layout(encoding: str) -> tuple[np.dtype, int]:
    """Element type and channels of an encoding.

    Raises:
        DataError: If it is not supported: compressed, Bayer or packed YUV.
    """
    if encoding in NAMED:
        name, channels = NAMED[encoding]
        return np.dtype(name), channels
    match = PLAIN.fullmatch(encoding)
    if match is not None:
        bits, kind, count = match.groups()
        name = f'{KINDS[kind]}{bits}'
        if name not in ('float8', 'uint64', 'int64'):
            return np.dtype(name), int(count or 1)
    raise DataError(
        f'image encoding {encoding!r}: supported are {sorted(NAMED)} and plain ones such as 8UC1, 16UC1, '
        '32FC1, 32FC2; let image_proc convert the others'
    )


def image_to_array(message: Any) -> NDArray[Any]:
    """The pixels of a ``sensor_msgs/Image``.

    Returns:
        (H, W) for one channel, else (H, W, C), in this machine's byte order; a view of the message's data
        where that has this byte order.

    Raises:
        DataError: If the encoding is not supported, or step or data are too short for the size.
    """
    dtype, channels = encoding_layout(str(message.encoding))
    height, width, step = int(message.height), int(message.width), int(message.step)
    row_bytes = width * channels * dtype.itemsize
    data = np.frombuffer(message.data, np.uint8)
    # cv_bridge writes the last row in full; some drivers stop behind its last pixel.
    if step < row_bytes or (height and data.size < step * (height - 1) + row_bytes):
        raise DataError(
            f'image {width}x{height} {message.encoding} with step {step} and {data.size} bytes: a row needs '
            f'{row_bytes} bytes'
        )
    if message.is_bigendian and dtype.itemsize > 1:
        dtype = dtype.newbyteorder('>')
    shape = (height, width, channels) if channels > 1 else (height, width)
    strides = (step, channels * dtype.itemsize, dtype.itemsize)[: len(shape)]
    pixels: NDArray[Any] = np.ndarray(shape, dtype, buffer=data, strides=strides)
    return pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder('='))


def fill_image(message: Any, pixels: NDArray[Any], encoding: str, *, t_ns: int, frame_id: str) -> None:
    """Write an array into a ``sensor_msgs/Image``.

    Args:
        message: The message to fill; its data becomes a copy of the pixels.
        pixels: (H, W) or (H, W, C), of exactly the type that the encoding says.
        encoding: As ``sensor_msgs`` names it.
        t_ns: The instant that the image shows.
        frame_id: Optical frame.

    Raises:
        DataError: If the array does not fit the encoding, or the time does not fit a stamp.
    """
    dtype, channels = encoding_layout(encoding)
    actual = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or actual != channels or pixels.dtype != dtype:
        raise DataError(
            f'{encoding} takes (H, W{"" if channels == 1 else f", {channels}"}) {dtype}, '
            f'got {pixels.shape} {pixels.dtype}'
        )
    contiguous = np.ascontiguousarray(pixels)
    fill_header(message.header, t_ns, frame_id)
    message.height, message.width = int(pixels.shape[0]), int(pixels.shape[1])
    message.encoding = str(encoding)
    message.is_bigendian = int(sys.byteorder == 'big')
    message.step = int(pixels.shape[1] * channels * dtype.itemsize)
    message.data = byte_field(message.data, contiguous)


def byte_field(present: Any, contiguous: NDArray[Any]) -> 'array[int] | NDArray[np.uint8]':
    """A copy of an array's bytes for a uint8[] field, in the type that the message holds at present.

    rosbags takes numpy arrays. rclpy takes an ``array.array('B')`` as it is, and all else byte by byte.
    """
    if isinstance(present, np.ndarray):
        return contiguous.reshape(-1).view(np.uint8).copy()
    data = array('B')
    if contiguous.size:
        data.frombytes(contiguous.data.cast('B'))
    return data


def depth_from_message(message: Any) -> DepthImage:
    """A depth image, 32FC1 in metres or 16UC1 in millimetres.

    Raises:
        DataError: If the encoding is another one, or as ``image_to_array``.
    """
    if message.encoding not in DEPTH_UNITS_M:
        raise DataError(f'depth image with encoding {message.encoding!r}: {list(DEPTH_UNITS_M)} are depth')
    metres = image_to_array(message).astype(np.float32) * np.float32(DEPTH_UNITS_M[message.encoding])
    return DepthImage(header_ns(message), metres)


def frame_from_message(message: Any) -> FrameImage:
    """A frame of an ordinary camera as grey values in [0, 1]; colour becomes BT.601 luma.

    Raises:
        DataError: If the encoding holds no frame (float, signed), or as ``image_to_array``.
    """
    pixels = image_to_array(message)
    if pixels.dtype.kind != 'u':
        raise DataError(f'image encoding {message.encoding!r} is no picture of 8 or 16 bits')
    return FrameImage(header_ns(message), grey(pixels, str(message.encoding)))


def grey(pixels: NDArray[Any], encoding: str = 'bgr8') -> NDArray[np.float32]:
    """Unsigned pixels (H, W) or (H, W, C) as float32 (H, W) in [0, 1].

    Args:
        pixels: uint8 or uint16.
        encoding: Says the order of colours; plain ones such as 8UC3 are taken as b g r.
    """
    scale = np.float32(1 / np.iinfo(pixels.dtype).max)
    if pixels.ndim == 2:
        return pixels.astype(np.float32) * scale
    if pixels.shape[2] < 3:
        raise DataError(f'image encoding {encoding!r}: {pixels.shape[2]} channels are no picture')
    order = encoding[:3] if encoding[:3] in ('rgb', 'bgr') else 'bgr'
    weights = np.array([LUMA[colour] for colour in order], np.float32) * scale
    return pixels[..., :3].astype(np.float32) @ weights
