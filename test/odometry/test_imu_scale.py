# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the scale from an accelerometer."""

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.odometry.imu_scale import scale_from_imu
from event_perception.odometry.live_scale import LiveScale, LiveScaleConfig
from event_perception.simulation.imu import PERFECT_IMU, ImuConfig, record_imu
from event_perception.simulation.trajectories import hand_held


def waved(seed):
    """By hand, 0.25 m RMS."""
    rng = np.random.default_rng(seed)
    return hand_held(rng, duration_s=6.0, position_rms_m=0.25, rotation_rms_rad=0.2)


@pytest.fixture(scope='module')
def motion():
    return waved(4)


def found(trajectory, imu, factor, noise_m=0.0, duration_s=5.0, **changes):
    """The scale of the true trajectory, shrunk by a factor, with noise."""
    readings = record_imu(trajectory, imu, start_ns=0, duration_s=duration_s)
    t_s = np.arange(0, duration_s, 0.02)
    poses = trajectory.pose(t_s).copy()
    poses[:, :3, 3] /= factor
    poses[:, :3, 3] += noise_m * np.random.default_rng(0).standard_normal((len(t_s), 3))
    return scale_from_imu(t_s, poses, readings.t_ns * 1e-9, readings.accel_m_s2)


def test_perfect_readings_give_the_exact_factor(motion):
    result = found(motion, PERFECT_IMU, 1.7)
    assert result.factor == pytest.approx(1.7, rel=0.01)
    np.testing.assert_allclose(result.gravity_m_s2, [0, 0, -9.81], atol=0.02)
    assert result.accepted


def test_bias_and_noise_leave_three_percent(motion):
    result = found(motion, ImuConfig(seed=1), 0.6, noise_m=0.002)
    assert result.factor == pytest.approx(0.6, rel=0.03)
    assert 0 < result.std < 0.03
    assert result.accepted


def test_a_trajectory_that_does_not_fit_the_readings_is_refused(motion):
    readings = record_imu(motion, PERFECT_IMU, start_ns=0, duration_s=5.0)
    t_s = np.arange(0, 5.0, 0.02)
    other = waved(9).pose(t_s)
    assert not scale_from_imu(t_s, other, readings.t_ns * 1e-9, readings.accel_m_s2).accepted


def test_a_camera_that_rests_does_not_tell_the_scale():
    t_s, imu_t_s = np.arange(0, 3, 0.02), np.arange(0, 3, 0.001)
    force = np.tile([0.0, 0.0, 9.81], (len(imu_t_s), 1))
    result = scale_from_imu(t_s, np.tile(np.eye(4), (len(t_s), 1, 1)), imu_t_s, force)
    assert not result.accepted and 'does not tell' in result.reason


def test_too_short_a_stretch_and_missing_readings_are_errors(motion):
    poses, imu_t_s = motion.pose(np.arange(0, 3, 0.02)), np.arange(0, 3.1, 0.001)
    with pytest.raises(DataError, match='keyframes'):
        scale_from_imu(np.arange(0, 0.4, 0.02), poses[:20], imu_t_s, np.zeros((len(imu_t_s), 3)))
    with pytest.raises(DataError, match='do not cover'):
        scale_from_imu(np.arange(0, 3, 0.02), poses, imu_t_s[:1000], np.zeros((1000, 3)))


def test_a_running_odometry_learns_its_unit_once_two_answers_agree(motion):
    readings = record_imu(motion, ImuConfig(seed=1), start_ns=0, duration_s=6.0)
    samples, live, changes = readings.samples(), LiveScale(LiveScaleConfig()), []
    unit = 1 / 0.6
    for t_ns in range(0, 5_900_000_000, 20_000_000):
        live.hear(samples[: t_ns // 1_000_000 + 10])
        T = motion.pose(t_ns * 1e-9)[0].copy()
        T[:3, 3] *= unit
        factor = live.see(t_ns, T)
        if factor is not None:
            changes.append(t_ns)
            unit *= factor
            live.rescale(factor, live.last.std / factor)
    assert 3_400_000_000 < changes[0] < 4_200_000_000  # the second question at the earliest
    assert unit == pytest.approx(1.0, rel=0.03)
    assert live.std < 0.03
