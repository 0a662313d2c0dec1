# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events of a step as undistorted pixels, and as they would lie had they all happened at one instant.

Windows may be shorter than a step, and hold more events than tracking needs: what comes is thinned evenly at once, and
joined until the step is over. A pixel moves by the twist of the camera and its inverse depth; the depth of the view is
that of the map's points, averaged in cells and smoothed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.odometry.edge_climbing import move_pixels

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]

CELL_PX = 16  # side of the cells in which the depth of the view is averaged
NOWHERE_PX = np.float32(-1e6)


class EventView:
    """Looks through one camera.

    Args:
        camera: With its distortion.
        most_events: Of a step.
        step_s: Length of a step; longer windows are steps of their own.

    Attributes:
        pinhole: The camera without distortion.
    """

    def __init__(self, camera: CameraModel, most_events: int, step_s: float) -> None:
        self.pinhole = k = camera.undistorted()
        self._most, self._step_s = most_events, step_s
        self._intrinsics = np.array([k.fx, k.cx, k.fy, k.cy])
        table = camera.bearings() * np.array([k.fx, k.fy], np.float32) + np.array([k.cx, k.cy], np.float32)
        self._undistorted = np.where(np.isfinite(table), table, NOWHERE_PX).astype(np.float32)
        self._parts: list[tuple[Float32, int, Float32]] = []

    def clear(self) -> None:
        """Forget what waits for its step."""
        self._parts = []

    def add(self, window: EventWindow) -> None:
        """Take part of the events of a window, as many as are its share of a step."""
        n = len(window)
        share = min(1.0, window.duration_s / self._step_s)
        chosen = np.linspace(0, n - 1, min(n, int(np.ceil(share * self._most)))).astype(np.intp)
        pixels = self._undistorted[window.y[chosen], window.x[chosen]].T
        self._parts.append((np.ascontiguousarray(pixels), window.t_ref_ns, window.dt_s[chosen]))

    def take(self, t_ns: int) -> tuple[Float32, Float32]:
        """Undistorted pixels (2, n) of the events since the last step, and their seconds after an instant (n,)."""
        parts, self._parts = self._parts, []
        pixels = np.ascontiguousarray(np.concatenate([p for p, _, _ in parts], axis=1))
        dt_s = np.concatenate([dt + np.float32((t - t_ns) * 1e-9) for _, t, dt in parts])
        return pixels, dt_s

    def at_one_instant(self, pixels: Float32, dt_s: Float32, twist: Matrix, inverse_depth: Matrix) -> Float32:
        """Pixels of the events moved by a twist (v, omega) and ``inverse_depth_cells``."""
        moved = np.empty_like(pixels)
        move_pixels(pixels, dt_s, twist, self._intrinsics, inverse_depth, CELL_PX, moved)
        return moved

    def inverse_depth_cells(self, points: Float32, T: Matrix, depth_m: float) -> Matrix:
        """Inverse depth of the view in cells: that of points, smoothed; of ``depth_m`` where there are none.

        Args:
            points: Odometry frame (n, 3).
            T: T_odom_camera.
            depth_m: Median depth of the view.
        """
        k = self.pinhole
        shape = (-(-k.height // CELL_PX), -(-k.width // CELL_PX))
        camera = points @ T[:3, :3] - T[:3, 3] @ T[:3, :3]
        camera = camera[camera[:, 2] > 1e-3 * depth_m]
        q = 1 / camera[:, 2]
        column = (k.fx * camera[:, 0] * q + k.cx) / CELL_PX
        row = (k.fy * camera[:, 1] * q + k.cy) / CELL_PX
        inside = (column >= 0) & (row >= 0) & (column < shape[1]) & (row < shape[0])
        place = row[inside].astype(np.intp) * shape[1] + column[inside].astype(np.intp)
        cells = shape[0] * shape[1]
        total = np.bincount(place, q[inside], cells).astype(np.float64).reshape(shape)
        number = np.bincount(place, None, cells).astype(np.float64).reshape(shape)
        smooth = cv2.blur(total, (3, 3)) + 0.1 / depth_m, cv2.blur(number, (3, 3)) + 0.1
        return np.asarray(smooth[0] / smooth[1], np.float64)
