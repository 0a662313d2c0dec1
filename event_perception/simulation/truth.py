# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Image motion from depth and motion, exactly, also through a distorting lens."""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.camera import CameraModel

DERIVATIVE_STEP = 1e-4  # of normalised coordinates, for the distortion of a velocity


def image_flow(
    camera: CameraModel,
    depth_m: NDArray,
    *,
    omega_rad_s: NDArray,
    v_m_s: NDArray,
    object_velocity_m_s: NDArray | None = None,
) -> NDArray[np.float64]:
    """Velocity of the image of what each pixel sees.

    With X = Z (x, y, 1) and Xdot = -omega x X - v + u, the normalised point moves with
    (xdot, ydot) = (Xdot_1 - x Xdot_3, Xdot_2 - y Xdot_3) / Z (Longuet-Higgins and Prazdny 1980).

    Args:
        camera: Calibration.
        depth_m: Depth along the optical axis (H, W); may be inf.
        omega_rad_s: Angular velocity of the camera (3,), camera frame.
        v_m_s: Velocity of the camera (3,), camera frame.
        object_velocity_m_s: Velocity u of the points themselves (H, W, 3), camera axes; none when None.

    Returns:
        Flow (2, H, W), px/s, channel 0 is x.
    """
    x, y = np.ascontiguousarray(np.moveaxis(camera.bearings(), -1, 0), np.float64)
    inverse_depth = 1.0 / np.asarray(depth_m, np.float64)
    a, b, c = np.asarray(omega_rad_s, np.float64)
    rate = [y * c - b, a - x * c, x * b - y * a]  # (x, y, 1) x omega
    for k, v in enumerate(np.asarray(v_m_s, np.float64)):
        motion = -v if object_velocity_m_s is None else object_velocity_m_s[..., k] - v
        rate[k] += motion * inverse_depth
    velocity = np.stack([rate[0] - x * rate[2], rate[1] - y * rate[2]])
    return _to_pixels(camera, np.stack([x, y]), velocity)


def displacement(
    camera: CameraModel, depth_m: NDArray, T_world_a: NDArray, T_world_b: NDArray
) -> NDArray[np.float64]:
    """Where every pixel of view a is seen from view b, minus where it was: from depth and poses alone.

    Args:
        camera: Calibration of both views.
        depth_m: Depth of view a (H, W).
        T_world_a: Pose of view a (4, 4).
        T_world_b: Pose of view b (4, 4).

    Returns:
        Displacement (2, H, W), px; nan where the point is behind view b.
    """
    bearings = camera.bearings().astype(np.float64)
    ray = np.concatenate([bearings, np.ones((*bearings.shape[:2], 1))], axis=-1)
    T_b_a = np.linalg.inv(T_world_b) @ T_world_a
    seen = ray @ T_b_a[:3, :3].T + T_b_a[:3, 3] / np.asarray(depth_m, np.float64)[..., None]
    pixel = camera.project(seen.reshape(-1, 3)).reshape(*seen.shape[:2], 2)
    rows, columns = np.indices(bearings.shape[:2])
    return np.moveaxis(pixel, -1, 0) - np.stack([columns, rows])


def _to_pixels(camera: CameraModel, point: NDArray, velocity: NDArray) -> NDArray[np.float64]:
    """Velocity of a normalised point to velocity of its pixel: times the Jacobian of the projection."""
    if camera.distortion_model == 'none':
        return velocity * np.array([camera.fx, camera.fy])[:, None, None]
    speed = np.maximum(np.hypot(velocity[0], velocity[1]), 1e-12)
    step = DERIVATIVE_STEP * velocity / speed

    def pixel(p: NDArray) -> NDArray:
        return camera.project(np.moveaxis(p, 0, -1).reshape(-1, 2)).T.reshape(p.shape)

    return (pixel(point + step) - pixel(point - step)) * (speed / (2 * DERIVATIVE_STEP))
