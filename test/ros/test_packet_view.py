# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Packets that are read from their bytes are those that ROS reads."""

import array

import numpy as np
import pytest
from event_camera_msgs.msg import EventPacket
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import serialize_message

from event_perception.errors import DataError
from event_perception.io.packet_view import view_packet
from event_perception.io.stamps import header_ns

WORDS = st.text(st.characters(exclude_characters='\0', codec='utf-8'), max_size=9)


def packet(frame_id='eye', encoding='spike_planes_v1', payload=b'\1\2\3', **members):
    message = EventPacket(encoding=encoding, events=array.array('B', payload), **members)
    message.header.frame_id = frame_id
    message.header.stamp.sec, message.header.stamp.nanosec = -5, 999_999_999
    return message


@given(WORDS, WORDS, st.binary(max_size=40), st.integers(0, 2**64 - 1), st.booleans())
def test_every_member_is_read_wherever_strings_of_any_length_put_it(frame, encoding, payload, number, big):
    message = packet(
        frame, encoding, payload, height=7, width=2**32 - 1, seq=number, time_base=3, is_bigendian=big
    )
    view = view_packet(serialize_message(message))
    assert view[1:7] == (7, 2**32 - 1, number, 3, encoding, big)
    assert (header_ns(view), view.header.frame_id) == (-4_000_000_001, frame)
    assert bytes(view.events) == payload


def test_the_payload_is_not_copied():
    data = serialize_message(packet(payload=bytes(1000)))
    assert np.shares_memory(view_packet(data).events, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize('length', [0, 3, 10, 30, 60, 70])
def test_bytes_that_end_too_soon_are_an_error_in_words(length):
    with pytest.raises(DataError):
        view_packet(serialize_message(packet(payload=bytes(50)))[:length])
