# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``dvs_msgs/EventArray`` (and ``prophesee_event_msgs``) from serialised bytes, without an object an event.

ROS 1 packs an event in 13 bytes: x u16, y u16, seconds, nanoseconds u32, polarity u8. ROS 2 (CDR) aligns: with
s the offset behind the array length and e = s + 16 k, the seconds of event k are at e + 4, the nanoseconds at
e + 8, the polarity at e + 12. Elements carry no padding at their end, so from the second on the column follows
the polarity of its predecessor at once, at e - 2, and the row is at e; the first has them at e and e + 2.
Strided views of the fields make a kernel needless: NumPy alone reads some 250 million events a second.

Source: dvs_msgs (rpg_dvs_ros); OMG DDS-XTypes, plain CDR.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.io.codecs.decoder import Payload
from event_perception.io.codecs.words import as_words

ROS1_STRIDE, CDR_STRIDE, EVENT_BYTES = 13, 16, 13
CDR_SHIFT = -2  # column and row of all events but the first, against the packed form
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, eq=False)
class EventArrayMessage:
    """One message as values.

    Attributes:
        events: Its events; the times are absolute ns.
        stamp_ns: header.stamp, ns.
        frame_id: header.frame_id.
        outside: Events with a pixel outside the sensor, dropped.
    """

    events: EventArray
    stamp_ns: int
    frame_id: str
    outside: int


@dataclass(frozen=True)
class _Layout:
    """Where the events lie: everything that the two serialisations disagree on."""

    stamp_ns: int
    frame_id: str
    height: int
    width: int
    count: int
    start: int
    stride: int
    big_endian: bool
    signed_seconds: bool


def decode_event_array_cdr(
    data: Payload, *, height: int | None = None, width: int | None = None
) -> EventArrayMessage:
    """Decode a ROS 2 message as a raw subscription or a bag delivers it, of either byte order.

    Args:
        data: The serialised message with its four bytes of encapsulation.
        height: Sensor rows; None takes those of the message.
        width: Sensor columns; None takes those of the message.

    Raises:
        DataError: If the bytes are not such a message, or it ends early, or neither it nor the caller says
            how large the sensor is.
    """
    raw, _ = as_words(data, 'u1')
    kind = bytes(raw[:2])
    if kind not in (b'\x00\x00', b'\x00\x01'):
        raise DataError(f'CDR encapsulation {kind.hex()!r}: only plain CDR, 0000 or 0001, is known')
    order = '<' if kind[1] else '>'
    seconds, nanoseconds, length = _unpack(order + 'iII', raw, 4)
    name_end = 16 + length
    body = name_end + -name_end % 4
    rows, columns, count = _unpack(order + 'III', raw, body)
    layout = _Layout(
        stamp_ns=seconds * NS_PER_S + nanoseconds,
        frame_id=_text(raw, 16, length).rstrip('\0'),
        height=rows if height is None else height,
        width=columns if width is None else width,
        count=count,
        start=body + 12,
        stride=CDR_STRIDE,
        big_endian=order == '>',
        signed_seconds=True,
    )
    return _decode(raw, layout)


def decode_event_array_ros1(
    data: Payload, *, height: int | None = None, width: int | None = None
) -> EventArrayMessage:
    """Decode a ROS 1 message as a bag holds it; arguments and errors as ``decode_event_array_cdr``."""
    raw, _ = as_words(data, 'u1')
    _, seconds, nanoseconds, length = _unpack('<IIII', raw, 0)
    body = 16 + length
    rows, columns, count = _unpack('<III', raw, body)
    layout = _Layout(
        stamp_ns=seconds * NS_PER_S + nanoseconds,
        frame_id=_text(raw, 16, length),
        height=rows if height is None else height,
        width=columns if width is None else width,
        count=count,
        start=body + 12,
        stride=ROS1_STRIDE,
        big_endian=False,
        signed_seconds=False,
    )
    return _decode(raw, layout)


def _unpack(form: str, raw: NDArray[np.uint8], offset: int) -> tuple[int, ...]:
    end = offset + struct.calcsize(form)
    if end > raw.size:
        raise DataError(f'an EventArray of {raw.size} bytes ends in its header, at least {end} are needed')
    return struct.unpack(form, raw[offset:end].tobytes())


def _text(raw: NDArray[np.uint8], start: int, length: int) -> str:
    return raw[start : start + length].tobytes().decode('utf-8', errors='replace')


def _decode(raw: NDArray[np.uint8], layout: _Layout) -> EventArrayMessage:
    _check(raw, layout)
    shift = CDR_SHIFT if layout.stride == CDR_STRIDE else 0
    t_ns = _field(raw, layout, 'i4' if layout.signed_seconds else 'u4', 4).astype(np.int64)
    t_ns *= NS_PER_S
    t_ns += _field(raw, layout, 'u4', 8)
    x = _field(raw, layout, 'u2', shift).astype(np.uint16)
    y = _field(raw, layout, 'u2', shift + 2).astype(np.uint16)
    if layout.count:
        x[0], y[0] = (_field(raw, layout, 'u2', offset)[0] for offset in (0, 2))
    p = _field(raw, layout, 'u1', 12).astype(np.bool_).view(np.int8)
    p = 2 * p - np.int8(1)
    if layout.count and (x.max() >= layout.width or y.max() >= layout.height):
        keep = (x < layout.width) & (y < layout.height)
        t_ns, x, y, p = t_ns[keep], x[keep], y[keep], p[keep]
    events = EventArray.trusted(t_ns, x, y, p, height=layout.height, width=layout.width)
    return EventArrayMessage(events, layout.stamp_ns, layout.frame_id, layout.count - len(events))


def _check(raw: NDArray[np.uint8], layout: _Layout) -> None:
    for name, size in (('height', layout.height), ('width', layout.width)):
        if not 1 <= size <= 65535:
            raise DataError(f'{name}={size}: a sensor has 1 to 65535 pixels a side; pass height= and width=')
    end = layout.start + layout.stride * (layout.count - 1) + EVENT_BYTES if layout.count else layout.start
    if end > raw.size:
        raise DataError(f'{layout.count} events need {end} bytes, the message has {raw.size}')


def _field(raw: NDArray[np.uint8], layout: _Layout, kind: str, offset: int) -> NDArray:
    """One field of all events, as a view with the stride of an event."""
    dtype = np.dtype(kind).newbyteorder('>' if layout.big_endian else '<')
    if not layout.count:
        return np.zeros(0, dtype)
    return np.ndarray((layout.count,), dtype, raw, layout.start + offset, (layout.stride,))


def encode_event_array_cdr(events: EventArray, *, stamp_ns: int, frame_id: str) -> bytes:
    """Serialise for ROS 2, little-endian; a publisher takes such bytes in place of a message.

    Raises:
        DataError: If a time is negative or later than the seconds of a message can say (year 2038).
    """
    times = np.append(events.t_ns, stamp_ns)
    if times.min() < 0 or times.max() >= 2**31 * NS_PER_S:
        raise DataError(f'times span {times.min()} to {times.max()} ns; a message has 0 to 2**31 seconds')
    name = frame_id.encode() + b'\0'
    head = b'\0\1\0\0' + struct.pack('<iII', *divmod(stamp_ns, NS_PER_S), len(name)) + name
    head += b'\0' * (-len(head) % 4) + struct.pack('<III', events.height, events.width, len(events))
    n, start = len(events), len(head)
    end = start + CDR_STRIDE * (n - 1) + EVENT_BYTES if n else start
    raw = np.zeros(end, np.uint8)
    raw[:start] = np.frombuffer(head, np.uint8)
    layout = _Layout(stamp_ns, frame_id, events.height, events.width, n, start, CDR_STRIDE, False, True)
    _field(raw, layout, 'i4', 4)[:], _field(raw, layout, 'u4', 8)[:] = np.divmod(events.t_ns, NS_PER_S)
    _field(raw, layout, 'u1', 12)[:] = events.p > 0
    for values, offset in ((events.x, 0), (events.y, 2)):
        _field(raw, layout, 'u2', offset)[:1] = values[:1]
    for values, offset in ((events.x, CDR_SHIFT), (events.y, CDR_SHIFT + 2)):
        _field(raw, layout, 'u2', offset)[1:] = values[1:]
    return raw.tobytes()
