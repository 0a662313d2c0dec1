# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A view between two frames, from their depth and poses: exact for whatever does not move by itself.

The depth of the nearer frame is carried into the wanted view (nearest surface wins), and every pixel of that view
then looks up its light where the same point is seen in both frames. A frame that sees something nearer there does
not see the point and has no say; where both see it they are mixed by their distance in time, so that the sequence
runs through both frames exactly. What no frame sees takes the farther of the surfaces beside it.

Compare the frame interpolation of ESIM (Rebecq, Gehrig and Scaramuzza, CoRL 2018), which renders instead.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.errors import CalibrationError
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import se3_exp, se3_inverse, se3_log

EMPTY: Any = np.float32(-1.0)  # no surface has been carried to this pixel
NEAR: Any = np.float32(1e-3)  # points nearer than this, m at depth 1 m, are behind the camera
HIDDEN: Any = np.float32(1e-6)  # weight of a frame that does not see the point: counts only against itself
SAME_SURFACE: Any = np.float32(1.05)  # inverse depths that differ by less belong to one surface
SAME_INVERSE_M: Any = np.float32(0.01)  # and so do those closer than this, 1/m
ONE: Any = np.uint32(1)
PROBE_STEP_PX = 8  # displacements are probed on a grid


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A frame with what re-projection needs.

    Attributes:
        log_light: (H, W), float32.
        inverse_depth: (H, W), float32, 1/m; 0 infinitely far or unknown.
        T_world_camera: (4, 4).
    """

    log_light: NDArray[np.float32]
    inverse_depth: NDArray[np.float32]
    T_world_camera: NDArray[np.float64]


class Reprojection:
    """Views between two key frames; the camera moves with constant velocity along a screw in between.

    Args:
        camera: Calibration, without distortion.
        first: Earlier frame.
        second: Later frame.

    Raises:
        CalibrationError: If the camera distorts: its inverse is too slow here, and rendered pictures have none.
    """

    def __init__(self, camera: CameraModel, first: KeyFrame, second: KeyFrame) -> None:
        if camera.distortion_model != 'none':
            raise CalibrationError(
                f'frames of a camera with {camera.distortion_model} distortion cannot be re-projected; '
                'simulate a pinhole camera, or set interpolation to flow'
            )
        self._camera, self._first, self._second = camera, first, second
        self._bearings = camera.bearings()
        self._rays = (
            np.ascontiguousarray(self._bearings[0, :, 0]),
            np.ascontiguousarray(self._bearings[:, 0, 1]),
        )
        self._lens = tuple(np.float32(k) for k in (camera.fx, camera.fy, camera.cx, camera.cy))
        self._twist = se3_log(se3_inverse(first.T_world_camera) @ second.T_world_camera)

    def motion_px(self) -> float:
        """How far the fast parts of the image move from the first to the second frame (99th percentile)."""
        T = se3_inverse(se3_exp(self._twist))
        step = PROBE_STEP_PX
        b = self._bearings[::step, ::step].reshape(-1, 2).astype(np.float64)
        w = self._first.inverse_depth[::step, ::step].reshape(-1, 1)
        seen = np.hstack([b, np.ones_like(w)]) @ T[:3, :3].T + w * T[:3, 3]
        ahead = seen[:, 2] > 1e-3
        moved = (seen[ahead, :2] / seen[ahead, 2:] - b[ahead]) * np.array(self._lens[:2])
        return float(np.percentile(np.hypot(*moved.T), 99)) if ahead.any() else 0.0

    def view(self, share: float) -> NDArray[np.float32]:
        """Log light (H, W) at a share of the time from the first frame (0) to the second (1)."""
        T_first_view = se3_exp(share * self._twist)
        T_second_view = se3_exp((share - 1.0) * self._twist)
        nearest, T_nearest_view = (
            (self._first, T_first_view) if share < 0.5 else (self._second, T_second_view)
        )
        inverse = np.full(nearest.inverse_depth.shape, EMPTY, np.float32)
        into_view = _numbers(se3_inverse(T_nearest_view))
        _carry(nearest.inverse_depth, *self._rays, self._lens, into_view, inverse)
        _fill(inverse)
        out = np.empty_like(nearest.log_light)
        _look_up(
            inverse, *self._rays, self._lens, np.float32(share),
            self._first.log_light, self._first.inverse_depth, _numbers(T_first_view),
            self._second.log_light, self._second.inverse_depth, _numbers(T_second_view), out,
        )  # fmt: skip
        return out


def inverse_depth_of(depth_m: NDArray[np.floating]) -> tuple[NDArray[np.float32], int]:
    """Inverse depth (H, W), 1/m, and how many pixels had no usable depth (nan, zero, negative; +inf is far away)."""
    depth = np.ascontiguousarray(depth_m, np.float32)
    out = np.empty(depth.shape, np.float32)
    return out, _invert(depth.ravel(), out.ravel())


def _numbers(T: NDArray[np.float64]) -> tuple[np.float32, ...]:
    """Rotation and translation as 12 numbers, row by row: the compiler keeps scalars in registers."""
    return tuple(T[:3].astype(np.float32).ravel())


@njit(cache=True, nogil=True, error_model='numpy')
def _invert(depth: NDArray, out: NDArray) -> int:
    unknown = 0
    for i in range(depth.size):
        known = depth[i] > 0  # false for nan
        unknown += not known
        out[i] = np.float32(1) / depth[i] if known else np.float32(0)
    return unknown


@njit(cache=True, nogil=True, error_model='numpy')
def _project(
    bx: NDArray, by: Any, inverse: NDArray, lens: tuple, T: tuple, u: NDArray, v: NDArray, w: NDArray
) -> None:
    """One row of bearings and inverse depths to pixels and inverse depths after X' = T X; nothing behind."""
    fx, fy, cx, cy = lens
    r00, r01, r02, t0, r10, r11, r12, t1, r20, r21, r22, t2 = T
    a, b, c = r01 * by + r02, r11 * by + r12, r21 * by + r22
    for k in range(bx.size):
        scale = np.float32(1) / max(r20 * bx[k] + c + inverse[k] * t2, NEAR)
        u[k] = fx * (r00 * bx[k] + a + inverse[k] * t0) * scale + cx
        v[k] = fy * (r10 * bx[k] + b + inverse[k] * t1) * scale + cy
        w[k] = inverse[k] * scale


@njit(cache=True, nogil=True, error_model='numpy')
def _carry(inverse: NDArray, bx: NDArray, by: NDArray, lens: tuple, T: tuple, out: NDArray) -> None:
    """Inverse depth of one view into another; the nearest surface stays."""
    height, width = out.shape
    end_u, end_v, half = np.float32(width), np.float32(height), np.float32(0.5)
    u, v, w = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        _project(bx, by[row], inverse[row], lens, T, u, v, w)
        for k in range(width):
            x, y = u[k] + half, v[k] + half
            if x >= 0 and y >= 0 and x < end_u and y < end_v:
                i, j = np.uint32(y), np.uint32(x)
                out[i, j] = max(out[i, j], w[k])


@njit(cache=True, nogil=True, error_model='numpy')
def _fill(inverse: NDArray) -> None:
    """Give pixels without a surface the farther of those to the left and right in their row; in place."""
    height, width = inverse.shape
    for row in range(height):
        line = inverse[row]
        column = 0
        while column < width:
            if line[column] >= 0:
                column += 1
                continue
            stop = column
            while stop < width and line[stop] < 0:
                stop += 1
            left = line[column - 1] if column > 0 else np.float32(np.inf)
            right = line[stop] if stop < width else np.float32(np.inf)
            value = min(left, right)
            if value == np.float32(np.inf):
                value = np.float32(0)
            line[column:stop] = value
            column = stop


@njit(cache=True, nogil=True, error_model='numpy')
def _look_up(
    inverse: NDArray,
    bx: NDArray,
    by: NDArray,
    lens: tuple,
    share: Any,
    light_a: NDArray,
    inverse_a: NDArray,
    T_a: tuple,
    light_b: NDArray,
    inverse_b: NDArray,
    T_b: tuple,
    out: NDArray,
) -> None:
    """Light of every pixel of a view, from where its point is seen in frames a and b."""
    height, width = out.shape
    u, v, w = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    value, weight = np.empty(width, np.float32), np.empty(width, np.float32)
    for row in range(height):
        _project(bx, by[row], inverse[row], lens, T_a, u, v, w)
        _sample(u, v, w, light_a, inverse_a, np.float32(1) - share, value, weight)
        line = out[row]
        line[:] = value
        u_weight = weight.copy()
        _project(bx, by[row], inverse[row], lens, T_b, u, v, w)
        _sample(u, v, w, light_b, inverse_b, share, value, weight)
        for k in range(width):
            total = u_weight[k] + weight[k]
            line[k] = (u_weight[k] * line[k] + weight[k] * value[k]) / total


@njit(cache=True, nogil=True, error_model='numpy')
def _sample(
    u: NDArray,
    v: NDArray,
    w: NDArray,
    light: NDArray,
    inverse: NDArray,
    weight_seen: Any,
    value: NDArray,
    weight: NDArray,
) -> None:
    """Light of a row of points in a frame, and the weight of that frame, small where it does not see them."""
    height, width = light.shape
    zero, half = np.float32(0), np.float32(0.5)
    last_x, last_y = np.float32(width - 1), np.float32(height - 1)
    for k in range(u.size):
        x, y = min(max(u[k], zero), last_x), min(max(v[k], zero), last_y)
        j, i = np.uint32(min(int(x), width - 2)), np.uint32(min(int(y), height - 2))
        ax, ay = x - np.float32(j), y - np.float32(i)
        top = light[i, j] + ax * (light[i, j + ONE] - light[i, j])
        low = light[i + ONE, j] + ax * (light[i + ONE, j + ONE] - light[i + ONE, j])
        value[k] = top + ay * (low - top)
        inside = abs(u[k] - x) < half and abs(v[k] - y) < half
        nearest = inverse[np.uint32(y + half), np.uint32(x + half)]
        in_sight = nearest <= w[k] * SAME_SURFACE + SAME_INVERSE_M
        weight[k] = weight_seen if inside and in_sight else weight_seen * HIDDEN
