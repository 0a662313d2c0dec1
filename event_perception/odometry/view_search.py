# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Back to the last maps after a loss: the turn is known by the gyroscope, where the camera went meanwhile is not.

    keep the last maps, and where the camera was
    every other step with events: a grid of places around, turned as predicted; how high do the points stand on the
        most blurred edges?  the best few climb; the highest is a candidate
    a candidate goes on by the gyroscope and climbs again; after several steps as high as before the loss: found

One view alone proves little: other motion lights other edges. Several in a row, chained by the gyroscope, do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import se3_inverse
from event_perception.odometry.edge_climbing import Climb, ClimbingConfig, climb, climbing_sums

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ViewSearchConfig:
    """Where is looked, and what is believed. Lengths are parts of the median depth."""

    reach: float = param(0.3, 'Farthest place from where the camera was lost.', ge=0.0, le=2.0)
    spacing: float = param(0.08, 'Distance of the places, sideways.', ge=0.01, le=1.0)
    spacing_along: float = param(0.15, 'Distance of the places, along the view.', ge=0.01, le=1.0)
    points: int = param(800, 'Points that judge a place.', ge=50, le=100_000)
    refined: int = param(4, 'Places that climb.', ge=1, le=100)
    turn_std_rad: float = param(0.01, 'Error of the turn by the gyroscope meanwhile, rad.', ge=1e-5, le=0.5)
    height_share: float = param(
        0.5, 'How high points must stand, as a share of what they did before the loss.', ge=0.0, le=1.0
    )
    confirmations: int = param(5, 'Steps in a row that must find it.', ge=1, le=100)
    patience_s: float = param(
        5.0, 'After so long of searching the old maps are given up, s.', ge=0.0, le=60.0
    )


class ViewSearch:
    """Looks for one set of maps.

    Args:
        points: Of the maps, odometry frame, float32 (n, 3).
        T: T_odom_camera where the camera was lost.
        depth_m: Median depth there.
        height: How high the points stood on edges before.
        camera: Without distortion.
        climbing: How points climb.
        config: Parameters.

    Attributes:
        points: What is looked for.
        T: Where the camera is taken to be.
        tries: Steps looked at.
        found: Steps in a row that have found it.
    """

    def __init__(
        self, points: Float32, T: Matrix, depth_m: float, height: float, camera: CameraModel,
        climbing: ClimbingConfig, config: ViewSearchConfig,
    ) -> None:  # fmt: skip
        self.config, self._camera, self._climbing = config, camera, climbing
        self.points, self._depth_m = points, depth_m
        self._weights = np.ones(len(points), np.float32)
        self._few = np.ascontiguousarray(points[:: max(1, len(points) // config.points)])
        self._bar = config.height_share * height
        self._lost_at = T[:3, 3].copy()
        self.T, self._step = T.copy(), np.zeros(3)
        self.tries = self.found = 0

    def turn(self, R: Matrix) -> None:
        """Turn as the gyroscope says: R is that of the predicted pose now, times that before, (3, 3), camera axes."""
        self.T = self.T.copy()
        self.T[:3, :3] = self.T[:3, :3] @ R

    def look(self, images: list[Float32]) -> Climb | None:
        """One step; the alignment once enough steps in a row have found the place.

        Args:
            images: See ``edge_images``.
        """
        self.tries += 1
        climbed = self._again(images) if self.found else self._anywhere(images)
        if climbed is None or not climbed.sound or climbed.height < self._bar:
            self.found, self._step = 0, np.zeros(3)
            self.T[:3, 3] = self._lost_at
            return None
        T = se3_inverse(climbed.T_camera_odom)
        if self.found:
            self._step = T[:3, 3] - self.T[:3, 3] + self._step
        self.T, self.found = T, self.found + 1
        return climbed if self.found >= self.config.confirmations else None

    def _again(self, images: list[Float32]) -> Climb:
        """Climb from where the last step found it."""
        self.T[:3, 3] += self._step
        return self._climb(self.T, images, 0.03)

    def _anywhere(self, images: list[Float32]) -> Climb | None:
        """The highest of the best places."""
        places = self._places()
        scores = [self._score(T, images[0]) for T in places]
        best = np.argsort(scores)[::-1][: self.config.refined]
        climbs = [self._climb(places[k], images, self.config.spacing) for k in best if scores[k] > 0]
        return max((c for c in climbs if c.sound), key=lambda c: c.height, default=None)

    def _climb(self, T: Matrix, images: list[Float32], shift: float) -> Climb:
        c = self.config
        prior = np.diag([(shift * self._depth_m) ** 2] * 3 + [c.turn_std_rad**2] * 3)
        return climb(self.points, self._weights, images, se3_inverse(T), prior, self._camera, self._climbing)

    def _places(self) -> list[Matrix]:
        """T_odom_camera of the grid, in camera axes around where it was lost."""
        c, d = self.config, self._depth_m
        sideways = c.spacing * np.arange(-int(c.reach / c.spacing), int(c.reach / c.spacing) + 1)
        n = int(c.reach / c.spacing_along)
        along = c.spacing_along * np.arange(-n, n + 1)
        grid = np.stack(np.meshgrid(sideways, sideways, along), axis=-1).reshape(-1, 3)
        grid = grid[np.linalg.norm(grid, axis=1) <= c.reach + 1e-9]
        poses = np.tile(self.T, (len(grid), 1, 1))
        poses[:, :3, 3] = self._lost_at + d * grid @ self.T[:3, :3].T
        return list(poses)

    def _score(self, T: Matrix, image: Float32) -> float:
        """Mean height of a few points on the most blurred image; 0 where too few are in view."""
        k = self._camera
        heights = np.empty(len(self._few), np.float32)
        intrinsics = np.array([k.fx, k.cx, k.fy, k.cy])
        ones = np.ones(len(self._few), np.float32)
        climbing_sums(self._few, ones, se3_inverse(T), intrinsics, image, heights)
        seen = np.isfinite(heights)
        return float(heights[seen].mean()) if seen.mean() > 0.3 else 0.0
