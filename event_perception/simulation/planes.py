# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes made of textured rectangles, at rest or moving: depth, motion and light in closed form.

Seen from a camera, the inverse depth of a plane is linear in the normalised coordinates b = (x, y, 1), so one
dot product per pixel and plane finds the nearest one, and one division gives the place on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.motion.camera import CameraModel
from event_perception.simulation.panorama import bearing_table
from event_perception.simulation.plane_kernels import trace
from event_perception.simulation.textures import MEAN_DN, Texture, TextureConfig, plane_shapes

TEXTURE_BORDER = 1  # texels beyond each edge, for interpolation
NEAR_M = 0.01  # corners nearer than this are treated as behind the camera
IN_PLANE_M = 1e-9  # a camera nearer than this to a plane does not see it
BACKGROUND: Any = np.float32(np.log(MEAN_DN))  # seen where no rectangle is


@dataclass(frozen=True)
class Motion:
    """How a rectangle is displaced at time t: velocity t + amplitude sin(2 pi frequency t)."""

    velocity_m_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    amplitude_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    frequency_hz: float = 0.5

    def displacement(self, t_s: float) -> NDArray[np.float64]:
        """World displacement (3,), m."""
        angle = 2 * np.pi * self.frequency_hz * t_s
        return np.asarray(self.velocity_m_s) * t_s + np.asarray(self.amplitude_m) * np.sin(angle)

    def velocity(self, t_s: float) -> NDArray[np.float64]:
        """World velocity (3,), m/s."""
        rate = 2 * np.pi * self.frequency_hz
        return np.asarray(self.velocity_m_s) + np.asarray(self.amplitude_m) * rate * np.cos(rate * t_s)


@dataclass(frozen=True)
class Rectangle:
    """A textured rectangle, seen from both sides.

    Attributes:
        corner_m: World position of its origin.
        along_u: Unit vector of its first side.
        along_v: Unit vector of its second side, at a right angle to the first.
        size_m: Lengths of the sides.
        texture: Its look, lengths in metres.
        motion: Its displacement over time.
    """

    corner_m: tuple[float, float, float]
    along_u: tuple[float, float, float]
    along_v: tuple[float, float, float]
    size_m: tuple[float, float]
    texture: TextureConfig = TextureConfig()
    motion: Motion = Motion()


def facing(centre_m: ArrayLike, towards_m: ArrayLike, size_m: tuple[float, float]) -> Rectangle:
    """A rectangle about a centre whose normal points towards a place; its second side points down."""
    centre = np.asarray(centre_m, np.float64)
    normal = np.asarray(towards_m, np.float64) - centre
    normal /= np.linalg.norm(normal)
    u = np.cross(normal, (0.0, 0.0, -1.0) if abs(normal[2]) < 0.99 else (0.0, 1.0, 0.0))
    u /= np.linalg.norm(u)
    v = np.cross(u, -normal)
    corner = centre - 0.5 * size_m[0] * u - 0.5 * size_m[1] * v
    return Rectangle(tuple(corner), tuple(u), tuple(v), size_m)


class PlaneScene:
    """Textured rectangles; implements ``Scene``.

    Args:
        rectangles: The surfaces.
        seed: Of all textures.
        texel_m: Resolution of the textures.
    """

    def __init__(self, rectangles: Sequence[Rectangle], *, seed: int, texel_m: float = 0.006) -> None:
        self.rectangles = tuple(rectangles)
        seeds = np.random.SeedSequence(seed).spawn(len(self.rectangles))
        pictures = [_picture(r, np.random.default_rng(s), texel_m) for r, s in zip(rectangles, seeds)]
        sizes = np.array([p.size for p in pictures])
        self._start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        self._stride = np.array([p.shape[1] for p in pictures], np.int64)
        self._texels = np.concatenate([p.ravel() for p in pictures])
        self._density: Any = np.float32(1 / texel_m)
        self._size = np.array([r.size_m for r in self.rectangles], np.float32)
        self._corner = np.array([r.corner_m for r in self.rectangles])
        self._u = np.array([r.along_u for r in self.rectangles])
        self._v = np.array([r.along_v for r in self.rectangles])
        self._moving = [k for k, r in enumerate(self.rectangles) if r.motion != Motion()]

    def render(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.float32]:
        """Log light (H, W), ln of dn."""
        return self._look(camera, T_world_camera, t_s)[0]

    def depth(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.float32]:
        """Depth along the optical axis (H, W), m; inf where no rectangle is hit."""
        inverse = self._look(camera, T_world_camera, t_s)[1]
        with np.errstate(divide='ignore'):
            return np.asarray(np.float32(1) / inverse, np.float32)

    def light_and_depth(
        self, camera: CameraModel, T_world_camera: NDArray, t_s: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """``render`` and ``depth`` for the cost of one."""
        light, inverse, _ = self._look(camera, T_world_camera, t_s)
        with np.errstate(divide='ignore'):
            return light, np.asarray(np.float32(1) / inverse, np.float32)

    def surface(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.int16]:
        """Index of the rectangle each pixel sees (H, W), -1 for none: segment ids."""
        return self._look(camera, T_world_camera, t_s)[2]

    def object_velocity(
        self, camera: CameraModel, T_world_camera: NDArray, t_s: float
    ) -> NDArray[np.float32]:
        """World velocity (H, W, 3), m/s, of the point seen."""
        if not self._moving:
            return np.zeros((camera.height, camera.width, 3), np.float32)
        velocity = np.array([r.motion.velocity(t_s) for r in self.rectangles] + [np.zeros(3)], np.float32)
        return velocity[self.surface(camera, T_world_camera, t_s)]

    def _look(self, camera: CameraModel, T: NDArray, t_s: float) -> tuple[NDArray, NDArray, NDArray]:
        shape = (camera.height, camera.width)
        light = np.empty(shape, np.float32)
        inverse_depth, surface = np.empty(shape, np.float32), np.empty(shape, np.int16)
        corner = self._corner_at(t_s)
        inverse, along_u, along_v, origin = self._views(T, corner)
        trace(
            bearing_table(camera), self._boxes(camera, T, corner), inverse, along_u, along_v, origin,
            self._size, self._texels, self._start, self._stride, self._density,
            BACKGROUND, light, inverse_depth, surface,
        )  # fmt: skip
        return light, inverse_depth, surface

    def _corner_at(self, t_s: float) -> NDArray[np.float64]:
        corner = self._corner.copy()
        for k in self._moving:
            corner[k] += self.rectangles[k].motion.displacement(t_s)
        return corner

    def _views(self, T: NDArray, corner: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Of each rectangle: inverse depth and both sides as forms of b, and where the camera is along them."""
        R, offset = T[:3, :3], T[:3, 3] - corner
        normal = np.cross(self._u, self._v)
        distance = np.einsum('kj,kj->k', normal, offset)[:, None]
        seen = np.abs(distance) > IN_PLANE_M
        inverse = np.where(seen, -(normal @ R) / np.where(seen, distance, 1.0), 0.0)
        sides = np.stack([self._u, self._v])
        origin = np.einsum('skj,kj->ks', sides, offset)
        u, v = (sides @ R).astype(np.float32)
        return inverse.astype(np.float32), u, v, origin.astype(np.float32)

    def _boxes(self, camera: CameraModel, T: NDArray, corner: NDArray) -> NDArray[np.int64]:
        """Rows and columns (n, 4) as [first row, last row, first column, last column] that can see each one.

        The image of a convex thing in front of a pinhole lies within that of its corners; what is behind the
        camera is cut off first. Through a distorting lens edges are bent: all.
        """
        boxes = np.tile([0, camera.height - 1, 0, camera.width - 1], (len(self.rectangles), 1))
        if camera.distortion_model != 'none':
            return boxes
        su, sv = (self._size[:, k, None] * side for k, side in enumerate((self._u, self._v)))
        corners = np.stack([corner, corner + su, corner + su + sv, corner + sv])
        x, y, z = np.moveaxis(_in_front((corners - T[:3, 3]) @ T[:3, :3]), -1, 0)
        for first, pixel in ((0, camera.fy * y / z + camera.cy), (2, camera.fx * x / z + camera.cx)):
            low, high = np.fmin.reduce(pixel) - 1, np.fmax.reduce(pixel) + 1
            empty = np.isnan(low)
            boxes[:, first] = np.clip(np.where(empty, 1, low), 0, 1 << 30)
            boxes[:, first + 1] = np.clip(np.where(empty, 0, high), -1, boxes[:, first + 1])
        return boxes


def _in_front(corners: NDArray) -> NDArray[np.float64]:
    """Corners (4, n, 3) of quadrilaterals to corners (8, n, 3) of what is ahead of the camera; nan: none."""
    z = corners[..., 2:] - NEAR_M
    following, z_following = np.roll(corners, -1, axis=0), np.roll(z, -1, axis=0)
    crossing = z * z_following < 0
    share = np.where(crossing, z / np.where(crossing, z - z_following, 1.0), np.nan)
    return np.concatenate([np.where(z >= 0, corners, np.nan), corners + share * (following - corners)])


def _picture(r: Rectangle, rng: np.random.Generator, texel_m: float) -> NDArray[np.float32]:
    """Log light of a rectangle, one texel of border; the centre of texel (0, 0) lies half a texel inside."""
    columns, rows = (int(np.ceil(s / texel_m)) + 2 * TEXTURE_BORDER for s in r.size_m)
    u = (np.arange(columns) - TEXTURE_BORDER + 0.5) * texel_m
    v = (np.arange(rows) - TEXTURE_BORDER + 0.5) * texel_m
    points = np.zeros((rows, columns, 3))
    points[..., 0], points[..., 1] = np.meshgrid(u, v)
    return Texture(r.texture, rng, plane_shapes(r.texture, rng, r.size_m))(points)
