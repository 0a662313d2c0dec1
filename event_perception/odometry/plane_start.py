# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where nothing is known of the depth: the ridges of the event image, put on a plane that faces the camera.

Good for a shift of two or three per cent of the depth; then there is parallax enough for a first map.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.motion.camera import CameraModel
from event_perception.odometry.edge_climbing import bin_pixels

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


def points_on_a_plane(pixels: Float32, T: Matrix, depth_m: float, most: int, camera: CameraModel) -> Float32:
    """Points in the odometry frame, float32 (n, 3); n is 0 where the image has no ridges.

    Args:
        pixels: Undistorted, moved to one instant, float32 (2, n).
        T: T_odom_camera.
        depth_m: Of the plane.
        most: About so many points at most.
        camera: Without distortion.
    """
    k = camera
    votes = np.zeros((k.height, k.width), np.float32)
    bin_pixels(pixels, votes)
    smooth = cv2.GaussianBlur(votes, (0, 0), 1.0)
    ridge = (smooth > 1.5 * cv2.blur(smooth, (15, 15))) & (smooth == cv2.dilate(smooth, np.ones((3, 3))))
    rows, columns = np.nonzero(ridge)
    step = max(1, len(rows) // most)
    x, y = (columns[::step] - k.cx) / k.fx, (rows[::step] - k.cy) / k.fy
    points = depth_m * np.stack([x, y, np.ones_like(x)], axis=-1) @ T[:3, :3].T + T[:3, 3]
    return points.astype(np.float32)
