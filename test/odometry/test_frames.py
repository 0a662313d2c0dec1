# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of transforms between frames, and of odometry told for the robot's base."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from event_perception.errors import CalibrationError
from event_perception.events import ImuSample, TwistPrior
from event_perception.motion.lie import se3_exp, se3_inverse
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.frames import FrameTree, imu_in_camera, odometry_of_base, twist_in_camera

twists = st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6).map(np.array)


def translation(x, y, z):
    T = np.eye(4)
    T[:3, 3] = x, y, z
    return T


def estimate(T, v=(0, 0, 0), omega=(0, 0, 0), pose_covariance=None):
    return OdometryEstimate(
        t_ns=7,
        T_odom_camera=T,
        pose_covariance=np.eye(6) if pose_covariance is None else pose_covariance,
        v_m_s=np.array(v, float),
        omega_rad_s=np.array(omega, float),
        twist_covariance=np.eye(6),
        tracking=True,
        reason='',
    )


def test_a_chain_multiplies_from_the_target_down_to_the_source():
    tree = FrameTree()
    tree.set('base', 'mast', translation(0, 0, 1))
    tree.set('mast', 'camera', translation(0.5, 0, 0))
    assert tree.lookup('base', 'camera')[:3, 3].tolist() == [0.5, 0, 1]
    assert tree.lookup('camera', 'base')[:3, 3].tolist() == [-0.5, 0, -1]


def test_siblings_meet_at_their_common_ancestor():
    tree = FrameTree()
    tree.set('base', 'left', translation(0, 1, 0))
    tree.set('base', 'right', translation(0, -1, 0))
    assert tree.lookup('left', 'right')[:3, 3].tolist() == [0, -2, 0]


def test_a_frame_in_itself_is_the_identity_even_if_tf_never_named_it():
    assert FrameTree().lookup('camera', 'camera').tolist() == np.eye(4).tolist()


@pytest.mark.parametrize(('target', 'source'), [('base', 'camera'), ('base', 'island'), ('moon', 'base')])
def test_frames_that_nothing_connects_are_an_error_with_the_known_ones(target, source):
    tree = FrameTree()
    tree.set('base', 'mast', np.eye(4))
    tree.set('island', 'hut', np.eye(4))
    with pytest.raises(CalibrationError, match=r"'base', 'hut', 'island', 'mast'"):
        tree.lookup(target, source)


def test_a_loop_of_transforms_ends_in_an_error():
    tree = FrameTree()
    tree.set('a', 'b', np.eye(4))
    tree.set('b', 'a', np.eye(4))
    with pytest.raises(CalibrationError, match='no transform'):
        tree.lookup('base', 'a')


@pytest.mark.parametrize('matrix', [np.diag([1, 1, -1, 1]), np.diag([2, 2, 2, 1]), np.full((4, 4), np.nan)])
def test_what_is_no_rigid_transform_is_refused(matrix):
    with pytest.raises(CalibrationError, match='rotation and a translation'):
        FrameTree().set('base', 'camera', matrix.astype(float))


@given(start=twists, mount=twists)
def test_the_base_starts_where_its_odometry_frame_is(start, mount):
    assert_allclose(
        odometry_of_base(estimate(np.eye(4)), se3_exp(mount)).T_odom_camera, np.eye(4), atol=1e-12
    )


@given(pose=twists, motion=twists, mount=twists)
def test_velocity_of_the_base_is_the_derivative_of_its_pose(pose, motion, mount):
    step_s, T, T_base_camera = 1e-6, se3_exp(pose), se3_exp(mount)
    now = odometry_of_base(estimate(T, motion[:3], motion[3:]), T_base_camera)
    later = odometry_of_base(estimate(T @ se3_exp(step_s * motion)), T_base_camera)
    moved = se3_inverse(now.T_odom_camera) @ later.T_odom_camera
    assert_allclose(moved[:3, 3] / step_s, now.v_m_s, atol=1e-4)
    omega = np.array([moved[2, 1], moved[0, 2], moved[1, 0]]) / step_s
    assert_allclose(omega, now.omega_rad_s, atol=1e-4)


@given(pose=twists, mount=twists, direction=twists)
def test_covariance_of_the_base_is_that_of_poses_disturbed_about_the_odometry_axes(pose, mount, direction):
    step, T, T_base_camera = 1e-6, se3_exp(pose), se3_exp(mount)
    told = odometry_of_base(estimate(T, pose_covariance=np.outer(direction, direction)), T_base_camera)
    disturbed = se3_exp(np.concatenate([np.zeros(3), step * direction[3:]])) @ T
    disturbed[:3, 3] = T[:3, 3] + step * direction[:3]
    other = odometry_of_base(estimate(disturbed), T_base_camera)
    turn = other.T_odom_camera[:3, :3] @ told.T_odom_camera[:3, :3].T
    change = np.concatenate(
        [other.T_odom_camera[:3, 3] - told.T_odom_camera[:3, 3], [turn[2, 1], turn[0, 2], turn[1, 0]]]
    )
    assert_allclose(told.pose_covariance, np.outer(change, change) / step**2, atol=1e-3)


def test_a_turning_robot_moves_a_camera_on_a_lever_but_not_its_own_base():
    mount = translation(0.5, 0, 0)
    told = odometry_of_base(estimate(np.eye(4), v=(0, 0.5, 0), omega=(0, 0, 1)), mount)
    assert_allclose(told.v_m_s, [0, 0, 0], atol=1e-15)
    assert_allclose(told.omega_rad_s, [0, 0, 1], atol=1e-15)


OPTICAL_IN_BODY = np.array([[0.0, 0, 1, 0.5], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""A camera that looks forward, mounted half a metre ahead of the body's origin: T_body_camera."""


def test_a_body_that_drives_and_turns_moves_its_camera_forward_and_sideways():
    prior = TwistPrior(7, np.array([2.0, 0, 0]), np.array([0, 0, 1.0]), np.diag([1.0, 4, 9, 16, 25, 36]))
    told = twist_in_camera(prior, se3_inverse(OPTICAL_IN_BODY))
    assert_allclose(told.v_m_s, [-0.5, 0, 2], atol=1e-15)  # yaw to the left swings the camera to the left
    assert_allclose(told.omega_rad_s, [0, -1, 0], atol=1e-15)
    assert_allclose(np.diag(told.covariance), [4 + 36 / 4, 9 + 25 / 4, 1, 25, 36, 16], atol=1e-12)
    assert told.t_ns == 7


def test_an_imu_is_read_along_the_axes_of_the_camera():
    imu = ImuSample(7, np.array([1.0, 2, 3]), np.array([0, 0, 9.81]), 'imu')
    told = imu_in_camera(imu, se3_inverse(OPTICAL_IN_BODY), 'optical')
    assert told.angular_velocity_rad_s.tolist() == [-2, -3, 1]
    assert told.linear_acceleration_m_s2.tolist() == [0, -9.81, 0]
    assert told.frame_id == 'optical'
