# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objectives of tiles and of the joint field in torch: batched, on any device, differentiable by autograd.

For GPUs, for learning, and as the baseline that the compiled Newton solver is measured against. All tiles of a level
lie one below the other in one tall image, so one binning serves them all. With several reference times the gains
of focus are averaged with weights 1/4, 1/2, 1/4 (Shiba et al., TPAMI 2024), which keeps events from collapsing.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from event_perception.binning import bin_events
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.image_votes import MARGIN
from event_perception.flow.pyramid import SortedTiles

THREE_REFERENCES = ((-1.0, 0.25), (0.0, 0.5), (1.0, 0.25))  # half windows from the middle, weight
MIDDLE = ((0.0, 1.0),)


def image_focus(image: Tensor, by_gradient: bool) -> Tensor:
    """Focus of images (..., rows, columns), over the last two axes; see ``image_votes.focus``."""
    if not by_gradient:
        return image.square().sum((-2, -1))
    along = 0.5 * (image[..., 2:] - image[..., :-2])
    across = 0.5 * (image[..., 2:, :] - image[..., :-2, :])
    return along.square().sum((-2, -1)) + across.square().sum((-2, -1))


class TorchField:
    """Focus of a field of velocities at nodes, bilinear in between, over one image.

    Args:
        events: The events.
        grid: The nodes.
        bin_px: Side of a bin, px.
        reach_px: How far an event may be moved without leaving the image, px.
        by_gradient: Kind of focus.
        references: Reference times in half windows, and their weights.
        reconstruction: Derivative of the votes, as in ``bin_events``; None: raw.
        device: Of all tensors.
        dtype: Of all tensors.
    """

    def __init__(
        self,
        events: FlowEvents,
        grid: NodeGrid,
        *,
        bin_px: float,
        reach_px: float,
        by_gradient: bool = True,
        references: tuple[tuple[float, float], ...] = MIDDLE,
        reconstruction: str | None = 'linear',
        device: str = 'cpu',
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.bin_px, self._by_gradient, self._references = bin_px, by_gradient, references
        self._reconstruction, self.half_s = reconstruction, events.half_s
        self._border = MARGIN + 2 + int(np.ceil(2 * reach_px / bin_px))
        self._shape = [int(np.ceil(n / bin_px)) + 2 * self._border for n in (events.height, events.width)]
        place = np.stack([events.x, events.y], axis=1)
        self._place = torch.as_tensor(place, dtype=dtype, device=device)
        self._s = torch.as_tensor(events.s, dtype=dtype, device=device)[:, None]
        self._node, self._weight = (t.to(device) for t in _corners(self._place.cpu(), grid))
        self._at_rest: list[Tensor] = []
        still = torch.zeros((len(grid), 2), dtype=dtype, device=device)
        self._at_rest = [self._focus_at(still, r).detach() for r, _ in references]

    def __call__(self, q: Tensor) -> Tensor:
        """Focus of velocities (nodes, 2), px/s: that of the image, or the mean gain in units of the first at rest."""
        if self._references == MIDDLE:
            return self._focus_at(q, 0.0)
        gains = [w * self._focus_at(q, r) / still for (r, w), still in zip(self._references, self._at_rest)]
        return self._at_rest[0] * torch.stack(gains).sum()

    def _focus_at(self, q: Tensor, reference: float) -> Tensor:
        velocity = (q[self._node] * self._weight[..., None]).sum(1)
        moved = self._place - (self._s - reference * self.half_s) * velocity
        bins = (moved + 0.5) / self.bin_px - 0.5 + self._border
        height, width = self._shape
        image = bin_events(bins, None, height=height, width=width, reconstruction=self._reconstruction)
        return image_focus(image, self._by_gradient)


class TorchTiles:
    """Focus of every tile of a level at a velocity of its own.

    Args:
        tiles: Events tile after tile.
        size: Rows and columns of the image of a tile.
        bin_px: Side of a bin, px.
        by_gradient: Kind of focus.
        reconstruction: Derivative of the votes; None: raw.
        device: Of all tensors.
        dtype: Of all tensors.
    """

    def __init__(
        self,
        tiles: SortedTiles,
        size: int,
        *,
        bin_px: float,
        by_gradient: bool = True,
        reconstruction: str | None = 'linear',
        device: str = 'cpu',
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._size, self._bin_px, self._by_gradient = size, bin_px, by_gradient
        self._n, self._reconstruction = len(tiles.begin) - 1, reconstruction
        place = np.stack([tiles.x, tiles.y], axis=1)
        self._place = torch.as_tensor(place, dtype=dtype, device=device)
        self._s = torch.as_tensor(tiles.s, dtype=dtype, device=device)[:, None]
        self._tile = torch.as_tensor(np.repeat(np.arange(self._n), tiles.count), device=device)

    def __call__(self, q: Tensor) -> Tensor:
        """Focus (tiles,) at velocities (tiles, 2), px/s; events that leave their image count for nobody."""
        bins = (self._place - self._s * q[self._tile]) / self._bin_px + 0.5 * (self._size - 1)
        inside = ((bins >= MARGIN) & (bins <= self._size - 1 - MARGIN)).all(1)
        offset = torch.stack([torch.zeros_like(self._tile), self._tile * self._size], dim=1)
        tall = bin_events(
            bins + offset, inside.to(bins.dtype), height=self._n * self._size, width=self._size,
            reconstruction=self._reconstruction,
        )  # fmt: skip
        return image_focus(tall.reshape(self._n, self._size, self._size), self._by_gradient)


def coupling_energy(q: Tensor, grid: NodeGrid, scale: float) -> Tensor:
    """Sum over pairs of scale^2 sqrt(1 + |q_i - q_j|^2 / scale^2), diagonal pairs by half: power 0.5 of ``couple``."""
    field = q.reshape(grid.rows, grid.columns, 2)
    pairs = (
        (field[1:] - field[:-1], 1.0),
        (field[:, 1:] - field[:, :-1], 1.0),
        (field[1:, 1:] - field[:-1, :-1], 0.5),
        (field[1:, :-1] - field[:-1, 1:], 0.5),
    )
    total = q.new_zeros(())
    for difference, weight in pairs:
        total = total + weight * ((1 + difference.square().sum(-1) / scale**2).sqrt() - 1).sum()
    return scale**2 * total


def maximise(
    focus: Callable[[Tensor], Tensor],
    start: NDArray[np.float64],
    grid: NodeGrid,
    *,
    strength: float,
    scale: float = 30.0,
    iterations: int = 30,
    device: str = 'cpu',
    dtype: torch.dtype = torch.float32,
) -> tuple[NDArray[np.float64], int]:
    """L-BFGS-B with automatic derivatives on minus the focus plus the coupling.

    Args:
        focus: Maps velocities (n, 2) to the focus, or to one for each tile.
        start: Velocities (n, 2), px/s.
        grid: The nodes.
        strength: lambda of the coupling.
        scale: Of the coupling, px/s.
        iterations: Most iterations.
        device: Of the tensors that ``focus`` takes.
        dtype: Of the tensors that ``focus`` takes.

    Returns:
        Velocities (n, 2) and the number of evaluations.
    """

    def value_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        q = torch.tensor(flat.reshape(-1, 2), dtype=dtype, device=device, requires_grad=True)
        loss = -focus(q).sum() + strength * coupling_energy(q, grid, scale)
        (gradient,) = torch.autograd.grad(loss, q)
        return loss.item(), gradient.double().cpu().numpy().ravel()

    result = minimize(
        value_and_gradient,
        np.asarray(start, np.float64).ravel(),
        jac=True,
        method='L-BFGS-B',
        options={'maxiter': iterations},
    )
    return result.x.reshape(-1, 2), int(result.nfev)


def _corners(place: Tensor, grid: NodeGrid) -> tuple[Tensor, Tensor]:
    """Indices (n, 4) and bilinear weights (n, 4) of the nodes around each event."""
    most = torch.tensor([grid.columns - 1.0, grid.rows - 1.0], dtype=place.dtype)
    at = torch.minimum(((place - grid.first) / grid.spacing).clamp(min=0), most)
    cell = torch.minimum(at.floor(), most - 1)
    a, b = (at - cell).unbind(1)
    column, row = cell.long().unbind(1)
    node = row * grid.columns + column
    nodes = torch.stack([node, node + 1, node + grid.columns, node + grid.columns + 1], 1)
    return nodes, torch.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b], 1)
