# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A map of keyframes: each keeps the points that its own events came from, in space.

Rendered into a predicted view, all keyframes that look at the same things draw their points; those hidden behind
what the depth image shows are left out. Old keyframes are kept: on return to mapped ground they take the drift
away that has gathered since.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.grid import BinGrid
from event_perception.odometry.direction_map import View

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]

Nodes: TypeAlias = Collection[int] | None

TURN = 0.7  # a turn of a radian takes as much out of the view as a shift by so many median depths
CLOSE = 0.3  # of that


@dataclass(frozen=True, slots=True)
class KeyframeConfig:
    """When a keyframe is made, and which are looked at."""

    least_shift: float = param(
        0.12,
        'Distance to the nearest keyframe that makes a new one, as part of the median depth.',
        ge=0.01,
        le=1.0,
    )
    least_turn_rad: float = param(
        0.14, 'Turn against the nearest keyframe that makes a new one, rad.', ge=0.01, le=1.0
    )
    most: int = param(300, 'Keyframes kept; beyond, the one closest to another is dropped.', ge=2, le=10_000)
    used: int = param(40, 'Most keyframes drawn into a view, the closest ones.', ge=1, le=1000)
    points: int = param(4000, 'Points of a keyframe.', ge=100, le=100_000)
    blur_px: float = param(1.0, 'Blur of the drawn points, standard deviation, px.', ge=0.0, le=20.0)
    behind: float = param(
        0.1, 'Points farther than the depth image by more than this part are hidden.', ge=0.0, le=1.0
    )
    support_px: int = param(15, 'So far around drawn points the map is taken to be known, px.', ge=1, le=200)


@dataclass(frozen=True, eq=False)
class Keyframe:
    """What was seen from one place.

    Attributes:
        T: T_odom_camera (4, 4).
        points: In its own frame, so that it can be moved; float32 (n, 3), metres.
        depth_m: Median depth.
        covariance: Of its pose, (6, 6), position and rotation in the odometry frame.
        node: Its number: how many were made before it.
    """

    T: Matrix
    points: Float32
    depth_m: float
    covariance: Matrix
    node: int = 0


class KeyframeMap:
    """Keyframes by place.

    Args:
        grid: Bins of the views.
        config: Parameters.
    """

    def __init__(self, grid: BinGrid, config: KeyframeConfig) -> None:
        self.config, self.grid, self.frames = config, grid, list[Keyframe]()
        self._affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
        self._raw = np.zeros((grid.height, grid.width), np.float32)
        self._made = 0

    def clear(self) -> None:
        """Forget everything."""
        self.frames.clear()
        self._made = 0

    def wants(self, T: Matrix, depth_m: float, among: Nodes = None) -> bool:
        """Whether a camera here is too far from every keyframe; of all, or of some nodes only."""
        limit, (distances, turns) = self.config, self._from(T, self._chosen(among))
        return not np.any((distances < limit.least_shift * depth_m) & (turns < limit.least_turn_rad))

    def add(self, T: Matrix, bearings: Float32, q: Float32, covariance: Matrix) -> None:
        """Make a keyframe of sharpened events.

        Args:
            T: T_odom_camera.
            bearings: X/Z and Y/Z at the instant of the pose, (2, n).
            q: Inverse depths, (n,), positive.
            covariance: Of the pose, see ``Keyframe``.
        """
        step = max(1, -(-bearings.shape[1] // self.config.points))
        (x, y), z = bearings[:, ::step], 1 / q[::step]
        points = np.stack([x * z, y * z, z], axis=-1).astype(np.float32)
        self.frames.append(Keyframe(T.copy(), points, float(np.median(z)), covariance, self._made))
        self._made += 1
        if len(self.frames) > self.config.most:
            self._thin_out()

    def near(self, T: Matrix, among: Nodes = None) -> list[Keyframe]:
        """Keyframes that see much of what a camera here sees, the closest first; of all, or of some nodes only."""
        frames = self._chosen(among)
        reach = self._reach(T, frames)
        order = np.argsort(reach, kind='stable')[: self.config.used]
        return [frames[i] for i in order if reach[i] < 1.0]

    def nearest(self, T: Matrix) -> list[Keyframe]:
        """All keyframes, those that see most of what a camera here sees first."""
        return [self.frames[i] for i in np.argsort(self._reach(T, self.frames), kind='stable')]

    def close(self, T: Matrix, among: Nodes = None) -> int:
        """How many keyframes see most of what a camera here sees."""
        return int(np.count_nonzero(self._reach(T, self._chosen(among)) < CLOSE))

    def covariance(self, T: Matrix) -> Matrix:
        """With which the map is known that a camera here sees: mean over its keyframes, (6, 6)."""
        frames = self.near(T)
        return np.mean([frame.covariance for frame in frames], axis=0) if frames else np.zeros((6, 6))

    def render(self, T: Matrix, inverse_depth: Float32 | None, among: Nodes = None) -> View:
        """The map as a camera here sees it.

        Args:
            T: T_odom_camera, predicted.
            inverse_depth: Of the grid's bins, negative where unknown; hides what lies behind it.
            among: Nodes of the keyframes to draw; None for all.
        """
        self._raw[:] = 0
        hiding = np.zeros((1, 1), np.float32) if inverse_depth is None else inverse_depth
        nearer = np.float32(1 - self.config.behind)
        for frame in self.near(T, among):
            R = (T[:3, :3].T @ frame.T[:3, :3]).astype(np.float32)
            p = (frame.T[:3, :3].T @ (T[:3, 3] - frame.T[:3, 3])).astype(np.float32)
            draw_points(frame.points, R, p, self._affine, hiding, nearer, self._raw)
        return _standardised(self._raw, self.config)

    def _chosen(self, among: Nodes) -> list[Keyframe]:
        return self.frames if among is None else [frame for frame in self.frames if frame.node in among]

    def _reach(self, T: Matrix, frames: list[Keyframe]) -> Matrix:
        """How much less keyframes see of the same: 0 is all, 1 little."""
        distances, turns = self._from(T, frames)
        return distances / np.array([frame.depth_m for frame in frames]) + TURN * turns

    def _from(self, T: Matrix, frames: list[Keyframe]) -> tuple[Matrix, Matrix]:
        """Distance, m, and turn, rad, from a camera here to keyframes."""
        poses = np.array([frame.T for frame in frames]).reshape(-1, 4, 4)
        cosines = 0.5 * (np.einsum('nij,ij->n', poses[:, :3, :3], T[:3, :3]) - 1)
        return np.linalg.norm(poses[:, :3, 3] - T[:3, 3], axis=1), np.arccos(np.clip(cosines, -1, 1))

    def _thin_out(self) -> None:
        """Drop the keyframe that is closest to another; never the first, which fixes the frame."""
        apart = np.array([np.add(*self._from(frame.T, self.frames)) for frame in self.frames])
        np.fill_diagonal(apart, np.inf)
        apart[0] = np.inf
        self.frames.pop(int(np.argmin(apart.min(axis=1))))


@njit(cache=True, nogil=True)
def draw_points(points, R_camera_points, p, affine, hiding, nearer, image):  # type: ignore[no-untyped-def]
    """Add points to an image, shared between the four bins around them.

    Args:
        points: Float32 (n, 3), in a frame of theirs.
        R_camera_points: (3, 3).
        p: Position of the camera in that frame (3,).
        affine: scale and offset of x, then of y, to bins.
        hiding: Inverse depth of the bins, negative where unknown, or (1, 1) for none.
        nearer: A point is hidden if its inverse depth is less than this part of that of its bin.
        image: Added to, float32 (height, width).
    """
    height, width = image.shape
    one = np.float32(1)
    for i in range(points.shape[0]):
        a, b, c = points[i, 0] - p[0], points[i, 1] - p[1], points[i, 2] - p[2]
        z = R_camera_points[2, 0] * a + R_camera_points[2, 1] * b + R_camera_points[2, 2] * c
        if z < np.float32(0.05):
            continue
        inverse = one / z
        u = (R_camera_points[0, 0] * a + R_camera_points[0, 1] * b + R_camera_points[0, 2] * c) * inverse
        v = (R_camera_points[1, 0] * a + R_camera_points[1, 1] * b + R_camera_points[1, 2] * c) * inverse
        x, y = u * affine[0] + affine[1], v * affine[2] + affine[3]
        if not (0 <= x < width - 1 and 0 <= y < height - 1):
            continue
        column, row = int(x), int(y)
        if hiding.shape[0] > 1 and inverse < nearer * hiding[row, column]:
            continue
        fx, fy = x - np.float32(column), y - np.float32(row)
        image[row, column] += (one - fx) * (one - fy)
        image[row, column + 1] += fx * (one - fy)
        image[row + 1, column] += (one - fx) * fy
        image[row + 1, column + 1] += fx * fy


def _standardised(raw: Float32, config: KeyframeConfig) -> View:
    """Blurred, its mean removed where the map is known, in standard deviations."""
    side = 2 * config.support_px + 1
    known = cv2.boxFilter((raw > 0).astype(np.float32), -1, (side, side)) > 0
    share = float(known.mean())
    if share == 0.0:
        return View(np.zeros_like(raw), 0.0, 0.0, 0.0, 0.0)
    image = cv2.GaussianBlur(raw, (0, 0), config.blur_px) if config.blur_px > 0 else raw.copy()
    inside = image[known]
    image = np.where(known, (image - inside.mean()) / max(float(inside.std()), 1e-6), np.float32(0))
    peak = float((image * raw).sum() / max(float(raw.sum()), 1e-6))
    return View(image.astype(np.float32), share, peak, 0.0, 0.0)
