# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the back end's parts: smoothing, letting go, the bias, the lag of events, trust in a gyroscope."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.events import ImuSample
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.odometry.event_lag import EventLag, EventLagConfig
from event_perception.odometry.gyro_trust import GyroTrust, mean_reading
from event_perception.odometry.spline_smoother import Seen, SplineConfig, SplineSmoother

STEP_NS = 20_000_000
BIAS = np.array([0.01, -0.015, 0.009])


def rotation(t_s):
    return Rotation.from_rotvec([0.3 * np.sin(2 * t_s), 0.4 * np.sin(3 * t_s), 0.2 * t_s]).as_matrix()


def rate(t_s, step=1e-5):
    return so3_log(rotation(t_s - step).T @ rotation(t_s + step)) / (2 * step)


def run(config, *, turn_std=2e-3, rate_std=0.05, gyro=False, n=80, seed=0):
    """Noisy orientations and rates; returns the smoother and its errors at the newest instants."""
    rng, smoother, errors = np.random.default_rng(seed), SplineSmoother(config), []
    weight = config.window_factor * np.diag(np.repeat([rate_std**-2, turn_std**-2], 3))
    for k in range(n):
        t_ns = k * STEP_NS
        t_s = t_ns * 1e-9
        R = rotation(t_s) @ so3_exp(turn_std * rng.standard_normal(3))
        omega = rate(t_s) + rate_std * rng.standard_normal(3)
        if not smoother.running:
            smoother.begin(t_ns, R, omega, turn_std**2, rate_std**2)
        if gyro and k:
            read_ns = np.array([t_ns - 15_000_000, t_ns - 5_000_000])
            readings = np.array([rate(r * 1e-9) for r in read_ns]) + BIAS + 3e-3 * rng.standard_normal((2, 3))
            smoother.add_gyro(read_ns, readings)
        smoother.add(Seen(t_ns, omega, R, weight, np.zeros(6)))
        smoother.solve()
        smoother.let_go()
        errors.append(np.linalg.norm(so3_log(rotation(t_s).T @ smoother.at(t_ns)[0])))
    return smoother, np.array(errors)


def test_smoothing_removes_noise_and_costs_no_delay():
    _, errors = run(SplineConfig(jerk_rad_s3=50.0))
    measured = 2e-3 * np.sqrt(3)
    assert np.sqrt(np.mean(errors[20:] ** 2)) < 0.75 * measured


def test_what_is_let_go_still_counts():
    """A short lag ends almost where a lag longer than everything ends."""
    short, _ = run(SplineConfig(lag_s=0.1))
    long, _ = run(SplineConfig(lag_s=5.0))
    t_ns = 79 * STEP_NS
    (R, omega), (R_all, omega_all) = short.at(t_ns), long.at(t_ns)
    assert np.linalg.norm(so3_log(R.T @ R_all)) < 1e-4
    np.testing.assert_allclose(omega, omega_all, atol=2e-3)


def test_the_bias_of_a_gyroscope_is_found_within_its_claim():
    smoother, errors = run(SplineConfig(lag_s=0.1), gyro=True, n=150)
    claimed = np.sqrt(np.diag(smoother.bias_covariance))
    assert np.abs(smoother.bias - BIAS).max() < 2e-3
    assert (np.abs(smoother.bias - BIAS) < 4 * claimed).all()
    assert np.sqrt(np.mean(errors[50:] ** 2)) < 1.2e-3  # far below one measurement's 3.5e-3


def test_knots_stay_rotations_over_a_long_run():
    smoother, _ = run(SplineConfig(lag_s=0.05), n=200)
    R = smoother.at(199 * STEP_NS)[0]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize('true_px', [0.0, 0.5, 1.2])
def test_the_lag_of_events_is_learnt_from_turns_of_the_motion(true_px):
    rng, lag, focal = np.random.default_rng(4), EventLag(EventLagConfig(), 200.0), 200.0
    before = None
    for _ in range(600):
        omega = rng.standard_normal(3)
        unit = omega / (np.linalg.norm(omega) + 0.05)
        if before is not None:
            rest = true_px - lag.px
            lag.learn(omega, -rest / focal * (unit - before) + 5e-4 * rng.standard_normal(3))
        else:
            lag.learn(omega, np.zeros(3))
        before = unit
    assert lag.px == pytest.approx(true_px, abs=0.03)
    assert lag.late_s(np.array([0.0, 2.0, 0.0])) == pytest.approx(lag.px / focal / 2.05)


def test_the_lag_stays_where_it_is_not_to_be_learnt():
    lag = EventLag(EventLagConfig(start_px=0.4, learn=False), 200.0)
    for omega in np.random.default_rng(1).standard_normal((50, 3)):
        lag.learn(omega, np.array([0.01, 0.0, 0.0]))
    assert lag.px == pytest.approx(0.4)


@pytest.mark.parametrize(
    ('wrong', 'trusted'),
    [
        (lambda w: w + 0.01, True),
        (np.rad2deg, False),  # degrees a second
        (lambda w: w[[1, 2, 0]], False),  # other axes
        (lambda w: -w, False),
        (lambda w: 0 * w, False),  # not connected
    ],
)
def test_only_a_gyroscope_that_measures_this_motion_is_trusted(wrong, trusted):
    trust = GyroTrust()
    for omega in np.random.default_rng(2).standard_normal((60, 3)):
        trust.watch(wrong(omega), np.zeros(3), omega)
    assert trust.trusted is trusted
    assert trust.contradicts is not trusted


def test_trust_is_lost_when_readings_become_wrong_and_rest_proves_nothing():
    trust = GyroTrust()
    for omega in np.random.default_rng(2).standard_normal((40, 3)):
        trust.watch(omega, np.zeros(3), omega)
    for omega in np.random.default_rng(3).standard_normal((40, 3)):
        trust.watch(100 * omega, np.zeros(3), omega)
    assert not trust.trusted
    still = GyroTrust()
    for _ in range(100):
        still.watch(np.zeros(3), np.zeros(3), np.full(3, 0.01))
    assert not still.trusted and not still.contradicts


def test_readings_that_are_not_numbers_are_left_out_of_the_mean():
    samples = tuple(
        ImuSample(t, np.array([t / 1e6, 0, np.nan if t == 3_000_000 else 0]), np.zeros(3))
        for t in range(0, 6_000_000, 1_000_000)
    )
    np.testing.assert_allclose(mean_reading(samples, 1_000_000, 5_000_000), [(1 + 2 + 4) / 3, 0, 0])
    assert mean_reading(samples, 10_000_000, 20_000_000) is None
