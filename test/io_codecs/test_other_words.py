# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""libcaer, libcaer_cmp, mono, trigger, EVT2 and EVT2.1 word by word."""

import numpy as np
import pytest

from event_perception.io.decode import decode_event_packet

NS_PER_US = 1000


@pytest.fixture(params=['numba', 'numpy'])
def decode(request):
    """Decode an array of words on a 2048 x 2048 sensor unless told."""
    if request.param == 'numba':
        pytest.importorskip('numba')

    def run(encoding, words, dtype, time_base=0, *, state=None, height=2048, width=2048):
        payload = np.array(words, dtype).tobytes()
        return decode_event_packet(
            encoding, payload, time_base, height=height, width=width, state=state, backend=request.param
        )

    return run


def us(times):
    return (times.t_ns // NS_PER_US).tolist()


def pixels(events):
    return list(zip(events.x.tolist(), events.y.tolist(), events.p.tolist()))


def caer(ts, x=0, y=0, p=0, valid=1):
    return ts << 32 | x << 17 | y << 2 | p << 1 | valid


def test_libcaer_unpacks_pixel_polarity_and_adds_time_base(decode):
    words = [caer(5, 300, 200, 1), caer(7, 3, 2, 0)]
    events, _, _ = decode('libcaer', words, '<i8', time_base=1_700_000_000_000_000_123)
    assert pixels(events) == [(300, 200, 1), (3, 2, -1)]
    assert events.t_ns.tolist() == [1_700_000_000_000_005_123, 1_700_000_000_000_007_123]


def test_libcaer_drops_and_counts_invalid_and_outside_events(decode):
    words = [caer(1, 9, 9), caer(2, 1, 1, valid=0), caer(3, 10, 0), caer(4, 0, 10)]
    events, _, state = decode('libcaer', words, '<i8', height=10, width=10)
    assert us(events) == [1]
    assert (state.counts.invalid, state.counts.outside) == (1, 2)


def test_libcaer_time_wraps_inside_a_packet_once_and_small_disorder_stays(decode):
    top = 2**31 - 1
    words = [caer(ts) for ts in (top - 5, top - 9, top, 0, top - 1, 3, 2)]
    events, _, _ = decode('libcaer', words, '<i8')
    assert us(events) == [top - 5, top - 9, top, 2**31, top - 1, 2**31 + 3, 2**31 + 2]


def test_libcaer_cmp_decodes_single_events_and_vectors(decode):
    high, low, x, y, base, vector = (code << 12 for code in range(6))
    on = 1 << 11
    words = [x | 3, y | on | 5, high | 1, low | 2, y | 6, base | on | 10, vector | 0b1000_0001, vector | 0b10]
    events, _, _ = decode('libcaer_cmp', words, '<u2', time_base=7_000_000_000_001)
    assert pixels(events) == [(3, 5, 1), (3, 6, -1), (3, 10, 1), (3, 17, 1), (3, 19, 1)]
    assert (events.t_ns - 7_000_000_000_001).tolist() == [0, 4098000, 4098000, 4098000, 4098000]


def test_libcaer_cmp_packets_share_no_registers(decode):
    _, _, state = decode('libcaer_cmp', [0x0001, 0x1002, 0x2003, 0x4804], '<u2')
    events, _, _ = decode('libcaer_cmp', [0x3005, 0x5001], '<u2', state=state)
    assert (us(events), pixels(events)) == ([0, 0], [(0, 5, -1), (0, 0, -1)])


def test_libcaer_cmp_counts_words_that_no_driver_writes(decode):
    _, _, state = decode('libcaer_cmp', [0x6FFF, 0x7000, 0xF000], '<u2')
    assert (state.counts.unknown_words, state.counts.events) == (3, 0)


def test_mono_has_nanoseconds(decode):
    words = [3 | 0xFFFF << 32 | 5 << 48 | 1 << 63, 0xFFFFFFFF | 7 << 32 | 0x7FFF << 48]
    events, _, state = decode('mono', words, '<u8', time_base=1000, height=65535, width=65535)
    assert pixels(events) == [(7, 32767, -1)]
    assert events.t_ns.tolist() == [1000 + 2**32 - 1]
    assert state.counts.outside == 1


def test_mono_on_events_have_bit_63_set(decode):
    events, _, _ = decode('mono', [3 | 9 << 32 | 5 << 48 | 1 << 63], '<u8')
    assert pixels(events) == [(9, 5, 1)]


def test_trigger_packets_hold_edges(decode):
    words = [17 | 0x7FFF << 48 | 1 << 63, 18 | 2 << 48]
    events, triggers, state = decode('trigger', words, '<u8', time_base=10**18)
    assert len(events) == 0
    assert triggers.t_ns.tolist() == [10**18 + 17, 10**18 + 18]
    assert (triggers.id.tolist(), triggers.edge.tolist()) == ([32767, 2], [1, 0])
    assert state.counts.triggers == 2


def head(kind, low=0, x=0, y=0):
    return kind << 28 | low << 22 | x << 11 | y


def time_high(high):
    return 8 << 28 | high


def test_evt2_combines_both_halves_of_the_time(decode):
    words = [time_high(3), head(1, low=63, x=100, y=200), head(0, low=1, x=5, y=6)]
    events, _, _ = decode('evt2', words, '<u4')
    assert (us(events), pixels(events)) == ([255, 193], [(100, 200, 1), (5, 6, -1)])


def test_evt2_keeps_the_time_across_packets_and_drops_events_before_it(decode):
    early, _, state = decode('evt2', [head(1), head(10)], '<u4')
    assert (len(early), state.counts.before_time) == (0, 2)
    _, _, state = decode('evt2', [time_high(9)], '<u4', state=state)
    events, _, state = decode('evt2', [head(1, low=2)], '<u4', state=state)
    assert us(events) == [9 * 64 + 2]
    events, _, state = decode('evt2', [head(1, low=2)], '<u4', state=state.reset())
    assert (len(events), state.counts.before_time) == (0, 3)


def test_evt2_time_wraps_after_2_to_the_34_microseconds(decode):
    last = 2**28 - 1
    words = [time_high(last), head(0), time_high(0), head(0), time_high(last), head(0), time_high(1), head(0)]
    events, _, state = decode('evt2', words, '<u4')
    assert us(events) == [2**34 - 64, 2**34, 2**34 - 64, 2**34 + 64]
    events, _, _ = decode('evt2', [head(0)], '<u4', state=state)
    assert us(events) == [2**34 + 64]


def test_evt2_triggers_and_other_kinds(decode):
    words = [time_high(1), 10 << 28 | 3 << 22 | 31 << 8 | 1, 13 << 28, 14 << 28, 15 << 28, 2 << 28, 9 << 28]
    _, triggers, state = decode('evt2', words, '<u4')
    assert (us(triggers), triggers.id.tolist(), triggers.edge.tolist()) == ([67], [31], [1])
    assert (state.counts.ignored_words, state.counts.unknown_words) == (3, 2)


@pytest.mark.parametrize('encoding, swap', [('evt21', False), ('evt21_legacy', True)])
def test_evt21_has_a_mask_of_columns_behind_each_head(decode, encoding, swap):
    items = [
        (time_high(2), 0),
        (head(1, low=5, x=64, y=9), 1 << 31 | 1 << 4 | 1),
        (10 << 28 | 6 << 22 | 3 << 8, 0),
    ]
    words = [(mask << 32 | upper) if swap else (upper << 32 | mask) for upper, mask in items]
    events, triggers, _ = decode(encoding, words, '<u8')
    assert (us(events), pixels(events)) == ([133] * 3, [(64, 9, 1), (68, 9, 1), (95, 9, 1)])
    assert (us(triggers), triggers.id.tolist(), triggers.edge.tolist()) == ([134], [3], [0])


def test_evt21_columns_beyond_the_sensor_are_counted(decode):
    words = [time_high(0) << 32, head(0, x=32) << 32 | 0b111]
    events, _, state = decode('evt21', words, '<u8', height=1, width=34)
    assert events.x.tolist() == [32, 33]
    assert state.counts.outside == 1
