# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Finding the pose again on the keyframes when it is lost: from a few keyframes a window, the likeliest first.

draw the map as some keyframes see it, on bins of 8 px; kept while lost
slide the window's events over all of these: the best place, its shift taken as a turn, is a guess
align there, twice, on a blurred and then on the sharp map
believe a place that the next window finds, too, where the motion since has brought it
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.grid import BinGrid
from event_perception.motion.lie import se3_inverse, so3_exp
from event_perception.odometry.keyframe_map import KeyframeMap, draw_points
from event_perception.odometry.pose_alignment import PoseAligner, PoseAlignment

Float32 = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PoseSearchConfig:
    """Search for the pose on the keyframes."""

    bin_size_px: float = param(8.0, 'Bins of the search, image pixels.', ge=1.0, le=64.0)
    reach_bins: int = param(6, 'The view may be turned from that of a keyframe by so many bins.', ge=1, le=64)
    per_window: int = param(
        5, 'Keyframes drawn for the search in one window: this bounds its latency.', ge=1, le=1000
    )
    least_score: float = param(0.25, 'Correlation from which a place is looked at closely.', ge=0.0, le=1.0)
    least_agreement: float = param(
        0.35,
        'How well events must follow the map there, twice, for a place to be believed.',
        ge=0.0,
        le=1.0,
    )
    give_up_s: float = param(5.0, 'After so long without a place a new map is begun, seconds.', ge=0.1)


@dataclass(frozen=True, eq=False)
class Place:
    """A pose (4, 4) in the odometry frame, and how the events lie on the map there."""

    T: Matrix
    alignment: PoseAlignment


@dataclass(frozen=True, eq=False)
class Glance:
    """Sharpened events of one window: bearings float32 (2, n), inverse depth (n,), that of the view, median depth."""

    bearings: Float32
    q: Float32
    inverse_depth: Float32
    depth_m: float


class PoseSearch:
    """Searches window after window until it is told to ``stop``.

    Args:
        keyframes: The map.
        aligner: For the alignment at a place.
        config: Parameters.
    """

    def __init__(self, keyframes: KeyframeMap, aligner: PoseAligner, config: PoseSearchConfig) -> None:
        self.config, self._map, self._aligner = config, keyframes, aligner
        self._grid: BinGrid = keyframes.grid
        self.stop()

    def stop(self) -> None:
        """Forget what was drawn and found."""
        self._drawn: list[tuple[Matrix, Float32]] = []
        self._moved: Matrix | None = None  # from the pose as predicted to the place found, odometry frame

    def step(self, T: Matrix, glance: Glance) -> Place | None:
        """A place that two windows agree on, or None yet.

        Args:
            T: The pose as motion alone has it.
            glance: The window.
        """
        if self._moved is not None:
            again = self._aligned(self._moved @ T, glance)
            if again is not None and self._is_near(again.alignment, glance.depth_m):
                self.stop()
                return again
            self._moved = None
        guess = self._guess(T, glance)
        first = None if guess is None else self._aligned(guess, glance)
        found = None if first is None else self._aligned(first.T, glance)
        if found is not None:
            self._moved = found.T @ se3_inverse(T)
        return None

    def _is_near(self, found: PoseAlignment, depth_m: float) -> bool:
        limit = self._aligner.config
        near = 0.5 * limit.max_shift * depth_m
        turned, shifted = np.linalg.norm(found.theta), np.linalg.norm(found.tau)
        return bool(turned < 0.5 * limit.max_turn_rad and shifted < near)

    def _aligned(self, T: Matrix, glance: Glance) -> Place | None:
        """The pose that the map wants near a guess, if the events follow the map."""
        limit = self._aligner.config
        reach = np.diag([(limit.max_shift * glance.depth_m) ** 2] * 3 + [limit.max_turn_rad**2] * 3)
        view = self._map.render(T, glance.inverse_depth)
        found = self._aligner.align(glance.bearings, glance.q, view, reach)
        if found.agreement < self.config.least_agreement or not np.isfinite(found.posterior).all():
            return None
        at = T.copy()
        at[:3, 3] += T[:3, :3] @ found.tau
        at[:3, :3] = T[:3, :3] @ so3_exp(found.theta)
        return Place(at, found)

    def _guess(self, T: Matrix, glance: Glance) -> Matrix | None:
        self._draw_more(T)
        mine, best, place = self._small(self._image(glance.bearings)), self.config.least_score, None
        pad = self.config.reach_bins
        for keyframe, theirs in self._drawn:
            wide = cv2.copyMakeBorder(theirs, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
            score = cv2.matchTemplate(wide, mine, cv2.TM_CCOEFF_NORMED)
            _, top, _, (column, row) = cv2.minMaxLoc(score)
            if top > best:
                step = self.config.bin_size_px / self._grid.bin_size_px
                right, down = (
                    (column - pad) * step / self._grid.scale_x,
                    (row - pad) * step / self._grid.scale_y,
                )
                best, place = top, keyframe.copy()
                place[:3, :3] = keyframe[:3, :3] @ so3_exp([-down, right, 0.0])
        return place

    def _draw_more(self, T: Matrix) -> None:
        """A few keyframes more, those nearest to the prediction first."""
        frames = [frame.T for frame in self._map.nearest(T)]
        for keyframe in frames[len(self._drawn) : len(self._drawn) + self.config.per_window]:
            self._drawn.append((keyframe, self._small(self._map.render(keyframe, None).image)))

    def _image(self, bearings: Float32) -> Float32:
        grid, image = self._grid, np.zeros((self._grid.height, self._grid.width), np.float32)
        points = np.column_stack([bearings.T, np.ones(bearings.shape[1], np.float32)])
        affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
        nothing = np.zeros((1, 1), np.float32)
        draw_points(
            np.ascontiguousarray(points), np.eye(3, dtype=np.float32), np.zeros(3, np.float32), affine,
            nothing, np.float32(0), image,
        )  # fmt: skip
        return image

    def _small(self, image: Float32) -> Float32:
        factor = self._grid.bin_size_px / self.config.bin_size_px
        return np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.float32
        )
