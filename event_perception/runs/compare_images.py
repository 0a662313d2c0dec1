# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Comparing the images of a run with true ones of the same instants: PSNR, SSIM, MS-SSIM, GMSD, flicker.

Values are compared as they are, linear, in [0, 1]: the scale of a reconstruction is part of it. The PSNR after the
best gain is told beside, as it says what a wrong scale costs.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation import image_quality
from event_perception.runs.reference import image_files

LEAST_MS_SSIM_PX = 176  # five scales of eleven pixels
METRICS = ('psnr', 'psnr_gain_fitted', 'ssim', 'gmsd')


def image_errors(folder: Path, reference: Path) -> dict[str, Any]:
    """Mean of every metric over the instants that both folders have.

    Raises:
        DataError: If they share no instant, or sizes differ.
    """
    ours, truth = image_files(folder), image_files(reference)
    shared = sorted(set(ours) & set(truth))
    if not shared:
        raise DataError(
            f'{folder} ({_instants(ours)}) and {reference} ({_instants(truth)}) share no instant; choose '
            'images.period_s so that its multiples are those of the reference'
        )
    pairs = [(_read(ours[t]), _read(truth[t])) for t in shared]
    names = METRICS + (('ms_ssim',) if min(pairs[0][1].shape) >= LEAST_MS_SSIM_PX else ())
    result: dict[str, Any] = {'instants': len(shared), 'only_in_run': len(ours) - len(shared)}
    for name in names:
        metric = getattr(image_quality, name)
        result[name] = float(np.mean([metric(image, true) for image, true in pairs]))
    if len(pairs) > 1:
        images, truths = (np.stack(side) for side in zip(*pairs))
        result['flicker'] = image_quality.flicker(images, truths)
    return result


def _read(path: Path) -> NDArray[np.float32]:
    """A picture in [0, 1]."""
    if path.suffix == '.npy':
        return np.asarray(np.load(path), np.float32)
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if pixels is None or pixels.dtype.kind != 'u':
        raise DataError(f'{path}: no picture of 8 or 16 bits')
    full_scale = np.float32(65535 if pixels.dtype == np.uint16 else 255)
    return np.asarray(pixels, np.float32) / full_scale


def _instants(files: dict[int, Path]) -> str:
    return f'{len(files)} images, {min(files)} to {max(files)} ns' if files else 'no images'
