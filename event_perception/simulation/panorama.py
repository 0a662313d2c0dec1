# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A scene infinitely far away: a picture on six cube faces, seen by a camera that turns."""

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.errors import CalibrationError
from event_perception.motion.camera import CameraModel
from event_perception.simulation.textures import Texture, TextureConfig, sphere_shapes

TEXELS_PER_PIXEL = 1.5


class Panorama:
    """A textured sphere at infinity.

    Args:
        config: Look; lengths in radians.
        seed: Of the texture.
        focal_px: Focal length of the camera that will look: it sets the resolution of the faces.
    """

    def __init__(self, config: TextureConfig, *, seed: int, focal_px: float) -> None:
        rng = np.random.default_rng(seed)
        texture = Texture(config, rng, sphere_shapes(config, rng))
        n = int(np.ceil(2 * focal_px * TEXELS_PER_PIXEL))
        self._faces = texture(_face_directions(n))

    def render(self, camera: CameraModel, T_world_camera: NDArray, t_s: float = 0.0) -> NDArray[np.float32]:
        """Log light (H, W) seen from a pose."""
        out = np.empty((camera.height, camera.width), np.float32)
        _render(self._faces, bearing_table(camera), np.ascontiguousarray(T_world_camera[:3, :3]), out)
        return out

    def depth(self, camera: CameraModel, T_world_camera: NDArray, t_s: float = 0.0) -> NDArray[np.float32]:
        """Infinite everywhere, (H, W)."""
        return np.full((camera.height, camera.width), np.inf, np.float32)

    def object_velocity(
        self, camera: CameraModel, T_world_camera: NDArray, t_s: float = 0.0
    ) -> NDArray[np.float32]:
        """World velocity (H, W, 3) of what each pixel sees: none."""
        return np.zeros((camera.height, camera.width, 3), np.float32)


@lru_cache(maxsize=8)
def bearing_table(camera: CameraModel) -> NDArray[np.float32]:
    """Normalised coordinates (H, W, 2) of every pixel.

    Raises:
        CalibrationError: If the distortion cannot be inverted at some pixel: it could not be rendered.
    """
    table = camera.bearings()
    lost = int(np.count_nonzero(~np.isfinite(table).all(axis=-1)))
    if lost:
        raise CalibrationError(f'the distortion has no inverse at {lost} pixels; simulate a milder lens')
    return table


def _face_directions(n: int) -> NDArray[np.float64]:
    """Unit vectors (6, n + 2, n + 2, 3) of the texels; a border of one texel lies on the neighbour faces."""
    a = (2 * np.arange(-1, n + 1) + 1) / n - 1
    u, v = np.meshgrid(a, a)
    one = np.ones_like(u)
    faces = [(one, u, v), (-one, u, v), (u, one, v), (u, -one, v), (u, v, one), (u, v, -one)]
    d = np.stack([np.stack(face, axis=-1) for face in faces])
    return d / np.linalg.norm(d, axis=-1, keepdims=True)


@njit(cache=True, nogil=True, error_model='numpy')
def _render(faces: NDArray, bearings: NDArray, R: NDArray, out: NDArray) -> None:
    size = faces.shape[1]
    flat = faces.ravel()
    half = np.float32(0.5 * (size - 2))
    centre = np.float32(half + 0.5)
    # scalars, because the compiler must assume that writing the picture could change a matrix
    r00, r01, r02 = np.float32(R[0, 0]), np.float32(R[0, 1]), np.float32(R[0, 2])
    r10, r11, r12 = np.float32(R[1, 0]), np.float32(R[1, 1]), np.float32(R[1, 2])
    r20, r21, r22 = np.float32(R[2, 0]), np.float32(R[2, 1]), np.float32(R[2, 2])
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            bx, by = bearings[row, column, 0], bearings[row, column, 1]
            x = r00 * bx + r01 * by + r02
            y = r10 * bx + r11 * by + r12
            z = r20 * bx + r21 * by + r22
            ax, ay, az = abs(x), abs(y), abs(z)
            if ax >= ay and ax >= az:
                face, u, v, w = 0 if x > 0 else 1, y, z, ax
            elif ay >= az:
                face, u, v, w = 2 if y > 0 else 3, x, z, ay
            else:
                face, u, v, w = 4 if z > 0 else 5, x, y, az
            scale = half / w
            s, t = u * scale + centre, v * scale + centre  # texel coordinates, border included
            i, j = int(s), int(t)
            fs, ft = s - np.float32(i), t - np.float32(j)
            k = np.uint64((face * size + j) * size + i)
            a, b = flat[k], flat[k + np.uint64(1)]
            c, d = flat[k + np.uint64(size)], flat[k + np.uint64(size + 1)]
            top, low = a + fs * (b - a), c + fs * (d - c)
            out[row, column] = top + ft * (low - top)
