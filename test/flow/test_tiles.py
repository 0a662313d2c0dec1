# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of flow from events: right motion, honest masks, symmetry, warm starts."""

from dataclasses import replace

import numpy as np
import pytest

from event_perception import flow
from event_perception.config import build
from event_perception.errors import DataError
from event_perception.evaluation.flow_warp import flow_warp_gain
from event_perception.events import EventArray, EventWindow
from event_perception.flow.field import FlowField
from event_perception.flow.window import FlowWindowConfig, WindowMemory
from event_perception.motion.camera import CameraModel
from event_perception.pipeline import Pipeline, PipelineConfig

HEIGHT, WIDTH = 96, 128
CAMERA = CameraModel(100.0, 100.0, 63.5, 47.5, height=HEIGHT, width=WIDTH)
DRIFT = np.array([180.0, -90.0])


def estimate(window, **parameters):
    return flow.create('tiles', CAMERA, **parameters).update(window)


def error_px_s(field, truth, where=None):
    where = field.valid if where is None else where & field.valid
    return np.linalg.norm(
        field.flow_px_s - np.asarray(truth).reshape(2, *[1] * (3 - np.ndim(truth))).reshape(2, 1, 1), axis=0
    )[where]


@pytest.mark.parametrize('focus', ['gradient', 'variance'])
@pytest.mark.parametrize('velocity', [(180.0, -90.0), (-400.0, 30.0), (0.0, 25.0)])
def test_a_drift_is_found_from_nothing(dots, as_window, focus, velocity):
    field = estimate(as_window(dots(np.array(velocity))), focus=focus)
    assert field.valid.mean() > 0.8
    assert np.median(error_px_s(field, velocity)) < 4.0
    assert field.flow_px_s.dtype == np.float32 and not field.flow_px_s[:, ~field.valid].any()


def test_a_field_that_grows_with_the_radius_is_found_everywhere(dots, as_window):
    centre, rate = np.array([64.0, 48.0]), 2.0
    field = estimate(as_window(dots(lambda p: rate * (p - centre))))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    truth = rate * np.stack([x - centre[0], y - centre[1]])
    error = np.linalg.norm(field.flow_px_s - truth, axis=0)[field.valid]
    assert np.median(error) < 10.0
    assert np.mean(error) < 12.0 < np.mean(np.linalg.norm(truth, axis=0)) / 5


def test_two_motions_meet_sharply_at_their_edge(dots, as_window):
    left = dots(DRIFT, where=lambda p: p[:, 0] < 64, seed=1, density=0.04)
    right = dots(-DRIFT, where=lambda p: p[:, 0] >= 64, seed=2, density=0.04)
    both = EventArray(
        *(np.concatenate([getattr(e, n) for e in (left, right)]) for n in ('t_ns', 'x', 'y', 'p')),
        height=HEIGHT,
        width=WIDTH,
    ).sorted()
    field = estimate(as_window(both))
    u = field.flow_px_s[0]
    for columns, sign in ((slice(20, 48), 1), (slice(80, 108), -1)):
        good = np.abs(u[16:-16, columns] - sign * DRIFT[0]) < 40
        assert good.mean() > 0.85
    smooth = estimate(as_window(both), **{'selection.enabled': False}).flow_px_s[0]
    near = np.s_[16:-16, 56:72]
    truth = np.where(np.arange(56, 72) < 64, DRIFT[0], -DRIFT[0])
    assert np.abs(u[near] - truth).mean() < np.abs(smooth[near] - truth).mean()


def test_the_field_gains_contrast_and_its_opposite_does_not(dots, as_window):
    window = as_window(dots(DRIFT))
    field = estimate(window)
    assert flow_warp_gain(window, field.flow_px_s) > 3
    assert flow_warp_gain(window, -field.flow_px_s) < 1
    assert flow_warp_gain(window, np.zeros_like(field.flow_px_s)) == pytest.approx(1.0)


def test_polarity_changes_nothing(dots, as_window):
    window = as_window(dots(DRIFT))
    turned = replace(window, p=-window.p)
    np.testing.assert_array_equal(estimate(window).flow_px_s, estimate(turned).flow_px_s)


def test_a_mirrored_input_gives_the_mirrored_field(dots, as_window):
    window = as_window(dots(DRIFT))
    mirrored = replace(window, x=(WIDTH - 1 - window.x).astype(np.uint16))
    field, other = estimate(window), estimate(mirrored)
    back = other.flow_px_s[:, :, ::-1] * np.array([-1.0, 1.0], np.float32)[:, None, None]
    both = field.valid & other.valid[:, ::-1]
    assert np.median(np.linalg.norm(back - field.flow_px_s, axis=0)[both]) < 2.0


def test_the_inputs_are_left_as_they_are(dots, as_window):
    window = as_window(dots(DRIFT))
    before = [getattr(window, name).copy() for name in ('x', 'y', 'p', 'dt_s')]
    estimate(window)
    for name, array in zip(('x', 'y', 'p', 'dt_s'), before):
        np.testing.assert_array_equal(getattr(window, name), array)


@pytest.mark.parametrize('n', [0, 1, 39])
def test_a_handful_of_events_gives_no_flow(n):
    rng = np.random.default_rng(0)
    t_ns = np.sort(rng.integers(10**12, 10**12 + 5 * 10**7, n))
    events = EventArray(
        t_ns,
        rng.integers(0, WIDTH, n),
        rng.integers(0, HEIGHT, n),
        np.ones(n, int),
        height=HEIGHT,
        width=WIDTH,
    )
    field = estimate(EventWindow.from_events(events, t0_ns=10**12, t1_ns=10**12 + 5 * 10**7))
    assert not field.valid.any() and not field.flow_px_s.any() and not field.confidence.any()


@pytest.mark.parametrize('method', ['tiles', 'residual'])
@pytest.mark.parametrize('instant', [False, True], ids=['over the window', 'at one instant'])
def test_noise_gives_no_flow(method, instant):
    rng, n = np.random.default_rng(0), 8000
    t_ns = np.full(n, 25_000_000) if instant else np.sort(rng.integers(0, 50_000_000, n))
    x, y = rng.integers(0, WIDTH, n), rng.integers(0, HEIGHT, n)
    events = EventArray(t_ns, x, y, rng.choice([-1, 1], n), height=HEIGHT, width=WIDTH)
    window = EventWindow.from_events(events, t0_ns=0, t1_ns=50_000_000)
    assert flow.create(method, CAMERA).update(window).valid.mean() < 0.02


def test_events_in_one_corner_say_nothing_about_the_rest(dots, as_window):
    field = estimate(as_window(dots(DRIFT, where=lambda p: (p < 40).all(axis=1), density=0.05)))
    assert field.valid[16:24, 16:24].all()
    assert not field.valid[64:, 80:].any()
    assert np.isfinite(field.flow_px_s).all()


def test_all_events_on_one_pixel_do_no_harm():
    t_ns = np.arange(10**12, 10**12 + 5 * 10**7, 10**5)
    events = EventArray(
        t_ns, np.full(500, 60), np.full(500, 40), np.ones(500, int), height=HEIGHT, width=WIDTH
    )
    field = estimate(EventWindow.from_events(events))
    assert np.isfinite(field.flow_px_s).all()
    assert np.abs(field.flow_px_s).max() < 30


def test_motion_beyond_the_fastest_is_not_told_as_something_else(dots, as_window):
    field = estimate(as_window(dots(np.array([1500.0, 0.0]))), max_speed_px_s=200.0)
    assert np.hypot(*field.flow_px_s).max() <= 1.2 * 200.0 + 1e-3


def test_confidence_is_lower_where_the_field_is_worse(dots, as_window):
    rng = np.random.default_rng(0)
    good = dots(DRIFT, where=lambda p: p[:, 0] < 64, density=0.04)
    n = 4000
    noise = EventArray(
        np.sort(rng.integers(good.t_ns[0], good.t_ns[-1], n)), rng.integers(70, WIDTH, n), rng.integers(0, HEIGHT, n),
        np.ones(n, int), height=HEIGHT, width=WIDTH,
    )  # fmt: skip
    both = EventArray(
        *(np.concatenate([getattr(e, k) for e in (good, noise)]) for k in ('t_ns', 'x', 'y', 'p')),
        height=HEIGHT,
        width=WIDTH,
    ).sorted()
    confidence = estimate(as_window(both)).confidence
    assert confidence.dtype == np.float32 and confidence.min() >= 0 and confidence.max() <= 1
    assert confidence[:, :48].mean() > 1.5 * confidence[:, 80:].mean()


def test_events_of_another_sensor_are_refused(dots, as_window):
    other = CameraModel(100.0, 100.0, 63.5, 47.5, height=HEIGHT + 2, width=WIDTH)
    for name in ('tiles', 'residual'):
        with pytest.raises(DataError, match='sensor'):
            flow.create(name, other).update(as_window(dots(DRIFT)))


def test_the_second_window_starts_from_the_first_and_a_pause_ends_that(dots, as_window):
    estimator = flow.create('tiles', CAMERA)
    warm = []
    for start_ns in (0, 50_000_000, 100_000_000, 600_000_000):
        field = estimator.update(as_window(dots(DRIFT, start_ns=10**12 + start_ns, seed=start_ns)))
        warm.append(estimator.latest.warm)
        assert np.median(error_px_s(field, DRIFT)) < 5.0
    assert warm == [False, True, True, False]
    assert estimator.speed_px_s == pytest.approx(np.hypot(*DRIFT), rel=0.05)


def test_a_start_that_has_stopped_to_fit_is_dropped(dots, as_window):
    estimator = flow.create('tiles', CAMERA)
    for k in range(3):
        estimator.update(as_window(dots(DRIFT, start_ns=10**12 + k * 50_000_000)))
    field = estimator.update(as_window(dots(-2 * DRIFT, start_ns=10**12 + 150_000_000)))
    assert not estimator.latest.warm
    assert np.median(error_px_s(field, -2 * DRIFT)) < 5.0


def test_a_window_much_longer_than_the_first_starts_cold_again(dots, as_window):
    estimator = flow.create('tiles', CAMERA)
    warm = []
    for length_s in (0.01, 0.02, 0.025, 0.05):
        events = dots(DRIFT, duration_s=length_s, start_ns=10**12)
        window = replace(as_window(events, length_s), t_ref_ns=10**12 + len(warm) + round(length_s * 5e8))
        estimator.update(window)
        warm.append(estimator.latest.warm)
    assert warm == [False, False, True, False]


def test_windows_joined_from_memory_are_the_events_of_the_stretch(dots):
    events = dots(DRIFT, duration_s=0.1)
    memory = WindowMemory(0.1)
    t0 = int(events.t_ns[0]) // 1_000_000 * 1_000_000
    for k in range(5):
        a, b = t0 + k * 20_000_000, t0 + (k + 1) * 20_000_000
        memory.push(EventWindow.from_events(events.between(a, b), t0_ns=a, t1_ns=b))
    joined = memory.latest(0.05)
    expected = EventWindow.from_events(
        events.between(t0 + 50_000_000, t0 + 100_000_000), t0_ns=t0 + 50_000_000, t1_ns=t0 + 100_000_000
    )
    assert (joined.t0_ns, joined.t1_ns, joined.t_ref_ns) == (
        expected.t0_ns,
        expected.t1_ns,
        expected.t_ref_ns,
    )
    np.testing.assert_array_equal(joined.x, expected.x)
    np.testing.assert_allclose(joined.dt_s, expected.dt_s, atol=1e-8)


def test_the_length_of_a_window_follows_the_speed_within_its_bounds():
    config = FlowWindowConfig()
    assert config.length_s(None) == config.first_s
    assert config.length_s(400.0) == pytest.approx(config.displacement_px / 400.0)
    assert config.length_s(1.0) == config.longest_s
    assert config.length_s(1e6) == config.shortest_s


def through_pipeline(events, batch):
    config = build(PipelineConfig, {'stages': ('flow',), 'flow.method': 'tiles'})
    pipeline = Pipeline(config, CAMERA)
    outputs = []
    for start in range(0, len(events), batch):
        outputs += pipeline.push(events[start : start + batch])
    return [o for o in outputs + pipeline.finish() if isinstance(o, FlowField)], pipeline


def test_through_the_pipeline_it_is_bounded_in_rate_and_indifferent_to_batches(dots):
    events = dots(DRIFT, duration_s=0.2)
    whole, pipeline = through_pipeline(events, len(events))
    pieces, _ = through_pipeline(events, 777)
    assert [f.t_ref_ns for f in whole] == [f.t_ref_ns for f in pieces]
    assert 4 <= len(whole) <= 6
    assert pipeline.counts.flow_skipped == pipeline.counts.windows - len(whole)
    for a, b in zip(whole, pieces):
        np.testing.assert_array_equal(a.flow_px_s, b.flow_px_s)
    assert np.median(error_px_s(whole[-1], DRIFT)) < 5.0


@pytest.mark.parametrize(('length_s', 'gain'), [(0.05, 1.6), (0.1, 2.3)])
def test_a_real_camera_on_a_slider_sees_everything_move_sideways(shared_data, length_s, gain):
    from event_perception.evaluation.flow_real import SLIDER, slider_figures

    figures = slider_figures(shared_data / SLIDER, length_s)
    assert figures['within_10_deg_percent'] >= 97
    assert figures['fwl'] >= gain
