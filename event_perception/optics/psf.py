# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Point spread functions on a grid of image nodes, and the convolution that changes from place to place.

Between nodes the point spread is interpolated bilinearly, so that every pixel has a kernel of its own. There is no seam between cells; a block-wise convolution
has one, static in the image, where texture that moves across makes events that no scene made.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from event_perception.errors import DataError
from event_perception.optics.fan import Fan
from event_perception.optics.resample import splat

FRAMES_AT_ONCE = 2  # filtered together: they and the kernels of a pixel row then stay in the cache
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
    height, width = frames.shape[1:]
    rows, columns, size, _ = grid.kernels.shape
    half = size // 2
    padded = functional.pad(frames[:, None], (half, half, half, half), mode='replicate')[:, 0]
    down, across = (
        _hats(height, rows, grid.cell_px[0], frames),
        _hats(width, columns, grid.cell_px[1], frames),
    )
    maps = torch.einsum('hr,rcji,wc->jihw', down, grid.kernels, across)
    return _Gather.apply(padded.contiguous(), maps.contiguous())


class _Gather(torch.autograd.Function):
    """Every pixel of frames (B, H + k - 1, W + k - 1) gathers with its own kernel (k, k, H, W): (B, H, W).

    With a backward of its own: that of the loop in torch writes a tensor of the size of all kernels for every tap.
    """

    @staticmethod
    def forward(ctx: Any, padded: Tensor, maps: Tensor) -> Tensor:
        ctx.save_for_backward(padded, maps)
        total = padded.new_zeros(len(padded), *maps.shape[2:])
        for source, sink in zip(padded.split(FRAMES_AT_ONCE), total.split(FRAMES_AT_ONCE)):
            for kernel, seen in _taps(maps, source):
                sink.addcmul_(seen, kernel)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None]:
        padded, maps = ctx.saved_tensors
        to_frames, to_maps = (
            torch.zeros_like(v) if n else None for v, n in zip((padded, maps), ctx.needs_input_grad)
        )
        cotangents = cotangent.split(FRAMES_AT_ONCE)
        if to_frames is not None:
            for sink, g in zip(to_frames.split(FRAMES_AT_ONCE), cotangents):
                for kernel, seen in _taps(maps, sink):
                    seen.addcmul_(g, kernel)
        if to_maps is not None:
            for source, g in zip(padded.split(FRAMES_AT_ONCE), cotangents):
                for sink, seen in _taps(to_maps, source):
                    sink.add_((seen * g).sum(0))
        return to_frames, to_maps


def _taps(maps: Tensor, padded: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Views: a tap (H, W) of all kernels, and what it sees of the frames (B, H, W).

    A kernel tells where light goes, a pixel gathers what comes: minus the offset.
    """
    size, _, height, width = maps.shape
    for j in range(size):
        for i in range(size):
            top, left = size - 1 - j, size - 1 - i
            yield maps[j, i], padded[:, top : top + height, left : left + width]


def _hats(size: int, nodes: int, cell: int, like: Tensor) -> Tensor:
    """Weight of every node at every pixel along one axis, (size, nodes): linear interpolation."""
    at = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / cell
    return (1 - (at[:, None] - torch.arange(nodes, dtype=like.dtype, device=like.device)).abs()).clamp(min=0)
