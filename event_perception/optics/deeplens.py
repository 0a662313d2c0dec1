# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The lens of DeepLens (Yang, Fu and Heidrich, Nature Communications 2024) behind our functions: optional.

``pip install event_perception[optics]`` brings it on Python 3.12. Facts that matter when comparing: its files store
focal lengths that may be wrong by per cents; its PSFs are normalised and recentred and its pupils carry no gradient;
its ``loss_rms`` measures from the ideal image point, so it contains distortion.
"""

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import PluginError

REMEDY = (
    'install it with "pip install event_perception[optics]" on Python 3.12, with builds of torch and torchvision that '
    'belong together; the own tracer (event_perception.optics) needs nothing'
)


def deeplens_class() -> Any:
    """The class ``GeoLens``.

    Raises:
        PluginError: If DeepLens cannot be imported.
    """
    try:
        return import_module('deeplens.geolens').GeoLens
    except (
        Exception
    ) as error:  # a torchvision of another build raises RuntimeError, a wrong package AttributeError
        raise PluginError(f'DeepLens cannot be loaded ({type(error).__name__}: {error}); {REMEDY}') from error


class DeepLensAdapter:
    """A DeepLens lens that answers as ours does.

    Args:
        path: JSON file of DeepLens.

    Raises:
        PluginError: If DeepLens cannot be loaded.
    """

    def __init__(self, path: Path) -> None:
        import torch

        before = torch.get_default_dtype()  # DeepLens changes it for the whole process
        try:
            self.lens = deeplens_class()(str(path), device='cpu', dtype=torch.float64)
        finally:
            torch.set_default_dtype(before)

    @property
    def focal_length_mm(self) -> float:
        """Effective focal length as DeepLens computes it."""
        return float(self.lens.calc_foclen())

    def rms_spots_mm(
        self, half_angles_rad: NDArray[np.float64], *, rays: int = 4096, wavelength_um: float = 0.58756
    ) -> NDArray[np.float64]:
        """Root of the mean squared distance from the centroid of fields along y, (n,), hard rims."""
        found = []
        for angle in half_angles_rad:
            bundle = self.lens.sample_parallel(
                fov_x=0.0,
                fov_y=math.degrees(float(angle)),
                num_rays=rays,
                wvln=wavelength_um,
                scale_pupil=1.15,
            )
            end = self.lens.trace2sensor(bundle)
            points = end.o[end.is_valid > 0][:, :2]
            found.append(float((points - points.mean(0)).square().sum(1).mean().sqrt()))
        return np.array(found)
