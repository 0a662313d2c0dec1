# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A video to look at of the images of a run: Motion JPEG in AVI, which OpenCV writes and reads without other codecs.

Images from spikes are linear in light; for the eye they are scaled to a common white and gamma coded. The images
themselves stay as they are.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FRAMES_PER_S = 25.0
WHITE_QUANTILE, WHITE_SAMPLES = 0.995, 20
GAMMA = 1 / 2.2


def write_video(images: Path, file: Path, *, linear: bool) -> int:
    """Join the pictures of a folder, named by their instants, to a video of 25 frames a second.

    Args:
        images: Folder with ``<t_ns>.png`` of one size.
        file: The video, ``.avi``.
        linear: Whether the pictures are linear in light.

    Returns:
        Frames written; 0, and no file, where there are fewer than two.
    """
    pictures = sorted(images.glob('*.png'), key=lambda path: int(path.stem))
    if len(pictures) < 2:
        return 0
    curve = _curve(pictures) if linear else None
    height, width = _grey(pictures[0]).shape
    code = cv2.VideoWriter.fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(file), cv2.CAP_OPENCV_MJPEG, code, FRAMES_PER_S, (width, height), True)
    try:
        for path in pictures:
            grey = _grey(path)
            shown = grey if curve is None else curve[grey]
            # In colour: the grey form of this writer is broken, its pictures do not decode (OpenCV 5.0).
            writer.write(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR))
    finally:
        writer.release()
    return len(pictures)


def _curve(pictures: list[Path]) -> NDArray[np.uint8]:
    """From linear to displayed grey values, the same for all pictures: no flicker that is not in them."""
    some = pictures[:: max(1, len(pictures) // WHITE_SAMPLES)]
    white = max(float(np.quantile([_grey(path) for path in some], WHITE_QUANTILE)), 1.0)
    shown = 255 * np.minimum(np.arange(256) / white, 1) ** GAMMA
    return np.rint(shown).astype(np.uint8)


def _grey(path: Path) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return np.asarray(pixels, np.uint8)
