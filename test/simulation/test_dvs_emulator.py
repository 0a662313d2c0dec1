# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The emulator against literal values, against plain Python, and against its own promises."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.config import build, markdown, parameters
from event_perception.errors import ConfigError, DataError
from event_perception.events import concatenate
from event_perception.simulation import DvsConfig, DvsEmulator, dvs_preset

spec = importlib.util.spec_from_file_location('plain_dvs', Path(__file__).with_name('plain_dvs.py'))
plain_dvs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(plain_dvs)

MS = 1_000_000


def run(frames, t_ns, config, **maps):
    emulator = DvsEmulator(height=frames.shape[1], width=frames.shape[2], config=config, **maps)
    parts = [emulator.push(frame, int(t)) for frame, t in zip(frames, t_ns)]
    return concatenate([*parts, emulator.flush()])


@pytest.fixture(scope='module')
def clip():
    """A drifting texture, 90 frames at 1 kHz, 24x32, dark to bright, events of both signs."""
    y, x = np.mgrid[:24, :32].astype(float)
    t = np.arange(90)[:, None, None]
    wave = (
        np.sin(0.4 * (x + 0.21 * t) + 0.2 * y)
        + np.sin(0.9 * (y - 0.13 * t) - 0.3 * x)
        + np.sin(0.23 * x * y / 9)
    )
    return (np.exp(3.6 + 0.6 * wave)).astype(np.float32), np.arange(90) * MS


@pytest.fixture(scope='module')
def maps():
    rng = np.random.default_rng(2)
    return {k: rng.normal(0.2, 0.03, (24, 32)).astype(np.float32) for k in ('threshold_on', 'threshold_off')}


def test_one_pixel_from_100_to_200_dn_fires_three_times_at_the_crossings():
    events = run(np.array([[[100.0]], [[200.0]]]), [0, 10 * MS], dvs_preset('ideal', time_resolution_ns=1))
    np.testing.assert_allclose(events.t_ns, [2_885_390, 5_770_780, 8_656_170], atol=3)
    assert events.p.tolist() == [1, 1, 1]


@pytest.mark.parametrize(('dn', 'value'), [(0, 0.0), (10, 1.49787), (20, 2.99573), (255, 5.54126)])
def test_the_lin_log_response_has_the_values_of_v2e(dn, value):
    from event_perception.simulation.dvs_kernels import log_light

    out = np.empty(1, np.float32)
    log_light(np.array([dn], np.float32), False, 20.0, out)
    assert out[0] == pytest.approx(value, abs=1e-5)


def test_a_still_pixel_leaks_an_on_event_every_ten_seconds_at_a_tenth_of_a_hertz():
    config = dvs_preset('ideal', leak_rate_hz=0.1, noise_rate_decades=0.0)
    frames = np.full((3500, 1, 1), 100.0)
    events = run(frames, np.arange(3500) * 10 * MS, config)
    assert events.p.tolist() == [1, 1, 1]
    np.testing.assert_allclose(events.t_ns, [10e9, 20e9, 30e9], atol=10_000)


CASES = {
    'ideal': ({}, {}, 1e-4),
    'filter_and_leak': ({'cutoff_hz': 300.0, 'leak_rate_hz': 2.0}, {'cutoff_hz': 300.0, 'leak_hz': 2.0}, 1e-3),
    'slow_filter': ({'cutoff_hz': 20.0}, {'cutoff_hz': 20.0}, 1e-3),
    'hold': ({'refractory_s': 4e-3}, {'refractory_ns': 4e6}, 5e-3),
    'dead': (
        {'refractory_s': 4e-3, 'refractory_mode': 'dead'}, {'refractory_ns': 4e6, 'mode': 'dead'}, 5e-3,
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_the_compiled_pixel_equals_the_plain_one(clip, maps, case):
    changes, model, allowed = CASES[case]
    frames, t_ns = clip
    config = dvs_preset('ideal', noise_rate_decades=0.0, time_resolution_ns=1, **changes)
    events = run(frames, t_ns, config, **maps)
    expected = plain_dvs.all_events(frames, t_ns, maps['threshold_on'], maps['threshold_off'], **model)
    assert len(expected) > 4000
    assert abs(len(events) - len(expected)) <= allowed * len(expected)
    net, wanted = np.zeros((24, 32)), np.zeros((24, 32))
    np.add.at(net, (events.y, events.x), events.p)
    np.add.at(wanted, (expected[:, 2].astype(int), expected[:, 1].astype(int)), expected[:, 3])
    assert np.corrcoef(net.ravel(), wanted.ravel())[0, 1] > 0.999
    if len(events) == len(expected):
        assert np.median(np.abs(np.sort(events.t_ns) - expected[:, 0])) < 100  # ns; float32 logarithms


def test_refractory_time_is_kept_by_every_pixel(clip):
    events = run(*clip, dvs_preset('clean', refractory_s=3e-3, time_resolution_ns=1))
    order = np.lexsort((events.t_ns, events.x, events.y))
    t, pixel = events.t_ns[order], (events.y.astype(int) * 32 + events.x)[order]
    gaps = np.diff(t)[np.diff(pixel) == 0]
    assert 3 * MS - 2 <= gaps.min() < 3 * MS + 1000


def test_times_on_an_exponential_ramp_are_right_to_a_twentieth_of_the_frame():
    """ln I = ln 50 + 30 t: an event each 0.2 / 30 s, wherever the frames fall."""
    t_ns = np.arange(40) * 2 * MS
    frames = (50.0 * np.exp(30.0 * t_ns * 1e-9))[:, None, None]
    config = dvs_preset('ideal', time_resolution_ns=1)
    errors = (
        run(frames, t_ns, config).t_ns - (np.arange(1, 12) * 0.2 / 30 * 1e9)[: len(run(frames, t_ns, config))]
    )
    assert errors.size == 11 and np.median(np.abs(errors)) <= 2 * MS / 20 / 100


def test_a_filtered_ramp_lags_by_the_time_constant_at_any_frame_rate():
    """One pole answers a ramp of slope s with the same ramp, s / a lower; light changes so little that a is fixed."""
    lag_s = {}
    for step_ms in (1, 5):
        t_ns = np.arange(0, 401, step_ms) * MS
        light = 100.0 * np.exp(0.5 * t_ns * 1e-9)
        config = dvs_preset('ideal', cutoff_hz=20.0, threshold_on=0.01, time_resolution_ns=1)
        events = run(light[:, None, None], t_ns, config)
        late = events.t_ns[events.t_ns > 200 * MS]
        lag_s[step_ms] = np.median(late * 1e-9 - np.round((late * 1e-9) / 0.02 - 0.5) * 0.02)
    expected = 1 / (2 * np.pi * 20.0 * (115 + 20) / 275)
    assert lag_s[1] == pytest.approx(expected, rel=0.05) and lag_s[5] == pytest.approx(lag_s[1], rel=0.02)


def test_shot_noise_has_the_set_rate_in_the_dark_and_a_quarter_of_it_at_white():
    config = dvs_preset('ideal', shot_noise_rate_hz=20.0, threshold_sigma=0.03)
    for dn, rate in ((0.0, 20.0 * (1 - 0.75 * 20 / 275)), (255.0, 5.0)):
        events = run(np.full((101, 40, 50), dn), np.arange(101) * 10 * MS, config)
        assert len(events) / 2000 == pytest.approx(rate, rel=0.05)
        assert np.mean(events.p == 1) == pytest.approx(0.5, abs=0.03)
        assert events.is_sorted()


def test_leak_has_the_set_mean_rate_over_pixels_of_different_speed():
    """Counted after two periods: pixels that start below their reference fire later at first."""
    config = dvs_preset('ideal', leak_rate_hz=5.0, noise_rate_decades=0.1, random_initial_phase=True)
    events = run(np.full((121, 40, 50), 80.0), np.arange(121) * 20 * MS, config)
    settled = events.between(400 * MS, 2400 * MS)
    assert len(settled) / 2000 / 2.0 == pytest.approx(5.0, rel=0.03) and (events.p == 1).all()


def test_hot_pixels_fire_on_their_own_and_only_they():
    config = dvs_preset('ideal', hot_pixel_fraction=0.01, hot_pixel_rate_hz=100.0)
    events = run(np.full((51, 40, 50), 80.0), np.arange(51) * 20 * MS, config)
    hot = np.unique(events.y.astype(int) * 50 + events.x)
    assert 8 <= hot.size <= 35 and len(events) / hot.size == pytest.approx(100, rel=0.3)


@pytest.mark.parametrize('preset', ['default', 'clean', 'noisy'])
def test_stamps_never_decrease_are_multiples_of_the_step_and_repeat_with_the_seed(clip, preset):
    frames, t_ns = clip
    config = dvs_preset(preset, time_resolution_ns=7000, seed=5)
    first, again = (run(frames, t_ns + 123_457, config) for _ in range(2))
    assert first.is_sorted() and not (first.t_ns % 7000).any() and len(first) > 1000
    assert first.t_ns.tobytes() == again.t_ns.tobytes() and first.p.tobytes() == again.p.tobytes()
    assert len(run(frames, t_ns, dvs_preset(preset, seed=6))) != len(first)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 255), min_size=2, max_size=12), st.floats(0.05, 0.6), st.floats(0.05, 0.6))
def test_counted_events_follow_the_light_to_within_a_threshold(dn, on, off):
    config = dvs_preset('ideal', threshold_on=on, threshold_off=off)
    events = run(np.array(dn)[:, None, None], np.arange(len(dn)) * MS, config)
    climbed = on * np.sum(events.p == 1) - off * np.sum(events.p == -1)
    change = plain_dvs.log_light(dn[-1]) - plain_dvs.log_light(dn[0])
    assert -off - 1e-5 < change - climbed < on + 1e-5


def test_a_coarse_sort_and_a_fine_one_agree(clip):
    """Both roads of the sort: counting over steps, and comparing when steps are many."""
    frames, t_ns = clip
    coarse = run(frames[::10], t_ns[::10], dvs_preset('ideal', time_resolution_ns=1000))
    fine = run(frames[::10], t_ns[::10], dvs_preset('ideal', time_resolution_ns=1))
    np.testing.assert_array_equal(np.sort(fine.t_ns // 1000 * 1000), coarse.t_ns)


def test_the_naive_model_is_its_formula_bit_for_bit(clip):
    frames, t_ns = clip
    events = run(frames, t_ns, dvs_preset('default', model='naive', threshold_on=0.05, threshold_off=0.05))
    level = np.log(frames.astype(np.float64) + 1e-6)
    change = np.diff(level, axis=0)
    for k in range(89):
        part = events.between(t_ns[k + 1], t_ns[k + 1] + 1)
        got = np.zeros((24, 32))
        got[part.y, part.x] = part.p
        np.testing.assert_array_equal(got, 1.0 * (change[k] >= 0.05) - (change[k] <= -0.05))
    assert len(events) == np.count_nonzero(np.abs(change) >= 0.05) > 100


@pytest.mark.parametrize('transfer', ['dn', 'linear', 'srgb', 'log'])
def test_the_same_light_gives_the_same_events_however_it_is_coded(transfer):
    dn = np.array([30.0, 60.0, 25.0, 200.0])
    linear = dn / 255
    coded = {
        'dn': dn,
        'linear': linear,
        'srgb': 255 * (1.055 * linear ** (1 / 2.4) - 0.055),
        'log': np.log(dn),
    }[transfer]
    events = run(coded[:, None, None], np.arange(4) * MS, dvs_preset('ideal', input_transfer=transfer))
    assert events.p.tolist() == [1] * 3 + [-1] * 3 + [1] * 9


@pytest.mark.parametrize(
    ('frame', 't_ns', 'message'),
    [
        (np.ones((2, 3)), 1, 'shape'),
        (np.full((2, 2), np.nan), 1, 'not finite'),
        (np.ones((2, 2)), 0, 'reset'),
    ],
)
def test_frames_that_cannot_be_are_refused(frame, t_ns, message):
    emulator = DvsEmulator(height=2, width=2)
    emulator.push(np.ones((2, 2)), 0)
    with pytest.raises(DataError, match=message):
        emulator.push(frame, t_ns)


def test_reset_starts_the_same_recording_again(clip):
    frames, t_ns = clip
    emulator = DvsEmulator(height=24, width=32, config=dvs_preset('noisy'))
    runs = []
    for _ in range(2):
        runs.append(concatenate([emulator.push(f, int(t)) for f, t in zip(frames, t_ns)]))
        emulator.reset()
    assert runs[0].t_ns.tobytes() == runs[1].t_ns.tobytes()


def test_inputs_are_not_modified(clip):
    frames, t_ns = clip
    for transfer in ('dn', 'log'):
        copy = np.log(frames[:5]) if transfer == 'log' else frames[:5].copy()
        before = copy.copy()
        run(copy, t_ns[:5], dvs_preset('default', input_transfer=transfer))
        np.testing.assert_array_equal(copy, before)


def test_unknown_presets_and_values_out_of_range_are_refused():
    with pytest.raises(ConfigError, match='clean'):
        dvs_preset('dirty')
    with pytest.raises(ConfigError, match='threshold_on'):
        build(DvsConfig, {'threshold_on': 5.0})
    assert all(p.doc for p in parameters(DvsConfig))


def test_a_threshold_map_of_another_shape_is_refused():
    with pytest.raises(DataError, match='threshold map'):
        DvsEmulator(height=2, width=2, threshold_on=np.ones((2, 3)))


def test_the_documentation_shows_the_parameters_as_they_are(repository):
    assert markdown(DvsConfig) in (repository / 'docs' / 'simulation.md').read_text(encoding='utf-8')
