# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the reorder buffer."""

from hypothesis import given
from hypothesis import strategies as st

from event_perception.io.time_order import TimeOrder


@given(st.lists(st.integers(0, 1000), max_size=60), st.randoms(use_true_random=False))
def test_what_is_late_by_at_most_the_horizon_leaves_in_order_and_nothing_is_lost(times, random):
    arrival = sorted((t + random.randint(0, 50), i, t) for i, t in enumerate(times))
    out = list(TimeOrder(50, 10_000).order((t, (t, i)) for _, i, t in arrival))
    assert [t for t, _ in out] == sorted(times)
    assert sorted(i for _, i in out) == list(range(len(times)))


def test_a_step_back_beyond_the_horizon_begins_anew():
    order = TimeOrder(10, 100)
    out = list(order.order([(100, 'a'), (105, 'b'), (0, 'c'), (3, 'd')]))
    assert out == ['a', 'b', 'c', 'd']
    assert order.restarts == 1


def test_equal_times_keep_the_order_of_arrival():
    assert list(TimeOrder(10, 100).order([(5, 'a'), (5, 'b'), (4, 'c')])) == ['c', 'a', 'b']


def test_heavy_samples_leave_sooner():
    order = TimeOrder(10**9, 100, weight=len)
    held = 0
    for i in range(50):
        held += 30 - sum(len(sample) for sample in order.push(i, b'x' * 30))
        assert held <= 100


def test_no_more_is_held_than_allowed():
    order = TimeOrder(10**9, 3)
    held = 0
    for i in range(100):
        held += 1 - len(order.push(i, i))
        assert held <= 3
