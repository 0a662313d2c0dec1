# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A map of directions: how many events come from where, per image motion, on the six faces of a cube.

An edge gives about as many events as the image moves across it, divided by nothing else: so votes divided by that
motion are a property of the scene, whatever the camera did. The map is built from the sharpened events of each
window and rendered into the view that is expected next, which keeps the warp and its derivatives those of the
camera whatever the format of the map.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.camera import CameraModel
from event_perception.motion.grid import BinGrid
from event_perception.odometry.direction_kernels import (
    BORDER,
    COARSE,
    FACES,
    expose,
    render_directions,
    vote_directions,
)

Float32 = NDArray[np.float32]
VALUES = 2  # kept per cell beside the exposure: variance of the orientation when seen, and when that was
EXPOSURE_STEP = 4  # bins of the view between those that are booked


@dataclass(frozen=True, slots=True)
class DirectionMapConfig:
    """The map of directions."""

    texels_per_pixel: float = param(1.0, 'Resolution in the centre of a face.', ge=0.1, le=4.0)
    max_face: int = param(1024, 'Most texels along a face: six faces of four bytes a texel.', ge=16, le=8192)
    least_motion_px: float = param(
        1.0, 'Image motion after which a direction counts as mapped, px.', ge=0.0, le=100.0
    )
    prior_motion_px: float = param(
        3.0, 'Image motion added to that seen, so that what was hardly seen weighs little, px.', ge=0.0
    )
    image_width: int = param(1024, 'Columns of the panorama that is published and saved.', ge=64, le=16384)


@dataclass(frozen=True, eq=False)
class View:
    """The map as a camera sees it.

    Attributes:
        image: Density less its mean, in standard deviations, 0 where unknown, float32 (height, width).
        known: Share of the view that is mapped.
        peak: Mean of ``image`` over events that follow the map exactly, those on unknown parts counted as 0.
        variance: Of the orientation when this part was mapped, rad^2.
        t_s: When that was on average, seconds after the first vote.
    """

    image: Float32
    known: float
    peak: float
    variance: float
    t_s: float


class DirectionMap:
    """Votes and exposure of every direction.

    Args:
        camera: Sets the resolution.
        grid: Bins of the views.
        config: Parameters.
    """

    def __init__(self, camera: CameraModel, grid: BinGrid, config: DirectionMapConfig) -> None:
        self.config, self.grid = config, grid
        wanted = 2 * math.sqrt(camera.fx * camera.fy) * config.texels_per_pixel
        self.cells = max(2, math.ceil(min(wanted, config.max_face) / COARSE))
        size = self.cells * COARSE + 2 * BORDER
        self.votes = np.zeros((FACES, size, size), np.float32)
        self.sums = np.zeros((FACES, self.cells, self.cells, VALUES + 1), np.float32)
        self.texels_per_rad = (size - 2 * BORDER) / 2
        self._affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
        self._shape = (grid.height, grid.width)
        self._image = np.zeros(self._shape, np.float32)
        # one bin looked at stands for EXPOSURE_STEP^2 bins; a cell has COARSE^2 texels
        per_texel = (EXPOSURE_STEP / COARSE) ** 2 * (size - 2 * BORDER) ** 2 / 4
        self._per_bin = per_texel * grid.bin_size_px / grid.scale_y

    @property
    def empty(self) -> bool:
        """Whether nothing was ever voted."""
        return not self.sums[..., 0].any()

    def clear(self) -> None:
        """Forget everything."""
        self.votes[:] = 0
        self.sums[:] = 0

    def add(
        self, points: Float32, R: NDArray[np.float64], turned_rad: NDArray[np.float64], variance: float, t_s: float,
        weight: float = 1.0,
    ) -> None:  # fmt: skip
        """Vote a window's sharpened events.

        Args:
            points: Normalised image coordinates, float32 (2, n).
            R: Camera to map (3, 3).
            turned_rad: Rotation of the camera over the window (3,).
            variance: Of the orientation, rad^2.
            t_s: Time of the window, seconds after the first.
            weight: Of every event, where only a part of them is given.
        """
        R32 = np.ascontiguousarray(R, np.float32)
        vote_directions(points[0], points[1], R32, np.float32(weight), self.votes)
        values = np.array([variance, t_s], np.float32)
        omega, amount = np.asarray(turned_rad, np.float32), np.float32(self._per_bin)
        expose(self._affine, self._shape, EXPOSURE_STEP, R32, omega, amount, self.sums, values)

    def move(
        self, points: Float32, R: NDArray[np.float64], there: Float32, R_there: NDArray[np.float64], weight: float
    ) -> None:  # fmt: skip
        """Take votes back and give them elsewhere: votes are sums, so nothing else changes.

        Args:
            points: As voted before.
            R: Orientation with which they were.
            there: The same events as they should have been.
            R_there: Orientation that they should have had.
            weight: As before.
        """
        for sign, now, turned in ((-1.0, points, R), (1.0, there, R_there)):
            R32 = np.ascontiguousarray(turned, np.float32)
            vote_directions(now[0], now[1], R32, np.float32(sign * weight), self.votes)

    def forget_since(self, t_s: float) -> None:
        """Forget the cells that were seen later than this, on average."""
        exposure = self.sums[..., 0]
        late = (exposure > 0) & (self.sums[..., VALUES] > t_s * exposure)
        self.sums[late] = 0
        inner = self.votes[:, BORDER:-BORDER, BORDER:-BORDER]
        inner[np.repeat(np.repeat(late, COARSE, axis=1), COARSE, axis=2)] = 0

    def render(self, R: NDArray[np.float64], grid: BinGrid | None = None, until_s: float = math.inf) -> View:
        """The map in the view of a camera of this orientation.

        Args:
            R: The orientation (3, 3).
            grid: Bins; None for the usual ones.
            until_s: What was mapped later, on average, counts as unknown.
        """
        affine, image = self._affine, self._image
        if grid is not None:
            affine = np.array([grid.scale_x, grid.offset_x, grid.scale_y, grid.offset_y], np.float32)
            image = np.empty((grid.height, grid.width), np.float32)
        seen = np.empty(VALUES + 1, np.float32)
        mean, square = render_directions(
            self.votes, self.sums, np.float32(self.config.least_motion_px), np.float32(self.config.prior_motion_px),
            np.float32(until_s), affine, image.shape, np.ascontiguousarray(R, np.float32), image, seen,
        )  # fmt: skip
        deviation = math.sqrt(max(square - mean * mean, 1e-30))
        image *= np.float32(1.0 / deviation)
        known = float(seen[2])
        return View(image, known, known * deviation / max(mean, 1e-30), float(seen[0]), float(seen[1]))

    def panorama(self) -> Float32:
        """The whole map, longitude along columns and latitude down rows, in [0, 1], float32 (width / 2, width).

        The centre is the first view's axis, up is up in the first view. Brightest is the 99.5th percentile.
        """
        width = self.config.image_width
        height = width // 2
        longitude = (np.arange(width) + 0.5) / width * 2 * np.pi - np.pi
        latitude = (np.arange(height) + 0.5) / height * np.pi - np.pi / 2
        density = self._density(
            np.outer(np.cos(latitude), np.sin(longitude)),
            np.outer(np.sin(latitude), np.ones(width)),
            np.outer(np.cos(latitude), np.cos(longitude)),
        )
        brightest = float(np.percentile(density, 99.5))
        return np.clip(density / max(brightest, 1e-30), 0, 1).astype(np.float32)

    def _density(self, x: NDArray, y: NDArray, z: NDArray) -> NDArray[np.float64]:
        """Votes per exposure at the nearest texel of directions, 0 where unknown."""
        d = np.stack([x, y, z])
        axis = np.abs(d).argmax(axis=0)
        w = np.take_along_axis(d, axis[None], 0)[0]
        face = 2 * axis + (w < 0)
        u, v = np.where(axis == 0, y, x) / np.abs(w), np.where(axis == 2, y, z) / np.abs(w)
        cell = np.clip((0.5 * (np.stack([v, u]) + 1) * self.cells).astype(int), 0, self.cells - 1)
        size = self.votes.shape[1]
        texel = np.rint(0.5 * (size - 2 * BORDER) * np.stack([v, u]) + 0.5 * (size - 1)).astype(int)
        exposure = self.sums[face, cell[0], cell[1], 0]
        known = exposure >= self.config.least_motion_px
        votes = self.votes[face, texel[0], texel[1]]
        return np.where(known, votes / (exposure + self.config.prior_motion_px), 0.0)
