# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures to make training samples from: drawn from a seed, and those of a folder if one is given."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.simulation.moving_picture import noise_picture
from event_perception.simulation.textures import Texture, TextureConfig, plane_shapes

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')
WHITE_DN = 255.0
SMALLEST_SIDE_PX = 128


def own_pictures(seed: int, count: int, side_px: int) -> list[NDArray[np.float32]]:
    """Pictures of noise, discs and polygons at many scales and contrasts, (side, side) on [0, 1]."""
    random = np.random.default_rng(seed)
    return [
        noise_picture(int(random.integers(2**31)), height=side_px, width=side_px)
        if i % 2
        else _wallpaper(random, side_px)
        for i in range(count)
    ]


def _wallpaper(random: np.random.Generator, side_px: int) -> NDArray[np.float32]:
    """Noise and sharp shapes of random look, near white at its brightest; a metre is the side of the picture."""
    config = TextureConfig(
        contrast=random.uniform(0.3, 1.0),
        largest=random.uniform(0.1, 0.5),
        smallest=random.uniform(2, 8) / side_px,
        roughness=random.uniform(0.4, 0.9),
        shapes=random.uniform(0.5, 2.0),
        shapes_per_unit=random.uniform(50, 600),
        shape_size=random.uniform(6, 30) / side_px,
    )
    texture = Texture(config, random, plane_shapes(config, random, (1.0, 1.0)))
    y, x = np.mgrid[:side_px, :side_px] / side_px
    light = np.exp(texture(np.stack([x, y, np.zeros_like(x)], axis=-1)))
    return np.asarray(np.minimum(light / np.quantile(light, 0.99), 1), np.float32)


def folder_pictures(folder: Path) -> list[NDArray[np.float32]]:
    """Pictures of a folder in the order of their names, as grey on [0, 1], whole and at half size.

    Grey values are taken for light, as the public spike sets do.

    Raises:
        DataError: If the folder holds no picture, or one that cannot be read or is too small.
    """
    files = sorted(f for f in folder.rglob('*') if f.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not files:
        raise DataError(f'{folder} holds no pictures ({", ".join(SUFFIXES)})')
    pictures = []
    for file in files:
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if grey is None or min(grey.shape) < SMALLEST_SIDE_PX:
            raise DataError(f'{file} cannot be read or is smaller than {SMALLEST_SIDE_PX} px; take it out')
        whole = np.asarray(grey, np.float32) / np.float32(WHITE_DN)
        half = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        pictures += [whole, np.asarray(half, np.float32)] if min(half.shape) >= SMALLEST_SIDE_PX else [whole]
    return pictures
