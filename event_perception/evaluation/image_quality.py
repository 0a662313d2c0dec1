# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How near a picture is to the truth: PSNR, SSIM, MS-SSIM, GMSD, and flicker of a sequence.

Pictures are float arrays (H, W) on the scale [0, 1]. Everything is computed in double precision with fixed,
published constants, so that values compare with those of other programs.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError

SSIM_SIGMA_PX = 1.5
SSIM_WINDOW_PX = 11
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
GMSD_C = 170 / 255**2


def psnr(image: ArrayLike, reference: ArrayLike) -> float:
    """Peak signal-to-noise ratio of the image cut to [0, 1], dB; infinite where equal.

    Raises:
        DataError: If the pictures cannot be compared.
    """
    x, y = _pair(image, reference)
    error = np.mean((np.clip(x, 0, 1) - y) ** 2)
    return float('inf') if error == 0 else float(-10 * np.log10(error))


def psnr_gain_fitted(image: ArrayLike, reference: ArrayLike) -> float:
    """PSNR after the image was multiplied by the one factor that fits it best; report it beside the raw one.

    Raises:
        DataError: If the pictures cannot be compared.
    """
    x, y = _pair(image, reference)
    power = float(np.vdot(x, x))
    return psnr(x * (float(np.vdot(x, y)) / power) if power > 0 else x, y)


def ssim(image: ArrayLike, reference: ArrayLike) -> float:
    """Structural similarity, Gaussian window of sigma 1.5 px cut to 11 px, its border of 5 px left out.

    Source: Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13(4), 2004.

    Raises:
        DataError: If the pictures cannot be compared or are smaller than the window.
    """
    x, y = _pair(image, reference)
    _need_side(x, SSIM_WINDOW_PX, 'SSIM')
    similarity, _ = _ssim_maps(x, y)
    return float(similarity.mean())


def ms_ssim(image: ArrayLike, reference: ArrayLike) -> float:
    """Multi-scale structural similarity over five scales, each half of the last one by 2x2 means.

    Source: Wang, Simoncelli and Bovik, Asilomar Conference 2003.

    Raises:
        DataError: If the pictures cannot be compared or a side is below 176 px.
    """
    x, y = _pair(image, reference)
    _need_side(x, SSIM_WINDOW_PX * 2 ** (len(MS_SSIM_WEIGHTS) - 1), 'MS-SSIM')
    result = 1.0
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        similarity, contrast = _ssim_maps(x, y)
        last = scale == len(MS_SSIM_WEIGHTS) - 1
        # Negative means would have no real power; they stand for no similarity at all.
        result *= max(float((similarity if last else contrast).mean()), 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return result


def gmsd(image: ArrayLike, reference: ArrayLike) -> float:
    """Gradient magnitude similarity deviation: 0 where equal, larger is worse.

    Source: Xue, Zhang, Mou and Bovik, IEEE Transactions on Image Processing 23(2), 2014.

    Raises:
        DataError: If the pictures cannot be compared or are smaller than 4 px.
    """
    x, y = _pair(image, reference)
    _need_side(x, 4, 'GMSD')
    gx, gy = _gradient(_halved(x)), _gradient(_halved(y))
    similarity = (2 * gx * gy + GMSD_C) / (gx**2 + gy**2 + GMSD_C)
    return float(similarity.std())


def flicker(images: ArrayLike, references: ArrayLike, *, still: float = 1 / 255) -> float:
    """Mean change from image to image on the pixels whose truth stays; nan where no pixel does.

    Args:
        images: Sequence (n, H, W) with n >= 2.
        references: Its truth, same shape.
        still: A pixel stays if its truth changes by less than this.

    Raises:
        DataError: If the sequences cannot be compared.
    """
    x, y = np.asarray(images, np.float64), np.asarray(references, np.float64)
    if x.shape != y.shape or x.ndim != 3 or len(x) < 2:
        raise DataError(
            f'flicker of {x.shape} against {y.shape}: give two sequences (n >= 2, H, W) of one shape'
        )
    stays = np.abs(np.diff(y, axis=0)) < still
    return float(np.abs(np.diff(x, axis=0))[stays].mean()) if stays.any() else float('nan')


def _pair(image: ArrayLike, reference: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(image), np.asarray(reference)
    if x.shape != y.shape or x.ndim != 2 or x.size == 0:
        raise DataError(f'pictures of shapes {x.shape} and {y.shape} cannot be compared; give two of (H, W)')
    if x.dtype.kind != 'f' or y.dtype.kind != 'f':
        raise DataError(
            f'pictures of dtype {x.dtype} and {y.dtype}: give floats on [0, 1] (divide 8-bit by 255)'
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError('a picture holds values that are not finite; mask or fill them before comparing')
    return x.astype(np.float64), y.astype(np.float64)


def _need_side(x: NDArray[np.float64], side_px: int, name: str) -> None:
    if min(x.shape) < side_px:
        raise DataError(f'{name} needs pictures of at least {side_px} px a side, got {x.shape}')


def _ssim_maps(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Similarity, and its part without luminance, where the whole window fits."""
    mean_x, mean_y = _window(x), _window(y)
    var_x, var_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    contrast = (2 * covariance + SSIM_C2) / (var_x + var_y + SSIM_C2)
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    return luminance * contrast, contrast


def _window(x: NDArray[np.float64]) -> NDArray[np.float64]:
    size, border = (SSIM_WINDOW_PX, SSIM_WINDOW_PX), SSIM_WINDOW_PX // 2
    return np.asarray(cv2.GaussianBlur(x, size, SSIM_SIGMA_PX), np.float64)[border:-border, border:-border]


def _halved(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2x2 pixels; an odd last row or column is left out."""
    height, width = x.shape[0] // 2, x.shape[1] // 2
    halved: NDArray[np.float64] = x[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3))
    return halved


def _gradient(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitude of the Prewitt gradient, zero outside the picture."""
    prewitt = np.array([[1.0, 0.0, -1.0]] * 3) / 3
    gx = cv2.filter2D(x, cv2.CV_64F, prewitt, borderType=cv2.BORDER_CONSTANT)
    gy = cv2.filter2D(x, cv2.CV_64F, prewitt.T, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(np.hypot(gx, gy), np.float64)
