# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of rotation SLAM: drift removed, loss noticed and repaired, and a covariance to be believed."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception import odometry
from event_perception.errors import DataError
from event_perception.events import ImuSample
from event_perception.motion.lie import so3_log

BIAS = (0.02, -0.03, 0.025)  # rad/s: 2.5 degrees a second is a bad front end


def waving(t_s):
    """To and fro, up to 2 rad/s."""
    return Rotation.from_rotvec([0.25 * np.sin(3.0 * t_s), 0.35 * np.sin(4.3 * t_s), 0.3 * np.sin(3.7 * t_s)])


def error_deg(world, estimate, start_ms=0):
    truth = (world.rotation(start_ms * 1e-3).inv() * world.rotation(estimate.t_ns * 1e-9)).as_matrix()
    return float(np.rad2deg(np.linalg.norm(so3_log(truth.T @ estimate.T_odom_camera[:3, :3]))))


def run(world, slam, start_ms, end_ms, error=BIAS):
    return [
        slam.update(world.window(t_ms), world.egomotion(t_ms, error)) for t_ms in range(start_ms, end_ms, 20)
    ]


@pytest.fixture
def world(stroke_world):
    return stroke_world(waving)


@pytest.fixture
def slam(small_camera):
    return odometry.create('rotation_slam', small_camera)


def test_a_biased_front_end_drifts_and_the_map_does_not_let_it(world, slam):
    front = odometry.create('rotation', None)
    estimates = run(world, slam, 0, 3000)
    for t_ms in range(0, 3000, 20):
        drifted = front.update(world.window(t_ms, 10), world.egomotion(t_ms, BIAS))
    assert error_deg(world, drifted) > 3.0
    assert max(error_deg(world, e) for e in estimates) < 0.6
    assert {e.status for e in estimates[1:]} == {'tracking'}
    assert estimates[-1].reason == 'on the map'


def test_the_error_is_as_large_as_the_covariance_says(world, slam):
    worth = []
    for estimate in run(world, slam, 0, 2000, error=(0.01, -0.01, 0.0))[10:]:
        R = (world.rotation(0.0).inv() * world.rotation(estimate.t_ns * 1e-9)).as_matrix()
        phi = so3_log(R @ estimate.T_odom_camera[:3, :3].T)
        covariance = estimate.pose_covariance[3:, 3:]
        assert np.linalg.eigvalsh(estimate.pose_covariance).min() > 0
        worth.append(phi @ np.linalg.solve(covariance, phi))
    assert 0.2 < np.median(worth) < 10.0  # 2.4 is ideal


def test_a_second_without_events_is_noticed_and_repaired(world, slam):
    run(world, slam, 0, 2000)
    after = run(world, slam, 3000, 3600)
    first = after[0]
    assert first.status == 'lost'
    assert not first.tracking
    assert np.sqrt(np.diag(first.pose_covariance)[3:]).max() > 0.1
    assert error_deg(world, first) > 5.0
    found = next(k for k, e in enumerate(after) if e.status == 'tracking')
    assert after[found].reason == 'found again on the map'
    assert after[found].correction_rad > 0.08  # the jump is told
    assert all(error_deg(world, e) < 0.6 for e in after[found:])
    assert np.sqrt(np.diag(after[-1].pose_covariance)[3:]).max() < 0.02


def test_a_flood_of_noise_is_noticed_and_leaves_the_map_alone(world, slam):
    run(world, slam, 0, 2000)
    before = slam.map.votes.copy()
    flooded = [
        slam.update(world.noise(t_ms, 20_000), world.egomotion(t_ms, converged=False, n=20_000))
        for t_ms in range(2000, 2400, 20)
    ]
    assert {e.status for e in flooded} <= {'degraded', 'lost'}
    assert flooded[-1].status == 'lost'
    assert np.diag(flooded[-1].pose_covariance)[3:].max() > 0.05**2
    np.testing.assert_array_equal(slam.map.votes, before)
    after = run(world, slam, 2400, 3000)
    assert after[-1].status == 'tracking'
    assert error_deg(world, after[-1]) < 0.6


def test_a_front_end_that_takes_noise_for_motion_is_found_out(world, slam):
    run(world, slam, 0, 2000)
    for t_ms in range(2000, 2600, 20):
        noisy = replace(world.egomotion(t_ms, (0.3, 0.0, 0.0)), n_events=20_000)
        last = slam.update(world.noise(t_ms, 20_000), noisy)
    assert last.status == 'lost'
    assert run(world, slam, 2600, 3200)[-1].status == 'tracking'


def test_at_rest_the_pose_stays_and_stays_known(world, slam):
    moving = run(world, slam, 0, 1000)
    resting = [
        slam.update(world.noise(t_ms, 20), world.egomotion(t_ms, converged=False, n=20))
        for t_ms in range(1000, 4000, 20)
    ]
    turned = moving[-1].T_odom_camera[:3, :3].T @ resting[-1].T_odom_camera[:3, :3]
    # what the last rate, fading, still turns
    assert np.linalg.norm(so3_log(turned)) < 0.15 * np.linalg.norm(moving[-1].omega_rad_s)
    assert resting[-1].status == 'degraded'
    assert np.sqrt(np.diag(resting[-1].pose_covariance)[3:]).max() < 0.05


def test_thin_windows_are_looked_at_together(stroke_world, slam):
    world = stroke_world(lambda t_s: Rotation.from_rotvec([0.05 * t_s, 0.2 * t_s, 0.03 * t_s]))
    for t_ms in range(0, 800, 20):
        estimate = slam.update(
            world.window(t_ms, 500), world.egomotion(t_ms, (0.5, 0.5, 0.5), converged=False)
        )
    assert estimate.status == 'tracking'
    assert error_deg(world, estimate) < 3.0  # the truth has turned by 14 degrees


def test_one_wrong_rate_is_not_kept(world, slam):
    estimates = run(world, slam, 0, 1000)
    slam.update(world.window(1000), world.egomotion(1000, (1.5, -1.0, 0.5)))
    after = run(world, slam, 1020, 2000)
    assert max(error_deg(world, e) for e in after[5:]) < 0.6
    assert error_deg(world, estimates[-1]) < 0.6


def test_reset_begins_at_the_identity_without_a_map(world, slam):
    first = run(world, slam, 0, 600)
    slam.reset()
    assert slam.map.empty
    again = run(world, slam, 0, 600)
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a.T_odom_camera, b.T_odom_camera)


def test_the_map_is_saved_as_a_picture(world, slam, tmp_path):
    run(world, slam, 0, 300)
    slam.save_map(tmp_path / 'map.png')
    picture = cv2.imread(str(tmp_path / 'map.png'), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (512, 1024)
    np.testing.assert_array_equal(picture, (255 * slam.panorama() + 0.5).astype(np.uint8))
    for bad in (tmp_path / 'no' / 'map.png', tmp_path / 'map.nothing'):
        with pytest.raises(DataError, match='cannot be written'):
            slam.save_map(bad)


def test_windows_out_of_order_and_a_missing_camera_are_refused(world, slam):
    run(world, slam, 100, 200)
    with pytest.raises(DataError, match='time order'):
        slam.update(world.window(100), world.egomotion(100))
    with pytest.raises(DataError, match='needs the camera model'):
        odometry.create('rotation_slam', None)


def imu_until(world, t_ms, wrong=lambda w: w):
    """Samples at 500 Hz up to the end of the window at t, of a biased gyroscope."""
    return tuple(
        ImuSample(ms * 1_000_000, wrong(world.omega(ms * 1e-3) + BIAS), np.zeros(3))
        for ms in range(max(0, t_ms - 40), t_ms + 10, 2)
    )


def steered(world, slam, t_ms, wrong=lambda w: w, converged=True):
    egomotion = world.egomotion(t_ms, (0.02, 0.0, 0.0), converged=converged)
    return slam.update(world.window(t_ms), egomotion, None, imu_until(world, t_ms, wrong))


def test_a_gyroscope_is_taken_in_with_its_bias(world, slam):
    estimates = [steered(world, slam, t_ms) for t_ms in range(0, 1800, 20)]
    np.testing.assert_allclose(slam.gyro_bias_rad_s, BIAS, atol=2e-3)
    plain = odometry.create('rotation_slam', slam.camera, **{'spline.use': 'never'})
    alone = [steered(world, plain, t_ms) for t_ms in range(0, 1800, 20)]

    def jitter(told):
        off = [
            so3_log(world.rotation(e.t_ns * 1e-9).as_matrix().T @ e.T_odom_camera[:3, :3]) for e in told[50:]
        ]
        return np.linalg.norm(np.diff(off, axis=0), axis=1).mean()

    assert jitter(estimates) < 0.5 * jitter(alone)
    assert max(error_deg(world, e) for e in estimates) < 0.6


def test_rates_that_egomotion_does_not_find_come_from_the_gyroscope(world, slam):
    for t_ms in range(0, 1400, 20):
        steered(world, slam, t_ms)
    without = [steered(world, slam, t_ms, converged=False) for t_ms in range(1400, 2000, 20)]
    assert [e.status for e in without].count('tracking') > 25
    assert max(error_deg(world, e) for e in without) < 0.6


def test_a_gyroscope_in_degrees_changes_nothing(world, slam, small_camera):
    with_it = [steered(world, slam, t_ms, wrong=np.rad2deg) for t_ms in range(0, 800, 20)]
    alone = odometry.create('rotation_slam', small_camera)
    without = [
        alone.update(world.window(t_ms), world.egomotion(t_ms, (0.02, 0.0, 0.0)))
        for t_ms in range(0, 800, 20)
    ]
    for a, b in zip(with_it, without):
        np.testing.assert_array_equal(a.T_odom_camera, b.T_odom_camera)
    assert with_it[-1].reason.endswith('the gyroscope contradicts the events: not used')


def test_windows_that_leave_the_lag_are_mapped_again_and_no_vote_is_lost(world, small_camera):
    slam = odometry.create('rotation_slam', small_camera, **{'spline.use': 'always'})
    estimates = run(world, slam, 0, 1200)
    never = odometry.create('rotation_slam', small_camera, **{'spline.use': 'never'})
    run(world, never, 0, 1200)
    assert max(error_deg(world, e) for e in estimates) < 0.6
    assert not np.array_equal(slam.map.votes, never.map.votes)
    assert slam.map.votes.min() > -1e-2  # what was taken out had been there
    assert slam.map.votes.sum() == pytest.approx(never.map.votes.sum(), rel=0.02)


def test_a_thin_window_is_laid_on_the_map_with_its_rate(world, slam):
    run(world, slam, 0, 2000)
    thin = [
        slam.update(world.window(t_ms, 600), world.egomotion(t_ms, converged=False, n=600))
        for t_ms in range(2000, 2300, 20)
    ]
    assert [e.reason for e in thin].count('on the map, its rate too') > 10
    assert max(error_deg(world, e) for e in thin) < 0.8
    off = [np.linalg.norm(e.omega_rad_s - world.omega(e.t_ns * 1e-9)) for e in thin]
    assert np.median(off) < 0.2  # of up to 2 rad/s


def test_the_first_rate_also_turns_what_came_before_it(world, slam):
    for t_ms in (0, 20, 40):
        slam.update(world.window(t_ms), world.egomotion(t_ms, converged=False))
    estimate = slam.update(world.window(60), world.egomotion(60))
    assert error_deg(world, estimate) < 0.7  # the truth has turned by 6.5 degrees


def around(t_s):
    """Round and round, with a little wobble."""
    return Rotation.from_rotvec([0, 1.5 * t_s, 0]) * Rotation.from_rotvec([0.1 * np.sin(2 * t_s), 0, 0])


@pytest.mark.parametrize(('period_s', 'largest_deg'), [(0.2, 0.5), (0.0, 90.0)])
def test_a_loop_with_five_degrees_of_drift_is_closed_on_return(
    stroke_world, small_camera, period_s, largest_deg
):
    """The drift comes in where a third of a second tells nothing; what follows is mapped with it."""
    world = stroke_world(around)
    slam = odometry.create('rotation_slam', small_camera, **{'loop.period_s': period_s})
    run(world, slam, 0, 1500, error=(0.01, -0.01, 0.01))
    for t_ms in range(1500, 1800, 20):
        slam.update(world.window(t_ms, 600), world.egomotion(t_ms, (0.0, 0.3, 0.0), n=600))
    away = run(world, slam, 1800, 4000, error=(0.01, -0.01, 0.01))
    assert error_deg(world, away[-1]) > 4.0
    back = run(world, slam, 4000, 4600, error=(0.01, -0.01, 0.01))
    closed = [e for e in back if e.reason == 'a loop closed on the map']
    assert len(closed) == (period_s > 0)
    if closed:
        assert closed[0].correction_rad > 0.06  # the jump is told
        assert max(error_deg(world, e) for e in back[back.index(closed[0]) :]) < largest_deg
    else:
        assert error_deg(world, back[-1]) > 4.0
