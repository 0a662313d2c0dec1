# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of work in the background."""

from threading import Event

import pytest

from event_perception.odometry.background import Background


def test_a_result_appears_at_its_instant_and_not_when_it_is_finished():
    background, finished = Background(), Event()
    background.begin(lambda: finished.set() or 7, due_ns=100)
    assert finished.wait(10)
    assert background.busy and not background.due(99)
    assert background.due(100) and background.take() == 7
    assert not background.busy and not background.due(200)


def test_who_comes_early_waits():
    background, go = Background(), Event()
    background.begin(lambda: go.wait(10) and 3, due_ns=0)
    go.set()
    assert background.take() == 3


def test_an_error_of_the_job_reaches_who_takes_the_result():
    background = Background()
    background.begin(lambda: 1 // 0, due_ns=0)
    with pytest.raises(ZeroDivisionError):
        background.take()
    background.begin(lambda: 1, due_ns=0)
    background.drop()
    assert not background.busy
