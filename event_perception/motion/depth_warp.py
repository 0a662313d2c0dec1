# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A depth image as the view of an ideal camera, carried to another instant by the motion of the camera.

Depth cameras are slow and late: the latest image is some 10 to 50 ms old. Every point is moved,
X' = Exp(omega dt)^T (X - v dt), and drawn where it is then seen; the nearer one wins. A median over 3 x 3 takes out
noise and closes the cracks that open between points that move apart.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage
from event_perception.motion.camera import CameraModel
from event_perception.motion.grid import BinGrid
from event_perception.motion.lie import so3_exp

Float32 = NDArray[np.float32]

MARGIN = 0.05  # border of a view around the sensor: what the camera turns to in the next moments
UNKNOWN = np.float32(-1)
STEP = 0.06  # relative change of inverse depth that is an edge
BESIDE = 5  # bins across in which it is looked for
_NEAREST = np.float32(1e-3)  # depth after the motion over that before; closer means behind the camera


@dataclass(frozen=True, eq=False)
class DepthView:
    """Inverse depth along the rays of undistorted bins at one instant.

    Attributes:
        t_ns: The instant.
        q: Inverse depth, 1/m, float32 (height, width) of the grid; 0 is infinitely far, negative unknown.
        grid: The bins, of about a pixel.
    """

    t_ns: int
    q: Float32
    grid: BinGrid

    @property
    def affine(self) -> Float32:
        """scale_x, offset_x, scale_y, offset_y of the grid, float32 (4,)."""
        g = self.grid
        return np.array([g.scale_x, g.offset_x, g.scale_y, g.offset_y], np.float32)

    @cached_property
    def nearer(self) -> Float32:
        """As ``q``, but beside a step in depth that of the nearer side: its outline makes the events there."""
        near = cv2.dilate(self.q, np.ones((BESIDE, BESIDE), np.uint8))
        return np.asarray(np.where(near > (1 + STEP) * self.q, near, self.q), np.float32)

    def carried(
        self, *, omega_rad_s: NDArray[np.float64], v_m_s: NDArray[np.float64], t_ns: int
    ) -> 'DepthView':
        """The view at ``t_ns``, for a camera that moves constantly in a still scene.

        Args:
            omega_rad_s: Angular velocity (3,), camera frame.
            v_m_s: Velocity (3,), camera frame; not finite: the view is taken as it is.
            t_ns: The instant wanted, before or after that of the image.
        """
        dt_s = (t_ns - self.t_ns) * 1e-9
        if dt_s == 0.0 or not (np.isfinite(v_m_s).all() and np.isfinite(omega_rad_s).all()):
            return DepthView(t_ns, self.q, self.grid)
        R = so3_exp(np.asarray(omega_rad_s) * dt_s).T.astype(np.float32)
        drawn = np.full(self.q.shape, UNKNOWN)
        draw_carried(self.q, R, np.asarray(v_m_s * dt_s, np.float32), self.affine, drawn)
        return DepthView(t_ns, _median(drawn), self.grid)


class DepthViews:
    """Makes views of the depth images of one camera; the latest is kept, since several windows share it.

    Args:
        camera: The camera that depth is registered to, lens distortion included.
    """

    def __init__(self, camera: CameraModel) -> None:
        self._shape = camera.height, camera.width
        self.grid = grid = BinGrid.covering(camera, 1.0, MARGIN)
        columns, rows = np.meshgrid(np.arange(grid.width), np.arange(grid.height))
        rays = [(columns - grid.offset_x) / grid.scale_x, (rows - grid.offset_y) / grid.scale_y]
        pixels = camera.project(np.stack(rays, axis=-1).reshape(-1, 2)).reshape(*columns.shape, 2)
        inside = ((pixels > -0.5) & (pixels < np.array([camera.width, camera.height]) - 0.5)).all(axis=-1)
        column, row = (np.rint(np.where(inside, pixels[..., k], 0)).astype(np.int64) for k in (0, 1))
        self._pixel = np.where(inside, row * camera.width + column, -1).astype(np.int32)
        self._last: tuple[DepthImage, DepthView] | None = None

    def of(self, depth: DepthImage) -> DepthView:
        """The depth image as a view.

        Raises:
            DataError: If the depth image has another size than the sensor.
        """
        if self._last is not None and self._last[0] is depth:
            return self._last[1]
        if depth.depth_m.shape != self._shape:
            raise DataError(f'depth image of shape {depth.depth_m.shape}; this camera has {self._shape}')
        q = np.empty(self._pixel.shape, np.float32)
        take_inverse(np.ascontiguousarray(depth.depth_m, np.float32).ravel(), self._pixel, q)
        view = DepthView(depth.t_ns, _median(q), self.grid)
        self._last = depth, view
        return view


def _median(q: Float32) -> Float32:
    return np.asarray(cv2.medianBlur(q, 3), np.float32)


@njit(cache=True, nogil=True)
def take_inverse(depth_m, pixel, q):  # type: ignore[no-untyped-def]
    """Inverse depth of the pixel of every bin, -1 where there is none or no depth.

    Args:
        depth_m: Depth of the pixels, float32, flat.
        pixel: Index of the pixel of a bin, int32 (height, width), negative for none.
        q: Output, float32 (height, width).
    """
    for row in range(pixel.shape[0]):
        for column in range(pixel.shape[1]):
            k = pixel[row, column]
            z = depth_m[k] if k >= 0 else UNKNOWN
            q[row, column] = np.float32(1) / z if z > 0 else UNKNOWN


@njit(cache=True, nogil=True)
def draw_carried(q, R, shift_m, affine, drawn):  # type: ignore[no-untyped-def]
    """Draw every bin's point where it is after X' = R (X - shift); the largest inverse depth stays.

    Args:
        q: Inverse depth, float32 (height, width), negative where unknown.
        R: (3, 3), float32.
        shift_m: (3,), float32.
        affine: scale_x, offset_x, scale_y, offset_y.
        drawn: As q; unknown beforehand.
    """
    height, width = q.shape
    sx, ox, sy, oy = affine
    half = np.float32(0.5)
    for row in range(height):
        y = (np.float32(row) - oy) / sy
        for column in range(width):
            s = q[row, column]
            if s < 0:
                continue
            x = (np.float32(column) - ox) / sx
            a, b, c = x - shift_m[0] * s, y - shift_m[1] * s, np.float32(1) - shift_m[2] * s
            ahead = R[2, 0] * a + R[2, 1] * b + R[2, 2] * c
            if not ahead > _NEAREST:
                continue
            inverse = np.float32(1) / ahead
            u = (R[0, 0] * a + R[0, 1] * b + R[0, 2] * c) * inverse * sx + ox + half
            v = (R[1, 0] * a + R[1, 1] * b + R[1, 2] * c) * inverse * sy + oy + half
            if not (0 <= u < width and 0 <= v < height):
                continue
            i, j = int(v), int(u)
            drawn[i, j] = max(drawn[i, j], s * inverse)
