# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bilinear binning as it is usually written in torch, with torch's own derivative: the baseline to compare with."""

import torch
from torch import Tensor


def classic_bilinear(points: Tensor, weights: Tensor | None, *, height: int, width: int) -> Tensor:
    """Bilinear votes, differentiated by autograd through the weights of the four corners.

    The derivative is piecewise constant, equal to ``bin_events(..., reconstruction=None)``; there is no
    second derivative along an axis.

    Args:
        points: (N, 2) as (x, y) in bins.
        weights: (N,), or None for ones.
        height: Rows.
        width: Columns.

    Returns:
        (height, width).
    """
    corner = torch.floor(points.detach())
    rx, ry = (points - corner).unbind(-1)
    ix, iy = corner.long().unbind(-1)
    w = torch.ones_like(rx) if weights is None else weights
    image = points.new_zeros(height * width)
    for dy, wy in ((0, 1 - ry), (1, ry)):
        for dx, wx in ((0, 1 - rx), (1, rx)):
            x, y = ix + dx, iy + dy
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            index = torch.where(inside, y * width + x, 0)
            image = image.index_add(0, index, torch.where(inside, w * wy * wx, 0.0))
    return image.view(height, width)
