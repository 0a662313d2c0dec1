# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Less weight for parts of the image that the common motion blurs: they move by themselves.

The sensor is cut into tiles. For the events of a tile, the mean of the image of warped events at their warped
places is compared with that of the unwarped image at their own. Where the motion of the camera makes things less
sharp than no motion would, weight = (warped / unwarped)^power.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.rotation_variance import BearingEvents, RotationVariance

Float32 = NDArray[np.float32]


def robust_weights(
    objective: RotationVariance,
    events: BearingEvents,
    omega: NDArray[np.float64],
    tile_px: float,
    power: float,
) -> Float32:
    """Weights in (0, 1], one per event, float32 (n,).

    Args:
        objective: Gives images; it holds ``events``.
        events: The events.
        omega: The common rate (3,), rad/s.
        tile_px: Side of a tile, px of the undistorted image.
        power: How fast the weight falls; 0 gives ones.
    """
    grid = objective.grid
    warped = objective.neighbours(omega)
    unwarped = objective.neighbours(np.zeros(3))
    scale = grid.bin_size_px / tile_px
    columns = np.floor((events.x * grid.scale_x + grid.offset_x + 0.5) * scale).astype(np.int64)
    rows = np.floor((events.y * grid.scale_y + grid.offset_y + 0.5) * scale).astype(np.int64)
    tile = rows * (int(columns.max()) + 1) + columns
    ratio = np.bincount(tile, warped) / np.maximum(np.bincount(tile, unwarped), 1e-9)
    return (np.clip(ratio, 1e-3, 1.0) ** power)[tile].astype(np.float32)
