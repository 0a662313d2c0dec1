# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Values into ROS messages.

Each function fills a message object that it is given, of rclpy or of rosbags, and casts every value: with
field checks off, as they are by default, rclpy sends an int in a float field as nonsense and a number that
is too large as 0, and says nothing. Images have a file of their own.
"""

from array import array
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError
from event_perception.events import ImuSample
from event_perception.io.image_messages import byte_field
from event_perception.io.quaternion import quaternion_from_rotation
from event_perception.io.stamps import fill_header
from event_perception.motion.camera import CameraModel

MODEL_NAMES = {'none': 'plumb_bob', 'radtan': 'plumb_bob', 'equidistant': 'equidistant'}
NO_ORIENTATION = -1.0
"""First covariance element of a quantity that is absent (sensor_msgs/Imu, REP 145)."""


def fill_event_packet(
    message: Any,
    payload: bytes | NDArray[np.uint8],
    encoding: str,
    *,
    height: int,
    width: int,
    seq: int,
    stamp_ns: int,
    time_base_ns: int = 0,
    frame_id: str = '',
) -> None:
    """Write encoded events into an ``event_camera_msgs/EventPacket``.

    Args:
        message: The message to fill.
        payload: What an encoder gave.
        encoding: Its name.
        height: Sensor rows.
        width: Sensor columns.
        seq: Number of the packet, one more from packet to packet.
        stamp_ns: ROS time at which the packet began.
        time_base_ns: Sensor time that the encoding counts from; 0 where it does not.
        frame_id: Optical frame.
    """
    fill_header(message.header, stamp_ns, frame_id)
    message.height, message.width = _unsigned('height', height, 32), _unsigned('width', width, 32)
    message.seq, message.time_base = _unsigned('seq', seq, 64), _unsigned('time_base_ns', time_base_ns, 64)
    message.encoding, message.is_bigendian = str(encoding), False
    message.events = byte_field(message.events, np.frombuffer(payload, np.uint8))


def fill_imu(
    message: Any, sample: ImuSample, *, gyro_variance: float = 0.0, accelerometer_variance: float = 0.0
) -> None:
    """Write an IMU sample into a ``sensor_msgs/Imu``; orientation is marked absent, variances 0 unknown."""
    fill_header(message.header, sample.t_ns, sample.frame_id)
    _fill_vector(message.angular_velocity, sample.angular_velocity_rad_s)
    _fill_vector(message.linear_acceleration, sample.linear_acceleration_m_s2)
    message.orientation_covariance = _diagonal(NO_ORIENTATION, 0.0)
    message.angular_velocity_covariance = _diagonal(gyro_variance, gyro_variance)
    message.linear_acceleration_covariance = _diagonal(accelerometer_variance, accelerometer_variance)


def fill_camera_info(message: Any, camera: CameraModel, *, t_ns: int, frame_id: str | None = None) -> None:
    """Write a camera model into a ``sensor_msgs/CameraInfo``, without rectification (R is identity).

    Args:
        message: The message to fill; of ROS 2 (k, d, r, p) or ROS 1 (K, D, R, P).
        camera: What to write.
        t_ns: Stamp: that of the image it belongs to.
        frame_id: Optical frame; None for the camera's own.
    """
    fill_header(message.header, t_ns, camera.frame_id if frame_id is None else frame_id)
    message.height, message.width = int(camera.height), int(camera.width)
    rational = len(camera.distortion) > 5
    message.distortion_model = 'rational_polynomial' if rational else MODEL_NAMES[camera.distortion_model]
    coefficients = np.array(camera.distortion or (0.0,) * 5, np.float64)
    projection = np.hstack([camera.matrix, np.zeros((3, 1))])
    values = {
        'd': coefficients,
        'k': camera.matrix.reshape(9),
        'r': np.eye(3).reshape(9),
        'p': projection.reshape(12),
    }
    for name, value in values.items():
        field = name if hasattr(message, name) else name.upper()
        # A sequence of rclpy is an array.array and takes no other; everything else is a numpy array.
        typed = isinstance(getattr(message, field), array)
        setattr(message, field, array('d', value.tolist()) if typed else value)


def fill_twist(
    message: Any,
    v_m_s: ArrayLike,
    omega_rad_s: ArrayLike,
    covariance: ArrayLike,
    *,
    t_ns: int,
    frame_id: str,
) -> None:
    """Write a velocity into a ``geometry_msgs/TwistWithCovarianceStamped``.

    Args:
        message: The message to fill.
        v_m_s: Linear velocity (3,).
        omega_rad_s: Angular velocity (3,).
        covariance: (6, 6), order (v, omega).
        t_ns: The instant described.
        frame_id: The frame that the vectors are in.
    """
    fill_header(message.header, t_ns, frame_id)
    _fill_twist_with_covariance(message.twist, v_m_s, omega_rad_s, covariance)


def fill_odometry(
    message: Any,
    T_odom_body: ArrayLike,
    pose_covariance: ArrayLike,
    v_m_s: ArrayLike,
    omega_rad_s: ArrayLike,
    twist_covariance: ArrayLike,
    *,
    t_ns: int,
    frame_id: str,
    child_frame_id: str,
) -> None:
    """Write pose and velocity into a ``nav_msgs/Odometry``.

    Args:
        message: The message to fill.
        T_odom_body: Pose (4, 4) of the child frame in ``frame_id``.
        pose_covariance: (6, 6), order (position, rotation).
        v_m_s: Linear velocity (3,) in the child frame.
        omega_rad_s: Angular velocity (3,) in the child frame.
        twist_covariance: (6, 6), order (v, omega).
        t_ns: The instant described.
        frame_id: The fixed frame, e.g. odom.
        child_frame_id: The moving frame, e.g. base_link.
    """
    fill_header(message.header, t_ns, frame_id)
    message.child_frame_id = str(child_frame_id)
    fill_pose(message.pose.pose, T_odom_body)
    message.pose.covariance = _covariance(pose_covariance)
    _fill_twist_with_covariance(message.twist, v_m_s, omega_rad_s, twist_covariance)


def fill_pose(message: Any, T: ArrayLike) -> None:
    """Write a rigid transform (4, 4) into a ``geometry_msgs/Pose``."""
    matrix = np.asarray(T, np.float64)
    _fill_vector(message.position, matrix[:3, 3])
    _fill_quaternion(message.orientation, matrix)


def fill_transform(
    message: Any, T_parent_child: ArrayLike, *, t_ns: int, frame_id: str, child_frame_id: str
) -> None:
    """Write a rigid transform (4, 4) into a ``geometry_msgs/TransformStamped``: child to parent coordinates."""
    matrix = np.asarray(T_parent_child, np.float64)
    fill_header(message.header, t_ns, frame_id)
    message.child_frame_id = str(child_frame_id)
    _fill_vector(message.transform.translation, matrix[:3, 3])
    _fill_quaternion(message.transform.rotation, matrix)


def _fill_twist_with_covariance(message: Any, v: ArrayLike, omega: ArrayLike, covariance: ArrayLike) -> None:
    _fill_vector(message.twist.linear, v)
    _fill_vector(message.twist.angular, omega)
    message.covariance = _covariance(covariance)


def _fill_vector(message: Any, vector: ArrayLike) -> None:
    message.x, message.y, message.z = (float(value) for value in np.asarray(vector, np.float64))


def _fill_quaternion(message: Any, matrix: NDArray[np.float64]) -> None:
    q = quaternion_from_rotation(matrix[:3, :3])
    message.x, message.y, message.z, message.w = (float(value) for value in q)


def _covariance(covariance: ArrayLike) -> NDArray[np.float64]:
    matrix = np.array(covariance, np.float64)
    if matrix.size != 36:
        raise DataError(f'a covariance has (6, 6) values, got {matrix.shape}')
    return matrix.reshape(36)


def _diagonal(first: float, others: float) -> NDArray[np.float64]:
    matrix = np.diag([first, others, others])
    return matrix.astype(np.float64).reshape(9)


def _unsigned(name: str, value: int, bits: int) -> int:
    """Check the range: rclpy sends 2**40 in a uint32 field as 0 (field checks off)."""
    if not 0 <= int(value) < 1 << bits:
        raise DataError(f'{name}={value}: the message holds 0 to 2**{bits} - 1')
    return int(value)
