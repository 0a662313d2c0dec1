# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A picture that slides, turns or grows, drawn anew for every spike plane: light frames with exact truth."""

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import ConfigError

PictureMotion = Literal['translation', 'rotation', 'zoom']
DIRECTION = (0.94, 0.34)  # of a translation, a unit vector along no pixel row
ARM_PX = 60.0  # distance from the centre at which rotation and zoom have the speed that is asked for


def moving_picture(
    picture: NDArray[np.float32],
    motion: PictureMotion,
    *,
    speed_px_plane: float,
    n_planes: int,
    height: int,
    width: int,
) -> Iterator[NDArray[np.float32]]:
    """Views of a picture, one a plane; the middle of the sequence shows its middle, unmoved.

    Args:
        picture: Linear intensity, float32 (H, W), larger than the view where it is to move.
        motion: How the view moves over the picture.
        speed_px_plane: Pixels per plane; for rotation and zoom at 60 px from the centre of the view.
        n_planes: Number of frames.
        height: Rows of the view.
        width: Columns of the view.

    Raises:
        ConfigError: If the motion is unknown.
    """
    middle = np.array([(picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2])
    view_middle = np.array([(width - 1) / 2, (height - 1) / 2])
    for i in range(n_planes):
        along = speed_px_plane * (i - n_planes // 2)
        turn, centre = _pose(motion, along, middle)
        view_to_picture = np.column_stack([turn, centre - turn @ view_middle])
        frame = cv2.warpAffine(
            picture,
            view_to_picture,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )
        yield np.clip(frame, 0, 1)


def _pose(
    motion: PictureMotion, along: float, middle: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear part of view to picture, and the point of the picture in the middle of the view."""
    if motion == 'translation':
        return np.eye(2), middle + along * np.array(DIRECTION)
    if motion == 'rotation':
        c, s = np.cos(along / ARM_PX), np.sin(along / ARM_PX)
        return np.array([[c, -s], [s, c]]), middle
    if motion == 'zoom':
        return np.exp(along / ARM_PX) * np.eye(2), middle
    raise ConfigError(f'motion={motion!r}: choose translation, rotation or zoom')


def noise_picture(seed: int, *, height: int, width: int) -> NDArray[np.float32]:
    """A picture with the spectrum of natural ones, 1/f, and sharp-edged discs, on [0.02, 1], float32 (H, W)."""
    random = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(random.standard_normal((height, width))) / frequency
    picture = np.fft.irfft2(spectrum, (height, width))
    picture /= picture.std()
    y, x = np.mgrid[:height, :width]
    for _ in range(height * width // 1500):
        cx, cy, radius = random.uniform(0, width), random.uniform(0, height), random.uniform(3, 20)
        picture[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] += random.normal()
    low, high = np.quantile(picture, (0.01, 0.99))
    return np.asarray(np.clip((picture - low) / (high - low), 0.02, 1), np.float32)
