# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the window slicer."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import DataError
from event_perception.events import EventArray, WindowConfig, WindowSlicer


def events_at(t_ns, width=20, height=10):
    t_ns = np.asarray(t_ns, np.int64)
    n = len(t_ns)
    return EventArray(
        t_ns,
        np.arange(n) % width,
        np.arange(n) % height,
        np.where(np.arange(n) % 2, 1, -1),
        height=height,
        width=width,
    )


def cut(events, config, chunks):
    slicer = WindowSlicer(config)
    windows = []
    bounds = [0, *sorted(chunks), len(events)]
    for a, b in itertools.pairwise(bounds):
        windows += slicer.push(events[a:b])
    return windows + slicer.flush(), slicer.counts


def signature(windows):
    return [(w.t0_ns, w.t1_ns, w.t_ref_ns, w.x.tolist(), w.dt_s.tolist()) for w in windows]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 4_000_000), min_size=1, max_size=300).map(np.cumsum),
    st.lists(st.integers(0, 300), max_size=8),
    st.sampled_from(['time', 'count']),
)
def test_windows_do_not_depend_on_how_the_stream_is_cut(t_ns, chunks, kind):
    events = events_at(t_ns)
    config = WindowConfig(kind=kind, duration_s=0.01, count=17)
    whole, _ = cut(events, config, [])
    pieces, counts = cut(events, config, [min(c, len(events)) for c in chunks])
    assert signature(whole) == signature(pieces)
    assert counts.windowed == len(events) == counts.received


def test_windows_by_time_start_at_multiples_of_their_length_and_hold_their_events():
    windows, _ = cut(
        events_at([3_000_000, 9_999_999, 10_000_000, 55_000_000]), WindowConfig(duration_s=0.01), []
    )
    assert [(w.t0_ns, len(w)) for w in windows] == [(0, 2), (10_000_000, 1), (50_000_000, 1)]
    assert windows[0].t_ref_ns == 5_000_000
    np.testing.assert_allclose(windows[0].dt_s, [-0.002, 0.004999999], rtol=1e-6)


def test_every_event_is_accounted_for_when_some_are_late_too_many_or_lost_in_a_reset():
    slicer = WindowSlicer(WindowConfig(duration_s=0.01, max_events=10, max_disorder_s=0.05))
    slicer.push(events_at(np.linspace(0, 9_000_000, 30)))
    slicer.push(events_at([12_000_000]))
    slicer.push(events_at([9_500_000, 13_000_000]))  # the first is late
    slicer.push(events_at([500_000_000]))
    slicer.push(events_at([1_000_000]))  # back by half a second: a new stream
    slicer.flush()
    c = slicer.counts
    assert (c.received, c.late, c.over_limit, c.resets) == (35, 1, 20, 1)
    assert c.received == c.windowed + c.late + c.over_limit + c.discarded_by_reset


def test_disorder_inside_a_window_is_sorted():
    windows, _ = cut(events_at([3_000_000, 1_000_000, 2_000_000]), WindowConfig(duration_s=0.01), [])
    assert windows[0].x.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    'change, message',
    [
        ({'x': [25]}, 'x spans 25'),
        ({'p': [0]}, 'p contains 0'),
        ({'t_ns': [0.5]}, 'dtype'),
        ({'y': [1, 2]}, 'one length'),
        ({'x': [-1]}, 'x spans -1'),
    ],
)
def test_events_that_cannot_be_are_refused(change, message):
    arrays = {'t_ns': [0], 'x': [1], 'y': [1], 'p': [1]} | change
    with pytest.raises(DataError, match=message):
        EventArray(**arrays, height=10, width=20)


def test_events_cannot_be_modified_and_do_not_freeze_their_source():
    t = np.arange(3)
    events = EventArray(t, t, t, np.ones(3, int), height=5, width=5)
    with pytest.raises(ValueError):
        events.t_ns[0] = 7
    t[0] = 9
