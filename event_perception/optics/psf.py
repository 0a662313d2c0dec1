# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Point spread functions on a grid of image nodes, and the convolution that changes from place to place.

Between nodes the point spread is interpolated bilinearly: every pixel is filtered by its four nodes and the results
are blended with hat weights, which add up to 1 everywhere. There is no seam between cells; a block-wise convolution
has one, static in the image, where texture that moves across makes events that no scene made.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from event_perception.errors import DataError
from event_perception.optics.fan import Fan
from event_perception.optics.resample import splat

LOST_LIMIT = 0.2  # share of the light outside the kernel at which it no longer describes the lens


@dataclass(frozen=True, eq=False)
class PsfGrid:
    """Kernels at the corners of equal cells.

    Attributes:
        kernels: (ny + 1, nx + 1, k, k), sum 1 each, attached; centre = centroid of the light; [y, x].
        cell_px: Height and width of a cell.
        lost: Largest share of light outside a kernel, before it was normalised.
    """

    kernels: Tensor
    cell_px: tuple[int, int]
    lost: float


def node_positions(height: int, width: int, cell_px: int) -> tuple[Tensor, tuple[int, int]]:
    """Pixel coordinates (ny + 1, nx + 1, 2) of the corners of cells of about a size that cover an image."""
    counts = [max(1, round(size / cell_px)) for size in (height, width)]
    cells = tuple(math.ceil(size / count) for size, count in zip((height, width), counts))
    rows, columns = (torch.arange(n + 1) * float(c) - 0.5 for n, c in zip(counts, cells))
    y, x = torch.meshgrid(rows, columns, indexing='ij')
    return torch.stack([x, y], dim=-1), (cells[0], cells[1])


def psf_grid(
    fan: Fan, offsets_px: Tensor, cell_px: tuple[int, int], pitch_mm: float, size_px: int
) -> PsfGrid:
    """Point spread functions at image nodes.

    Args:
        fan: Traced fields.
        offsets_px: (ny + 1, nx + 1, 2) nodes relative to the principal point.
        cell_px: Height and width of a cell.
        pitch_mm: Of the pixels.
        size_px: Side of a kernel, odd.

    Raises:
        DataError: If more than a fifth of the light lies outside a kernel.
    """
    flat = offsets_px.reshape(-1, 2)
    radius = flat.norm(dim=1)
    ratio, _ = fan.tangent(radius * pitch_mm)
    radial, tangential, light = fan.hits(ratio * radius * pitch_mm)
    along = torch.where(
        radius[:, None] > 0, flat / radius.clamp(min=1e-9)[:, None], flat.new_tensor([1.0, 0.0])
    )
    cos, sin = along[:, :1], along[:, 1:]
    x, y = (cos * radial - sin * tangential) / pitch_mm, (sin * radial + cos * tangential) / pitch_mm
    kernels = splat(x, y, light, size_px)
    total = kernels.sum((1, 2), keepdim=True)
    lost = 1 - float(total.detach().min())
    if lost > LOST_LIMIT:
        raise DataError(
            f'{100 * lost:.0f} % of the light of a point falls outside a PSF of {size_px} px; the lens is far out of '
            'focus: correct the last gap, or raise psf_size_px'
        )
    shape = (*offsets_px.shape[:2], size_px, size_px)
    return PsfGrid((kernels / total).reshape(shape), cell_px, lost)


def convolve(frames: Tensor, grid: PsfGrid) -> Tensor:
    """Frames (B, H, W) through point spreads that change over the image, (B, H, W).

    At the border the frame is continued by its last pixel.
    """
    batch, height, width = frames.shape
    rows, columns, size, _ = grid.kernels.shape
    (ch, cw), half = grid.cell_px, size // 2
    below, right = ch * rows - height + half, cw * columns - width + half
    padded = functional.pad(frames[:, None], (cw + half, right, ch + half, below), mode='replicate')[:, 0]
    patches = padded.unfold(1, 2 * ch + 2 * half, ch).unfold(2, 2 * cw + 2 * half, cw)
    patches = patches.reshape(batch, rows * columns, 2 * ch + 2 * half, 2 * cw + 2 * half)
    # a kernel tells where light of the centre goes; a correlation gathers, hence the flip
    kernels = grid.kernels.reshape(-1, 1, size, size).flip(2, 3)
    filtered = functional.conv2d(patches, kernels, groups=rows * columns)
    filtered = filtered * (_hat(ch, frames)[:, None] * _hat(cw, frames))
    parts = filtered.reshape(batch, rows, columns, 2, ch, 2, cw)
    blended = (
        parts[:, :-1, :-1, 1, :, 1] + parts[:, 1:, :-1, 0, :, 1]
        + parts[:, :-1, 1:, 1, :, 0] + parts[:, 1:, 1:, 0, :, 0]
    )  # fmt: skip
    whole = blended.permute(0, 1, 3, 2, 4).reshape(batch, ch * (rows - 1), cw * (columns - 1))
    return whole[:, :height, :width]


def _hat(cell: int, like: Tensor) -> Tensor:
    """Weight of a node at the pixels of the two cells beside it, (2 cell,)."""
    share = (torch.arange(cell, dtype=like.dtype, device=like.device) + 0.5) / cell
    return torch.cat([share, 1 - share])
