# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the reader of events as text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import DataError
from event_perception.io.event_text import parse_events, read_events_text
from event_perception.io.seconds import ns_from_seconds, seconds_text

EVENT = st.tuples(
    st.integers(-(10**17), 8 * 10**18), st.integers(0, 1279), st.integers(0, 719), st.sampled_from([-1, 0, 1])
)


def columns(events):
    return [events.t_ns.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist()]


@given(
    st.lists(EVENT, max_size=30),
    st.sampled_from([' ', '\t', ',', '  ', ', ']),
    st.sampled_from(['\n', '\r\n']),
)
@settings(deadline=None)
def test_every_nanosecond_survives(events, blank, newline):
    text = ''.join(blank.join([seconds_text(t), str(x), str(y), str(p)]) + newline for t, x, y, p in events)
    parsed = parse_events(text.encode())
    assert columns(parsed) == [list(column) for column in zip(*events)] or not events
    assert parsed.unreadable == 0


@given(st.lists(EVENT, min_size=1, max_size=20), st.integers(40, 200))
@settings(deadline=None)
def test_the_size_of_the_blocks_does_not_matter(tmp_path_factory, events, block_bytes):
    path = tmp_path_factory.mktemp('text') / 'events.txt'
    path.write_text('\n'.join(f'{seconds_text(t)} {x} {y} {p}' for t, x, y, p in events))
    t_ns = np.concatenate([block.t_ns for block in read_events_text(path, block_bytes=block_bytes)])
    assert t_ns.tolist() == [t for t, *_ in events]


def test_lines_of_another_kind_are_read_slowly_skipped_or_counted_in_place():
    text = b'# t x y p\n0.5 1 2 0\n1.5e-3 2.0 3 1\n\nfoo\n1 2 3\n1 2 3 4 5\n  7 , 8 , 9 , 1\n'
    events = parse_events(text)
    assert columns(events) == [[500_000_000, 1_500_000, 7_000_000_000], [1, 2, 8], [2, 3, 9], [0, 1, 1]]
    assert events.unreadable == 3


@pytest.mark.parametrize(
    ('text', 't_ns'),
    [
        ('18.579911000', 18_579_911_000),
        ('2.09714', 2_097_140_000),
        ('0.0000000014', 1),
        ('0.0000000016', 2),
        ('-0.5', -500_000_000),
    ],
)
def test_times_as_written(text, t_ns):
    assert parse_events(f'{text} 0 0 1\n'.encode()).t_ns.tolist() == [t_ns]
    assert ns_from_seconds(text) == t_ns


def test_times_that_cannot_be_seconds_are_not_read_as_such():
    assert parse_events(b'1589163147368868 215 164 1\n').unreadable == 1


def test_binary_data_are_refused_instead_of_being_kept_in_memory(tmp_path):
    path = tmp_path / 'events.txt'
    path.write_bytes(b'\x01' * 5000)
    with pytest.raises(DataError, match='a line of more than 1000 bytes'):
        list(read_events_text(path, block_bytes=1000))


@pytest.mark.parametrize('text', ['nan', 'inf', 'x', ''])
def test_what_is_no_time_is_an_error(text):
    with pytest.raises(DataError):
        ns_from_seconds(text)
