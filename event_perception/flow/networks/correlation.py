# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from the correlation of two consecutive windows of events, refined step by step.

Both windows become voxel grids; every pixel of the earlier one is compared with all of the later one, at four
scales; a recurrent cell looks up what lies around the present estimate and corrects it. The layout of weights and of
the voxel grid is that of E-RAFT, whose published files can be loaded.

Source: Gehrig, Millhaeusler, Gehrig, Scaramuzza, E-RAFT: Dense optical flow from event cameras, 3DV 2021.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.binning import bin_points
from event_perception.flow.networks.raft_parts import (
    CONTEXT,
    FEATURES,
    HIDDEN,
    LEVELS,
    RADIUS,
    Encoder,
    UpdateBlock,
)

STRIDE = 8
MULTIPLE = 64  # the coarsest of four levels still has a pixel to each side


def published_name(name: str) -> str:
    """Name of a weight here for one in a published file, which names the norm of a shortcut twice."""
    return name.replace('.norm3.', '.downsample.1.')


class _Pair(NamedTuple):
    """What is remembered: the grid of the window before, and its displacement at 1/8 of the size."""

    grid: Tensor
    flow: Tensor


class CorrelationFlow(nn.Module):
    """Displacement from the window before to this one; 5.3 M weights.

    Args:
        bins: Slices of a voxel grid, 15 in the paper.
        iterations: Corrections, 12 in the paper.
    """

    def __init__(self, bins: int = 15, iterations: int = 12) -> None:
        super().__init__()
        self.bins, self.iterations = bins, iterations
        self.fnet = Encoder(bins, FEATURES, 'instance')
        self.cnet = Encoder(bins, HIDDEN + CONTEXT, 'batch')
        self.update_block = UpdateBlock()

    def forward(
        self,
        points: Tensor,
        polarity: Tensor,
        *,
        height: int,
        width: int,
        start: Tensor | None = None,
        state: _Pair | None = None,
    ) -> tuple[list[Tensor], _Pair]:
        """See ``FlowNetwork``; without a window before, the displacement is zero.

        The motion of one window to the next is taken for that over the window.
        """
        padded = height + -height % MULTIPLE, width + -width % MULTIPLE
        grid = voxels(points, polarity, height=padded[0], width=padded[1], bins=self.bins)
        coarse = grid.new_zeros(grid.shape[0], 2, padded[0] // STRIDE, padded[1] // STRIDE)
        if state is None:
            return [grid.new_zeros(grid.shape[0], 2, height, width)], _Pair(grid, coarse)
        fields, last = self.refine(state.grid, grid, state.flow)
        return [field[..., :height, :width] for field in fields], _Pair(grid, last.detach())

    def refine(self, before: Tensor, after: Tensor, flow: Tensor) -> tuple[list[Tensor], Tensor]:
        """Displacements from one voxel grid to the next, and the last one at 1/8 of the size in units of 8 px."""
        pyramid = _correlations(self.fnet(before), self.fnet(after))
        h, context = self.cnet(after).split([HIDDEN, CONTEXT], dim=1)
        h, context, fields = torch.tanh(h), torch.relu(context), list[Tensor]()
        for _ in range(self.iterations):
            flow = flow.detach()
            h, weights, correction = self.update_block(h, context, _look_up(pyramid, flow), flow)
            flow = flow + correction
            fields.append(_upsampled(flow, weights))
        return fields, flow


def voxels(points: Tensor, polarity: Tensor, *, height: int, width: int, bins: int) -> Tensor:
    """Signed voxel grid (B, bins, H, W); first and last event time lie on the first and last slice.

    Cells that are not zero are standardised to mean 0 and spread 1, as the published weights expect.
    """
    position = torch.cat([points[..., :2], (bins - 1) * points[..., 2:]], dim=-1)
    grid = bin_points(position, polarity.to(points.dtype), sizes=(bins, height, width), kernel='bilinear')
    filled = grid != 0
    count = filled.sum((1, 2, 3), keepdim=True).clamp(min=1)
    mean = grid.sum((1, 2, 3), keepdim=True) / count
    spread = (filled * (grid - mean) ** 2).sum((1, 2, 3), keepdim=True).div(count).sqrt().clamp(min=1e-6)
    return filled * (grid - mean) / spread


def _correlations(before: Tensor, after: Tensor) -> list[Tensor]:
    """Products of all pairs, (B h w, 1, h', w'), at four sizes of the second image."""
    b, c, h, w = before.shape
    products = torch.einsum('bci,bcj->bij', before.flatten(2), after.flatten(2)) / c**0.5
    pyramid = [products.reshape(b * h * w, 1, h, w)]
    for _ in range(LEVELS - 1):
        pyramid.append(functional.avg_pool2d(pyramid[-1], 2))
    return pyramid


def _look_up(pyramid: list[Tensor], flow: Tensor) -> Tensor:
    """Correlations in a window of 9 x 9 around the present estimate, at every level: (B, 324, h, w)."""
    b, _, h, w = flow.shape
    y, x = torch.meshgrid(
        torch.arange(h, device=flow.device), torch.arange(w, device=flow.device), indexing='ij'
    )
    target = (flow + torch.stack([x, y]).to(flow)).permute(0, 2, 3, 1).reshape(b * h * w, 1, 1, 2)
    steps = torch.arange(-RADIUS, RADIUS + 1, device=flow.device).to(flow)
    # As published, the first index of the window runs along x.
    window = torch.stack(torch.meshgrid(steps, steps, indexing='ij'), dim=-1)[None]
    seen = []
    for level, products in enumerate(pyramid):
        place = target / 2**level + window
        size = place.new_tensor([products.shape[-1], products.shape[-2]])
        normalised = 2 * place / (size - 1).clamp(min=1) - 1
        values = functional.grid_sample(products, normalised, align_corners=True)
        seen.append(values.reshape(b, h, w, -1))
    return torch.cat(seen, dim=-1).permute(0, 3, 1, 2)


def _upsampled(flow: Tensor, weights: Tensor) -> Tensor:
    """Full size: each pixel a convex combination of its 3 x 3 coarse neighbours."""
    b, _, h, w = flow.shape
    share = torch.softmax(weights.view(b, 1, 9, STRIDE, STRIDE, h, w), dim=2)
    around = functional.unfold(STRIDE * flow, 3, padding=1).view(b, 2, 9, 1, 1, h, w)
    fine = (share * around).sum(2).permute(0, 1, 4, 2, 5, 3)
    return fine.reshape(b, 2, STRIDE * h, STRIDE * w)
