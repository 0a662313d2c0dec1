# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""LPIPS, a distance of deep features: only where its own package and weights are installed.

Its weights are a download and its package pulls in torchvision, which must match torch exactly; this package
neither installs nor needs either.

Source: Zhang, Isola, Efros, Shechtman and Wang, The unreasonable effectiveness of deep features as a perceptual
metric, CVPR 2018.
"""

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from event_perception.errors import DataError, PluginError


def lpips(image: ArrayLike, reference: ArrayLike) -> float:
    """LPIPS (AlexNet) between two grey pictures, float (H, W) on [0, 1]; 0 where equal.

    Raises:
        PluginError: If the package ``lpips`` is not installed or cannot be loaded.
        DataError: If the pictures have different shapes.
    """
    x, y = np.asarray(image, np.float32), np.asarray(reference, np.float32)
    if x.shape != y.shape or x.ndim != 2:
        raise DataError(f'pictures of shapes {x.shape} and {y.shape} cannot be compared; give two of (H, W)')
    network = _network()
    import torch

    with torch.no_grad():
        pair = [torch.from_numpy(np.clip(p, 0, 1) * 2 - 1).expand(1, 3, -1, -1) for p in (x, y)]
        return float(network(*pair))


@cache
def _network() -> Any:
    try:
        package = import_module('lpips')
    except (ImportError, RuntimeError) as error:
        raise PluginError(
            f'LPIPS needs the package lpips, with a torchvision made for the torch that is installed ({error}); install '
            'both yourself, or use ssim, gmsd or niqe'
        ) from error
    return package.LPIPS(net='alex', verbose=False).eval()
