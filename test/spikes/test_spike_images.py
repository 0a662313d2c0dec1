# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Every spike reconstructor equals a plain loop over pixels, however the stream is cut."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception import images
from event_perception.errors import ConfigError, DataError
from event_perception.events import PlaneLayout, SpikeStream

PERIOD = 25_000
METHODS = {
    'tfp': {},
    'tfp causal': {'mode': 'causal', 'window_planes': 12},
    'tfi': {},
    'tfi causal': {'mode': 'causal'},
    'tfi_adaptive': {},
    'tfi_k': {},
    'tfi_k causal': {'mode': 'causal', 'intervals': 2},
    'stp': {},
    'tvs': {},
    'tvs threshold': {'mode': 'threshold'},
    'tvs refined': {'mode': 'threshold', 'refine_threshold': 1.3},
    'tvs hybrid': {'mode': 'hybrid'},
    'ati': {},
    'ati fixed': {'window': 'fixed'},
}
HEIGHT, WIDTH = 5, 7  # 35 pixels: no multiple of 8


def make(case, height=HEIGHT, width=WIDTH, **params):
    return images.create(case.split()[0], height=height, width=width, **(METHODS[case] | params))


def random_bits(n, seed, height=HEIGHT, width=WIDTH):
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.02, 0.9, (height, width))
    charge = rng.random((height, width)) + np.cumsum(np.broadcast_to(rates, (n, height, width)), axis=0)
    bits = np.diff(np.floor(charge), axis=0, prepend=np.floor(charge[:1])) > 0
    bits ^= rng.random(bits.shape) < 0.03  # some disorder
    bits[:, 0, 0], bits[:, 0, 1] = False, True
    return bits.astype(np.uint8)


def stream_of(bits, **values):
    _, height, width = bits.shape
    return SpikeStream(bits, height=height, width=width, plane_period_ns=PERIOD, **values)


def rate_after(reconstructor, bits, plane, cuts=()):
    """Push the bits in pieces, asking for nothing in between, and return the rate at a plane."""
    stream = stream_of(bits)
    for a, b in itertools.pairwise([0, *sorted(cuts), len(bits)]):
        reconstructor.push(stream[a:b])
    return reconstructor.rate(plane * PERIOD)


# Plain loops: one pixel at a time, in double precision.


def spikes_around(s, c):
    times = np.flatnonzero(s)
    return [c - t for t in times[times <= c][::-1]], [t - c for t in times[times > c]]


def plain_tfp(s, c, first, end):
    window = s[max(first, 0) : end]
    return sum(int(v) for v in window) / len(window)


def plain_intervals(s, c, k, one_sided=None):
    left, right = spikes_around(s, c)
    if left and right:
        nl = (k + 1) // 2
        left, right = left[:nl], right[: k + 1 - nl]
        return (len(left) + len(right) - 1) / (left[-1] + right[-1])
    left, right = left[: one_sided or k + 1], right[: one_sided or k + 1]
    if len(left) > 1:
        return min((len(left) - 1) / (left[-1] - left[0]), 1 / max(left[0] + len(s) - 1 - c, 1))
    if len(right) > 1:
        return min((len(right) - 1) / (right[-1] - right[0]), 1 / (right[0] + c))
    return (len(left) + len(right)) / len(s)


def plain_causal(s, c, k):
    left, _ = spikes_around(s, c)
    left = left[: k + 1]
    if len(left) < 2:
        return len(left) / (c + 1)
    return min((len(left) - 1) / (left[-1] - left[0]), 1 / max(left[0], 1))


def plain_stp(s, c, u0=0.15, f=0.15, F=10.0):
    u, last = u0, None
    for t in np.flatnonzero(s[: c + 1]):
        u = u0 if last is None else u0 + (u + f * (1 - u) - u0) * math.exp(-(t - last) / F)
        last = t
    if u <= u0:
        return 0.0
    rate = -1 / (F * math.log((u - u0) / (f - u0 + u * (1 - f))))
    return min(rate, 1 / max(c - last, 1))


def plain_threshold(s, tau=15.0, refine=None):
    threshold = relay = 0.0
    for v in s:
        relay = relay * math.exp(-1 / 40) + v
        passed = v if refine is None else float(relay > refine)
        relay = 0.0 if passed else relay
        threshold = threshold * math.exp(-1 / tau) + passed
    return threshold * (1 - math.exp(-1 / tau))


def plain_tvs(s, c, hybrid=False):
    left, right = spikes_around(s, c)
    if len(left) < 2 or len(right) < 2:
        return plain_intervals(s, c, 1)
    a, b, d, p = left[1] - left[0], left[0] + right[0], right[1] - right[0], left[0]
    if hybrid and max(a, b, d) - min(a, b, d) <= 1 + 0.15 * b:
        return (plain_threshold(s[: c + 1]) + plain_threshold(s[:c:-1])) / 2
    if a < b < d or a > b > d:
        return 1 / a if p <= a * (d - b) / (d - a) else 1 / d
    line = np.polyfit([a / 2, a + b / 2, a + b + d / 2], [1 / a, 1 / b, 1 / d], 1)
    return max(float(np.polyval(line, a + p)), 0.0)


def plain_ati(s, c, W=21, most=14):
    left, right = spikes_around(s, c)
    if not (left and right):
        return plain_intervals(s, c, 1, one_sided=most)
    spans = [x + y for x, y in zip(left, right)]
    n = 1
    while n < min(len(spans), most) and spans[n] <= W:
        n += 1
    return n * n / sum(spans[:n])


def plain_adaptive(s, c, window=11, most=5):
    back = c - np.flatnonzero(s[: c + 1])[::-1]
    if len(back) < 2:
        return len(back) / (c + 1)
    n = max(k for k in range(1, min(most, len(back) - 1) + 1) if k == 1 or back[k] <= window)
    return min(n / (back[n] - back[0]), 1 / max(back[0], 1))


PLAIN = {
    'tfp': lambda s, c: plain_tfp(s, c, c - 15, c + 16),
    'tfp causal': lambda s, c: plain_tfp(s, c, c - 11, c + 1),
    'tfi': lambda s, c: plain_intervals(s, c, 1),
    'tfi causal': lambda s, c: plain_causal(s, c, 1),
    'tfi_k': lambda s, c: plain_intervals(s, c, 3),
    'tfi_k causal': lambda s, c: plain_causal(s, c, 2),
    'tfi_adaptive': plain_adaptive,
    'stp': plain_stp,
    'tvs': plain_tvs,
    'tvs threshold': lambda s, c: plain_threshold(s[: c + 1]),
    'tvs refined': lambda s, c: plain_threshold(s[: c + 1], refine=1.3),
    'tvs hybrid': lambda s, c: plain_tvs(s, c, hybrid=True),
    'ati fixed': plain_ati,
}


@pytest.mark.parametrize('case', PLAIN)
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 90),
    where=st.floats(0, 1),
    cuts=st.lists(st.integers(0, 90), max_size=5),
)
def test_the_rate_equals_a_plain_loop_over_pixels_however_the_stream_is_cut(case, seed, n, where, cuts):
    bits = random_bits(n, seed)
    plane = round(where * (n - 1))
    rates = rate_after(make(case), bits, plane, [min(c, n) for c in cuts])
    expected = [PLAIN[case](bits[:, y, x], plane) for y in range(HEIGHT) for x in range(WIDTH)]
    np.testing.assert_allclose(rates.reshape(-1), expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 120), max_size=5))
def test_the_adaptive_window_gives_the_same_bits_however_the_stream_is_cut(seed, cuts):
    bits = random_bits(120, seed, 9, 13)
    whole = rate_after(make('ati', 9, 13), bits, 60)
    np.testing.assert_array_equal(rate_after(make('ati', 9, 13), bits, 60, cuts), whole)


@pytest.mark.parametrize('window', [1, 2, 30, 31, 200])
def test_streaming_tfp_is_bit_for_bit_the_sum_over_the_window_at_every_plane(window):
    bits = random_bits(260, 1)
    reconstructor = images.create('tfp', height=HEIGHT, width=WIDTH, window_planes=window, mode='causal')
    stream = stream_of(bits)
    for i in range(260):
        reconstructor.push(stream[i : i + 1])
        part = bits[max(i + 1 - window, 0) : i + 1]
        expected = part.sum(axis=0).astype(np.float32) / np.float32(len(part))
        np.testing.assert_array_equal(reconstructor.rate(i * PERIOD), expected)


@pytest.mark.parametrize('case', METHODS)
def test_images_in_between_do_not_change_later_images(case):
    bits = random_bits(100, 3)
    once, often = make(case), make(case)
    expected = rate_after(once, bits, 99)
    for i, start in enumerate(range(0, 100, 10)):
        often.push(stream_of(bits)[start : start + 10])
        often.rate((10 * i + 5) * PERIOD)
    np.testing.assert_array_equal(often.rate(99 * PERIOD), expected)


CONSTANT = [case for case in METHODS if case.split()[0] in ('tfi', 'tfi_adaptive', 'tfi_k', 'stp', 'ati')]


@pytest.mark.parametrize('case', CONSTANT)
def test_a_constant_interval_of_d_planes_gives_one_over_d(case):
    planes = np.arange(600)
    d, phase = np.arange(1, 51), np.arange(50) * 7 % np.arange(1, 51)
    bits = ((planes[:, None] + phase) % d == 0).astype(np.uint8)[:, None, :]
    # One row an interval, so that the neighbourhood has no say.
    for i in range(0, 50, 7 if case.startswith('ati') else 1):
        one = np.repeat(np.repeat(bits[:, :, i : i + 1], 4, axis=1), 6, axis=2)
        rates = rate_after(make(case, 4, 6), one, 300 + i)
        np.testing.assert_allclose(rates, 1 / d[i], rtol=1e-4)


@pytest.mark.parametrize('case', METHODS)
@pytest.mark.parametrize('value', [0, 1])
def test_planes_all_zero_are_black_and_planes_all_one_are_white(case, value):
    if case == 'tvs refined' and value == 1:
        pytest.skip('the relay is made to hold spikes back')
    bits = np.full((80, HEIGHT, WIDTH), value, np.uint8)
    quick = {'threshold_planes': 3.0} if case.startswith('tvs') else {}
    np.testing.assert_allclose(rate_after(make(case, **quick), bits, 79), value, atol=1e-5)


@pytest.mark.parametrize('case', METHODS)
def test_the_order_of_bits_and_rows_in_memory_does_not_show_in_the_image(case):
    bits = random_bits(90, 4, 6, 10)
    expected = rate_after(make(case, 6, 10), bits, 50)
    for layout in (
        PlaneLayout('contiguous', 0, 'big', True),
        PlaneLayout('rows', 3, 'little', True),
        PlaneLayout('split_rows', 4, 'little', False),
    ):
        reconstructor = make(case, 6, 10)
        reconstructor.push(stream_of(bits, layout=layout))
        np.testing.assert_array_equal(reconstructor.rate(50 * PERIOD), expected)


@pytest.mark.parametrize('case', METHODS)
def test_the_image_is_the_rate_on_a_linear_scale_cut_at_one(case):
    bits = random_bits(60, 5)
    rates = rate_after(make(case), bits, 40)
    scaled = make(case, **{'output.full_scale_rate': 0.4})
    scaled.push(stream_of(bits))
    image = scaled.image(40 * PERIOD)
    assert image.dtype == np.float32 and image.shape == (HEIGHT, WIDTH)
    np.testing.assert_allclose(image, np.clip(rates / 0.4, 0, 1), rtol=1e-6)


@pytest.mark.parametrize('case', METHODS)
def test_a_gap_is_counted_and_what_came_before_it_is_forgotten(case):
    bits = random_bits(200, 6)
    stream = stream_of(bits)
    gap, fresh = make(case), make(case)
    gap.push(stream[:60])
    gap.push(stream[110:])
    fresh.push(stream[110:])
    np.testing.assert_array_equal(gap.rate(150 * PERIOD), fresh.rate(150 * PERIOD))
    assert (gap.counts.gaps, gap.counts.missing_planes, gap.counts.restarts) == (1, 50, 0)
    with pytest.raises(DataError, match='kept'):
        gap.rate(30 * PERIOD)


def test_missing_planes_are_seen_by_index_where_the_clock_hides_them():
    bits = random_bits(40, 7)
    reconstructor = make('tfp')
    reconstructor.push(stream_of(bits, first_plane_index=0))
    reconstructor.push(stream_of(bits, first_plane_index=45, start_ns=40 * PERIOD))
    assert (reconstructor.counts.gaps, reconstructor.counts.missing_planes) == (1, 5)


def test_jitter_of_the_clock_below_half_a_period_is_no_gap():
    bits = random_bits(40, 7)
    reconstructor = make('tfp')
    reconstructor.push(stream_of(bits))
    reconstructor.push(stream_of(bits, start_ns=40 * PERIOD + 9_000))
    assert (reconstructor.counts.gaps, reconstructor.counts.restarts) == (0, 0)
    assert reconstructor.counts.planes == 80


def test_a_step_back_in_time_or_another_period_starts_again():
    bits = random_bits(40, 8)
    reconstructor = make('tfi')
    reconstructor.push(stream_of(bits, start_ns=10**9))
    reconstructor.push(stream_of(bits))
    other = SpikeStream(bits, height=HEIGHT, width=WIDTH, plane_period_ns=50_000, start_ns=40 * PERIOD)
    reconstructor.push(other)
    assert (reconstructor.counts.restarts, reconstructor.counts.gaps) == (2, 0)


@pytest.mark.parametrize('case', METHODS)
def test_without_planes_or_far_from_them_there_is_no_image(case):
    reconstructor = make(case)
    with pytest.raises(DataError, match='push a stream first'):
        reconstructor.image(0)
    reconstructor.push(stream_of(random_bits(20, 9)))
    for t_ns in (-PERIOD, 21 * PERIOD):
        with pytest.raises(DataError, match='kept'):
            reconstructor.image(t_ns)
    with pytest.raises(DataError, match='8x4 pixels pushed'):
        reconstructor.push(SpikeStream(np.zeros((1, 4), np.uint8), height=4, width=8, plane_period_ns=1))


@pytest.mark.parametrize('case', ['stp', 'tfi causal', 'tvs threshold'])
def test_methods_with_state_refuse_to_go_back_and_survive_planes_nobody_asked_for(case):
    bits = random_bits(300, 10)
    expected = rate_after(make(case), bits, 299)
    short = make(case, **{'output.history_planes': 16})
    for start in range(0, 300, 20):
        short.push(stream_of(bits)[start : start + 20])
    np.testing.assert_array_equal(short.rate(299 * PERIOD), expected)
    with pytest.raises(DataError, match='time order'):
        short.rate(290 * PERIOD)


def test_registers_of_the_causal_method_outlive_sixteen_bits():
    bits = np.zeros((70_000, 1, 8), np.uint8)
    bits[::100, 0, 0] = 1
    bits[40_000::25_000, 0, 1] = 1
    reconstructor = images.create('tfi', height=1, width=8, mode='causal')
    reconstructor.push(stream_of(bits))
    rates = reconstructor.rate(69_999 * PERIOD)[0]
    np.testing.assert_allclose(rates[:3], [1 / 100, 1 / 25_000, 0], rtol=1e-5)


def test_unsorted_windows_and_unknown_parameters_are_errors():
    with pytest.raises(ConfigError, match='ascending'):
        images.create('ati', height=4, width=4, windows_planes=(1.0, 21.0, 11.0))
    with pytest.raises(ConfigError, match='unknown'):
        images.create('tfp', height=4, width=4, window=3)
