# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Between camera and robot: a tree of transforms, and motion told in another frame of the same rigid body.

A transform that is not known is an error here, never the identity.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import CalibrationError
from event_perception.events import ImuSample, TwistPrior
from event_perception.motion.lie import hat, se3_adjoint, se3_inverse
from event_perception.odometry.estimate import OdometryEstimate

Transform = NDArray[np.float64]

LONGEST_CHAIN = 100  # frames up to the root; longer means that transforms form a loop


class FrameTree:
    """Frames and the latest transform of each to its parent, as tf tells them."""

    def __init__(self) -> None:
        self._parent: dict[str, tuple[str, Transform]] = {}

    def set(self, parent: str, child: str, T_parent_child: Transform) -> None:
        """Store where a frame is in its parent; a frame has one parent, the last one told.

        Raises:
            CalibrationError: If the transform is not rigid or a frame would be its own parent.
        """
        if parent == child:
            raise CalibrationError(f'transform from {child!r} to itself; parent and child must differ')
        if not is_rigid(T_parent_child):
            raise CalibrationError(f'transform {parent!r} to {child!r} is not a rotation and a translation')
        self._parent[child] = (parent, np.array(T_parent_child, np.float64))

    def lookup(self, target: str, source: str) -> Transform:
        """T_target_source: maps coordinates in the source frame to the target frame.

        Raises:
            CalibrationError: If no chain of transforms connects the two.
        """
        up_from_target = dict(self._ancestors(target))
        for frame, T_frame_source in self._ancestors(source):
            if frame in up_from_target:
                return se3_inverse(up_from_target[frame]) @ T_frame_source
        known = sorted({*self._parent, *(parent for parent, _ in self._parent.values())})
        raise CalibrationError(
            f'no transform from {source!r} to {target!r}; frames known from tf: {known}. '
            'Publish the mounting of the camera, for example with static_transform_publisher'
        )

    def _ancestors(self, frame: str) -> Iterator[tuple[str, Transform]]:
        """The frame itself and all above it, with T_ancestor_frame."""
        T_ancestor_frame = np.eye(4)
        for _ in range(LONGEST_CHAIN):
            yield frame, T_ancestor_frame
            if frame not in self._parent:
                return
            frame, T_parent_child = self._parent[frame]
            T_ancestor_frame = T_parent_child @ T_ancestor_frame


def is_rigid(T: NDArray[np.float64], tolerance: float = 1e-6) -> bool:
    """Whether a (4, 4) matrix is finite and its rotation part is one, to within the tolerance."""
    R = T[:3, :3]
    return bool(
        np.all(np.isfinite(T)) and np.allclose(R @ R.T, np.eye(3), atol=tolerance) and np.linalg.det(R) > 0
    )


def odometry_of_base(estimate: OdometryEstimate, T_base_camera: Transform) -> OdometryEstimate:
    """The same motion, told of the base that carries the camera.

    The odometry frame becomes the one in which the base started at the identity, as REP 105 wants it:
    T_odom_base = T_base_camera T_odom_camera T_camera_base. Velocity and covariance of the twist follow the
    adjoint; the covariance of the position gains the lever between camera and base.

    Args:
        estimate: Odometry of the camera.
        T_base_camera: Mounting of the camera, (4, 4).
    """
    T_camera_base = se3_inverse(T_base_camera)
    adjoint = se3_adjoint(T_base_camera)
    twist = adjoint @ np.concatenate([estimate.v_m_s, estimate.omega_rad_s])
    jacobian = _pose_jacobian(estimate.T_odom_camera, T_base_camera, T_camera_base)
    return replace(
        estimate,
        T_odom_camera=T_base_camera @ estimate.T_odom_camera @ T_camera_base,
        pose_covariance=jacobian @ estimate.pose_covariance @ jacobian.T,
        v_m_s=twist[:3],
        omega_rad_s=twist[3:],
        twist_covariance=adjoint @ estimate.twist_covariance @ adjoint.T,
    )


def twist_in_camera(twist: TwistPrior, T_camera_body: Transform) -> TwistPrior:
    """The velocity of the camera that is fixed to a body whose velocity is known in its own frame."""
    adjoint = se3_adjoint(T_camera_body)
    moved = adjoint @ np.concatenate([twist.v_m_s, twist.omega_rad_s])
    return replace(
        twist, v_m_s=moved[:3], omega_rad_s=moved[3:], covariance=adjoint @ twist.covariance @ adjoint.T
    )


def imu_in_camera(imu: ImuSample, T_camera_imu: Transform, frame_id: str) -> ImuSample:
    """The same measurement along the axes of the camera. The accelerometer stays where it is mounted: the
    centripetal part of a lever to the camera is not added.
    """
    R = T_camera_imu[:3, :3]
    return replace(
        imu,
        angular_velocity_rad_s=R @ imu.angular_velocity_rad_s,
        linear_acceleration_m_s2=R @ imu.linear_acceleration_m_s2,
        frame_id=frame_id,
    )


def _pose_jacobian(
    T_odom_camera: Transform, T_base_camera: Transform, T_camera_base: Transform
) -> NDArray[np.float64]:
    """Pose error of the base against that of the camera; rotation errors are about the fixed odometry axes."""
    R = T_base_camera[:3, :3]
    lever = T_odom_camera[:3, :3] @ T_camera_base[:3, 3]
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = jacobian[3:, 3:] = R
    jacobian[:3, 3:] = -R @ hat(lever)
    return jacobian
