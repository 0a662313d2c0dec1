# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow as a colour picture: the hue is the direction, the brightness the speed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.flow.field import FlowField


def flow_picture(field: FlowField, full_scale_px_s: float) -> NDArray[np.uint8]:
    """Draw flow as rviz and image viewers can show it.

    To the right is red, down is yellow-green, left is cyan, up is violet. Pixels that are not valid are black.

    Args:
        field: The flow.
        full_scale_px_s: Speed drawn in full brightness; faster is no brighter.

    Returns:
        bgr8 picture, uint8 (H, W, 3).
    """
    u, v = field.flow_px_s
    speed = np.hypot(u, v) / np.float32(full_scale_px_s)
    hue = np.degrees(np.arctan2(v, u)) % 360 / 2  # OpenCV keeps 0 to 360 degrees in 0 to 179
    value = np.where(field.valid, 255 * np.minimum(speed, 1), 0)
    hsv = np.stack([hue % 180, np.full_like(hue, 255), value], axis=-1).astype(np.uint8)
    picture: NDArray[np.uint8] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return picture
