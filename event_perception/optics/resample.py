# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cubic interpolation: images looked up between pixels, and its transpose, points that vote for pixels.

Cubic convolution with a = -1/2 (Keys, Cubic convolution interpolation for digital image processing, 1981) is
continuously differentiable and exact for images that are quadratic in x and y. Linear interpolation has a kink at
every pixel centre, which is just where a lens without distortion looks; a = -3/4, as image libraries have it, moves
a plain ramp by up to 0.04 px, depending on the phase.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


def cubic_weights(t: Tensor) -> list[Tensor]:
    """Weights of the pixels at -1, 0, 1 and 2 for a point at t in [0, 1)."""
    return [
        t * (-0.5 + t * (1 - 0.5 * t)),
        1 + t * t * (-2.5 + 1.5 * t),
        t * (0.5 + t * (2 - 1.5 * t)),
        t * t * (-0.5 + 0.5 * t),
    ]


@dataclass(frozen=True, eq=False)
class Lookup:
    """Points of an image, ready to be looked up in many frames.

    Attributes:
        index: (n, 16) pixels y * W + x around every point; beyond the border, the border.
        weight: (n, 16) attached to the points.
        shape: Of the set of points.
    """

    index: Tensor
    weight: Tensor
    shape: tuple[int, ...]

    def __call__(self, frames: Tensor) -> Tensor:
        """Frames (B, H, W) at the points, (B, ...) like the points."""
        batch = frames.shape[0]
        twice = frames.expand(2, -1, -1) if batch == 1 else frames  # torch is slow at rows of one number
        by_pixel = twice.reshape(twice.shape[0], -1).T.contiguous()
        found = embedding_bag(self.index, by_pixel, per_sample_weights=self.weight, mode='sum')
        return found.T[:batch].reshape(batch, *self.shape)


def lookup(points_px: Tensor, height: int, width: int) -> Lookup:
    """Prepare points (..., 2) as (x, y) for frames of a size."""
    flat = points_px.reshape(-1, 2)
    corner = flat.detach().floor()
    share = flat - corner
    wx, wy = cubic_weights(share[:, 0]), cubic_weights(share[:, 1])
    left, top = corner.long().unbind(1)
    columns = [(left + k).clamp(0, width - 1) for k in (-1, 0, 1, 2)]
    rows = [(top + k).clamp(0, height - 1) * width for k in (-1, 0, 1, 2)]
    index = torch.stack([row + column for row in rows for column in columns], 1)
    return Lookup(index, torch.stack([b * a for b in wy for a in wx], 1), tuple(points_px.shape[:-1]))


def splat(x: Tensor, y: Tensor, light: Tensor, size_px: int) -> Tensor:
    """Light at points (n, m), px from the centre, into n kernels (n, k, k); what falls outside is dropped.

    To filter with the kernel is to look an image up at the points. Votes of a point sum to 1; some are slightly
    negative.
    """
    n, half = x.shape[0], size_px // 2
    left, top = x.detach().floor(), y.detach().floor()
    weights_x, weights_y = cubic_weights(x - left), cubic_weights(y - top)
    kernels = x.new_zeros(n * size_px * size_px)
    first = torch.arange(n, device=x.device)[:, None] * (size_px * size_px)
    for j in range(4):
        r = top.long() + (half + j - 1)
        for i in range(4):
            c = left.long() + (half + i - 1)
            inside = (c >= 0) & (c < size_px) & (r >= 0) & (r < size_px)
            vote = torch.where(inside, light * weights_x[i] * weights_y[j], 0.0)
            index = torch.where(inside, first + r * size_px + c, 0)
            kernels = kernels.index_add(0, index.reshape(-1), vote.reshape(-1))
    return kernels.reshape(n, size_px, size_px)
