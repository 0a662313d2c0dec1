# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A calibrated camera: pixels to bearings and back."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import CalibrationError
from event_perception.motion.distortion import distort, undistort_normalised

DistortionModel = Literal['none', 'radtan', 'equidistant']
_COEFFICIENTS = {'none': (0,), 'radtan': (4, 5, 8), 'equidistant': (4,)}


@dataclass(frozen=True, slots=True)
class CameraModel:
    """Pinhole camera with lens distortion; an integer pixel coordinate is a pixel centre.

    Attributes:
        fx: Focal length in columns, px.
        fy: Focal length in rows, px.
        cx: Column of the principal point, px.
        cy: Row of the principal point, px.
        distortion_model: 'none', 'radtan' (OpenCV, plumb_bob) or 'equidistant' (fisheye, Kannala-Brandt).
        distortion: Coefficients: none: (); radtan: k1 k2 p1 p2 [k3 [k4 k5 k6]]; equidistant: k1 k2 k3 k4.
        height: Sensor rows.
        width: Sensor columns.
        frame_id: Optical frame of this camera.

    Raises:
        CalibrationError: If a number is not finite, a focal length or size is not positive, or the number of
            coefficients does not fit the model.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    height: int
    width: int
    distortion_model: DistortionModel = 'none'
    distortion: tuple[float, ...] = ()
    frame_id: str = ''
    _cache: dict[str, NDArray[np.float32]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, 'distortion', tuple(float(k) for k in self.distortion))
        self._check_intrinsics()
        self._check_distortion()

    def _check_intrinsics(self) -> None:
        for name in ('fx', 'fy', 'cx', 'cy'):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise CalibrationError(f'{name}={value}: must be finite; calibrate the camera')
        for name in ('fx', 'fy', 'height', 'width'):
            value = getattr(self, name)
            if not value > 0:
                raise CalibrationError(f'{name}={value}: must be positive; is camera_info filled in?')

    def _check_distortion(self) -> None:
        model, n = self.distortion_model, len(self.distortion)
        if model not in get_args(DistortionModel):
            raise CalibrationError(
                f'distortion_model={model!r}: supported are {list(get_args(DistortionModel))}'
            )
        if n not in _COEFFICIENTS[model]:
            raise CalibrationError(
                f'{model} takes {" or ".join(map(str, _COEFFICIENTS[model]))} coefficients, got {n}'
            )
        if not all(map(math.isfinite, self.distortion)):
            raise CalibrationError(f'distortion={self.distortion}: every coefficient must be finite')

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Intrinsic matrix K, (3, 3)."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    def bearings(self) -> NDArray[np.float32]:
        """Undistorted normalised coordinates (X/Z, Y/Z) of every pixel centre, float32 (H, W, 2), read-only.

        Computed once. Not finite where the distortion model has no inverse.
        """
        if 'bearings' not in self._cache:
            columns, rows = np.meshgrid(np.arange(self.width), np.arange(self.height))
            table = self.undistort(np.stack([columns, rows], axis=-1).reshape(-1, 2)).astype(np.float32)
            table = table.reshape(self.height, self.width, 2)
            table.flags.writeable = False
            self._cache['bearings'] = table
        return self._cache['bearings']

    def undistort(self, points: ArrayLike) -> NDArray[np.float64]:
        """Pixels (n, 2) as (x, y) to undistorted normalised coordinates (n, 2).

        A point outside the range where the distortion can be inverted becomes nan.
        """
        pixels = np.asarray(points, np.float64)
        normalised = (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
        return undistort_normalised(normalised, self.distortion_model, self.distortion)

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """Normalised coordinates (n, 2), or points in the optical frame (n, 3), to pixels (n, 2).

        Points that are not in front of the camera become nan.
        """
        given = np.asarray(points, np.float64)
        normalised = _divide_by_depth(given) if given.shape[-1] == 3 else given
        distorted = distort(normalised, self.distortion_model, self.distortion)
        return distorted * (self.fx, self.fy) + (self.cx, self.cy)

    def scaled(self, factor: float) -> 'CameraModel':
        """The camera of an image resized by ``factor``, the image area [-0.5, W-0.5) kept.

        Raises:
            CalibrationError: If nothing would remain of a side.
        """
        return CameraModel(
            fx=self.fx * factor,
            fy=self.fy * factor,
            cx=(self.cx + 0.5) * factor - 0.5,
            cy=(self.cy + 0.5) * factor - 0.5,
            height=round(self.height * factor),
            width=round(self.width * factor),
            distortion_model=self.distortion_model,
            distortion=self.distortion,
            frame_id=self.frame_id,
        )

    def undistorted(self) -> 'CameraModel':
        """The ideal pinhole camera with the same intrinsics."""
        return CameraModel(
            fx=self.fx,
            fy=self.fy,
            cx=self.cx,
            cy=self.cy,
            height=self.height,
            width=self.width,
            frame_id=self.frame_id,
        )


def _divide_by_depth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    depth = np.where(points[..., 2:] > 0, points[..., 2:], np.nan)
    return points[..., :2] / depth
