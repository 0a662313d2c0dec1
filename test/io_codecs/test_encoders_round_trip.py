# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is encoded decodes to the same events in the same order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import DataError
from event_perception.events import EventArray, concatenate
from event_perception.io.codecs import encoders
from event_perception.io.codecs.triggers import Triggers
from event_perception.io.decode import decode_event_packet

ENCODERS = {
    'evt3': lambda events: (encoders.encode_evt3(events), 0),
    'libcaer_cmp': encoders.encode_libcaer_cmp,
    'libcaer': encoders.encode_libcaer,
    'mono': encoders.encode_mono,
    'evt2': lambda events: (encoders.encode_evt2(events), 0),
    'evt21': lambda events: (encoders.encode_evt21(events), 0),
    'evt21_legacy': lambda events: (encoders.encode_evt21(events, legacy=True), 0),
}
PERIOD_NS = {'evt3': 1000 << 24, 'evt2': 1000 << 34, 'evt21': 1000 << 34, 'evt21_legacy': 1000 << 34}


def round_trip(encoding, events):
    payload, time_base = ENCODERS[encoding](events)
    decoded, triggers, state = decode_event_packet(
        encoding, payload, time_base, height=events.height, width=events.width, backend='numpy'
    )
    assert len(triggers) == 0
    assert state.counts == (len(events), 0, 0, 0, 0, 0, 0, 0)
    return decoded


def assert_equal(decoded, events, period_ns=None):
    for name in ('x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(decoded, name), getattr(events, name), err_msg=name)
    if period_ns is None:
        np.testing.assert_array_equal(decoded.t_ns, events.t_ns)
    elif len(events):
        np.testing.assert_array_equal(np.diff(decoded.t_ns), np.diff(events.t_ns))
        assert (decoded.t_ns[0] - events.t_ns[0]) % period_ns == 0


@st.composite
def event_arrays(draw, max_size=80):
    """Few rows, columns and times, so that vectors arise; pauses and small disorder."""
    n = draw(st.integers(0, max_size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width = draw(st.sampled_from([(4, 2048), (2048, 4), (3, 40), (720, 1280)]))
    steps = rng.choice([0, 0, 0, 1, 2, 700, 5000, -300], n)
    start_us = draw(st.sampled_from([10_000, 2**24 - 2000, 1_700_000_000_000_000]))
    x = rng.integers(0, width, n)
    if draw(st.booleans()):
        x = np.minimum(np.arange(n) * draw(st.integers(1, 4)) % width, width - 1)
    y = rng.integers(0, min(height, draw(st.sampled_from([1, 2, 2048]))), n)
    p = rng.choice([-1, 1], n) if draw(st.booleans()) else np.ones(n, int)
    return EventArray((start_us + np.cumsum(steps)) * 1000, x, y, p, height=height, width=width)


@settings(deadline=None, max_examples=150)
@given(events=event_arrays(), encoding=st.sampled_from(sorted(ENCODERS)))
def test_round_trips_keep_every_event_and_their_order(events, encoding):
    assert_equal(round_trip(encoding, events), events, PERIOD_NS.get(encoding))


@pytest.mark.parametrize('encoding', sorted(ENCODERS))
def test_real_events_make_the_round_trip(encoding, walking_ros2, exp_evt3_words, decode_stream):
    walking, _, _ = decode_stream('evt3', [m.events for m in walking_ros2[:50]], 480, 640)
    car, _, _ = decode_event_packet('evt3', exp_evt3_words[:100_000], height=720, width=1280)
    for events in (walking, car):
        assert_equal(round_trip(encoding, events), events, PERIOD_NS.get(encoding))


@pytest.mark.parametrize('encoding', ['evt3', 'evt2', 'evt21'])
def test_a_stream_of_packets_keeps_time_over_pauses_and_rollovers(encoding, decode_stream):
    times_s = [0.0, 0.1, 7.0, 16.0, 17.0, 40.0, 100.0, 100.001, 4000.0]
    packets = [
        EventArray([round(1e9 * t), round(1e9 * t) + 5000], [1, 2], [3, 3], [1, -1], height=8, width=8)
        for t in times_s
    ]
    payloads, previous = [], None
    for events in packets:
        if encoding == 'evt3':
            payloads.append(encoders.encode_evt3(events, previous_t_ns=previous))
        else:
            payloads.append(ENCODERS[encoding](events)[0])
        previous = int(events.t_ns[-1])
    decoded, _, _ = decode_stream(encoding, payloads, 8, 8)
    assert_equal(decoded, concatenate(packets))


def test_events_of_one_row_share_vector_words():
    events = EventArray([0] * 24, np.arange(24), [5] * 24, [1] * 24, height=32, width=32)
    words = np.frombuffer(encoders.encode_evt3(events), '<u2')
    assert [hex(word) for word in words] == ['0x8000', '0x6000', '0x5', '0x3800', '0x4fff', '0x4fff']
    column = EventArray([0] * 16, [5] * 16, np.arange(16), [-1] * 16, height=32, width=32)
    words = np.frombuffer(encoders.encode_libcaer_cmp(column)[0], '<u2')
    assert [hex(word) for word in words] == ['0x0', '0x1000', '0x2005', '0x4000', '0x50ff', '0x50ff']


def test_two_neighbours_stay_single_words():
    events = EventArray([0, 0], [7, 8], [5, 5], [1, 1], height=32, width=32)
    words = np.frombuffer(encoders.encode_evt3(events), '<u2')
    assert [hex(word) for word in words] == ['0x8000', '0x6000', '0x5', '0x2807', '0x2808']


def test_evt21_puts_events_of_one_block_into_one_item():
    events = EventArray([1000] * 3, [33, 40, 63], [2] * 3, [1] * 3, height=64, width=64)
    items = np.frombuffer(encoders.encode_evt21(events), '<u8')
    head = 1 << 28 | 1 << 22 | 32 << 11 | 2
    assert items.tolist() == [8 << 60, head << 32 | 1 << 31 | 1 << 8 | 1 << 1]


def test_times_are_rounded_down_to_microseconds_except_in_mono():
    events = EventArray([1_999, 2_001], [0, 1], [0, 0], [1, 1], height=2, width=2)
    for encoding in sorted(ENCODERS):
        expected = [1_999, 2_001] if encoding == 'mono' else [1_000, 2_000]
        assert round_trip(encoding, events).t_ns.tolist() == expected, encoding


@given(
    t_ns=st.lists(st.integers(10**18, 10**18 + 2**32 - 1), max_size=20),
    seed=st.integers(0, 2**32),
)
def test_triggers_make_the_round_trip(t_ns, seed):
    rng = np.random.default_rng(seed)
    n = len(t_ns)
    triggers = Triggers(
        np.array(t_ns, np.int64),
        rng.integers(0, 2**15, n).astype(np.uint16),
        rng.integers(0, 2, n).astype(np.uint8),
    )
    payload, time_base = encoders.encode_trigger(triggers)
    _, decoded, _ = decode_event_packet('trigger', payload, time_base, height=1, width=1)
    for name in ('t_ns', 'id', 'edge'):
        np.testing.assert_array_equal(getattr(decoded, name), getattr(triggers, name))


def test_what_a_format_cannot_carry_is_refused_with_the_limit():
    wide = EventArray([0], [0], [0], [1], height=10, width=2049)
    tall = EventArray([0], [0], [0], [1], height=2**15 + 1, width=10)
    for encoding in ('evt3', 'evt2', 'evt21', 'libcaer_cmp'):
        with pytest.raises(DataError, match='2048x2048'):
            ENCODERS[encoding](wide)
    for encoding in ('mono', 'libcaer'):
        with pytest.raises(DataError, match='32768'):
            ENCODERS[encoding](tall)
    for encoding, span_ns in (('libcaer_cmp', 2**24 * 1000), ('libcaer', 2**30 * 1000), ('mono', 2**32)):
        pair = EventArray([5000, 5000 + span_ns], [0, 0], [0, 0], [1, 1], height=4, width=4)
        with pytest.raises(DataError, match='split the events'):
            ENCODERS[encoding](pair)
        assert (
            len(
                round_trip(
                    encoding,
                    EventArray.trusted(
                        pair.t_ns - np.array([0, 1000]), pair.x, pair.y, pair.p, height=4, width=4
                    ),
                )
            )
            == 2
        )
    with pytest.raises(DataError, match='15 bits'):
        encoders.encode_trigger(
            Triggers(np.zeros(1, np.int64), np.full(1, 2**15, np.uint16), np.zeros(1, np.uint8))
        )


def test_evt3_refuses_disorder_that_would_read_as_a_rollover():
    late = EventArray([100_000_000, 50_000_000], [0, 0], [0, 0], [1, 1], height=4, width=4)
    with pytest.raises(DataError, match='sort the events'):
        encoders.encode_evt3(late)
    with pytest.raises(DataError, match='a day'):
        encoders.encode_evt3(late[1:], previous_t_ns=-(10**14))
