# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose, twist and bias as one Gaussian: corrections reach what has caused the error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.motion.lie import so3_exp, so3_log
from event_perception.odometry.motion_filter import Evidence, MotionConfig, MotionFilter

SURE = 1e-6 * np.eye(6)


def moving(twist=(0.5, 0.0, 0.0, 0.0, 0.0, 0.3)):
    motion = MotionFilter(MotionConfig())
    motion.measure(motion.TWIST, np.array(twist), SURE)
    return motion


def test_a_known_twist_carries_the_pose_along():
    motion = moving()
    np.testing.assert_allclose(motion.twist, [0.5, 0, 0, 0, 0, 0.3], atol=1e-5)
    motion.predict(0.05)
    assert motion.T[0, 3] == pytest.approx(0.025, abs=1e-4)
    np.testing.assert_allclose(so3_log(motion.T[:3, :3]), [0, 0, 0.015], atol=1e-5)


def test_a_twist_that_turns_out_faster_has_moved_the_pose_by_half_of_it():
    motion = moving()
    motion.predict(0.05)
    before = motion.T[0, 3]
    motion.measure(motion.TWIST, np.array([0.1, 0, 0, 0, 0, 0]), SURE)
    assert motion.T[0, 3] - before == pytest.approx(0.5 * 0.05 * 0.1, rel=0.05)


def test_a_map_that_turns_the_pose_back_tells_the_bias_of_the_gyroscope():
    """Rest, a gyroscope that reads its bias, and a map: 20 windows of 50 ms."""
    bias, motion = np.array([0.02, -0.01, 0.015]), MotionFilter(MotionConfig())
    noise = np.diag([0.002**2] * 3 + [0.001**2] * 3)
    for _ in range(20):
        motion.predict(0.05, 0.05 * bias, 1e-4)
        motion.turn_by_gyro(bias, 3e-3)
        error = np.concatenate([-motion.T[:3, :3].T @ motion.T[:3, 3], -so3_log(motion.T[:3, :3])])
        motion.measure(motion.POSE, error, noise)
    np.testing.assert_allclose(motion.bias, bias, atol=2e-3)
    assert np.sqrt(motion.P[12, 12]) < 2e-3
    np.testing.assert_allclose(motion.twist[3:], 0, atol=3e-3)


def test_a_turn_that_a_gyroscope_has_summed_up_needs_no_rate():
    motion = MotionFilter(MotionConfig())
    motion.predict(1.0, np.array([0.0, 0.8, 0.0]), 6e-3)
    np.testing.assert_allclose(so3_log(motion.T[:3, :3]), [0, 0.8, 0], atol=1e-9)
    assert np.sqrt(motion.P[4, 4]) < 0.06  # the bias is known to 0.05 rad/s


def test_without_measurements_the_twist_fades_and_stays_within_what_is_possible():
    motion = moving()
    for _ in range(100):
        motion.predict(0.05)
        motion.fade(0.05)
    assert abs(motion.twist[0]) < 1e-9
    assert motion.T[0, 3] < 0.07
    assert np.sqrt(np.diag(motion.P)[6:12]).max() <= 3.0 + 1e-9
    assert np.linalg.eigvalsh(motion.P).min() > -1e-12


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_conclusion_is_the_measurement_it_was_made_of(seed):
    rng = np.random.default_rng(seed)
    B = rng.normal(size=(6, 6))
    R, z = B @ B.T + 0.1 * np.eye(6), rng.normal(size=6)
    first, second = (MotionFilter(MotionConfig()) for _ in range(2))
    joint = rng.normal(size=(15, 15))
    first.P = second.P = joint @ joint.T + 0.1 * np.eye(15)
    prior = first.P[first.TWIST, first.TWIST]
    posterior = np.linalg.inv(np.linalg.inv(prior) + np.linalg.inv(R))
    evidence = Evidence.behind(prior, posterior @ np.linalg.solve(R, z), posterior)
    np.testing.assert_allclose(
        evidence.information, np.linalg.inv(R), atol=1e-6 * np.abs(np.linalg.inv(R)).max()
    )
    first.learn(first.TWIST, evidence)
    second.measure(second.TWIST, z, R)
    np.testing.assert_allclose(first.P, second.P, atol=1e-6 * np.abs(second.P).max())
    np.testing.assert_allclose(first.twist, second.twist, atol=1e-5)
    np.testing.assert_allclose(first.bias, second.bias, atol=1e-5)
    floor = np.diag(rng.uniform(0.1, 1.0, 6))
    softened = evidence.softened(floor)
    np.testing.assert_allclose(softened.information, np.linalg.inv(R + floor), atol=1e-6)
    np.testing.assert_allclose(softened.pull, np.linalg.solve(R + floor, z), atol=1e-6)


def test_a_direction_of_which_data_say_nothing_stays_as_it_was():
    motion, one = MotionFilter(MotionConfig()), np.diag([4.0, 0, 0, 0, 0, 0])
    before = motion.P[motion.TWIST, motion.TWIST].copy()
    evidence = Evidence(one, one @ np.ones(6)).softened(0.25 * np.eye(6)).shared(2.0)
    np.testing.assert_allclose(evidence.information, 0.25 * one, atol=1e-12)
    motion.learn(motion.TWIST, evidence)
    after = motion.P[motion.TWIST, motion.TWIST]
    np.testing.assert_allclose(np.diag(after)[1:], np.diag(before)[1:])
    assert after[0, 0] == pytest.approx(1 / (1 / before[0, 0] + 1.0))
    np.testing.assert_allclose(motion.twist, [after[0, 0], 0, 0, 0, 0, 0], atol=1e-12)


def test_the_pose_is_moved_in_its_own_axes():
    motion = MotionFilter(MotionConfig())
    motion.T[:3, :3] = so3_exp([0, 0, np.pi / 2])
    motion.measure(motion.POSE, np.array([0.1, 0, 0, 0, 0, 0]), 1e-12 * np.eye(6))
    np.testing.assert_allclose(motion.T[:3, 3], [0, 0.1, 0], atol=1e-6)
