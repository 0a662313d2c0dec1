# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""NIQE: how natural a picture looks, without a reference; smaller is better.

Local contrast-normalised brightness of good pictures follows known families of distributions. Its parameters over
patches of 96 px at two scales, 36 a patch, make a Gaussian; the distance to that of pristine pictures is the score.

The pristine Gaussian here was fitted to pictures that this package draws itself, by
``python -m event_perception.evaluation.niqe_fit``: scores compare pictures with each other, and **not** with
published scores, which rest on photographs.

Source: Mittal, Soundararajan and Bovik, Making a completely blind image quality analyzer, IEEE Signal Processing
Letters 20(3), 2013; distributions after Lasmar, Stitou and Berthoumieu, ICIP 2009.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gamma

from event_perception.errors import DataError

PATCH_PX = 96
SCALES = 2
FEATURES = 18 * SCALES
WINDOW_PX, WINDOW_SIGMA_PX = 7, 7 / 6
LEAST_CONTRAST = 1 / 255
SHAPES = np.arange(0.2, 10, 0.001)
PARAMETERS = Path(__file__).with_name('niqe_parameters.npz')


@dataclass(frozen=True, eq=False)
class PristineModel:
    """Gaussian of the features of good pictures: mean (36,) and covariance (36, 36)."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


@cache
def own_model() -> PristineModel:
    """The model that comes with the package."""
    with np.load(PARAMETERS) as file:
        return PristineModel(file['mean'], file['covariance'])


def niqe(image: ArrayLike, model: PristineModel | None = None) -> float:
    """Distance of a picture to pristine ones.

    Args:
        image: Float (H, W) on [0, 1].
        model: What pristine pictures are like; ours if not given.

    Raises:
        DataError: If the picture has another form, or fewer than two patches of 96 px.
    """
    features, _ = patch_features(image)
    if len(features) < 2:
        raise DataError(
            f'NIQE needs at least two patches of {PATCH_PX} px, got a picture of {np.shape(image)}'
        )
    model = model or own_model()
    difference = features.mean(axis=0) - model.mean
    covariance = (np.cov(features, rowvar=False) + model.covariance) / 2
    return float(np.sqrt(difference @ np.linalg.pinv(covariance) @ difference))


def patch_features(image: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features (n, 36) and sharpness (n,) of the patches of a picture; a border that fills no patch is left out.

    Raises:
        DataError: If the picture is not float (H, W), or a value is not finite.
    """
    x = np.asarray(image)
    if x.ndim != 2 or x.dtype.kind != 'f' or not np.isfinite(x).all():
        raise DataError(
            f'a picture of shape {x.shape} and dtype {x.dtype}: give finite floats (H, W) on [0, 1]'
        )
    rows, columns = x.shape[0] // PATCH_PX, x.shape[1] // PATCH_PX
    x = np.clip(x[: rows * PATCH_PX, : columns * PATCH_PX], 0, 1).astype(np.float64)
    if not x.size:
        return np.zeros((0, FEATURES)), np.zeros(0)
    features, sharpness = [], np.zeros(0)
    for scale in range(SCALES):
        normalised, contrast = normalise(x)
        side = PATCH_PX >> scale
        features.append(distribution_features(_patches(normalised, side)))
        if scale == 0:
            sharpness = _patches(contrast, side).mean(axis=(1, 2))
        x = np.asarray(cv2.resize(x, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float64)
    return np.concatenate(features, axis=1), sharpness


def normalise(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brightness less its local mean over its local contrast, and that contrast, (H, W) each."""

    def local(values: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred = cv2.GaussianBlur(
            values, (WINDOW_PX, WINDOW_PX), WINDOW_SIGMA_PX, borderType=cv2.BORDER_REPLICATE
        )
        return np.asarray(blurred, np.float64)

    mean = local(x)
    contrast = np.sqrt(np.abs(local(x * x) - mean * mean))
    return (x - mean) / (contrast + LEAST_CONTRAST), contrast


def distribution_features(patches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape and width of the values, and shape, mean and widths of products of neighbours, (n, h, w) to (n, 18)."""
    shape, left, right = asymmetric_gaussian(patches)
    features = [shape, (left + right) / 2]
    neighbours = (
        patches[:, :, :-1] * patches[:, :, 1:],
        patches[:, :-1] * patches[:, 1:],
        patches[:, :-1, :-1] * patches[:, 1:, 1:],
        patches[:, :-1, 1:] * patches[:, 1:, :-1],
    )
    for product in neighbours:
        shape, left, right = asymmetric_gaussian(product)
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(features, axis=1)


def asymmetric_gaussian(
    patches: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Shape, left and right width (n,) of the asymmetric generalised Gaussian with the moments of (n, h, w)."""
    x = patches.reshape(len(patches), -1)
    tiny = np.finfo(np.float64).tiny
    left, right = (
        np.sqrt((x * x * side).sum(axis=1) / np.maximum(side.sum(axis=1), 1) + tiny)
        for side in (x < 0, x > 0)
    )
    skew = left / right
    ratio = np.abs(x).mean(axis=1) ** 2 / ((x * x).mean(axis=1) + tiny)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    # The ratio of moments grows with the shape.
    table = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))
    shape = SHAPES[np.clip(np.searchsorted(table, ratio), 0, len(SHAPES) - 1)]
    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * width, right * width


def _patches(x: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """(H, W) cut into (n, side, side), H and W multiples of the side."""
    rows, columns = x.shape[0] // side, x.shape[1] // side
    return x.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
