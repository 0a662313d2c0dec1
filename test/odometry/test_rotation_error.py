# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The covariance of an integrated orientation, against many noisy integrations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.motion.lie import so3_exp, so3_left_jacobian
from event_perception.odometry.rotation import rotation_between
from event_perception.odometry.rotation_error import RotationError, after_measurement, after_prediction

RUNS, STEPS, DT_S = 4000, 60, 0.02
RATE = np.array([[4.0, 1.0, 0.0], [1.0, 2.0, -0.5], [0.0, -0.5, 9.0]]) * 1e-4
TRUTH = [np.array([1.5 * np.sin(0.1 * k), 1.0, -0.7 * np.cos(0.07 * k)]) for k in range(STEPS + 1)]


def correlated_noise(correlation, seed=0):
    """(STEPS + 1, RUNS, 3), a stationary Gauss-Markov chain with covariance RATE."""
    rng = np.random.default_rng(seed)
    L = np.linalg.cholesky(RATE)
    noise = [rng.normal(size=(RUNS, 3)) @ L.T]
    for _ in range(STEPS):
        noise.append(correlation * noise[-1] + np.sqrt(1 - correlation**2) * rng.normal(size=(RUNS, 3)) @ L.T)
    return np.array(noise)


def sampled_orientation_covariance(correlation):
    noise = correlated_noise(correlation)
    exact, noisy = np.eye(3), Rotation.identity(RUNS)
    for k in range(STEPS):
        exact = exact @ so3_exp(rotation_between(TRUTH[k], TRUTH[k + 1], DT_S))
        a, b = TRUTH[k] + noise[k], TRUTH[k + 1] + noise[k + 1]
        noisy = noisy * Rotation.from_rotvec(DT_S / 2 * (a + b) + DT_S**2 / 12 * np.cross(a, b))
    phi = (noisy * Rotation.from_matrix(exact).inv()).as_rotvec()
    return phi.T @ phi / RUNS


def propagated_orientation_covariance(correlation):
    error, R = RotationError(np.zeros((3, 3)), np.zeros((3, 3)), RATE), np.eye(3)
    for k in range(STEPS):
        increment = rotation_between(TRUTH[k], TRUTH[k + 1], DT_S)
        error = after_measurement(error, R @ so3_left_jacobian(increment), DT_S, RATE, correlation)
        R = R @ so3_exp(increment)
    return error.orientation


@pytest.mark.parametrize('correlation', [0.0, 0.9, 0.999])
def test_propagation_agrees_with_monte_carlo(correlation):
    sampled = sampled_orientation_covariance(correlation)
    propagated = propagated_orientation_covariance(correlation)
    assert np.abs(propagated - sampled).max() < 0.08 * sampled.diagonal().max()


def test_correlated_errors_add_up_faster_than_independent_ones():
    independent = propagated_orientation_covariance(0.0).trace()
    assert propagated_orientation_covariance(0.9).trace() > 10 * independent


def test_a_measurement_sets_the_rate_covariance():
    error = RotationError(np.eye(3), np.zeros((3, 3)), 5 * RATE)
    after = after_measurement(error, np.eye(3), DT_S, RATE, 0.7)
    np.testing.assert_allclose(after.rate, RATE, atol=1e-12)


def test_prediction_in_one_step_equals_prediction_in_many():
    start = RotationError(1e-4 * np.eye(3), 1e-5 * np.eye(3), RATE)
    once = after_prediction(start, np.eye(3), 0.5, 0.1, 0.8)
    many = start
    for _ in range(500):
        many = after_prediction(many, np.eye(3), 0.001, 0.1, 0.8)
    np.testing.assert_allclose(many.orientation, once.orientation, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(many.cross, once.cross, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(many.rate, once.rate, rtol=1e-6, atol=1e-9)


def test_a_long_prediction_ends_at_what_is_known_of_rates_at_large():
    start = RotationError(np.zeros((3, 3)), np.zeros((3, 3)), RATE)
    late = after_prediction(start, np.eye(3), 100.0, 0.1, 0.8)
    np.testing.assert_allclose(late.rate, 0.64 * np.eye(3), atol=1e-12)
    assert late.orientation[0, 0] == pytest.approx(2 * 0.64 * 0.1 * 100, rel=0.01)
