# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Maps from the tracked past: when parallax allows one, sweep the events of a stretch through space.

A depth is only as good as the parallax behind it: below a baseline of 5 % of the depth it is worthless. So a map is
built only from a stretch, reaching back as far as it must, in which the camera has moved far enough.
"""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.odometry.monocular_config import SweepConfig
from event_perception.odometry.semi_dense_depth import SemiDenseConfig, semi_dense_depth
from event_perception.odometry.space_sweep import sweep

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrackedWindow:
    """Events of one window and the pose they were seen from.

    Attributes:
        t_ns: Instant of the pose.
        T: T_odom_camera.
        pixels: Undistorted, float32 (2, n).
        dt_s: Event time minus that instant (n,).
    """

    t_ns: int
    T: Matrix
    pixels: Float32
    dt_s: Float32


@dataclass(eq=False)
class PointMap:
    """Points seen from one place.

    Attributes:
        T: T_odom_camera of the place.
        points: Odometry frame, float32 (n, 3).
        weights: How much each is believed, float32 (n,).
        depth_m: Median depth.
        baseline: How far the camera moved while its events came, part of that depth.
    """

    T: Matrix
    points: Float32
    weights: Float32
    depth_m: float
    baseline: float = 1.0

    def rescale(self, factor: float) -> None:
        """Lengths are told in another unit."""
        self.T = self.T.copy()
        self.T[:3, 3] *= factor
        self.points = (self.points * np.float32(factor)).astype(np.float32)
        self.depth_m *= factor


class SweepMapper:
    """Remembers tracked windows and builds maps from them.

    Args:
        camera: Calibration.
        config: When and from what.
        semi_dense: Which points.
        map_points: Most points of a map.
    """

    def __init__(
        self, camera: CameraModel, config: SweepConfig, semi_dense: SemiDenseConfig, map_points: int
    ) -> None:
        self.config, self._camera = config, camera
        self._semi_dense, self._most = semi_dense, map_points
        self._past: deque[TrackedWindow] = deque()
        self._new_events = 0

    def clear(self) -> None:
        """Forget the past."""
        self._past.clear()
        self._new_events = 0

    def remember(self, window: TrackedWindow) -> None:
        """Add a window whose pose is good."""
        self._past.append(window)
        self._new_events += window.pixels.shape[1]
        while window.t_ns - self._past[0].t_ns > self.config.most_s * 1e9:
            self._past.popleft()

    def wants(
        self,
        last: PointMap,
        visible: float,
        depth_m: float,
        settled: bool = True,
        ahead_m: float | Matrix = 0.0,
    ) -> bool:
        """Whether the view has changed enough since the last map.

        Args:
            last: That map.
            visible: Share of the points in view.
            depth_m: Median depth.
            settled: Otherwise a small change is enough.
            ahead_m: How far the camera will have moved when a new map is there, odometry frame (3,).
        """
        c, T = self.config, self._past[-1].T
        shift = float(np.linalg.norm(T[:3, 3] + ahead_m - last.T[:3, 3])) / depth_m
        turn = float(np.linalg.norm(so3_log(last.T[:3, :3].T @ T[:3, :3])))
        changed = (
            shift > (min(c.least_shift, last.baseline) if settled else c.start_baseline)
            or turn > c.least_turn_rad
            or visible < c.least_visible
        )
        return self._new_events >= c.new_events and changed

    def stretch(self, depth_m: float, settled: bool = True) -> list[TrackedWindow] | None:
        """The shortest past with enough parallax and events, oldest first; None if there is none.

        Args:
            depth_m: Median depth.
            settled: Otherwise less parallax will do: points of a plane are soon worth nothing.
        """
        c, newest = self.config, self._past[-1]
        least = depth_m * (c.least_baseline if settled else c.start_baseline)
        n, taken = 0, list[TrackedWindow]()
        for window in reversed(self._past):
            taken.append(window)
            n += window.pixels.shape[1]
            moved = float(np.linalg.norm(window.T[:3, 3] - newest.T[:3, 3]))
            if moved >= least and n >= c.least_events:
                return taken[::-1]
        return None

    def begun(self) -> None:
        """A map is on its way: events count from now."""
        self._new_events = 0

    def rescale(self, factor: float) -> None:
        """Lengths are told in another unit."""
        for window in self._past:
            window.T[:3, 3] *= factor

    def build(self, stretch: list[TrackedWindow], depth_m: float) -> PointMap | None:
        """A map as seen from the end of a stretch; None if it has no points."""
        c, T = self.config, stretch[-1].T
        pixels, t_s = _thinned(stretch, c.most_events)
        n = pixels.shape[1]
        middle = t_s[np.minimum(np.arange(0, n, c.packet) + c.packet // 2, n - 1)]
        planes = np.linspace(1 / (c.nearest * depth_m), 1 / (c.farthest * depth_m), c.planes)
        poses = poses_between(stretch, middle)
        found = semi_dense_depth(sweep(pixels, poses, c.packet, T, self._camera, planes), self._semi_dense)
        if len(found.x) < 10:
            return None
        best = np.argsort(-found.votes, kind='stable')[: self._most]
        z = 1 / found.inverse_depth[best]
        k = self._camera
        points = np.stack([(found.x[best] - k.cx) / k.fx * z, (found.y[best] - k.cy) / k.fy * z, z], axis=-1)
        world = (points @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
        baseline = float(np.linalg.norm(stretch[0].T[:3, 3] - T[:3, 3])) / depth_m
        return PointMap(T.copy(), world, np.ones(len(world), np.float32), float(np.median(z)), baseline)


def poses_between(windows: list[TrackedWindow], t_s: Matrix) -> Matrix:
    """T_odom_camera at instants, seconds after the first window: turns along geodesics, positions linear."""
    start = windows[0].t_ns
    known_s = np.array([(w.t_ns - start) * 1e-9 for w in windows])
    before = np.clip(np.searchsorted(known_s, t_s) - 1, 0, max(len(windows) - 2, 0))
    turns = [so3_log(a.T[:3, :3].T @ b.T[:3, :3]) for a, b in pairwise(windows)]
    poses = np.tile(np.eye(4), (len(t_s), 1, 1))
    for pose, k, t in zip(poses, before, t_s):
        a, b = windows[k].T, windows[min(k + 1, len(windows) - 1)].T
        if not turns:
            pose[:] = a
            continue
        share = (t - known_s[k]) / (known_s[k + 1] - known_s[k])
        pose[:3, :3] = a[:3, :3] @ so3_exp(share * turns[k])
        pose[:3, 3] = a[:3, 3] + share * (b[:3, 3] - a[:3, 3])
    return poses


def _thinned(stretch: list[TrackedWindow], most: int) -> tuple[Float32, Matrix]:
    """Undistorted pixels (2, n) of a stretch, and their seconds after its first window."""
    start = stretch[0].t_ns
    pixels = np.concatenate([w.pixels for w in stretch], axis=1)
    t_s = np.concatenate([w.dt_s.astype(np.float64) + (w.t_ns - start) * 1e-9 for w in stretch])
    chosen = np.linspace(0, len(t_s) - 1, min(most, len(t_s))).astype(np.intp)
    return np.ascontiguousarray(pixels[:, chosen]), t_s[chosen]
