# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Procedural textures as functions of a point in space: noise of several scales and sharp-edged shapes.

A function of space needs no unwrapping: evaluated on the unit sphere it is a seamless panorama, on a plane it
is wallpaper. Values are log light (ln of dn, white = ln 255), so contrast is in units of contrast thresholds.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.config import param

DARKEST_DN, BRIGHTEST_DN, MEAN_DN = 4.0, 250.0, 60.0
EDGES = 5  # most edges of a polygon
RUN = 32  # neighbouring texels that share one search for shapes


@dataclass(frozen=True, slots=True)
class TextureConfig:
    """What a surface looks like. Lengths are metres on planes and radians on the panorama."""

    contrast: float = param(0.5, 'Standard deviation of log light.', ge=0.0, le=3.0)
    largest: float = param(0.5, 'Longest wavelength of the noise.', ge=1e-3)
    smallest: float = param(
        0.02, 'Shortest wavelength of the noise; also the width of edges is a quarter.', ge=1e-4
    )
    roughness: float = param(0.6, 'Amplitude of an octave relative to the next longer one.', ge=0.0, le=2.0)
    shapes: float = param(1.0, 'Contrast of shapes relative to the noise; 0: no shapes.', ge=0.0)
    shapes_per_unit: float = param(60.0, 'Number of shapes per square metre, or steradian.', ge=0.0)
    shape_size: float = param(0.12, 'Typical radius of a shape.', ge=1e-4)


@dataclass(frozen=True, eq=False)
class Shapes:
    """Balls cut by half-spaces: discs, and polygons where edges cut. Arrays of one row a shape."""

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    normal: NDArray[np.float64]
    offset: NDArray[np.float64]
    value: NDArray[np.float64]


class Texture:
    """Log light as a function of points of one surface.

    Args:
        config: Its look.
        rng: Source of randomness.
        shapes: Where shapes are; see ``sphere_shapes`` and ``plane_shapes``.
    """

    def __init__(self, config: TextureConfig, rng: np.random.Generator, shapes: Shapes) -> None:
        self._config, self._shapes = config, shapes
        self._salt = int(rng.integers(1, 2**31))
        octaves = 1 + max(0, round(np.log2(config.largest / config.smallest)))
        self._frequency = 2.0 / config.largest * 2.0 ** np.arange(octaves)  # noise cells are half waves
        self._amplitude = config.roughness ** np.arange(octaves)

    def __call__(self, points: NDArray) -> NDArray[np.float32]:
        """Log light at points (..., 3), standardised over these points: mean ln 60 dn, spread as configured."""
        flat = np.ascontiguousarray(points.reshape(-1, 3), np.float64)
        value = np.zeros(flat.shape[0])
        _noise(flat, self._frequency, self._amplitude, self._salt, value)
        value /= max(value.std(), 1e-12)
        s = self._shapes
        if s.radius.size and self._config.shapes > 0:
            layer = np.zeros_like(value)
            edge = 0.25 * self._config.smallest
            _paint(flat, points.shape[-2], s.centre, s.radius, s.normal, s.offset, s.value, edge, layer)
            value += self._config.shapes * layer
        value = (value - value.mean()) * (self._config.contrast / max(value.std(), 1e-12)) + np.log(MEAN_DN)
        value = np.clip(value, np.log(DARKEST_DN), np.log(BRIGHTEST_DN))
        return value.astype(np.float32).reshape(points.shape[:-1])


def sphere_shapes(config: TextureConfig, rng: np.random.Generator) -> Shapes:
    """Shapes strewn over the unit sphere."""
    n = int(config.shapes_per_unit * 4 * np.pi)
    centre = rng.standard_normal((n, 3))
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    tangent = np.cross(centre, rng.standard_normal((n, 3)))
    return _shapes(config, rng, centre, tangent, centre)


def plane_shapes(config: TextureConfig, rng: np.random.Generator, size: tuple[float, float]) -> Shapes:
    """Shapes strewn over a rectangle [0, size[0]] x [0, size[1]] in z = 0."""
    n = rng.poisson(config.shapes_per_unit * size[0] * size[1])
    centre = np.concatenate([rng.uniform(0, 1, (n, 2)) * size, np.zeros((n, 1))], axis=1)
    up = np.tile([0.0, 0.0, 1.0], (n, 1))
    tangent = np.cross(up, rng.standard_normal((n, 3)))
    return _shapes(config, rng, centre, tangent, up)


def _shapes(
    config: TextureConfig, rng: np.random.Generator, centre: NDArray, tangent: NDArray, up: NDArray
) -> Shapes:
    """Half of them discs, half polygons of 3 to ``EDGES`` edges."""
    n = centre.shape[0]
    radius = config.shape_size * np.asarray(rng.lognormal(0, 0.4, n))
    tangent = tangent / np.linalg.norm(tangent, axis=1, keepdims=True)
    edges = rng.integers(3, EDGES + 1, n) * (rng.random(n) < 0.5)
    normal, offset = np.zeros((n, EDGES, 3)), np.full((n, EDGES), np.inf)
    for k in range(EDGES):
        angle = 2 * np.pi * (k + rng.uniform(-0.2, 0.2, n)) / np.maximum(edges, 1)
        turned = np.cos(angle)[:, None] * tangent + np.sin(angle)[:, None] * np.cross(up, tangent)
        normal[:, k] = turned
        offset[:, k] = np.where(k < edges, radius * rng.uniform(0.4, 0.8, n), np.inf)
    return Shapes(centre, radius, normal, offset, np.asarray(rng.standard_normal(n)))


@njit(cache=True, nogil=True, error_model='numpy')
def _hash(i: int, j: int, k: int, salt: int) -> float:
    """A number in [-1, 1) for a lattice point (integer mixing as in MurmurHash3)."""
    h = np.uint32(i * 73856093) ^ np.uint32(j * 19349663) ^ np.uint32(k * 83492791) ^ np.uint32(salt)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    h = h ^ (h >> np.uint32(16))
    return np.float64(h) / 2147483648.0 - 1.0


@njit(cache=True, nogil=True, error_model='numpy')
def _fade(u: float) -> float:
    return u * u * u * (u * (u * 6.0 - 15.0) + 10.0)


@njit(cache=True, nogil=True, error_model='numpy')
def _lattice_noise(x: float, y: float, z: float, salt: int) -> float:
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    u, v, w = _fade(x - i), _fade(y - j), _fade(z - k)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * _hash(i + a, j + b, k + c, salt)
    return total


@njit(cache=True, nogil=True, error_model='numpy')
def _noise(points: NDArray, frequency: NDArray, amplitude: NDArray, salt: int, out: NDArray) -> None:
    for n in range(points.shape[0]):
        for o in range(frequency.size):
            f = frequency[o]
            x, y, z = points[n, 0] * f, points[n, 1] * f, points[n, 2] * f
            out[n] += amplitude[o] * _lattice_noise(x, y, z, salt + 7919 * o)


@njit(cache=True, nogil=True, error_model='numpy')
def _soft_step(x: float) -> float:
    """0 below -1, 1 above 1, smooth between."""
    t = min(1.0, max(0.0, 0.5 * x + 0.5))
    return t * t * (3.0 - 2.0 * t)


@njit(cache=True, nogil=True, error_model='numpy')
def _near(
    points: NDArray, first: int, last: int, centre: NDArray, radius: NDArray, edge: float, chosen: NDArray
) -> int:
    """Shapes that can touch the points first..last-1, which lie close together: a test of bounding balls."""
    middle = points[(first + last) // 2]
    extent = max(
        np.sqrt(((points[first] - middle) ** 2).sum()), np.sqrt(((points[last - 1] - middle) ** 2).sum())
    )
    n = 0
    for s in range(radius.size):
        reach = radius[s] + edge + 2.0 * extent
        dx, dy, dz = middle[0] - centre[s, 0], middle[1] - centre[s, 1], middle[2] - centre[s, 2]
        if dx * dx + dy * dy + dz * dz <= reach * reach:
            chosen[n] = s
            n += 1
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def _cover(
    dx: float, dy: float, dz: float, s: int, radius: NDArray, normal: NDArray, offset: NDArray, edge: float
) -> float:
    """Share of a point, relative to the centre of shape s, that the shape covers."""
    reach = radius[s] + edge
    squared = dx * dx + dy * dy + dz * dz
    if squared > reach * reach:
        return 0.0
    inside = _soft_step((radius[s] - np.sqrt(squared)) / edge)
    for k in range(offset.shape[1]):
        if offset[s, k] == np.inf or inside == 0.0:
            break
        along = dx * normal[s, k, 0] + dy * normal[s, k, 1] + dz * normal[s, k, 2]
        inside *= _soft_step((offset[s, k] - along) / edge)
    return inside


@njit(cache=True, nogil=True, error_model='numpy')
def _paint(
    points: NDArray,
    row_length: int,
    centre: NDArray,
    radius: NDArray,
    normal: NDArray,
    offset: NDArray,
    value: NDArray,
    edge: float,
    out: NDArray,
) -> None:
    """Later shapes cover earlier ones; their edges are soft over ``edge``, so that no frame rate misses them."""
    chosen = np.empty(radius.size, np.int64)
    runs_per_row = (row_length + RUN - 1) // RUN
    for run in range(points.shape[0] // row_length * runs_per_row):
        first = run // runs_per_row * row_length + run % runs_per_row * RUN
        last = min(first + RUN, (run // runs_per_row + 1) * row_length)
        n_chosen = _near(points, first, last, centre, radius, edge, chosen)
        for n in range(first, last):
            for c in range(n_chosen):
                s = chosen[c]
                dx, dy, dz = (
                    points[n, 0] - centre[s, 0],
                    points[n, 1] - centre[s, 1],
                    points[n, 2] - centre[s, 2],
                )
                cover = _cover(dx, dy, dz, s, radius, normal, offset, edge)
                out[n] += cover * (value[s] - out[n])
