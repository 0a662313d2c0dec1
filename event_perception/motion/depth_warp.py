# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A depth image carried to another instant by the motion of the camera.

Depth cameras are slow and late: the latest image is some 10 to 50 ms old. Every pixel's point is moved,
X' = Exp(omega dt)^T (X - v dt), and drawn where it is then seen; the nearer one wins. What nobody reached is filled
with the farther side of its surroundings being unlikely: the mean inverse depth of the neighbours.
"""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.events import DepthImage
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import so3_exp

NOWHERE = np.float32(-1e6)  # no lens brings this into an image
LEAST_NEIGHBOURS = 4  # of the 24 around a hole


def carried_depth(
    depth: DepthImage,
    camera: CameraModel,
    *,
    omega_rad_s: NDArray[np.float64],
    v_m_s: NDArray[np.float64],
    t_ns: int,
) -> DepthImage:
    """The depth image as it is at ``t_ns``, for a camera that moves constantly in a still scene.

    Args:
        depth: Registered to this camera.
        camera: Its calibration, lens distortion included.
        omega_rad_s: Angular velocity (3,), camera frame.
        v_m_s: Velocity (3,), camera frame.
        t_ns: The instant wanted, before or after that of the image.

    Returns:
        Depth, nan where nothing is known.
    """
    dt_s = (t_ns - depth.t_ns) * 1e-9
    if dt_s == 0.0 or not (np.isfinite(v_m_s).all() and np.isfinite(omega_rad_s).all()):
        return DepthImage(t_ns, depth.depth_m)
    inverse = np.zeros(depth.depth_m.shape, np.float32)
    seen = np.empty((*inverse.shape, 3), np.float32)
    R = so3_exp(np.asarray(omega_rad_s) * dt_s).T.astype(np.float32)
    shift = np.asarray(v_m_s * dt_s, np.float32)
    carry_points(camera.bearings(), np.ascontiguousarray(depth.depth_m, np.float32), R, shift, seen)
    draw_nearest(_pixels(camera, seen), seen[..., 2].ravel(), inverse)
    filled = _filled(inverse)
    with np.errstate(divide='ignore'):
        return DepthImage(t_ns, np.where(filled > 0, 1.0 / filled, np.nan).astype(np.float32))


def _pixels(camera: CameraModel, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels (n, 2) of normalised points; without distortion in one pass."""
    flat = seen.reshape(-1, 3)
    if not camera.distortion:
        return flat[:, :2] * np.array([camera.fx, camera.fy], np.float32) + np.array(
            [camera.cx, camera.cy], np.float32
        )
    points = np.column_stack([flat[:, :2], np.ones(len(flat), np.float32)])
    return np.asarray(camera.project(points), np.float32)


@njit(cache=True, nogil=True)
def carry_points(bearings, depth_m, R, shift_m, seen):  # type: ignore[no-untyped-def]
    """Where every pixel's point is after X' = R (X - shift).

    Args:
        bearings: X/Z and Y/Z of the pixels, float32 (H, W, 2).
        depth_m: (H, W).
        R: (3, 3).
        shift_m: (3,).
        seen: Output X/Z, Y/Z and 1/Z, float32 (H, W, 3); far outside where nothing is known.
    """
    for row in range(depth_m.shape[0]):
        for column in range(depth_m.shape[1]):
            z, x, y = depth_m[row, column], bearings[row, column, 0], bearings[row, column, 1]
            a, b, c = x * z - shift_m[0], y * z - shift_m[1], z - shift_m[2]
            ahead = R[2, 0] * a + R[2, 1] * b + R[2, 2] * c
            if not (z > 0 and np.isfinite(z) and np.isfinite(x) and ahead > 0):
                seen[row, column] = NOWHERE
                continue
            inverse = np.float32(1) / ahead
            seen[row, column, 0] = (R[0, 0] * a + R[0, 1] * b + R[0, 2] * c) * inverse
            seen[row, column, 1] = (R[1, 0] * a + R[1, 1] * b + R[1, 2] * c) * inverse
            seen[row, column, 2] = inverse


@njit(cache=True, nogil=True)
def draw_nearest(pixels, inverse_depth, image):  # type: ignore[no-untyped-def]
    """Draw points on the 2 x 2 pixels around them; the largest inverse depth stays. Not finite ones are left out."""
    height, width = image.shape
    for i in range(pixels.shape[0]):
        x, y = pixels[i, 0], pixels[i, 1]
        if not (-1 <= x < width and -1 <= y < height):
            continue
        column, row = int(np.floor(x)), int(np.floor(y))
        for r in range(max(row, 0), min(row + 2, height)):
            for c in range(max(column, 0), min(column + 2, width)):
                image[r, c] = max(image[r, c], inverse_depth[i])


def _filled(inverse: NDArray[np.float32]) -> NDArray[np.float32]:
    """Holes take the mean of their 5 x 5 surroundings, if enough of it is known."""
    known = (inverse > 0).astype(np.float32)
    total = cv2.boxFilter(inverse, -1, (5, 5), normalize=False)
    count = cv2.boxFilter(known, -1, (5, 5), normalize=False)
    fill = np.where(count >= LEAST_NEIGHBOURS, total / np.maximum(count, 1), np.float32(0))
    return np.where(known > 0, inverse, fill).astype(np.float32)
