# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The one door for packets: what it takes, what it refuses, which implementation works."""

import array
import os
import subprocess
import sys

import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError
from event_perception.io.codecs import Decoder, DecoderState, decoders
from event_perception.io.codecs.words import as_words
from event_perception.io.decode import decode_event_packet

WORDS = np.array([0x8001, 0x6002, 0x0003, 0x2804], '<u2')


def test_every_kind_of_buffer_gives_the_same():
    data = WORDS.tobytes()
    shifted = memoryview(b'\xff' + data)[1:]
    for payload in (
        data,
        bytearray(data),
        memoryview(data),
        array.array('B', data),
        WORDS.view(np.uint8),
        shifted,
    ):
        events, _, state = decode_event_packet('evt3', payload, height=9, width=9)
        assert (events.x.tolist(), events.y.tolist(), events.t_ns.tolist()) == ([4], [3], [4098000])
        assert state.counts.events == 1
    np.testing.assert_array_equal(WORDS, [0x8001, 0x6002, 0x0003, 0x2804])


def test_aligned_payloads_are_not_copied():
    data = np.zeros(64, np.uint8)
    words, left_over = as_words(data, '<u2')
    assert np.shares_memory(words, data)
    assert (words.size, left_over) == (32, 0)
    assert not words.flags.writeable and data.flags.writeable


def test_numpy_integers_are_as_good_as_plain_ones():
    time_base = np.uint64(1_700_000_000_123_456_789)
    events, _, _ = decode_event_packet(
        'mono', (5).to_bytes(8, 'little'), time_base, height=np.uint32(4), width=np.uint16(4)
    )
    assert events.t_ns.tolist() == [1_700_000_000_123_456_794]


def test_an_empty_payload_gives_nothing():
    for encoding in decoders.names():
        events, triggers, state = decode_event_packet(encoding, b'', height=4, width=5)
        assert (len(events), len(triggers), events.height, events.width) == (0, 0, 4, 5)
        assert state.counts == (0,) * 8


@pytest.mark.parametrize('payload', [[1, 2, 3], 'text', np.zeros((4, 4), np.uint8)[:, ::2], None])
def test_what_is_no_buffer_of_bytes_is_refused(payload):
    with pytest.raises(DataError, match='cannot be read as bytes'):
        decode_event_packet('evt3', payload, height=4, width=4)


def test_an_unknown_encoding_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"'evt4' is unknown.*evt3.*libcaer_cmp.*mono"):
        decode_event_packet('evt4', b'', height=4, width=4)
    with pytest.raises(DataError, match='spike'):
        decode_event_packet('spike_planes_v1', b'', height=4, width=4)


def test_a_state_of_another_encoding_is_refused():
    _, _, state = decode_event_packet('evt3', b'', height=4, width=4)
    with pytest.raises(DataError, match="'evt3' stream given for 'mono'"):
        decode_event_packet('mono', b'', height=4, width=4, state=state)


@pytest.mark.parametrize('height, width', [(0, 4), (4, 65536), (-1, 4)])
def test_impossible_sensors_are_refused(height, width):
    with pytest.raises(DataError, match='1 to 65535 pixels'):
        decode_event_packet('evt3', b'', height=height, width=width)


@pytest.mark.parametrize('time_base', [-1, 2**62, 2**64 - 1])
def test_impossible_time_bases_are_refused(time_base):
    with pytest.raises(DataError, match='big-endian'):
        decode_event_packet('mono', b'', time_base, height=4, width=4)


def test_the_backend_is_chosen_and_visible():
    _, _, state = decode_event_packet('evt3', b'', height=4, width=4, backend='numpy')
    assert state.backend == 'numpy'
    _, _, state = decode_event_packet('evt3', b'', height=4, width=4, state=state)
    assert state.backend == 'numpy'
    with pytest.raises(ConfigError, match="'auto', 'numba', 'numpy'"):
        decode_event_packet('evt3', b'', height=4, width=4, backend='c++')


def test_results_are_read_only():
    events, triggers, state = decode_event_packet('evt3', WORDS.tobytes(), height=9, width=9)
    for values in (events.t_ns, events.x, events.y, events.p, triggers.t_ns, triggers.id, triggers.edge):
        assert not values.flags.writeable
    assert not state.memory.flags.writeable


def test_all_registered_decoders_follow_the_protocol():
    for name in decoders.names():
        decoder: Decoder = decoders.load(name)
        assert decoder.encoding == name
        state = decoder.initial_state('numpy')
        assert isinstance(state, DecoderState) and state.encoding == name
        events, triggers, after = decoder.decode(b'\x00' * 17, state, time_base=0, height=4, width=4)
        assert after.counts.events == len(events) and after.counts.triggers == len(triggers)
        assert after.counts.truncated_bytes == 1
        assert state.counts == (0,) * 8


WITHOUT_NUMBA = """
import sys
sys.modules['numba'] = None
import numpy as np
from event_perception.errors import ConfigError
from event_perception.io.decode import decode_event_packet
from event_perception.io.codecs.encoders import encode_evt3
payload = np.array([0x8001, 0x6002, 0x0003, 0x2804, 0x2805, 0x2807], '<u2').tobytes()
events, _, state = decode_event_packet('evt3', payload, height=9, width=9)
assert (state.backend, events.x.tolist()) == ('numpy', [4, 5, 7])
again, _, _ = decode_event_packet('evt3', encode_evt3(events), height=9, width=9)
assert again.t_ns.tolist() == [4098000] * 3 and again.x.tolist() == [4, 5, 7]
try:
    decode_event_packet('evt3', payload, height=9, width=9, backend='numba')
except ConfigError as error:
    print(error)
"""
WITHOUT_IMPORTING_NUMBA = """
import sys
import event_perception.io.decode
print([name for name in ('numba', 'torch', 'rclpy') if name in sys.modules])
"""


def run(script, repository):
    environment = os.environ | {'PYTHONPATH': str(repository)}
    command = [sys.executable, '-W', 'error', '-c', script]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def test_without_numba_the_same_events_come_and_asking_for_it_is_an_error(repository):
    assert 'numba cannot be imported' in run(WITHOUT_NUMBA, repository)


def test_importing_the_door_loads_no_heavy_package(repository):
    assert run(WITHOUT_IMPORTING_NUMBA, repository).strip() == '[]'
