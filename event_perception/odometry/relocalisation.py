# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Finding the view again on the map of directions, from nothing but the sharpened events of one window.

The events, on coarse bins, are slid over the map rendered around many directions at many rolls; the best places are
refined by Newton on a map that is blurred less and less. Candidates are tried from the predicted orientation
outwards, a few a window: while the front end goes on, the offset from its prediction stays the same.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.camera import CameraModel
from event_perception.motion.grid import BinGrid
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.odometry.direction_map import DirectionMap
from event_perception.odometry.map_alignment import Alignment, MapAligner

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RelocalisationConfig:
    """Search for the view on the map."""

    bin_size_px: float = param(8.0, 'Bins of the search, image pixels.', ge=1.0, le=64.0)
    reach_rad: float = param(
        0.2, 'Each rendered piece of the map is searched this far to all sides, rad.', ge=0.02, le=0.6
    )
    roll_step_rad: float = param(0.15, 'Distance of the rolls that are tried, rad.', ge=0.01, le=1.0)
    per_window: int = param(30, 'Pieces searched in one window: this bounds its latency.', ge=1, le=10_000)
    least_score: float = param(0.25, 'Correlation from which a place is refined and checked.', ge=0.0, le=1.0)
    least_agreement: float = param(
        0.4, 'How well events must follow the map there, twice, for a place to be believed.', ge=0.0, le=1.0
    )


@dataclass(frozen=True, eq=False)
class Place:
    """A view found on the map: orientation (3, 3), camera to map, and how the events lie there."""

    R: Matrix
    alignment: Alignment


class Relocaliser:
    """Searches in small portions; ``restart`` begins anew around a prediction.

    Args:
        camera: The camera.
        directions: The map.
        aligner: For the refinement.
        config: Parameters.
    """

    def __init__(
        self, camera: CameraModel, directions: DirectionMap, aligner: MapAligner, config: RelocalisationConfig
    ) -> None:
        self.config, self._map, self._aligner = config, directions, aligner
        self._grid = BinGrid.covering(camera, config.bin_size_px, 0.0)
        self._wide = _widened(self._grid, config.reach_rad)
        self._offsets = _offsets(config)
        self.restart()

    def restart(self) -> None:
        """Forget what was tried: the prediction is another one."""
        self._next = self._offsets_again()

    def _offsets_again(self) -> Iterator[Matrix]:
        while True:
            yield from self._offsets

    def search(self, points: Float32, R: Matrix) -> Place | None:
        """The best place among the next few, refined; None if nothing there looks like the events.

        Args:
            points: Normalised image coordinates of sharpened events, float32 (2, n).
            R: Predicted orientation.
        """
        template = self._template(points)
        best, best_score = None, self.config.least_score
        n = min(self.config.per_window, len(self._offsets))
        # the likeliest ones each time: what the windows before saw may have been nothing
        for offset in self._offsets[: n // 2] + [next(self._next) for _ in range(n - n // 2)]:
            # about the axes of the map: the offset that a lost front end has stays the same when it turns on
            turned = offset @ R
            score, shift = self._slid(template, turned)
            if score > best_score:
                best, best_score = turned @ shift, score
        return None if best is None else self.refine(points, best)

    def nearby(self, points: Float32, R: Matrix, until_s: float) -> Place | None:
        """The best place within reach of an orientation, on what was mapped before some time."""
        score, shift = self._slid(self._template(points), R, until_s)
        return None if score < self.config.least_score else self.refine(points, R @ shift, until_s)

    def refine(self, points: Float32, R: Matrix, until_s: float = math.inf) -> Place | None:
        """A place made exact; None if the events do not follow the map there."""
        for blur_px in (0.5 * self.config.bin_size_px, 0.2 * self.config.bin_size_px, 0.0):
            view = self._map.render(R, until_s=until_s)
            found = self._aligner.align(points, view, blur_px=blur_px)
            if not np.linalg.norm(found.theta) < self.config.reach_rad:
                return None
            R = R @ so3_exp(found.theta)
        good = found.converged and found.agreement >= self.config.least_agreement
        return Place(R, found) if good and np.isfinite(found.covariance).all() else None

    def _template(self, points: Float32) -> Float32:
        bins = self._grid.to_bins(points.T)
        edges = [np.arange(n + 1) - 0.5 for n in (self._grid.height, self._grid.width)]
        votes, _, _ = np.histogram2d(bins[:, 1], bins[:, 0], bins=edges)
        return np.asarray(votes - votes.mean(), np.float32)

    def _slid(self, template: Float32, R: Matrix, until_s: float = math.inf) -> tuple[float, Matrix]:
        """Best correlation over all shifts inside the wider view, and the turn that it means."""
        view = self._map.render(R, self._wide, until_s)
        if view.known < 0.1:
            return 0.0, np.eye(3)
        scores = cv2.matchTemplate(view.image, template, cv2.TM_CCOEFF_NORMED)
        _, score, _, (column, row) = cv2.minMaxLoc(np.nan_to_num(scores, posinf=0.0, neginf=0.0))
        # the template's own axis now looks at this bin of the wider view
        x = (column + self._grid.offset_x - self._wide.offset_x) / self._wide.scale_x
        y = (row + self._grid.offset_y - self._wide.offset_y) / self._wide.scale_y
        return float(score), _look_at(x, y)


def _look_at(x: float, y: float) -> Matrix:
    """The shortest turn that takes the optical axis to (x, y, 1)."""
    axis = np.array([-y, x, 0.0])
    length = float(np.linalg.norm(axis))
    return so3_exp(axis / length * math.atan(length)) if length > 0 else np.eye(3)


def _widened(grid: BinGrid, reach_rad: float) -> BinGrid:
    columns, rows = (math.ceil(math.tan(reach_rad) * scale) for scale in (grid.scale_x, grid.scale_y))
    return BinGrid(
        scale_x=grid.scale_x,
        scale_y=grid.scale_y,
        offset_x=grid.offset_x + columns,
        offset_y=grid.offset_y + rows,
        height=grid.height + 2 * rows,
        width=grid.width + 2 * columns,
        bin_size_px=grid.bin_size_px,
    )


def _offsets(config: RelocalisationConfig) -> list[Matrix]:
    """Turns that cover all orientations, the smallest first: pieces of the sphere times rolls.

    Directions come from a Fibonacci lattice whose neighbours are ``reach_rad`` times 1.5 apart.
    """
    n = max(1, math.ceil(4 * math.pi / (1.5 * config.reach_rad) ** 2))
    k = np.arange(n)
    z = 1 - (2 * k + 1) / n
    angle = k * math.pi * (3 - math.sqrt(5))
    radius = np.sqrt(1 - z * z)
    directions = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1)
    rolls = config.roll_step_rad * np.arange(math.ceil(2 * math.pi / config.roll_step_rad))
    tilts = [np.eye(3), *(_tilt(direction) for direction in directions)]
    turns = [tilt @ so3_exp([0.0, 0.0, roll]) for tilt in tilts for roll in rolls]
    return sorted(turns, key=lambda turn: float(np.linalg.norm(so3_log(turn))))


def _tilt(direction: Matrix) -> Matrix:
    """The shortest turn from the z axis to a direction."""
    axis = np.array([-direction[1], direction[0], 0.0])
    length = float(np.linalg.norm(axis))
    if length == 0.0:
        return np.eye(3) if direction[2] > 0 else so3_exp([math.pi, 0.0, 0.0])
    return so3_exp(axis / length * math.atan2(length, direction[2]))
