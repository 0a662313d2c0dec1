# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where the bins of an image of warped events lie on the normalised image plane."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import ConfigError
from event_perception.motion.camera import CameraModel

RING = (
    5  # empty bins around the image: an event just outside still has taps inside; 5 serve every kernel pair
)


@dataclass(frozen=True, slots=True)
class BinGrid:
    """Affine map from normalised image coordinates (X/Z, Y/Z) to bins; bin j has its centre at j.

    Attributes:
        scale_x: Bins per unit of X/Z: focal length / bin size.
        scale_y: Bins per unit of Y/Z.
        offset_x: Bin coordinate of X/Z = 0.
        offset_y: Bin coordinate of Y/Z = 0.
        height: Rows of bins.
        width: Columns of bins.
        bin_size_px: Side of a bin in image pixels.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    height: int
    width: int
    bin_size_px: float

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Shape of the image with its empty ring."""
        return self.height + 2 * RING, self.width + 2 * RING

    @classmethod
    def of_image(cls, camera: CameraModel, bin_size_px: float = 1.0) -> 'BinGrid':
        """Bins over the image area [-0.5, W-0.5) x [-0.5, H-0.5) of the undistorted camera."""
        return cls._over(camera, bin_size_px, (-0.5, -0.5, camera.width - 0.5, camera.height - 0.5))

    @classmethod
    def covering(cls, camera: CameraModel, bin_size_px: float, margin: float) -> 'BinGrid':
        """Bins over every undistorted pixel and a margin, so that warped events stay inside.

        Args:
            camera: The camera; its undistorted pixels may reach beyond the sensor's rectangle.
            bin_size_px: Side of a bin, px of the undistorted image.
            margin: Border on each side, as a fraction of the sensor's size.
        """
        bearings = camera.bearings().reshape(-1, 2)
        bearings = bearings[np.isfinite(bearings).all(axis=1)].astype(np.float64)
        if not len(bearings):
            raise ConfigError('the distortion model cannot be inverted for any pixel; check the calibration')
        pixels = bearings * (camera.fx, camera.fy) + (camera.cx, camera.cy)
        limit_x, limit_y = camera.width, camera.height  # a fisheye's far pixels are left to the ring
        left, right = np.clip([pixels[:, 0].min(), pixels[:, 0].max()], -limit_x, 2 * limit_x)
        top, bottom = np.clip([pixels[:, 1].min(), pixels[:, 1].max()], -limit_y, 2 * limit_y)
        dx, dy = margin * camera.width, margin * camera.height
        box = (left - 0.5 - dx, top - 0.5 - dy, right + 0.5 + dx, bottom + 0.5 + dy)
        return cls._over(camera, bin_size_px, box)

    @classmethod
    def _over(
        cls, camera: CameraModel, bin_size_px: float, box: tuple[float, float, float, float]
    ) -> 'BinGrid':
        if not bin_size_px > 0:
            raise ConfigError(f'bin_size_px={bin_size_px}: must be positive')
        # Bin edges fall on pixel edges, so that a bin of one pixel is a pixel.
        left, top = (math.floor(edge + 0.5) - 0.5 for edge in box[:2])
        return cls(
            scale_x=camera.fx / bin_size_px,
            scale_y=camera.fy / bin_size_px,
            offset_x=(camera.cx - left) / bin_size_px - 0.5,
            offset_y=(camera.cy - top) / bin_size_px - 0.5,
            height=max(1, math.ceil((box[3] - top) / bin_size_px)),
            width=max(1, math.ceil((box[2] - left) / bin_size_px)),
            bin_size_px=bin_size_px,
        )

    def to_bins(self, normalised: NDArray[np.floating]) -> NDArray[np.float64]:
        """Normalised coordinates (n, 2) to bin coordinates (n, 2) as (column, row)."""
        scale, offset = (self.scale_x, self.scale_y), (self.offset_x, self.offset_y)
        return np.asarray(normalised, np.float64) * scale + offset
