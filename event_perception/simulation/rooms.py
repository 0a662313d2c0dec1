# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A furnished room: six textured walls, and panels and boxes standing about."""

from dataclasses import replace

import numpy as np

from event_perception.simulation.planes import Motion, Rectangle, facing
from event_perception.simulation.textures import TextureConfig

WALL = TextureConfig(
    contrast=0.33,
    largest=0.8,
    smallest=0.05,
    roughness=0.5,
    shapes=1.0,
    shapes_per_unit=10.0,
    shape_size=0.15,
)
FURNITURE = TextureConfig(
    contrast=0.45,
    largest=0.4,
    smallest=0.04,
    roughness=0.5,
    shapes=1.0,
    shapes_per_unit=40.0,
    shape_size=0.08,
)
ROOM_M = (4.8, 4.4, 2.8)


def walls(size_m: tuple[float, float, float] = ROOM_M, texture: TextureConfig = WALL) -> list[Rectangle]:
    """The six sides of a box centred at (0, 0), floor at z = 0."""
    (a, b, c) = size_m
    low, x, y, z = (-a / 2, -b / 2, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    sides = [
        (low, x, y, (a, b)),
        ((-a / 2, -b / 2, c), x, y, (a, b)),
        (low, x, z, (a, c)),
        ((-a / 2, b / 2, 0.0), x, z, (a, c)),
        (low, y, z, (b, c)),
        ((a / 2, -b / 2, 0.0), y, z, (b, c)),
    ]
    return [Rectangle(corner, u, v, size, texture) for corner, u, v, size in sides]


def box(
    centre_m: tuple[float, float, float], size_m: tuple[float, float, float], yaw_rad: float
) -> list[Rectangle]:
    """The six faces of an upright box."""
    half = np.asarray(size_m) / 2
    x = np.array([np.cos(yaw_rad), np.sin(yaw_rad), 0.0])
    axes = np.stack([x, np.cross([0.0, 0.0, 1.0], x), [0.0, 0.0, 1.0]])
    faces = []
    for k in range(3):
        u, v = axes[(k + 1) % 3], axes[(k + 2) % 3]
        (su, sv) = size_m[(k + 1) % 3], size_m[(k + 2) % 3]
        for side in (-1.0, 1.0):
            middle = np.asarray(centre_m) + side * half[k] * axes[k]
            corner = middle - 0.5 * su * u - 0.5 * sv * v
            faces.append(Rectangle(tuple(corner), tuple(u), tuple(v), (su, sv), FURNITURE))
    return faces


def furniture(rng: np.random.Generator, *, boxes: int, panels: int) -> list[Rectangle]:
    """Boxes on the floor and panels in the air, in front of a camera that looks along world x."""
    things: list[Rectangle] = []
    for _ in range(boxes):
        size = rng.uniform((0.3, 0.3, 0.6), (0.8, 0.8, 1.3))
        place = (rng.uniform(0.6, 1.8), rng.uniform(-1.5, 1.5), size[2] / 2)
        things += box(place, tuple(size), rng.uniform(0, np.pi))
    for _ in range(panels):
        place = (rng.uniform(0.3, 1.8), rng.uniform(-1.2, 1.2), rng.uniform(0.8, 2.1))
        target = rng.uniform((-1.5, -1.0, 1.0), (0.0, 1.0, 2.0))
        things.append(replace(facing(place, target, tuple(rng.uniform(0.3, 0.7, 2))), texture=FURNITURE))
    return things


def walker(rng: np.random.Generator, *, speed_m_s: float) -> Rectangle:
    """A panel that crosses the view, there and back: something that moves on its own."""
    frequency_hz = 0.25
    amplitude = speed_m_s / (2 * np.pi * frequency_hz)
    panel = facing((0.4, 0.0, rng.uniform(1.2, 1.7)), (-1.5, 0.0, 1.5), (0.5, 0.7))
    motion = Motion(amplitude_m=(0.0, amplitude, 0.1 * amplitude), frequency_hz=frequency_hz)
    return replace(panel, texture=FURNITURE, motion=motion)
