# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What noise remains, known per pixel, is averaged over neighbours that differ by no more than it.

A bilateral filter (Tomasi and Manduchi, ICCV 1998) with a known noise level, and a Wiener gain (Lee, IEEE Transactions on
Pattern Analysis and Machine Intelligence 2(2), 1980): a pixel moves towards its like neighbours by the share of the texture
around it that is noise.
"""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.bands import Bands

FAR = np.float32(1e9)  # a value that no neighbour is like


def smoothed(
    noisy: NDArray[np.float32],
    variance: NDArray[np.float32],
    *,
    reach: float,
    sigma_px: float,
    pool_px: float,
    threads: int,
) -> NDArray[np.float32]:
    """An image with the noise averaged away, float32 (H, W).

    Args:
        noisy: The image, float32 (H, W).
        variance: Of its noise, float32 (H, W).
        reach: Neighbours that differ by less, in standard deviations of the noise, are averaged.
        sigma_px: Of the neighbourhood, px.
        pool_px: Sigma of the neighbourhood whose texture is compared with the noise, px.
        threads: Threads.
    """
    weights = gaussian_weights(sigma_px)
    radius = weights.shape[0] // 2
    padded = np.pad(noisy, radius, constant_values=FAR)
    bands = Bands(noisy.shape[0], step=1, threads=threads)
    smooth = np.concatenate(
        bands.map(
            lambda first, end: smooth_noise(
                padded[first : end + 2 * radius], variance[first:end], weights, np.float32(reach)
            )
        )
    )
    texture = noisy - cv2.GaussianBlur(noisy, (0, 0), sigma_px)
    both = cv2.GaussianBlur(np.dstack([texture * texture, variance]), (0, 0), pool_px)
    share = np.minimum(both[..., 1] / np.maximum(both[..., 0], np.float32(1e-20)), np.float32(1))
    moved: NDArray[np.float32] = noisy - share * (noisy - smooth)
    return moved


@njit(cache=True, nogil=True, error_model='numpy')
def smooth_noise(
    padded: NDArray[np.float32],
    variance: NDArray[np.float32],
    weights: NDArray[np.float32],
    reach: np.float32,
) -> NDArray[np.float32]:
    """Average neighbours that differ by less than ``reach`` standard deviations of the pixel's noise, float32 (H, W).

    The weight falls with the difference as Tukey's biweight and with distance as ``weights`` (odd, odd); ``padded`` has
    half of that more at every side, with values that no pixel is like.
    """
    height, width = variance.shape
    radius = weights.shape[0] // 2
    smooth = np.empty((height, width), np.float32)
    zero, one, least = np.float32(0), np.float32(1), np.float32(1e-20)
    inverse, total, weight = (
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
    )
    for y in range(height):
        centre, noise = padded[y + radius, radius : radius + width], variance[y]
        for x in range(width):
            inverse[x] = one / max(reach * reach * noise[x], least)
        total[:] = zero
        weight[:] = zero
        for dy in range(2 * radius + 1):
            for dx in range(2 * radius + 1):
                near_by, other = weights[dy, dx], padded[y + dy, dx : dx + width]
                for x in range(width):
                    difference = other[x] - centre[x]
                    alike = max(one - difference * difference * inverse[x], zero)
                    w = near_by * alike * alike
                    total[x] += w * other[x]
                    weight[x] += w
        row = smooth[y]
        for x in range(width):
            row[x] = total[x] / weight[x]
    return smooth


def gaussian_weights(sigma_px: float) -> NDArray[np.float32]:
    """Gaussian of height 1 on a square of two sigma to each side."""
    radius = int(np.ceil(2 * sigma_px))
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_px) ** 2)
    return np.outer(line, line).astype(np.float32)
