# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What an objective is: a function of the image with its first derivative and its curvature."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]


class Objective(Protocol):
    """A function F of the image h (H, W), normalised by the total weight of the events; less is sharper."""

    def value(self, image: Image, total: float) -> float:
        """F(h)."""
        ...

    def cotangent(self, image: Image, total: float) -> Image:
        """dF/dh, (H, W)."""
        ...

    def curvature(self, image: Image, changes: Image, total: float) -> Image:
        """sum_ij changes_k,i (d^2 F / dh_i dh_j) changes_l,j for changes (k, H, W): (k, k)."""
        ...
