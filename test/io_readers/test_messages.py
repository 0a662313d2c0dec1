# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of messages as values, in both directions, for bags and for rclpy."""

import importlib
import os

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import ImuSample
from event_perception.io import fill_messages as fill
from event_perception.io.bag_types import typestore
from event_perception.io.blank_message import blank_message
from event_perception.io.messages import imu_from_message, pose_from_message, twist_from_message
from event_perception.motion.camera import CameraModel

os.environ.setdefault('ROS_PYTHON_CHECK_FIELDS', '1')  # read when rclpy's messages are first imported

# A dependency of rclpy's type support imports a module that Python is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

T_NS = 1_744_227_144_732_712_345
T = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
COVARIANCE = np.arange(36.0).reshape(6, 6) + 0.5


def from_rclpy(type_name):
    package, _, name = type_name.split('/')
    return getattr(pytest.importorskip(f'{package}.msg'), name)()


@pytest.fixture(params=['rosbags', pytest.param('rclpy', marks=pytest.mark.ros)])
def make(request):
    """Makes an empty message of a type, and says what becomes of it on the wire."""
    if request.param == 'rosbags':
        store = typestore()
        return lambda name: (
            blank_message(name),
            lambda m: store.deserialize_cdr(store.serialize_cdr(m, name), name),
        )
    serialization = pytest.importorskip('rclpy.serialization')

    def ros(name):
        message = from_rclpy(name)
        send = lambda m: serialization.deserialize_message(serialization.serialize_message(m), type(m))  # noqa: E731
        return message, send

    return ros


def test_imu(make):
    message, send = make('sensor_msgs/msg/Imu')
    sample = ImuSample(T_NS, np.array([1.0, -2, 3]), np.array([0.5, 0, 9.81]), 'imu_link')
    fill.fill_imu(message, sample, gyro_variance=0.25)
    received = send(message)
    read = imu_from_message(received)
    assert (read.t_ns, read.frame_id) == (T_NS, 'imu_link')
    np.testing.assert_array_equal(read.angular_velocity_rad_s, [1, -2, 3])
    np.testing.assert_array_equal(read.linear_acceleration_m_s2, [0.5, 0, 9.81])
    assert received.orientation_covariance[0] == -1
    assert received.angular_velocity_covariance[4] == 0.25


def test_absent_imu_quantities_are_not_taken_for_zero():
    message = blank_message('sensor_msgs/msg/Imu')
    message.linear_acceleration_covariance[0] = -1
    assert np.isnan(imu_from_message(message).linear_acceleration_m_s2).all()
    message.angular_velocity_covariance[0] = -1
    with pytest.raises(DataError, match='without angular velocity'):
        imu_from_message(message)


def test_imu_values_that_are_not_finite_are_refused():
    message = blank_message('sensor_msgs/msg/Imu')
    message.angular_velocity.y = float('nan')
    with pytest.raises(DataError, match='finite'):
        imu_from_message(message)


def test_twist(make):
    message, send = make('geometry_msgs/msg/TwistWithCovarianceStamped')
    # float32 in, as results of networks are: rclpy itself would send nonsense.
    fill.fill_twist(
        message, np.float32([1, 2, 3]), np.float32([4, 5, 6]), COVARIANCE, t_ns=T_NS, frame_id='cam'
    )
    read = twist_from_message(send(message))
    assert read.t_ns == T_NS
    np.testing.assert_array_equal(read.v_m_s, [1, 2, 3])
    np.testing.assert_array_equal(read.omega_rad_s, [4, 5, 6])
    np.testing.assert_array_equal(read.covariance, COVARIANCE)


def test_odometry(make):
    message, send = make('nav_msgs/msg/Odometry')
    fill.fill_odometry(
        message,
        T,
        COVARIANCE,
        [1, 0, 0],
        [0, 0, 1],
        COVARIANCE + 1,
        t_ns=T_NS,
        frame_id='odom',
        child_frame_id='base_link',
    )
    received = send(message)
    assert (received.header.frame_id, received.child_frame_id) == ('odom', 'base_link')
    np.testing.assert_allclose(pose_from_message(received).T_world_body, T, atol=1e-12)
    np.testing.assert_array_equal(np.reshape(received.pose.covariance, (6, 6)), COVARIANCE)
    np.testing.assert_array_equal(twist_from_message(received).covariance, COVARIANCE + 1)


def test_transform(make):
    message, send = make('geometry_msgs/msg/TransformStamped')
    fill.fill_transform(message, T, t_ns=T_NS, frame_id='odom', child_frame_id='cam')
    received = send(message)
    assert received.transform.translation.z == 3.0
    assert received.transform.rotation.w == pytest.approx(np.sqrt(0.5))


def test_camera_info(make):
    message, send = make('sensor_msgs/msg/CameraInfo')
    from event_perception.io import camera_from_message

    camera = CameraModel(
        fx=300,
        fy=301,
        cx=172,
        cy=129,
        height=260,
        width=346,
        distortion_model='radtan',
        distortion=(0.1, 0.2, 0.3, 0.4, 0.5),
        frame_id='cam',
    )
    fill.fill_camera_info(message, camera, t_ns=T_NS)
    assert camera_from_message(send(message)) == camera


def test_event_packet(make):
    if make.__name__ == 'ros':
        pytest.importorskip('event_camera_msgs.msg')
    message, send = make('event_camera_msgs/msg/EventPacket')
    payload = np.arange(16, dtype=np.uint8)
    fill.fill_event_packet(
        message,
        payload,
        'evt3',
        height=480,
        width=640,
        seq=2**40,
        stamp_ns=T_NS,
        time_base_ns=5,
        frame_id='cam',
    )
    received = send(message)
    assert bytes(received.events) == payload.tobytes()
    assert (received.seq, received.time_base, received.encoding) == (2**40, 5, 'evt3')
    assert received.is_bigendian is False or not received.is_bigendian


@pytest.mark.parametrize(
    ('field', 'value'), [('height', 2**40), ('width', -1), ('seq', 2**64), ('time_base_ns', -5)]
)
def test_numbers_that_do_not_fit_are_refused_instead_of_being_sent_as_zero(field, value):
    values = {'height': 480, 'width': 640, 'seq': 0, 'stamp_ns': 0} | {field: value}
    with pytest.raises(DataError, match=field):
        fill.fill_event_packet(blank_message('event_camera_msgs/msg/EventPacket'), b'', 'evt3', **values)


def test_a_covariance_of_another_size_is_refused():
    message = blank_message('geometry_msgs/msg/TwistWithCovarianceStamped')
    with pytest.raises(DataError, match='covariance'):
        fill.fill_twist(message, [0, 0, 0], [0, 0, 0], np.eye(3), t_ns=0, frame_id='')


def test_a_pose_without_rotation_is_refused():
    message = blank_message('geometry_msgs/msg/PoseStamped')
    with pytest.raises(DataError, match='quaternion'):
        pose_from_message(message)


def test_an_unknown_message_type_is_named():
    with pytest.raises(DataError, match='foo_msgs/msg/Bar'):
        blank_message('foo_msgs/msg/Bar')


def test_every_public_name_of_io_exists():
    io = importlib.import_module('event_perception.io')
    for name in io.__all__:
        assert getattr(io, name) is not None
    with pytest.raises(AttributeError):
        _ = io.nothing
