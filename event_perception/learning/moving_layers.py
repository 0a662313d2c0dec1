# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that move affinely, one before the other, with their exact image velocity.

A layer moves a point u0 of the view to u(t) = m + d t + exp(G t) (u0 - m): it slides by d while it turns, grows and
shears by G about the middle m. So it is drawn by following u back to u0, and its velocity is d + G (u - m - d t).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm


@dataclass(frozen=True, eq=False)
class MovingLayer:
    """A picture in motion over a view.

    Attributes:
        picture: Linear light, float32 (h, w), mirrored beyond its borders.
        cover: How much of what lies behind it hides, float32 (H, W) in the view at t = 0, zero outside; None: all.
        view_to_picture: Affine map (2, 3) from pixels of the view at t = 0 to pixels of the picture.
        middle: m, pixels of the view, (2,).
        slide: d, px per unit of time, (2,).
        deformation: G, per unit of time, (2, 2).
    """

    picture: NDArray[np.float32]
    cover: NDArray[np.float32] | None
    view_to_picture: NDArray[np.float64]
    middle: NDArray[np.float64]
    slide: NDArray[np.float64]
    deformation: NDArray[np.float64]

    def light(self, t: float, height: int, width: int) -> NDArray[np.float32]:
        """The picture as the view sees it at time t, (H, W)."""
        start = self._to_start(t)
        to_picture = self.view_to_picture @ np.vstack([start, [0.0, 0.0, 1.0]])
        return _warped(self.picture, to_picture, height, width, cv2.BORDER_REFLECT)

    def hides(self, t: float, height: int, width: int) -> NDArray[np.float32]:
        """Share of each pixel that the layer covers at time t, (H, W) in [0, 1]."""
        if self.cover is None:
            return np.ones((height, width), np.float32)
        return _warped(self.cover, self._to_start(t), height, width, cv2.BORDER_CONSTANT)

    def velocity(self, t: float, height: int, width: int) -> NDArray[np.float32]:
        """Image velocity of the layer at every pixel, (2, H, W), px per unit of time."""
        y, x = np.mgrid[:height, :width].astype(np.float64)
        centre = self.middle + self.slide * t
        x, y = x - centre[0], y - centre[1]
        g, d = self.deformation, self.slide
        flow = np.stack([d[0] + g[0, 0] * x + g[0, 1] * y, d[1] + g[1, 0] * x + g[1, 1] * y])
        return flow.astype(np.float32)

    def _to_start(self, t: float) -> NDArray[np.float64]:
        """Affine map (2, 3) from pixels of the view at t to those at 0."""
        back = expm(-self.deformation * t)
        return np.column_stack([back, self.middle - back @ (self.middle + self.slide * t)])


def composed_light(layers: list[MovingLayer], t: float, height: int, width: int) -> NDArray[np.float32]:
    """Light of the view: later layers lie before earlier ones."""
    total = layers[0].light(t, height, width)
    for layer in layers[1:]:
        hidden = layer.hides(t, height, width)
        total = total + hidden * (layer.light(t, height, width) - total)
    return total


def composed_flow(layers: list[MovingLayer], t: float, height: int, width: int) -> NDArray[np.float32]:
    """Image velocity of what is seen, (2, H, W): of the foremost layer that covers most of the pixel."""
    flow = layers[0].velocity(t, height, width)
    for layer in layers[1:]:
        flow = np.where(layer.hides(t, height, width) > 0.5, layer.velocity(t, height, width), flow)
    return flow


def _warped(
    image: NDArray[np.float32], to_image: NDArray[np.float64], height: int, width: int, border: int
) -> NDArray[np.float32]:
    warped = cv2.warpAffine(
        image, to_image, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return np.asarray(warped, np.float32)
