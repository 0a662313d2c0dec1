# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""EventArray messages against the serialisation of rosbags, byte by byte."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.io.codecs.dvs_event_array import (
    decode_event_array_cdr,
    decode_event_array_ros1,
    encode_event_array_cdr,
)

STAMP_S, STAMP_NS = 1_700_000_000, 123_456_789


def _store(which, time, package):
    store = get_typestore(which)
    event = f'uint16 x\nuint16 y\n{time} ts\nbool polarity\n'
    array = f'std_msgs/Header header\nuint32 height\nuint32 width\n{package}/Event[] events\n'
    types = get_types_from_msg(event, f'{package}/msg/Event')
    types.update(get_types_from_msg(array, f'{package}/msg/EventArray'))
    store.register(types)
    return store


STORES = {
    (ros, package): _store(*which, package)
    for ros, which in (
        (1, (Stores.ROS1_NOETIC, 'time')),
        (2, (Stores.ROS2_KILTED, 'builtin_interfaces/Time')),
    )
    for package in ('dvs_msgs', 'prophesee_event_msgs')
}


def serialise(ros, events, frame_id, *, package='dvs_msgs', little_endian=True):
    """The bytes of a message, written by rosbags; events are (x, y, sec, nsec, polarity)."""
    store = STORES[ros, package]
    kinds = store.types
    time = kinds['builtin_interfaces/msg/Time']
    sequence = {'seq': 4} if ros == 1 else {}
    header = kinds['std_msgs/msg/Header'](**sequence, stamp=time(STAMP_S, STAMP_NS), frame_id=frame_id)
    event = kinds[f'{package}/msg/Event']
    elements = [event(x, y, time(sec, nsec), polarity) for x, y, sec, nsec, polarity in events]
    message = kinds[f'{package}/msg/EventArray'](header, 180, 240, elements)
    name = f'{package}/msg/EventArray'
    if ros == 1:
        return bytes(store.serialize_ros1(message, name))
    return bytes(store.serialize_cdr(message, name, little_endian=little_endian))


def decode(ros, data, **sizes):
    return (decode_event_array_ros1 if ros == 1 else decode_event_array_cdr)(data, **sizes)


def check(message, events, frame_id):
    assert (message.frame_id, message.stamp_ns) == (frame_id, STAMP_S * 10**9 + STAMP_NS)
    got = message.events
    assert (got.height, got.width, message.outside) == (180, 240, 0)
    assert [got.x.tolist(), got.y.tolist()] == [[e[0] for e in events], [e[1] for e in events]]
    assert got.t_ns.tolist() == [e[2] * 10**9 + e[3] for e in events]
    assert got.p.tolist() == [1 if e[4] else -1 for e in events]


EVENT = st.tuples(
    st.integers(0, 239),
    st.integers(0, 179),
    st.integers(0, 2**31 - 1),
    st.integers(0, 10**9 - 1),
    st.booleans(),
)
EXAMPLES = [(239, 1, 2**31 - 1, 999_999_999, True), (2, 179, 0, 0, False), (3, 4, 5, 6, True)]


@pytest.mark.parametrize('n', [0, 1, 2, 3])
@pytest.mark.parametrize('ros, little_endian', [(1, True), (2, True), (2, False)])
def test_any_frame_id_and_few_events(ros, little_endian, n):
    for length in range(9):
        data = serialise(ros, EXAMPLES[:n], 'c' * length, little_endian=little_endian)
        check(decode(ros, data), EXAMPLES[:n], 'c' * length)


@settings(deadline=None, max_examples=60)
@given(
    events=st.lists(EVENT, max_size=30),
    frame_id=st.text('ab_/äµ', max_size=20),
    ros=st.sampled_from([1, 2]),
    package=st.sampled_from(['dvs_msgs', 'prophesee_event_msgs']),
    little_endian=st.booleans(),
)
def test_messages_decode_to_what_was_serialised(events, frame_id, ros, package, little_endian):
    data = serialise(ros, events, frame_id, package=package, little_endian=little_endian)
    check(decode(ros, data), events, frame_id)


@settings(deadline=None, max_examples=60)
@given(events=st.lists(EVENT, max_size=30), frame_id=st.text('abc_', max_size=20))
def test_our_serialisation_equals_that_of_rosbags(events, frame_id):
    data = serialise(2, events, frame_id)
    decoded = decode_event_array_cdr(data).events
    assert encode_event_array_cdr(decoded, stamp_ns=STAMP_S * 10**9 + STAMP_NS, frame_id=frame_id) == data


@pytest.mark.parametrize('ros', [1, 2])
def test_the_bytes_may_lie_at_any_address_and_in_any_buffer(ros):
    data = serialise(ros, EXAMPLES, 'camera')
    for shift in range(5):
        shifted = memoryview(b'\xff' * shift + data)[shift:]
        check(decode(ros, shifted), EXAMPLES, 'camera')
    for buffer in (bytearray(data), np.frombuffer(data, np.uint8)):
        check(decode(ros, buffer), EXAMPLES, 'camera')


def test_padding_may_hold_anything():
    data = bytearray(serialise(2, EXAMPLES, 'camera'))
    start = len(data) - (16 * 2 + 13)
    data[start + 13] = data[start + 29] = 0xEE
    check(decode_event_array_cdr(data), EXAMPLES, 'camera')


@pytest.mark.parametrize('ros', [1, 2])
def test_events_outside_are_dropped_and_counted_and_a_size_may_be_given(ros):
    data = serialise(ros, [(240, 0, 1, 0, True), (0, 180, 2, 0, True), (7, 8, 3, 0, True)], 'a')
    message = decode(ros, data)
    assert (message.events.x.tolist(), message.outside) == ([7], 2)
    message = decode(ros, data, height=480, width=640)
    assert (len(message.events), message.events.height, message.events.width) == (3, 480, 640)


def test_times_after_2038_are_read_in_ros_1_and_negative_ones_in_ros_2():
    data = bytearray(serialise(1, [(0, 0, 0, 5, True)], 'a'))
    data[-9:-5] = b'\xff' * 4
    assert decode_event_array_ros1(data).events.t_ns.tolist() == [(2**32 - 1) * 10**9 + 5]
    data = serialise(2, [(0, 0, -1, 5, True)], 'a')
    assert decode_event_array_cdr(data).events.t_ns.tolist() == [-(10**9) + 5]
    late = EventArray([2**31 * 10**9], [0], [0], [1], height=1, width=1)
    with pytest.raises(DataError, match='seconds'):
        encode_event_array_cdr(late, stamp_ns=0, frame_id='')


@pytest.mark.parametrize('ros', [1, 2])
def test_a_message_that_ends_early_is_an_error(ros):
    data = serialise(ros, EXAMPLES, 'camera')
    for size in (0, 3, 10, 25, 35, len(data) - 1):
        with pytest.raises(DataError):
            decode(ros, data[:size])


@settings(max_examples=100)
@given(data=st.binary(max_size=80), ros=st.sampled_from([1, 2]))
def test_random_bytes_give_events_or_a_data_error(data, ros):
    try:
        message = decode(ros, data)
    except DataError:
        return
    assert np.all(message.events.x < message.events.width)


def test_unusable_headers_are_explained():
    with pytest.raises(DataError, match='encapsulation'):
        decode_event_array_cdr(b'\x00\x09' + bytes(60))
    no_size = b'\x00\x01\x00\x00' + struct.pack('<iII', 0, 0, 1) + b'\x00' * 4 + struct.pack('<III', 0, 0, 0)
    with pytest.raises(DataError, match='pass height= and width='):
        decode_event_array_cdr(no_size)
    assert len(decode_event_array_cdr(no_size, height=2, width=2).events) == 0
