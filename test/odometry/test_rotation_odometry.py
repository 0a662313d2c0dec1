# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of rotation odometry."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception import odometry
from event_perception.errors import ConfigError, DataError
from event_perception.events import EventArray, EventWindow
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.motion.result import EgomotionResult
from event_perception.odometry.rotation import rotation_between

MS = 1_000_000


def window(t_ms):
    empty = EventArray.empty(height=4, width=4)
    return EventWindow.from_events(empty, t0_ns=(t_ms - 10) * MS, t1_ns=(t_ms + 10) * MS)


def egomotion(omega, std_rad_s=0.02, converged=True):
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = std_rad_s**2 * np.eye(3)
    return EgomotionResult(
        0, 1, 0, np.array(omega, float), np.full(3, np.nan), covariance, converged, 'made up', 1000, 5, 2.0
    )


def waving(t_s):
    """A hand-held profile, rad/s."""
    return np.array([1.2 * np.sin(3 * t_s), -0.8 + 0.5 * np.cos(5 * t_s), 0.9 * np.sin(2 * t_s + 1)])


def integrated(profile, t_s, steps=40_000):
    middle = (np.arange(steps) + 0.5) * t_s / steps
    turns = Rotation.from_rotvec(np.array([profile(t) for t in middle]) * t_s / steps).as_matrix()
    R = np.eye(3)
    for turn in turns:
        R = R @ turn
    return R


def orientation_std_rad(estimate):
    return np.sqrt(np.diag(estimate.pose_covariance)[3:])


def test_a_constant_rate_turns_the_camera_by_the_rate_times_the_time():
    odo = odometry.create('rotation', None)
    for t_ms in range(0, 1001, 20):
        estimate = odo.update(window(t_ms), egomotion([0.0, 0.0, 0.5]))
    np.testing.assert_allclose(estimate.T_odom_camera[:3, :3], so3_exp([0, 0, 0.5]), atol=1e-12)
    np.testing.assert_allclose(estimate.omega_rad_s, [0, 0, 0.5])
    assert estimate.t_ns == 1000 * MS
    assert estimate.tracking


def test_a_changing_rate_is_integrated_to_a_few_hundredths_of_a_degree():
    odo = odometry.create('rotation', None)
    for t_ms in range(0, 4001, 20):
        estimate = odo.update(window(t_ms), egomotion(waving(t_ms * 1e-3)))
    error = so3_log(estimate.T_odom_camera[:3, :3] @ integrated(waving, 4.0).T)
    assert np.rad2deg(np.linalg.norm(error)) < 0.03


def test_rotations_that_do_not_commute_need_more_than_the_trapezium():
    first, second, dt_s = np.array([1.0, 2.0, -0.5]), np.array([-2.0, 0.3, 1.5]), 0.1
    exact = so3_log(integrated(lambda t: first + (second - first) * t / dt_s, dt_s, 4000))
    better = np.linalg.norm(rotation_between(first, second, dt_s) - exact)
    trapezium = np.linalg.norm(dt_s / 2 * (first + second) - exact)
    assert better < 1e-4
    assert trapezium > 20 * better


def test_without_convergence_the_rate_fades_and_the_variance_grows():
    odo = odometry.create('rotation', None, hold_s=0.1)
    odo.update(window(0), egomotion([0.0, 1.0, 0.0]))
    good = odo.update(window(20), egomotion([0.0, 1.0, 0.0]))
    lost = [odo.update(window(t), egomotion([9.0, 9.0, 9.0], converged=False)) for t in range(40, 1041, 20)]
    assert not any(e.tracking for e in lost)
    assert lost[0].omega_rad_s[1] == pytest.approx(np.exp(-0.2))
    assert np.linalg.norm(lost[-1].omega_rad_s) < 1e-4
    turned = so3_log(good.T_odom_camera[:3, :3].T @ lost[-1].T_odom_camera[:3, :3])
    np.testing.assert_allclose(turned, [0, 0.1, 0], atol=1e-4)
    stds = np.array([orientation_std_rad(e) for e in [good, *lost]])
    assert (np.diff(stds, axis=0) > 0).all()
    assert stds[-1, 0] == pytest.approx(0.5 * np.sqrt(2 * 0.1 * 1.02), rel=0.1)


def test_tracking_resumes_with_the_next_good_window():
    odo = odometry.create('rotation', None)
    odo.update(window(0), egomotion([0, 0, 0], converged=False))
    assert odo.update(window(20), egomotion([0.1, 0, 0])).tracking


def test_silence_means_rest_and_not_the_last_rate():
    odo = odometry.create('rotation', None)
    odo.update(window(0), egomotion([0.0, 0.0, 0.02]))
    estimate = odo.update(window(5000), egomotion([0.0, 0.0, 0.02]))
    assert np.linalg.norm(so3_log(estimate.T_odom_camera[:3, :3])) < 0.0025
    assert np.rad2deg(orientation_std_rad(estimate)).max() < 2.0


def test_a_gap_amid_fast_motion_is_told_by_the_covariance():
    odo = odometry.create('rotation', None)
    odo.update(window(0), egomotion([0.0, 0.0, 2.0]))
    estimate = odo.update(window(500), egomotion([0.0, 0.0, 2.0]))
    missed_rad = 1.0 - so3_log(estimate.T_odom_camera[:3, :3])[2]
    assert missed_rad < 2.5 * orientation_std_rad(estimate)[2]


def test_the_first_pose_is_the_identity_and_so_is_that_after_a_reset():
    odo = odometry.create('rotation', None)
    assert odo.update(window(100), egomotion([1, 0, 0])).T_odom_camera.tolist() == np.eye(4).tolist()
    odo.update(window(120), egomotion([1, 0, 0]))
    odo.reset()
    assert odo.update(window(20), egomotion([1, 0, 0])).T_odom_camera.tolist() == np.eye(4).tolist()


@pytest.mark.parametrize('converged', [True, False])
def test_covariances_are_what_navigation_accepts(converged):
    """Positive definite, finite, variances neither 1 nor 9999 nor below 1e-9; see robot_localization, RTAB-Map."""
    odo = odometry.create('rotation', None)
    for t_ms in range(0, 2000, 20):
        estimate = odo.update(window(t_ms), egomotion(waving(t_ms * 1e-3), 1e-7, converged or t_ms < 1000))
        for covariance in (estimate.pose_covariance, estimate.twist_covariance):
            assert np.linalg.eigvalsh(covariance).min() > 1e-9
            assert np.diag(covariance).max() < 9000
            assert covariance[0, 0] not in (1.0, 9999.0)
            np.testing.assert_array_equal(covariance, covariance.T)


def test_what_egomotion_does_not_claim_is_taken_as_unknown():
    odo = odometry.create('rotation', None, lost_rate_std_rad_s=0.5)
    unknown = egomotion([0, 0, 0], np.nan)
    assert odo.update(window(0), unknown).twist_covariance[5, 5] == pytest.approx(0.25)


def test_an_estimate_does_not_change_when_the_next_one_is_made():
    odo = odometry.create('rotation', None)
    first = odo.update(window(0), egomotion([1, 2, 3]))
    odo.update(window(20), egomotion([3, 2, 1]))
    assert first.omega_rad_s.tolist() == [1, 2, 3]
    assert first.T_odom_camera.tolist() == np.eye(4).tolist()


def test_windows_out_of_order_and_wrong_parameters_are_refused():
    odo = odometry.create('rotation', None)
    odo.update(window(20), egomotion([0, 0, 0]))
    with pytest.raises(DataError, match='time order'):
        odo.update(window(20), egomotion([0, 0, 0]))
    with pytest.raises(ConfigError):
        odometry.create('rotation', None, position_std_m=1.0)
