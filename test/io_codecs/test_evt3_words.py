# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""evt3 word by word: rules that decide whether times and pixels are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.io.decode import decode_event_packet

ADDR_Y, ADDR_X, BASE_X, VECT_12, VECT_8, LOW, HIGH, TRIGGER = (
    code << 12 for code in (0x0, 0x2, 0x3, 0x4, 0x5, 0x6, 0x8, 0xA)
)
ON = 1 << 11
NS_PER_US = 1000


@pytest.fixture(params=['numba', 'numpy'])
def decode(request):
    """Words -> events, triggers, state, on a 2048 x 2048 sensor unless told."""
    if request.param == 'numba':
        pytest.importorskip('numba')

    def run(*words, state=None, height=2048, width=2048):
        payload = np.array(words, '<u2').tobytes()
        return decode_event_packet(
            'evt3', payload, height=height, width=width, state=state, backend=request.param
        )

    return run


def us(events):
    return (events.t_ns // NS_PER_US).tolist()


def test_single_events_carry_row_column_polarity_and_time(decode):
    events, _, _ = decode(HIGH | 2, LOW | 5, ADDR_Y | 7, ADDR_X | 9, ADDR_X | ON | 11)
    assert (us(events), events.x.tolist(), events.y.tolist(), events.p.tolist()) == (
        [8197, 8197],
        [9, 11],
        [7, 7],
        [-1, 1],
    )
    assert events.t_ns.tolist() == [8197000, 8197000]


def test_vectors_move_their_base_on_by_their_width(decode):
    events, _, _ = decode(
        HIGH, LOW, ADDR_Y | 3, BASE_X | ON | 100, VECT_12 | 0b1000_0000_0001, VECT_8 | 0b1000_0010, VECT_8 | 1
    )
    assert events.x.tolist() == [100, 111, 113, 119, 120]
    assert events.p.tolist() == [1] * 5
    assert events.y.tolist() == [3] * 5


def test_the_upper_four_bits_of_vect_8_are_no_events(decode):
    events, _, _ = decode(HIGH, LOW, BASE_X, VECT_8 | 0xF01)
    assert events.x.tolist() == [0]


def test_a_single_event_leaves_vector_base_and_polarity(decode):
    events, _, _ = decode(HIGH, LOW, BASE_X | ON | 40, ADDR_X | 5, VECT_12 | 1)
    assert (events.x.tolist(), events.p.tolist()) == ([5, 40], [-1, 1])


def test_the_primary_secondary_bit_is_not_part_of_the_row(decode):
    events, _, _ = decode(HIGH, LOW, ADDR_Y | ON | 6, ADDR_X | 1)
    assert events.y.tolist() == [6]


@pytest.mark.parametrize('head', [[], [LOW], [HIGH], [LOW, HIGH]])
def test_nothing_comes_before_a_high_and_then_a_low_time(decode, head):
    events, triggers, state = decode(*head, ADDR_X | 1, BASE_X, VECT_12 | 0b11, TRIGGER)
    assert (len(events), len(triggers)) == (0, 0)
    assert state.counts.before_time == 4
    events, _, _ = decode(HIGH | 1, LOW | 1, ADDR_X | 2, state=state)
    assert us(events) == [4097]


def test_all_registers_live_on_in_the_next_packet(decode):
    _, _, state = decode(HIGH | 1, LOW | 2, ADDR_Y | 3, BASE_X | ON | 50, VECT_12 | 1)
    events, _, _ = decode(VECT_8 | 1, state=state)
    assert (us(events), events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([4098], [62], [3], [1])


def test_the_given_state_is_not_changed(decode):
    _, _, state = decode(HIGH | 1, LOW | 2, ADDR_Y | 3)
    before = state.memory.copy()
    first = decode(HIGH | 9, ADDR_X | 1, state=state)
    again = decode(HIGH | 9, ADDR_X | 1, state=state)
    np.testing.assert_array_equal(state.memory, before)
    assert us(first[0]) == us(again[0])


def test_the_clock_rolls_over_after_16_777_seconds(decode):
    events, _, state = decode(HIGH | 4095, LOW | 4095, ADDR_X, HIGH, LOW, ADDR_X)
    assert us(events) == [2**24 - 1, 2**24]
    events, _, _ = decode(HIGH | 2048, HIGH | 4095, LOW, ADDR_X, HIGH, LOW, ADDR_X, state=state)
    assert us(events) == [2 * 2**24 - 4096, 2 * 2**24]


@pytest.mark.parametrize(
    'fall, rollovers', [(1, 0), (10, 0), (11, 1), (4000, 1)], ids=lambda value: str(value)
)
def test_a_fall_of_the_high_time_by_up_to_ten_is_noise(decode, fall, rollovers):
    events, _, _ = decode(HIGH | 4090, LOW, HIGH | (4090 - fall), LOW, ADDR_X)
    assert us(events) == [(rollovers * 4096 + 4090 - fall) * 4096]


def test_noise_across_the_rollover_is_counted_once(decode):
    words = [HIGH | 4095, LOW, ADDR_X, HIGH, LOW, ADDR_X] * 3
    events, _, _ = decode(*words)
    assert us(events) == [4095 * 4096, 4096 * 4096] * 3


def test_the_first_high_time_is_compared_with_nothing(decode):
    events, _, _ = decode(HIGH | 4095, LOW | 1, ADDR_X)
    assert us(events) == [4095 * 4096 + 1]


def test_after_a_reset_stale_registers_are_gone_and_counts_stay(decode):
    _, _, state = decode(HIGH | 4095, LOW, HIGH, LOW | 9, ADDR_Y | 3, ADDR_X | 1)
    fresh = state.reset()
    assert fresh.counts == state.counts
    events, _, after = decode(ADDR_X | 1, LOW, ADDR_X | 1, state=fresh)
    assert len(events) == 0 and after.counts.before_time == 2
    events, _, _ = decode(HIGH | 7, LOW | 1, ADDR_Y | 8, ADDR_X | 1, state=after)
    assert (us(events), events.y.tolist()) == ([7 * 4096 + 1], [8])


def test_triggers_carry_input_edge_and_time(decode):
    _, triggers, state = decode(HIGH | 1, LOW | 4, TRIGGER | 6 << 8 | 1, TRIGGER | 15 << 8)
    assert (us(triggers), triggers.id.tolist(), triggers.edge.tolist()) == ([4100, 4100], [6, 15], [1, 0])
    assert state.counts.triggers == 2


def test_foreign_and_undefined_words_are_counted_and_skipped(decode):
    skipped = [code << 12 for code in (0xE, 0x7, 0xF)]
    undefined = [0x9999, 0x1000, 0xB000, 0xC000, 0xD000]
    events, _, state = decode(HIGH, LOW, *skipped, ADDR_X | 4, *undefined, ADDR_X | 5)
    assert events.x.tolist() == [4, 5]
    assert (state.counts.ignored_words, state.counts.unknown_words) == (3, 5)


def test_pixels_outside_the_sensor_are_counted_and_dropped(decode):
    words = [
        HIGH,
        LOW,
        ADDR_Y | 9,
        ADDR_X | 19,
        ADDR_X | 20,
        BASE_X | 18,
        VECT_12 | 0b111,
        ADDR_Y | 10,
        ADDR_X,
    ]
    events, _, state = decode(*words, height=10, width=20)
    assert events.x.tolist() == [19, 18, 19]
    assert state.counts.outside == 3


def test_an_odd_byte_at_the_end_is_counted_and_dropped():
    payload = np.array([HIGH, LOW, ADDR_X | 1], '<u2').tobytes() + b'\x05'
    events, _, state = decode_event_packet('evt3', payload, height=4, width=4)
    assert len(events) == 1
    assert state.counts.truncated_bytes == 1


@settings(deadline=None, max_examples=60)
@given(
    words=st.lists(st.integers(0, 0xFFFF), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    backend=st.sampled_from(['auto', 'numpy']),
)
def test_a_stream_may_be_cut_at_any_word(words, cuts, backend, decode_stream, assert_same):
    stream = np.array([HIGH, LOW, *words], '<u2')
    pieces = [piece.tobytes() for piece in np.split(stream, sorted(min(c, stream.size) for c in cuts))]
    whole = decode_stream('evt3', [stream.tobytes()], 700, 900, backend=backend)
    assert_same(whole, decode_stream('evt3', pieces, 700, 900, backend=backend))


@pytest.mark.parametrize('words', [1, 7, 1000])
def test_a_real_stream_may_be_cut_anywhere(walking_ros2, decode_stream, assert_same, words):
    stream = np.concatenate([np.frombuffer(m.events, '<u2') for m in walking_ros2[:60]])[: 3000 * words]
    pieces = [stream[k : k + words].tobytes() for k in range(0, stream.size, words)]
    whole = decode_stream('evt3', [stream.tobytes()], 480, 640)
    assert len(whole[0]) > 600
    assert_same(whole, decode_stream('evt3', pieces, 480, 640))
