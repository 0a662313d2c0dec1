# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Contrast as the field reports it: variance of the blurred image of warped events."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.events import EventArray, EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.motion.warped_image import image_of_warped_events


def contrast_of(
    events: EventArray | EventWindow, camera: CameraModel, omega_rad_s: ArrayLike, *, sigma_px: float = 1.0
) -> float:
    """Variance of the image of warped events, bilinear votes per pixel, blurred.

    Args:
        events: A window, or events whose middle instant is the reference.
        camera: The camera; events are undistorted first.
        omega_rad_s: Angular velocity (3,), rad/s.
        sigma_px: Standard deviation of the Gaussian blur, px; 0 for none.

    Source: Gallego, Rebecq and Scaramuzza, CVPR 2018; blur and pixel size as in CMax-SLAM (Guo and Gallego,
    T-RO 2024).
    """
    image = image_of_warped_events(events, camera, omega_rad_s).astype(np.float64)
    return float(np.var(gaussian_blur(image, sigma_px) if sigma_px > 0 else image))


def gaussian_blur(image: NDArray[np.float64], sigma_px: float) -> NDArray[np.float64]:
    """Separable Gaussian blur, cut at four sigma and normalised; the border is reflected."""
    reach = max(1, int(np.ceil(4 * sigma_px)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(image, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode='symmetric')
        views = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
        image = views @ weights
    return image
