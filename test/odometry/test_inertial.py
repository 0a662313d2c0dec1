# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Poses and an inertial unit: velocity, biases and gravity come out as sure as they are; gaps are bridged."""

import numpy as np
import pytest

from event_perception.events import ImuSample
from event_perception.motion.lie import se3_exp, se3_inverse, se3_log, so3_log
from event_perception.odometry import inertial_state
from event_perception.odometry.imu_readings import ImuReadings
from event_perception.odometry.inertial_aid import InertialAid
from event_perception.odometry.inertial_state import InertialConfig, create_inertial
from event_perception.odometry.motion_filter import Evidence
from event_perception.simulation import trajectories
from event_perception.simulation.imu import ImuConfig, record_imu

MS = 1_000_000
STD = np.array([0.003] * 3 + [0.0015] * 3)  # of a pose
CONFIG = InertialConfig(claim_factor=1.0)


class Walk:
    """A hand-held camera with an inertial unit; poses are told in the frame of the first one."""

    def __init__(self, seed, duration_s):
        rng = np.random.default_rng(seed)
        self.motion = trajectories.hand_held(
            rng, duration_s=duration_s, position_rms_m=0.12, rotation_rms_rad=0.12
        )
        self.imu = record_imu(
            self.motion, ImuConfig(rate_hz=400.0, seed=seed), start_ns=0, duration_s=duration_s
        )
        self.samples, self.rng = self.imu.samples(), rng

    def pose(self, t_ms):
        return se3_inverse(self.motion.pose(0.0)[0]) @ self.motion.pose(t_ms * 1e-3)[0]

    def noisy(self, t_ms):
        return self.pose(t_ms) @ se3_exp(STD * self.rng.standard_normal(6))

    def until(self, t_ms):
        return self.samples[: int(t_ms * 0.4) + 1]

    def feed(self, inertial, start_ms, end_ms, step_ms=50):
        for t_ms in range(start_ms, end_ms, step_ms):
            inertial.push(self.until(t_ms + 10))
            state = inertial.measure(t_ms * MS, self.noisy(t_ms), np.diag(STD**2))
        return state

    def bias_error(self, state):
        return state.gyro_bias_rad_s - self.imu.gyro_bias_rad_s[state.t_ns * 400 // 1_000_000_000]


def make():
    pytest.importorskip('gtsam')
    return create_inertial(CONFIG)


def worth(error, covariance):
    return float(error @ np.linalg.solve(covariance, error))


def test_velocity_bias_and_gravity_are_found_within_five_seconds():
    walk = Walk(1, 5.1)
    state = walk.feed(make(), 0, 5000)
    t_s = state.t_ns * 1e-9
    assert np.linalg.norm(walk.bias_error(state)) < 1e-3  # of about 17 mrad/s
    assert np.linalg.norm(state.v_m_s - walk.motion.velocity(t_s)[0]) < 0.02
    down = walk.motion.pose(0.0)[0][:3, :3].T @ [0, 0, -9.81]
    np.testing.assert_allclose(state.gravity_m_s2, down, atol=0.15)
    assert np.linalg.norm(se3_log(se3_inverse(state.T) @ walk.pose(4950))[:3]) < 0.008


def test_covariances_are_those_of_many_trials():
    pose, velocity, bias = [], [], []
    for seed in range(12):
        walk = Walk(seed, 2.2)
        state = walk.feed(make(), 0, 2000)
        pose.append(worth(se3_log(se3_inverse(state.T) @ walk.pose(1950)), state.covariance))
        off = state.v_m_s - walk.motion.velocity(state.t_ns * 1e-9)[0]
        velocity.append(worth(off, state.velocity_covariance))
        bias.append(worth(walk.bias_error(state), state.gyro_bias_covariance))
    assert 3 < np.mean(pose) < 10  # 6 expected
    assert 1 < np.mean(velocity) < 6 and 1 < np.mean(bias) < 6  # 3 expected


def test_a_second_without_poses_is_bridged_as_well_as_is_told():
    errors, told, worths = [], [], []
    for seed in range(8):
        walk, inertial = Walk(seed, 4.2), make()
        before = walk.feed(inertial, 0, 3000)
        inertial.push(walk.until(3960))
        state = inertial.predict(3950 * MS)
        error = se3_log(se3_inverse(state.T) @ walk.pose(3950))
        errors.append(np.linalg.norm(error[:3]))
        told.append(np.sqrt(np.trace(state.covariance[:3, :3])))
        worths.append(worth(error, state.covariance))
        assert np.trace(state.covariance[:3, :3]) > 4 * np.trace(before.covariance[:3, :3])
    assert np.median(errors) < 0.05 and 0.4 < np.median(errors) / np.median(told) < 1.8
    assert 2 < np.mean(worths) < 14


def test_after_a_longer_gap_nothing_is_claimed_and_it_starts_again_with_its_biases():
    walk, inertial = Walk(2, 6.2), make()
    walk.feed(inertial, 0, 3000)
    inertial.push(walk.until(5000))
    assert inertial.predict(4900 * MS) is None  # beyond bridge_s
    assert inertial.measure(4900 * MS, walk.noisy(4900), np.diag(STD**2)) is None
    state = walk.feed(inertial, 4950, 5600)
    assert np.linalg.norm(walk.bias_error(state)) < 2e-3


def test_readings_that_stop_are_no_bridge():
    walk, inertial = Walk(2, 3.5), make()
    walk.feed(inertial, 0, 3000)
    assert inertial.predict(3300 * MS) is None


def test_one_wrong_pose_hardly_matters():
    states = []
    for wrong in (0.0, 0.3):
        walk, inertial = Walk(3, 4.2), make()
        walk.feed(inertial, 0, 3000)
        T = walk.pose(3000) @ se3_exp([wrong, 0, 0, 0, 0, 0])
        inertial.push(walk.until(3010))
        inertial.measure(3000 * MS, T, np.diag(STD**2))
        states.append(walk.feed(inertial, 3050, 4000))
    assert np.linalg.norm(states[1].T[:3, 3] - states[0].T[:3, 3]) < 0.01


def test_a_closed_loop_moves_what_is_predicted_with_it():
    pytest.importorskip('gtsam')
    walk, aid = Walk(4, 2.2), InertialAid(CONFIG)
    aid.push(walk.until(2200))
    for t_ms in range(0, 2000, 50):
        aid.aligned(t_ms * MS, walk.noisy(t_ms), Evidence(np.diag(STD**-2), np.zeros(6)), 0 * np.eye(6))
    before, _ = aid.predict(2050 * MS)
    jump = se3_exp([0.2, -0.1, 0.3, 0.1, 0.2, -0.1])
    aid.jumped(walk.pose(1950), jump @ walk.pose(1950))
    after, state = aid.predict(2050 * MS)
    np.testing.assert_allclose(after, jump @ before, atol=1e-9)
    assert np.linalg.norm(so3_log(before[:3, :3].T @ walk.pose(2050)[:3, :3])) < 0.004
    assert np.linalg.norm(state.v_m_s - walk.motion.velocity(2.05)[0]) < 0.05


def test_readings_are_cut_at_both_ends_and_averaged_between():
    samples = [ImuSample(t * 10 * MS, np.full(3, float(t)), np.full(3, 2.0 * t)) for t in range(5)]
    readings = ImuReadings(1.0)
    readings.push(samples[:3])
    readings.push(samples)  # those known already are passed over
    steps = list(readings.steps(5 * MS, 25 * MS))
    assert [round(dt * 1e3, 6) for _, _, dt in steps] == [5.0, 10.0, 5.0]
    assert [w[0] for _, w, _ in steps] == pytest.approx([0.75, 1.5, 2.25])
    assert [f[0] for f, _, _ in steps] == pytest.approx([1.5, 3.0, 4.5])
    assert readings.cover(0, 40 * MS) and not readings.cover(0, 90 * MS)


def test_readings_without_an_accelerometer_start_nothing():
    aid = InertialAid(InertialConfig())
    aid.push((ImuSample(0, np.zeros(3), np.full(3, np.nan)),))
    assert aid.predict(10 * MS) is None and aid._inertial is None


def test_without_gtsam_it_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(inertial_state, 'gtsam_is_there', lambda: False)
    inertial_state._say_gyro_only.cache_clear()
    assert create_inertial(InertialConfig()) is None and create_inertial(InertialConfig()) is None
    assert len([r for r in caplog.records if 'accelerometer is not used' in r.message]) == 1
