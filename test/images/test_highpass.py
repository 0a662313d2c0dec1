# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the high-pass filter."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception import images
from event_perception.errors import ConfigError, DataError
from event_perception.events import EventArray
from event_perception.images.highpass import unsharp

HEIGHT, WIDTH = 6, 8
EPOCH_NS = 1_744_227_144_732_712_000
RAW = {'median': False, 'sharpen': 0.0, 'balance.limit': 1.0}


def random_events(n=4000, duration_s=1.0, seed=3, on_share=0.5, start_s=0):
    rng = np.random.default_rng(seed)
    t_ns = EPOCH_NS + start_s * 10**9 + np.sort(rng.integers(0, round(duration_s * 1e9), n))
    p = np.where(rng.random(n) < on_share, 1, -1)
    return EventArray(
        t_ns, rng.integers(0, WIDTH, n), rng.integers(0, HEIGHT, n), p, height=HEIGHT, width=WIDTH
    )


def one_pixel(t_s, p=1):
    t_ns = EPOCH_NS + np.round(np.asarray(t_s) * 1e9).astype(np.int64)
    zero = np.zeros(len(t_ns), int)
    return EventArray(t_ns, zero, zero, np.broadcast_to(p, t_ns.shape), height=HEIGHT, width=WIDTH)


def highpass(**params):
    return images.create('highpass', height=HEIGHT, width=WIDTH, **params)


def eager_filter(events, t_ns, tau_s, event_leak):
    """Every pixel decayed at every event, in float64."""
    value, now = np.zeros((HEIGHT, WIDTH)), int(events.t_ns[0])
    for t, x, y, p in zip(events.t_ns.tolist(), events.x, events.y, events.p):
        value *= math.exp(-(t - now) * 1e-9 / tau_s)
        value[y, x] = value[y, x] * math.exp(-event_leak) + p
        now = t
    return value * math.exp(-(t_ns - now) * 1e-9 / tau_s)


@pytest.mark.parametrize(('tau_s', 'event_leak'), [(0.3, 0.15), (0.25, 0.0), (0.1, 0.1), (20.0, 0.05)])
def test_lazy_decay_equals_eager_decay(tau_s, event_leak):
    events, t_ns = random_events(), EPOCH_NS + 1_003_000_000
    lazy = highpass(time_constant_s=tau_s, event_leak=event_leak, **RAW)
    lazy.push(events)
    eager = eager_filter(events, t_ns, tau_s, event_leak)
    assert np.abs(lazy.log_image(t_ns) - eager).max() < 1e-5 * np.ptp(eager)


def test_one_event_leaves_one_contrast_threshold_that_decays_with_the_time_constant():
    lazy = highpass(time_constant_s=0.5, **RAW)
    lazy.push(one_pixel([0.0]))
    assert lazy.log_image(EPOCH_NS)[0, 0] == pytest.approx(1.0, abs=1e-6)
    assert lazy.log_image(EPOCH_NS + 500_000_000)[0, 0] == pytest.approx(0.36788, abs=2e-5)
    assert np.count_nonzero(lazy.log_image(EPOCH_NS)) == 1


def test_what_is_very_old_has_vanished():
    lazy = highpass(time_constant_s=0.01, **RAW)
    lazy.push(one_pixel([0.0]))
    assert not lazy.log_image(EPOCH_NS + 10**12).any()


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 4000), max_size=12), limit=st.sampled_from([1.0, 2.5]))
def test_the_image_does_not_depend_on_how_the_stream_is_cut(cuts, limit):
    events = random_events(on_share=0.35)
    whole, pieces = highpass(**{'balance.limit': limit}), highpass(**{'balance.limit': limit})
    whole.push(events)
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(events)]):
        pieces.push(events[start:stop])
    t_ns = EPOCH_NS + 1_100_000_000
    np.testing.assert_array_equal(pieces.image(t_ns), whole.image(t_ns))
    assert pieces.off_weight == whole.off_weight


def test_reading_does_not_change_the_state():
    events, read, unread = random_events(), highpass(), highpass()
    for start in range(0, 4000, 500):
        read.push(events[start : start + 500])
        unread.push(events[start : start + 500])
        read.image(int(events.t_ns[start + 499]))
    t_ns = EPOCH_NS + 10**9
    np.testing.assert_array_equal(read.log_image(t_ns), unread.log_image(t_ns))


def test_small_disorder_counts_as_no_time_passed():
    lazy = highpass(time_constant_s=0.1, event_leak=0.0, **RAW)
    lazy.push(one_pixel([0.0, 0.05, 0.02]))
    assert lazy.log_image(EPOCH_NS + 50_000_000)[0, 0] == pytest.approx(2 + math.exp(-0.5), abs=1e-4)
    assert lazy.restarts == 0


@pytest.mark.parametrize('cut', [1, 2, 3])
def test_a_large_step_back_starts_again(cut):
    looped = one_pixel([0.5, 0.6, 0.0, 0.1])
    lazy, fresh = highpass(**RAW), highpass(**RAW)
    lazy.push(looped[:cut])
    lazy.push(looped[cut:])
    fresh.push(looped[2:])
    t_ns = EPOCH_NS + 100_000_000
    np.testing.assert_array_equal(lazy.log_image(t_ns), fresh.log_image(t_ns))
    assert lazy.restarts == 1


def test_seen_marks_the_pixels_that_fired():
    lazy = highpass()
    assert not lazy.seen.any()
    lazy.push(one_pixel([0.0]))
    assert lazy.seen.sum() == 1
    assert lazy.seen[0, 0]


def test_without_events_the_image_is_mid_grey():
    image = highpass().image(EPOCH_NS)
    assert image.dtype == np.float32
    assert (image == 0.5).all()


def test_the_off_weight_is_the_ratio_of_polarities_once_there_are_many():
    lazy = highpass(**{'balance.half_events': 1000})
    assert lazy.off_weight == 1.0
    lazy.push(random_events(n=2048, on_share=0.375))
    early = lazy.off_weight
    lazy.push(random_events(n=200_000, on_share=0.375, seed=4, start_s=1))
    assert 0.65 < early < 0.8
    assert lazy.off_weight == pytest.approx(0.6, abs=0.01)


def test_a_light_switch_leaves_the_balance_alone():
    lazy = highpass()
    lazy.push(random_events(n=50_000, on_share=0.4))
    before = lazy.off_weight
    lazy.push(random_events(n=51_200, on_share=0.97, seed=5, start_s=1))
    assert lazy.off_weight == pytest.approx(before, abs=0.01)


def test_a_hot_pixel_saturates():
    lazy = highpass(event_leak=0.1, **RAW)
    lazy.push(one_pixel(np.arange(200_000) * 1e-6))
    assert lazy.log_image(EPOCH_NS + 200_000_000)[0, 0] == pytest.approx(1 / -math.expm1(-0.1), rel=1e-3)


def test_the_median_removes_a_single_wrong_pixel_but_not_a_block():
    y, x = np.mgrid[2:5, 4:7].reshape(2, -1)
    t_ns = np.full(10, EPOCH_NS)
    lazy = highpass(sharpen=0.0)
    lazy.push(EventArray(t_ns, [0, *x], [0, *y], [1] * 10, height=HEIGHT, width=WIDTH))
    shown = lazy.log_image(EPOCH_NS)
    assert shown[0, 0] == 0
    assert shown[3, 5] == 1


def test_unsharp_masking_keeps_flat_areas_and_raises_detail():
    flat = np.full((20, 20), 3.0, np.float32)
    spot = flat.copy()
    spot[10, 10] = 4.0
    np.testing.assert_allclose(unsharp(flat, 0.5, 2.0), 3.0, atol=1e-5)
    assert 4.4 < unsharp(spot, 0.5, 2.0)[10, 10] < 4.5


@pytest.mark.parametrize(
    'params', [{'time_constant': 0.3}, {'time_constant_s': 0.0}, {'median': 3}, {'balance.limit': 0.5}]
)
def test_wrong_parameters_are_refused(params):
    with pytest.raises(ConfigError):
        highpass(**params)


def test_a_size_without_pixels_is_refused():
    with pytest.raises(ConfigError, match='positive'):
        images.create('highpass', height=0, width=8)


def test_events_of_another_sensor_are_refused():
    with pytest.raises(DataError, match='8x6'):
        highpass().push(EventArray.empty(height=8, width=6))
