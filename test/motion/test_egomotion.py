# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.events import EventArray, EventWindow, TwistPrior
from event_perception.motion import CameraModel, EgomotionConfig, EgomotionEstimator, contrast_of
from event_perception.motion.egomotion_config import RobustConfig


@pytest.mark.parametrize('omega', [(1.0, -2.0, 0.5), (0.2, 0.1, -3.0), (-4.0, 0.0, 1.0)])
def test_a_turning_camera_is_measured_from_a_cold_start(camera, turning, omega):
    result = EgomotionEstimator(camera).update(turning(camera, omega, n=8000))
    assert result.converged
    np.testing.assert_allclose(result.omega, omega, atol=0.06)
    assert result.n_evaluations <= 10
    assert result.contrast_gain > 1.1
    assert np.isnan(result.v).all()


def test_the_same_events_give_the_same_bits(camera, turning):
    events = turning(camera, (1.0, 2.0, 3.0))
    first, second = (EgomotionEstimator(camera).update(events).omega for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_after_reset_an_estimator_is_as_new(camera, turning):
    events = turning(camera, (1.0, 2.0, 3.0))
    estimator = EgomotionEstimator(camera)
    cold = estimator.update(events).omega
    estimator.update(turning(camera, (-1.0, 0.0, 0.0), seed=5))
    estimator.reset()
    np.testing.assert_array_equal(estimator.update(events).omega, cold)


@pytest.mark.parametrize('n', [0, 1, 299])
def test_too_few_events_are_a_result_with_a_reason(camera, turning, n):
    events = turning(camera, (1.0, 0.0, 0.0))[:n]
    result = EgomotionEstimator(camera).update(events)
    assert not result.converged
    assert result.reason == f'too few events ({n} < 300)'
    np.testing.assert_array_equal(result.omega, np.zeros(3))
    assert result.n_evaluations == 0


def test_events_of_another_sensor_are_refused(camera):
    events = EventArray([0], [0], [0], [1], height=10, width=10)
    with pytest.raises(DataError, match='10x10 sensor, camera model of 160x120'):
        EgomotionEstimator(camera).update(events)


def test_the_contrast_of_the_true_motion_is_far_above_that_of_rest(camera, turning):
    window = EventWindow.from_events(turning(camera, (2.0, -2.0, 0.5), duration_s=0.1))
    assert contrast_of(window, camera, (2.0, -2.0, 0.5)) > 2 * contrast_of(window, camera, (0, 0, 0))


def test_a_change_of_rate_is_measured_and_its_neglect_costs(camera):
    """Under acceleration the constant rate that fits best is that of the events' mean instant, not t_ref."""
    omega, alpha = np.array([0.5, -2.0, 0.4]), np.array([4.0, 30.0, -10.0])
    events = accelerating(camera, omega, alpha)
    error = np.linalg.norm(EgomotionEstimator(camera).update(events).omega - omega)
    constant = EgomotionEstimator(camera, EgomotionConfig(acceleration=False)).update(events)
    assert error < 0.04
    assert np.linalg.norm(constant.omega - omega) > 2 * error


def test_cold_and_warm_starts_agree(camera, turning):
    estimator = EgomotionEstimator(camera)
    for seed, omega in enumerate([(1.0, -2.0, 0.5), (1.1, -1.9, 0.4), (1.2, -1.8, 0.4)]):
        events = turning(camera, omega, n=6000, seed=seed)
        warm, cold = estimator.update(events), EgomotionEstimator(camera).update(events)
        assert warm.converged
        assert cold.converged
        np.testing.assert_allclose(warm.omega, cold.omega, atol=0.05)


def test_a_sudden_reversal_is_followed(camera, turning):
    estimator = EgomotionEstimator(camera)
    estimator.update(turning(camera, (0.0, 3.0, 0.0), n=6000))
    result = estimator.update(turning(camera, (0.0, -3.0, 0.0), n=6000, seed=1))
    np.testing.assert_allclose(result.omega, (0.0, -3.0, 0.0), atol=0.1)


def test_a_window_with_too_much_motion_is_shortened_to_its_newest_part(camera, turning):
    estimator = EgomotionEstimator(camera)
    estimator.update(turning(camera, (0.0, 8.0, 0.0), n=6000))
    window = EventWindow.from_events(
        turning(camera, (0.0, 8.0, 0.0), n=20_000, duration_s=0.1, seed=1), t0_ns=0, t1_ns=100_000_000
    )
    result = estimator.update(window)
    assert result.t1_ns == 100_000_000
    assert result.t0_ns == pytest.approx(50_000_000, abs=2_000_000)  # 40 px of the 80
    assert result.t_ref_ns == window.t_ref_ns
    np.testing.assert_allclose(result.omega, (0.0, 8.0, 0.0), atol=0.4)


def test_a_window_whose_beginning_is_empty_is_extrapolated_and_says_how_unsure_it_is(camera, turning):
    events = turning(camera, (1.0, -2.0, 0.5), n=8000).shifted(60_000_000)
    result = EgomotionEstimator(camera).update(EventWindow.from_events(events, t0_ns=0, t1_ns=100_000_000))
    alone = EgomotionEstimator(camera).update(EventWindow.from_events(events))
    assert result.t_ref_ns == 50_000_000
    assert result.t0_ns == pytest.approx(60_000_000, abs=100_000)
    error = result.omega - (1.0, -2.0, 0.5)
    assert error @ np.linalg.solve(result.omega_covariance, error) < 11.3  # 99 % of chi-square
    assert np.trace(result.omega_covariance) > 2 * np.trace(alone.omega_covariance)


def test_noise_without_structure_is_not_taken_for_motion(camera):
    rng = np.random.default_rng(0)
    n = 5000
    events = EventArray(
        np.sort(rng.integers(0, 40_000_000, n)),
        rng.integers(0, 160, n),
        rng.integers(0, 120, n),
        rng.choice([-1, 1], n),
        height=120,
        width=160,
    )
    result = EgomotionEstimator(camera).update(events)
    assert not result.converged
    assert result.reason.split(':')[0] in ('flat objective', 'no convergence within 10 evaluations') or (
        result.reason.startswith('no sharper')
    )


def test_events_of_one_pixel_are_a_defined_result(camera):
    n = 1000
    events = EventArray(np.arange(n) * 1000, [80] * n, [60] * n, [1] * n, height=120, width=160)
    result = EgomotionEstimator(camera).update(events)
    assert not result.converged
    assert np.isfinite(result.omega).all()
    assert result.reason


def test_one_instant_is_a_defined_result(camera, turning):
    events = turning(camera, (1.0, 0.0, 0.0), n=2000)
    same_time = EventArray(np.zeros(2000, np.int64), events.x, events.y, events.p, height=120, width=160)
    result = EgomotionEstimator(camera).update(same_time)
    assert not result.converged
    assert np.isfinite(result.omega).all()


def test_a_still_scene_of_a_slow_camera_is_near_zero_and_usable(camera, turning):
    result = EgomotionEstimator(camera).update(turning(camera, (0.05, 0.0, 0.0), n=8000))
    assert result.converged
    np.testing.assert_allclose(result.omega, (0.05, 0.0, 0.0), atol=0.1)


def prior_of(omega, sigma, t_ns=20_000_000):
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = sigma**2 * np.eye(3)
    return TwistPrior(t_ns, np.full(3, np.nan), np.array(omega), covariance)


def test_a_prior_counts_by_its_covariance(camera, turning):
    events = turning(camera, (1.0, -2.0, 0.5), n=3000)
    alone = EgomotionEstimator(camera).update(events)
    wrong = (1.1, -2.1, 0.6)
    sure = EgomotionEstimator(camera).update(events, prior_of(wrong, 1e-4))
    unsure = EgomotionEstimator(camera).update(events, prior_of(wrong, 10.0))
    np.testing.assert_allclose(sure.omega, wrong, atol=2e-3)
    np.testing.assert_allclose(unsure.omega, alone.omega, atol=5e-3)
    sigma = np.sqrt(np.diag(alone.omega_covariance))
    between = EgomotionEstimator(camera).update(events, prior_of(wrong, float(sigma.mean())))
    assert np.linalg.norm(between.omega_covariance) < np.linalg.norm(alone.omega_covariance)


@pytest.mark.parametrize('spoilt', [prior_of((np.nan, 0, 0), 0.1), prior_of((9, 9, 9), 1e-3, t_ns=10**9)])
def test_a_prior_that_is_stale_or_not_finite_is_not_used(camera, turning, spoilt):
    events = turning(camera, (1.0, -2.0, 0.5), n=3000)
    np.testing.assert_array_equal(
        EgomotionEstimator(camera).update(events, spoilt).omega,
        EgomotionEstimator(camera).update(events).omega,
    )


def test_a_part_that_moves_by_itself_pulls_less_with_robust_weights(camera, turning):
    omega = np.array([1.0, -2.0, 0.5])
    moving, still = turning(camera, omega, n=9000), turning(camera, (0.0, 0.0, 0.0), n=6000, seed=4)
    x0 = 90
    keep, add = moving.x < x0, still.x >= x0
    both = EventArray(
        np.concatenate([moving.t_ns[keep], still.t_ns[add]]),
        np.concatenate([moving.x[keep], still.x[add]]),
        np.concatenate([moving.y[keep], still.y[add]]),
        np.concatenate([moving.p[keep], still.p[add]]),
        height=120,
        width=160,
    )
    window = EventWindow.from_events(both, t0_ns=0, t1_ns=40_000_000)
    plain = EgomotionEstimator(camera).update(window)
    config = EgomotionConfig(robust=RobustConfig(iterations=2))
    robust = EgomotionEstimator(camera, config).update(window)
    assert np.linalg.norm(robust.omega - omega) < np.linalg.norm(plain.omega - omega)
    assert np.linalg.norm(robust.omega - omega) < 0.12


def test_pixels_without_a_bearing_are_left_out(turning):
    folded = CameraModel(100.0, 100.0, 79.0, 59.5, 120, 160, 'radtan', (-0.9, 0.0, 0.0, 0.0))
    rng = np.random.default_rng(1)
    n = 3000
    events = EventArray(
        np.arange(n) * 10_000,
        rng.integers(0, 160, n),
        rng.integers(0, 120, n),
        np.ones(n, int),
        height=120,
        width=160,
    )
    result = EgomotionEstimator(folded).update(events)
    assert 0 < result.n_events < n
    assert np.isfinite(result.omega).all()


@pytest.mark.parametrize('kernel', ['rect', 'gaussian'])
def test_other_kernels_measure_the_same(camera, turning, kernel):
    config = EgomotionConfig(kernel=kernel, bin_size_px=2.0 if kernel == 'rect' else 1.5)
    result = EgomotionEstimator(camera, config).update(turning(camera, (1.0, -2.0, 0.5), n=8000))
    np.testing.assert_allclose(result.omega, (1.0, -2.0, 0.5), atol=0.08)


def accelerating(camera, omega, alpha, n=10_000, duration_s=0.06):
    """Events of strokes at infinity under constant angular acceleration; more of them late in the window."""
    rng = np.random.default_rng(2)
    centre, direction = rng.uniform([-0.8, -0.6], [0.8, 0.6], (60, 2)), rng.normal(0, 0.12, (60, 2))
    stroke = rng.integers(60, size=4 * n)
    X = np.column_stack([centre[stroke] + rng.uniform(-1, 1, (4 * n, 1)) * direction[stroke], np.ones(4 * n)])
    t = np.sqrt(rng.uniform(0, 1, 4 * n)) * duration_s
    dt = (t - duration_s / 2)[:, None]
    seen = Rotation.from_rotvec(-(dt * omega + 0.5 * dt**2 * alpha)).apply(X)
    pixels = np.round(camera.project(seen))
    good = (pixels >= 0).all(axis=1) & (pixels[:, 0] < camera.width) & (pixels[:, 1] < camera.height)
    x, y = pixels[good][:n].astype(int).T
    t_ns = np.round(t[good][:n] * 1e9).astype(np.int64)
    array = EventArray(t_ns, x, y, np.ones(n, int), height=camera.height, width=camera.width)
    return EventWindow.from_events(array.sorted(), t0_ns=0, t1_ns=round(duration_s * 1e9))


@pytest.mark.parametrize(('name', 'least'), [('shapes_rotation', 2.3), ('boxes_rotation', 1.2)])
def test_real_rotations_get_sharper(shared_data, name, least):
    camera, events = read_ecd(shared_data / 'ecd_rotation_gt' / name)
    result = EgomotionEstimator(camera).update(events)
    assert result.converged
    assert result.n_evaluations <= 8
    at_rest = contrast_of(events, camera, np.zeros(3))
    assert contrast_of(events, camera, result.omega) >= least * at_rest


@pytest.mark.parametrize(
    'name',
    ['boxes_translation', 'dynamic_translation', 'shapes_rotation', '../ecd_rotation_gt/boxes_rotation'],
)
def test_real_excerpts_reach_the_best_contrast_from_a_cold_start(shared_data, name):
    from scipy.optimize import minimize

    camera, events = read_ecd(shared_data / 'ecd_excerpts' / name)
    result = EgomotionEstimator(camera).update(events)
    best = minimize(
        lambda w: -contrast_of(events, camera, w),
        result.omega,
        method='Nelder-Mead',
        options={'maxfev': 80, 'initial_simplex': result.omega + 0.15 * np.eye(4, 3)},
    )
    assert result.converged
    assert contrast_of(events, camera, result.omega) >= 0.997 * -best.fun


def read_ecd(folder):
    fx, fy, cx, cy, *k = np.loadtxt(folder / 'calib.txt')
    t, x, y, p = np.loadtxt(folder / 'events.txt').T
    camera = CameraModel(fx, fy, cx, cy, 180, 240, 'radtan', tuple(k))
    x, y, p = x.astype(int), y.astype(int), 2 * p.astype(int) - 1
    return camera, EventArray(np.round(t * 1e9).astype(np.int64), x, y, p, height=180, width=240)
