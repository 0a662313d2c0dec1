# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the inbox and its worker: order, bounds, and a count for everything that is dropped."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_perception.events import EventArray, ImuSample, SpikeStream
from event_perception.nodes.inbox import Inbox, Worker

MS = 1_000_000
SECOND = 1000 * MS


def batch(n, t_ns=0):
    t = np.full(n, t_ns)
    return EventArray(t, np.zeros(n, int), np.zeros(n, int), np.ones(n, int), height=2, width=2)


def imu(t_ns=0):
    return ImuSample(t_ns, np.zeros(3), np.zeros(3))


def inbox(max_events=1000, max_lag_ns=SECOND, max_samples=10):
    return Inbox(max_events=max_events, max_lag_ns=max_lag_ns, max_samples=max_samples)


def drained(box):
    items = []
    while box.waiting_events or box._others:
        items.append(box.get().sample)
    return items


def test_samples_leave_in_the_order_of_their_arrival():
    box, samples = inbox(), [batch(3), imu(), batch(2), imu(), imu()]
    for sample in samples:
        box.put(sample)
    assert [id(sample) for sample in drained(box)] == [id(sample) for sample in samples]


def test_too_many_events_drop_the_oldest_batches():
    box = inbox(max_events=10)
    for n in (4, 5, 6):
        box.put(batch(n))
    assert box.counts.dropped_events == 9 and box.counts.dropped_batches == 2
    assert [len(sample) for sample in drained(box)] == [6]


def planes(n, t_ns=0):
    return SpikeStream(np.zeros((n, 8), np.uint8), height=8, width=8, plane_period_ns=1000, start_ns=t_ns)


def test_planes_are_bounded_by_memory_and_by_time_and_what_is_dropped_is_counted():
    box = Inbox(max_events=1, max_lag_ns=SECOND, max_samples=1, max_plane_bytes=100)
    for n in (5, 6, 7):  # of 8 bytes
        box.put(planes(n))
    assert (box.counts.planes, box.counts.dropped_planes, box.waiting_planes) == (18, 11, 7)
    box.put(planes(1, 2 * SECOND))
    assert (box.counts.dropped_planes, box.waiting_planes) == (18, 1)
    assert len(box.get().sample) == 1 and box.waiting_planes == 0


def test_events_that_wait_too_long_behind_newer_ones_are_dropped():
    box = inbox(max_lag_ns=100 * MS)
    for t_ns in (0, 60 * MS, 120 * MS):
        box.put(batch(5, t_ns))
    assert box.counts.dropped_events == 5
    assert [int(sample.t_ns[0]) for sample in drained(box)] == [60 * MS, 120 * MS]


def test_a_step_back_in_time_is_no_lag():
    box = inbox(max_lag_ns=100 * MS)
    for t_ns in (10 * SECOND, 0):
        box.put(batch(5, t_ns))
    assert box.counts.dropped_events == 0


def test_one_batch_that_is_too_large_is_kept():
    box = inbox(max_events=10)
    box.put(batch(50))
    assert box.waiting_events == 50


def test_other_samples_are_bounded_too():
    box = inbox(max_samples=2)
    for _ in range(5):
        box.put(imu())
    assert box.counts.dropped_samples == 3


def test_closing_counts_what_still_waits():
    box = inbox()
    box.put(batch(7))
    box.close()
    assert box.get() is None
    assert box.counts.dropped_events == 7 and box.waiting_events == 0


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 500))
def test_received_is_taken_plus_dropped_plus_waiting(sizes, max_events):
    box, taken = inbox(max_events=max_events), 0
    for i, n in enumerate(sizes):
        box.put(batch(n))
        if i % 3 == 0 and box.waiting_events:
            taken += len(box.get().sample)
    counts = box.counts
    assert counts.events == sum(sizes) == taken + counts.dropped_events + box.waiting_events


def test_the_worker_handles_everything_and_ends_when_it_is_stopped():
    box, seen, done = inbox(), [], threading.Event()

    def handle(item):
        seen.append(len(item.sample))
        if len(seen) == 3:
            done.set()

    worker = Worker(box, handle, lambda error: None)
    worker.start()
    for n in (1, 2, 3):
        box.put(batch(n))
    assert done.wait(30.0)
    assert worker.stop(30.0)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize('error', [ValueError('bad'), ZeroDivisionError('worse')])
def test_an_error_nobody_expected_ends_the_worker_and_is_handed_over(error):
    box, told, done = inbox(), [], threading.Event()

    def handle(item):
        raise error

    worker = Worker(box, handle, lambda e: (told.append(e), done.set()))
    worker.start()
    box.put(batch(1))
    assert done.wait(30.0)
    assert worker.stop(30.0)
    assert told == [error]
