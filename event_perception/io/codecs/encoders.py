# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events to the payload of one packet, for every encoding that we decode.

Each function gives what its decoder turns back into the same events in the same order, as far as the format
carries them: all but mono have microseconds, times are rounded down; evt3 and evt2 carry the sensor time
modulo their period. The packets of evt3, evt2 and evt21 begin with the full time, so a subscriber may join at
any of them.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.io.codecs import evt2, evt3, libcaer_cmp
from event_perception.io.codecs.triggers import Triggers
from event_perception.io.codecs.vector_words import Codes, pack

NS_PER_US = 1000
EVT3_CODES = Codes(
    evt3.TIME_HIGH, evt3.TIME_LOW, evt3.ADDR_Y, evt3.ADDR_X, evt3.VECT_BASE_X, evt3.VECT_12, vector_bits=12
)
LIBCAER_CMP_CODES = Codes(
    libcaer_cmp.TIME_HIGH,
    libcaer_cmp.TIME_LOW,
    libcaer_cmp.ADDR_X,
    libcaer_cmp.ADDR_Y,
    libcaer_cmp.VECT_BASE_Y,
    libcaer_cmp.VECT_8,
    vector_bits=libcaer_cmp.VECTOR_BITS,
)
LONGEST_EVT3_GAP_US = 86_400_000_000  # a day; it costs ten thousand words


def encode_evt3(events: EventArray, *, previous_t_ns: int | None = None) -> bytes:
    """One ``evt3`` payload; its time_base is 0.

    Args:
        events: At most 2048 pixels a side; a time may lie up to 40 ms before that of its predecessor.
        previous_t_ns: Last time of the packet before. A pause of more than half a period (8.4 s) is then bridged
            with time words, which is what keeps the decoder's count of rollovers right.

    Raises:
        DataError: If the sensor is too large, the times too disordered or a pause is longer than a day.
    """
    _check_size('evt3', events, 2048, 2048)
    t_us = events.t_ns // NS_PER_US
    if not t_us.size:
        return b''
    start_us = int(t_us[0]) if previous_t_ns is None else previous_t_ns // NS_PER_US
    steps = np.diff(t_us >> 12, prepend=start_us >> 12)
    if steps.min() < -evt3.HIGH_NOISE or steps.max() > LONGEST_EVT3_GAP_US >> 12:
        raise DataError(
            f'evt3: times step by {steps.min() * 4.096:.0f} to {steps.max() * 4.096:.0f} ms; allowed are -40 ms, '
            'a larger fall would be read as a rollover, to a day; sort the events or begin a new stream'
        )
    return pack(t_us, events.y, events.x, events.p, EVT3_CODES, start_us=start_us)


def encode_libcaer_cmp(events: EventArray) -> tuple[bytes, int]:
    """One ``libcaer_cmp`` payload and its time_base, ns.

    Raises:
        DataError: If the sensor has more than 2048 pixels a side or the events span 2^24 us or more.
    """
    _check_size('libcaer_cmp', events, 2048, 2048)
    offset_us, time_base = _since_first(events)
    _check_span('libcaer_cmp', offset_us, 2**24)
    return pack(offset_us, events.x, events.y, events.p, LIBCAER_CMP_CODES, start_us=0), time_base


def encode_libcaer(events: EventArray) -> tuple[bytes, int]:
    """One ``libcaer`` payload and its time_base, ns.

    Raises:
        DataError: If the sensor has more than 32768 pixels a side or the events span 2^30 us or more.
    """
    _check_size('libcaer', events, 2**15, 2**15)
    offset_us, time_base = _since_first(events)
    _check_span('libcaer', offset_us, 2**30)
    x, y, sign = events.x.astype(np.int64), events.y.astype(np.int64), events.p > 0
    words = offset_us << 32 | x << 17 | y << 2 | sign.astype(np.int64) << 1 | 1
    return words.astype('<i8').tobytes(), time_base


def encode_mono(events: EventArray) -> tuple[bytes, int]:
    """One ``mono`` payload and its time_base, ns; exact to the nanosecond.

    Raises:
        DataError: If the sensor has more than 32768 rows or the events span 2^32 ns or more.
    """
    _check_size('mono', events, 2**15, 2**16)
    time_base = int(events.t_ns.min()) if len(events) else 0
    _check_span('mono', events.t_ns - time_base, 2**32)
    high = events.x.astype(np.uint64) | events.y.astype(np.uint64) << np.uint64(16)
    high |= (events.p > 0).astype(np.uint64) << np.uint64(31)
    words = (events.t_ns - time_base).astype(np.uint64) | high << np.uint64(32)
    return words.astype('<u8').tobytes(), time_base


def encode_trigger(triggers: Triggers) -> tuple[bytes, int]:
    """One ``trigger`` payload and its time_base, ns.

    Raises:
        DataError: If an id is above 32767 or the edges span 2^32 ns or more.
    """
    time_base = int(triggers.t_ns.min()) if len(triggers) else 0
    _check_span('trigger', triggers.t_ns - time_base, 2**32)
    if len(triggers) and triggers.id.max() >= 2**15:
        raise DataError(f'trigger: id {triggers.id.max()}; the format has 15 bits, 0 to 32767')
    high = triggers.id.astype(np.uint64) << np.uint64(16) | triggers.edge.astype(np.uint64) << np.uint64(31)
    words = (triggers.t_ns - time_base).astype(np.uint64) | high << np.uint64(32)
    return words.astype('<u8').tobytes(), time_base


def encode_evt2(events: EventArray) -> bytes:
    """One EVT2 payload, 32-bit words.

    Raises:
        DataError: If the sensor has more than 2048 pixels a side or the times step by 2 h or more.
    """
    heads, _ = _evt2_items(events, grouped=False)
    return heads.astype('<u4').tobytes()


def encode_evt21(events: EventArray, *, legacy: bool = False) -> bytes:
    """One EVT2.1 payload, 64-bit items; ``legacy`` swaps their halves. Errors as ``encode_evt2``."""
    heads, masks = _evt2_items(events, grouped=True)
    halves = (heads, masks) if legacy else (masks, heads)
    return np.stack(halves, axis=1).astype('<u4').tobytes()


def _evt2_items(events: EventArray, *, grouped: bool) -> tuple[NDArray, NDArray]:
    """Heads and masks with the TIME_HIGH words between them."""
    _check_size('evt2', events, 2048, 2048)
    t_us = events.t_ns // NS_PER_US
    x, y, sign = events.x.astype(np.int64), events.y.astype(np.int64), (events.p > 0).astype(np.int64)
    first = _group_starts(t_us, x, y, sign) if grouped else np.arange(t_us.size)
    bits = 1 << (x & 31) if grouped else np.ones_like(x)
    masks = np.bitwise_or.reduceat(bits, first) if first.size else bits
    column = x & ~31 if grouped else x
    heads = (sign << 28 | (t_us & 0x3F) << 22 | column << 11 | y)[first]
    high = (t_us >> evt2.LOW_BITS)[first]
    steps = np.diff(high)
    if steps.size and np.abs(steps).max() > evt2.HALF_HIGH:
        raise DataError('evt2: times step by more than half the period of 4.77 h; begin a new stream')
    changed = np.flatnonzero(np.concatenate((np.ones(min(high.size, 1), bool), steps != 0)))
    high_words = evt2.TIME_HIGH << 28 | high[changed] & 0xFFFFFFF
    return np.insert(heads, changed, high_words), np.insert(masks, changed, 0)


def _group_starts(t_us: NDArray, x: NDArray, y: NDArray, sign: NDArray) -> NDArray[np.intp]:
    """Where a new item of EVT2.1 begins: the next event shares no mask with its predecessor."""
    same = (np.diff(x >> 5) == 0) & (np.diff(x) > 0)
    for values in (t_us, y, sign):
        same &= np.diff(values) == 0
    return np.flatnonzero(np.concatenate((np.ones(min(x.size, 1), bool), ~same)))


def _since_first(events: EventArray) -> tuple[NDArray[np.int64], int]:
    """Microseconds since the earliest event, on the grid of whole microseconds, and that time in ns."""
    t_us = events.t_ns // NS_PER_US
    first = int(t_us.min()) if t_us.size else 0
    return t_us - first, first * NS_PER_US


def _check_size(encoding: str, events: EventArray, height: int, width: int) -> None:
    if events.height > height or events.width > width:
        raise DataError(
            f'{encoding}: a sensor of {events.width}x{events.height} pixels; the format has {width}x{height}'
        )


def _check_span(encoding: str, offsets: NDArray[np.int64], limit: int) -> None:
    if offsets.size and offsets.max() >= limit:
        raise DataError(
            f'{encoding}: a packet spans {offsets.max()}, the format has {limit}; split the events by time'
        )
