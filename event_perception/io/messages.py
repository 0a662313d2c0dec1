# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS messages to values.

Every function takes any object with the message's attributes, so messages of rclpy and of bags (ROS 1 and
ROS 2) enter alike. Nothing here imports ROS.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import CalibrationError, DataError
from event_perception.events import ImuSample, TwistPrior
from event_perception.io.quaternion import transform
from event_perception.io.stamps import header_ns
from event_perception.io.trajectory import PoseSample
from event_perception.motion.camera import CameraModel, DistortionModel

DISTORTION_MODELS: dict[str, DistortionModel] = {
    '': 'none',
    'none': 'none',
    'plumb_bob': 'radtan',
    'radtan': 'radtan',
    'rational_polynomial': 'radtan',
    'equidistant': 'equidistant',
    'fisheye': 'equidistant',
}
"""Names of ``sensor_msgs/CameraInfo`` and of calibration tools, to ours."""
USED_COEFFICIENTS = {'none': 0, 'radtan': 8, 'equidistant': 4}


def imu_from_message(message: Any) -> ImuSample:
    """``sensor_msgs/Imu`` to gyroscope and accelerometer.

    A covariance that begins with -1 says that the quantity is absent. Without an accelerometer its three
    values are nan.

    Raises:
        DataError: If there is no gyroscope, or a value that should be there is not finite.
    """
    if message.angular_velocity_covariance[0] == -1:
        raise DataError('imu without angular velocity (its covariance begins with -1): choose another topic')
    omega = vector(message.angular_velocity)
    has_accelerometer = message.linear_acceleration_covariance[0] != -1
    acceleration = vector(message.linear_acceleration) if has_accelerometer else np.full(3, np.nan)
    if not np.isfinite(omega).all() or (has_accelerometer and not np.isfinite(acceleration).all()):
        raise DataError(f'imu values must be finite, got {omega} rad/s and {acceleration} m/s^2')
    return ImuSample(header_ns(message), omega, acceleration, str(message.header.frame_id))


def camera_from_message(message: Any) -> CameraModel:
    """``sensor_msgs/CameraInfo`` to a camera model of the raw (not rectified) image.

    Raises:
        CalibrationError: If the camera is not calibrated (K all zero), binned, cropped, or of a distortion
            model that is not supported.
    """
    # ROS 1 writes the four matrices with capital letters.
    matrix = message.k if hasattr(message, 'k') else message.K
    coefficients = message.d if hasattr(message, 'd') else message.D
    _refuse_partial_image(message)
    return camera_from_values(
        matrix,
        message.distortion_model,
        coefficients,
        height=int(message.height),
        width=int(message.width),
        frame_id=str(message.header.frame_id),
    )


def camera_from_values(
    matrix: Any, distortion_model: str, coefficients: Any, *, height: int, width: int, frame_id: str = ''
) -> CameraModel:
    """Camera model from what a CameraInfo or its YAML form holds.

    Args:
        matrix: K, 9 values in row order.
        distortion_model: As in CameraInfo.
        coefficients: As in CameraInfo.
        height: Sensor rows.
        width: Sensor columns.
        frame_id: Optical frame.

    Raises:
        CalibrationError: As ``camera_from_message``.
    """
    k = np.asarray(matrix, np.float64).reshape(-1)
    if k.size != 9 or not k.any():
        raise CalibrationError(
            'camera_info is not calibrated (K is all zero); calibrate the camera or give --camera'
        )
    if k[1] != 0:
        raise CalibrationError(f'camera_info has skew {k[1]}: only K without skew is supported')
    model, distortion = _distortion(distortion_model, coefficients)
    return CameraModel(
        fx=float(k[0]),
        fy=float(k[4]),
        cx=float(k[2]),
        cy=float(k[5]),
        height=height,
        width=width,
        distortion_model=model,
        distortion=distortion,
        frame_id=frame_id,
    )


def twist_from_message(message: Any) -> TwistPrior:
    """``nav_msgs/Odometry`` or ``geometry_msgs/TwistWithCovarianceStamped`` to a velocity.

    The values stay in the message's frame (child_frame_id of Odometry, header.frame_id of the twist): the
    caller turns them into the optical frame.

    Raises:
        DataError: If a velocity is not finite.
    """
    twist = message.twist.twist
    v, omega = vector(twist.linear), vector(twist.angular)
    if not (np.isfinite(v).all() and np.isfinite(omega).all()):
        raise DataError(f'velocities must be finite, got {v} m/s and {omega} rad/s')
    covariance = np.array(message.twist.covariance, np.float64).reshape(6, 6)
    return TwistPrior(header_ns(message), v, omega, covariance)


def pose_from_message(message: Any) -> PoseSample:
    """``geometry_msgs/PoseStamped``, ``PoseWithCovarianceStamped`` or ``nav_msgs/Odometry`` to a pose.

    Raises:
        DataError: If a value is not finite or the quaternion has no length.
    """
    pose = message.pose
    while hasattr(pose, 'pose'):
        pose = pose.pose
    q = pose.orientation
    return PoseSample(header_ns(message), transform(vector(pose.position), (q.x, q.y, q.z, q.w)))


def vector(message: Any) -> NDArray[np.float64]:
    """``geometry_msgs/Vector3`` or ``Point`` to (3,)."""
    return np.array([message.x, message.y, message.z], np.float64)


def _distortion(name: str, coefficients: Any) -> tuple[DistortionModel, tuple[float, ...]]:
    if name not in DISTORTION_MODELS:
        raise CalibrationError(f'distortion_model={name!r}: supported are {sorted(DISTORTION_MODELS)}')
    values = np.asarray(coefficients, np.float64).reshape(-1)
    model = DISTORTION_MODELS[name]
    if not values.any():
        return 'none', ()
    used = USED_COEFFICIENTS[model]
    if values[used:].any():
        raise CalibrationError(
            f'{name} has {values.size} coefficients {values.tolist()}: only the first {used} are supported, '
            'the others must be 0; calibrate with a simpler model'
        )
    kept = values[:used]
    # Five say it all where the three of the denominator are 0, or were never given.
    if model == 'radtan' and not kept[5:].any():
        kept = np.pad(kept[:5], (0, 5 - kept[:5].size))
    return model, tuple(kept.tolist())


def _refuse_partial_image(message: Any) -> None:
    if max(int(message.binning_x), int(message.binning_y)) > 1:
        raise CalibrationError(
            f'camera_info with binning {message.binning_x}x{message.binning_y}: not supported; '
            'publish the calibration of the image as it is'
        )
    roi = message.roi
    whole = (int(roi.width) or int(message.width), int(roi.height) or int(message.height))
    if whole != (int(message.width), int(message.height)) or roi.x_offset or roi.y_offset:
        raise CalibrationError(
            f'camera_info with region of interest {roi.width}x{roi.height}+{roi.x_offset}+{roi.y_offset}: '
            'not supported; publish the calibration of the image as it is'
        )
