# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the pace of a replay, on a clock of our own."""

import pytest

from event_perception.nodes import pacing
from event_perception.nodes.pacing import Pacer

SECOND = 1_000_000_000


class Wall:
    """A clock that moves only while somebody waits."""

    def __init__(self, monkeypatch):
        self.now_s = 100.0
        monkeypatch.setattr(pacing, 'monotonic', lambda: self.now_s)

    def attach(self, pacer, on_wait=None):
        def wait(seconds):
            self.now_s += seconds
            if on_wait:
                on_wait()
            return pacer.stopped

        pacer._stop.wait = wait
        return pacer


@pytest.fixture
def wall(monkeypatch):
    return Wall(monkeypatch)


@pytest.mark.parametrize('rate', [0.5, 1.0, 10.0])
def test_messages_are_due_at_their_distance_divided_by_the_rate(wall, rate):
    pacer = wall.attach(Pacer(rate, lambda t_ns: None))
    for t_ns, due_s in (
        (7 * SECOND, 0.0),
        (8 * SECOND, 1 / rate),
        (8 * SECOND, 1 / rate),
        (17 * SECOND, 10 / rate),
    ):
        assert pacer.wait_until(t_ns)
        assert wall.now_s - 100.0 == pytest.approx(due_s, abs=1e-6)


def test_late_messages_follow_at_once(wall):
    pacer = wall.attach(Pacer(1.0, lambda t_ns: None))
    pacer.wait_until(0)
    wall.now_s += 5.0
    before_s = wall.now_s
    assert pacer.wait_until(3 * SECOND) and wall.now_s == before_s


def test_the_time_of_the_recording_is_told_forward_and_up_to_the_message(wall):
    told = []
    pacer = wall.attach(Pacer(1.0, told.append))
    for t_ns in (0, SECOND // 10, SECOND):
        pacer.wait_until(t_ns)
    assert told == sorted(told)
    assert len(told) > 100 and told[-1] <= SECOND


def test_a_stop_ends_the_wait_and_says_so(wall):
    pacer = Pacer(1.0, lambda t_ns: None)
    wall.attach(pacer, on_wait=pacer.stop)
    pacer.wait_until(0)
    assert not pacer.wait_until(1000 * SECOND)
    assert wall.now_s < 101.0


def test_a_pause_moves_everything_after_it(wall):
    pacer = wall.attach(Pacer(1.0, lambda t_ns: None))
    pacer.wait_until(0)
    pacer.pause(True)

    def resume():
        wall.now_s += 20.0
        pacer.pause(False)

    pacer._running.wait = resume
    pacer.wait_until(SECOND)
    assert wall.now_s - 100.0 == pytest.approx(21.0)


def test_after_a_restart_the_next_message_is_due_at_once(wall):
    pacer = wall.attach(Pacer(1.0, lambda t_ns: None))
    pacer.wait_until(50 * SECOND)
    pacer.restart()
    before_s = wall.now_s
    assert pacer.wait_until(0) and wall.now_s == before_s
