# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Both implementations give the same, whatever the bytes are, and never a pixel outside the sensor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.io.codecs import decoders
from event_perception.io.codecs.state import DecoderState
from event_perception.io.decode import decode_event_packet

numba = pytest.importorskip('numba')

ENCODINGS = ['evt2', 'evt21', 'evt21_legacy', 'evt3', 'libcaer', 'libcaer_cmp', 'mono', 'trigger']
TIME_WORDS = {'evt3': b'\x00\x80\x00\x60', 'evt2': b'\x00\x00\x00\x80'}


def decode_both(encoding, packets, assert_same, *, height, width, time_base=0):
    states: list[DecoderState | None] = [None, None]
    results = []
    for packet in packets:
        results = [
            decode_event_packet(
                encoding, packet, time_base, height=height, width=width, state=state, backend=backend
            )
            for state, backend in zip(states, ('numba', 'numpy'))
        ]
        assert_same(*results)
        states = [result[2] for result in results]
        events = results[0][0]
        assert np.all(events.x < width) and np.all(events.y < height)
        assert np.all(np.abs(events.p) == 1)
    assert [state.backend for state in states] == ['numba', 'numpy']
    return results[0]


def test_all_registered_decoders_are_tried():
    assert sorted(set(decoders.names()) & set(ENCODINGS)) == sorted(ENCODINGS)


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    encoding=st.sampled_from(ENCODINGS),
    packets=st.lists(st.binary(max_size=120), min_size=1, max_size=3),
    time_base=st.integers(0, 2**62 - 1),
)
def test_random_bytes_give_the_same(data, encoding, packets, time_base, assert_same):
    height, width = data.draw(st.integers(1, 65535)), data.draw(st.sampled_from([1, 300, 2000, 65535]))
    packets = [TIME_WORDS.get(encoding, b''), *packets]
    decode_both(encoding, packets, assert_same, height=height, width=width, time_base=time_base)


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_long_random_streams_give_the_same(encoding, assert_same):
    rng = np.random.default_rng(7)
    packets = [rng.bytes(int(size)) for size in rng.integers(0, 20_000, 12)]
    height, width = (15000, 25000) if encoding in ('libcaer', 'mono') else (1100, 1500)
    _, _, state = decode_both(encoding, packets, assert_same, height=height, width=width)
    assert state.counts.truncated_bytes > 0
    assert (state.counts.triggers if encoding == 'trigger' else state.counts.events) > 1000
    assert (state.counts.outside > 1000) == (encoding != 'trigger')


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_streams_that_repeat_few_words_give_the_same(encoding, assert_same):
    """Few distinct words make long runs of vectors and times that random bytes do not."""
    rng = np.random.default_rng(11)
    alphabet = rng.integers(0, 2**16, 24).astype('<u2')
    packets = [rng.choice(alphabet, 4000).tobytes() for _ in range(4)]
    decode_both(encoding, packets, assert_same, height=1500, width=1500)


def test_real_packets_give_the_same(walking_ros2, apriltags, assert_same):
    for message in (walking_ros2[0], walking_ros2[100], apriltags[3]):
        decode_both(message.encoding, [message.events], assert_same, height=200, width=250)


def test_a_state_may_change_its_backend_between_packets(walking_ros2, decode_stream, assert_same):
    payloads = [message.events for message in walking_ros2[:20]]
    whole = decode_stream('evt3', payloads, 480, 640)
    _, _, state = decode_stream('evt3', payloads[:10], 480, 640, backend='numba')
    other = DecoderState(state.encoding, 'numpy', state.memory)
    _, _, state = decode_stream('evt3', payloads[10:], 480, 640, state=other)
    assert (state.backend, state.counts) == ('numpy', whole[2].counts)
    np.testing.assert_array_equal(state.memory, whole[2].memory)
