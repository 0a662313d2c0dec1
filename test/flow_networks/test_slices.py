# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The input of flow networks: nothing is lost, halves and polarities are apart, derivatives are weak ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import ConfigError, DataError
from event_perception.events import EventArray, EventWindow
from event_perception.flow.networks.slices import events_to_slices, slice_positions, sliced

HEIGHT, WIDTH = 6, 8


def window_of(t_ns, x, y, p, end_ns=1000):
    events = EventArray(np.array(t_ns), np.array(x), np.array(y), np.array(p), height=HEIGHT, width=WIDTH)
    return EventWindow.from_events(events, t0_ns=0, t1_ns=end_ns)


def random_window(n, seed=0):
    rng = np.random.default_rng(seed)
    t_ns = np.sort(rng.integers(0, 1000, n))
    return window_of(t_ns, rng.integers(0, WIDTH, n), rng.integers(0, HEIGHT, n), rng.choice([-1, 1], n))


def test_an_event_at_the_centre_of_a_slice_lies_in_that_slice_alone():
    # four slices of 250 ns; 625 is the centre of the third: the first of the second half
    slices = events_to_slices(window_of([625], [3], [2], [-1]), slices=2)
    assert slices.shape == (4, HEIGHT, WIDTH, 2)
    assert slices[3, 2, 3, 0] == 1 and slices.sum() == 1


def test_an_event_on_the_border_of_the_halves_belongs_to_both():
    slices = events_to_slices(window_of([500], [0], [0], [1]), slices=2)
    assert slices[0, 0, 0, 1] == pytest.approx(0.5) and slices[2, 0, 0, 0] == pytest.approx(0.5)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(20, 200), slices=st.integers(1, 6), mode=st.sampled_from(['soft', 'equal_count']))
def test_no_event_is_lost(n, slices, mode):
    total = events_to_slices(random_window(n, n), slices=slices, mode=mode)
    assert total.sum() == pytest.approx(n, rel=1e-5) and total.min() >= 0


def test_hard_counting_puts_equal_numbers_into_slices_and_drops_the_rest():
    slices = events_to_slices(random_window(47), slices=2, mode='hard_count')
    halves = slices.unflatten(0, (2, 2)).sum((1, 2, 3))
    np.testing.assert_array_equal(halves.numpy(), [[11, 11], [11, 11]])


def test_equal_counts_of_evenly_spaced_events_are_equal_times():
    fraction = torch.arange(40) / 40
    even = slice_positions(fraction, slices=2, mode='equal_count')
    np.testing.assert_allclose(even[:30], slice_positions(fraction, slices=2)[:30], atol=1e-5)


def test_the_derivative_with_respect_to_time_is_that_of_moving_votes():
    # the mean position of the votes in time follows the event, at any place that is not near the ends
    t = torch.tensor([1.3], dtype=torch.float64, requires_grad=True)
    points = torch.stack([torch.full_like(t, 3.0), torch.full_like(t, 2.0), t], dim=-1)
    slices = sliced(points, torch.ones(1), height=HEIGHT, width=WIDTH, slices=2)
    order = torch.arange(4, dtype=torch.float64)
    along_time = torch.cat([slices[0], slices[2]], dim=-1).sum((0, 1))
    (derivative,) = torch.autograd.grad((order * along_time).sum(), t)
    assert derivative.item() == pytest.approx(1.0)


def test_padding_adds_nothing():
    points = torch.tensor([[[1.0, 1.0, 0.2], [5.0, 2.0, 1.0]]])
    slices = sliced(points, torch.tensor([[1.0, 0.0]]), height=HEIGHT, width=WIDTH, slices=2)
    assert slices.shape == (1, 4, HEIGHT, WIDTH, 2) and slices.sum() == pytest.approx(1)


def test_too_few_events_for_equal_counts_and_an_unknown_mode_are_errors():
    with pytest.raises(DataError, match='cannot fill'):
        events_to_slices(random_window(3), slices=2, mode='hard_count')
    with pytest.raises(ConfigError, match='soft'):
        events_to_slices(random_window(30), slices=2, mode='fancy')
