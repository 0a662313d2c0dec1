# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from event_perception.errors import CalibrationError
from event_perception.events import ImuSample
from event_perception.motion import EgomotionEstimator
from event_perception.motion.gyro_prior import GyroConfig, GyroPrior

OMEGA = np.array([1.0, -2.0, 0.5])
BIAS = np.array([0.1, -0.08, 0.06])
R_CAMERA_IMU = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


def filled(gyro, t0_ns=0, t1_ns=40_000_000):
    for t in range(t0_ns, t1_ns, 1_000_000):
        gyro.push(ImuSample(t, R_CAMERA_IMU.T @ (OMEGA + BIAS), np.zeros(3)))
    return gyro


def test_the_prior_is_the_mean_of_the_window_in_the_camera_frame():
    prior = filled(GyroPrior(R_CAMERA_IMU)).prior(10_000_000, 20_000_000)
    assert prior.t_ns == 15_000_000
    np.testing.assert_allclose(prior.omega_rad_s, OMEGA + BIAS)
    assert prior.covariance[3, 3] == pytest.approx(6e-3**2 + 0.05**2)
    assert np.isnan(prior.v_m_s).all()


def test_without_samples_there_is_no_prior():
    gyro = GyroPrior(np.eye(3))
    gyro.push(ImuSample(5, np.full(3, np.nan), np.zeros(3)))
    assert gyro.prior(0, 10) is None


def test_the_bias_is_found_from_the_events(camera, turning):
    gyro = GyroPrior(R_CAMERA_IMU, GyroConfig(bias_sigma_rad_s=0.1))
    estimator = EgomotionEstimator(camera)
    for k in range(12):
        t0 = k * 40_000_000
        prior = filled(gyro, t0, t0 + 40_000_000).prior(t0, t0 + 40_000_000)
        events = turning(camera, OMEGA, n=4000, seed=k).shifted(t0)
        gyro.learn(estimator.update(events, prior), prior)
    np.testing.assert_allclose(gyro.bias_rad_s, BIAS, atol=0.025)
    assert gyro.prior(t0, t0 + 1_000_000).covariance[3, 3] < 0.02**2


def test_what_is_not_a_rotation_is_refused():
    with pytest.raises(CalibrationError, match='must be a rotation matrix'):
        GyroPrior(2 * np.eye(3))
    with pytest.raises(CalibrationError, match='must be a rotation matrix'):
        GyroPrior(np.diag([1.0, 1.0, -1.0]))
