# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scatter and gather over the taps in torch: one pair of exact adjoints, no autograd here.

With T_a(x) the product over the axes of the ``a_axis``-th derivatives of kappa, a = (a_x, a_y, ...):

    scatter:  h_j = sum_n sum_k amount_kn T_a(k)(u_n - j)
    gather:   g_kn = sum_j v_j T_a(k)(u_n - j)

An order of None stands for the vote kernel k in place of kappa. Every derivative of binning, of any order,
is one of these two with higher orders (see ``autograd``).

The image gets a ring of zeros as wide as the taps. An event none of whose taps reach the image is moved to
the first cell from which none can: all its taps then lie in the ring, whatever its remainder. So borders need
no mask per tap, and no coordinate that matters is ever clamped. Points that are not finite go there as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from event_perception.binning.taps import Taps, taps

Order = tuple[int, ...] | None  # derivative order per coordinate (x, y, ...); None: the vote kernel itself


@dataclass(frozen=True)
class Stencil:
    """What an image is made of and how its derivatives are taken.

    Attributes:
        sizes: Bins per array axis, the last one along x: (height, width) or (depth, height, width).
        kernel: Vote kernel.
        reconstruction: Reconstruction kernel or baseline, as in ``taps``.
    """

    sizes: tuple[int, ...]
    kernel: str
    reconstruction: str | None

    @cached_property
    def votes(self) -> Taps:
        """Taps of the forward image."""
        return taps(self.kernel, None)

    @cached_property
    def backward(self) -> Taps:
        """Taps of the derivatives."""
        return taps(self.kernel, self.reconstruction)

    def scatter(self, points: Tensor, amounts: Tensor, orders: Sequence[Order]) -> Tensor:
        """Images (B, *sizes) from points (B, N, D) and amounts (K, B, N), one order per amount."""
        image = amounts.new_zeros((points.shape[0], *self.sizes))
        for side, chosen in self._sides(orders):
            footprint = _Footprint(points, self.sizes, side, [_numeric(orders[k], points) for k in chosen])
            parts = _sum_by_order([_numeric(orders[k], points) for k in chosen], [amounts[k] for k in chosen])
            image = image + footprint.scatter(parts)
        return image

    def gather(self, points: Tensor, image: Tensor, orders: Sequence[Order]) -> Tensor:
        """Per event sums (K, B, N) from points (B, N, D) and images (B, *sizes)."""
        rows: list[Tensor] = [image] * len(orders)
        for side, chosen in self._sides(orders):
            wanted = [_numeric(orders[k], points) for k in chosen]
            sums = _Footprint(points, self.sizes, side, wanted).gather(image, wanted)
            for k, order in zip(chosen, wanted):
                rows[k] = sums[order]
        return torch.stack(rows)

    def _sides(self, orders: Sequence[Order]) -> list[tuple[Taps, list[int]]]:
        """Which orders concern the votes, which the backward taps; empty groups left out."""
        votes = [k for k, order in enumerate(orders) if order is None]
        others = [k for k, order in enumerate(orders) if order is not None]
        return [(side, ks) for side, ks in ((self.votes, votes), (self.backward, others)) if ks]


def _numeric(order: Order, points: Tensor) -> tuple[int, ...]:
    return (0,) * points.shape[-1] if order is None else order


def _sum_by_order(orders: list[tuple[int, ...]], amounts: list[Tensor]) -> dict[tuple[int, ...], Tensor]:
    total: dict[tuple[int, ...], Tensor] = {}
    for order, amount in zip(orders, amounts):
        total[order] = total[order] + amount if order in total else amount
    return total


class _Footprint:
    """The cells of some events in a padded, flattened image, and their taps' weights along each axis."""

    def __init__(
        self, points: Tensor, sizes: tuple[int, ...], side: Taps, orders: list[tuple[int, ...]]
    ) -> None:
        self.sizes, self.ring = sizes, side.n_taps
        self.padded = tuple(size + 2 * self.ring for size in sizes)
        self.batches, n_axes = points.shape[0], points.shape[-1]
        self.strides = [1] * n_axes  # per coordinate: x has stride 1
        for axis in range(1, n_axes):
            self.strides[axis] = self.strides[axis - 1] * self.padded[n_axes - axis]
        self.n_padded = self.strides[-1] * self.padded[0]
        base = torch.arange(self.batches, device=points.device)[:, None] * self.n_padded
        self.weights: list[dict[int, Tensor]] = []
        for axis, stride in enumerate(self.strides):
            cell, r = _locate(points[..., axis], side, sizes[n_axes - 1 - axis])
            base = base + (cell.long() + (side.first + self.ring)) * stride
            self.weights.append({m: _weights(side, m, r) for m in sorted({order[axis] for order in orders})})
        self.base = base.flatten()

    def gather(self, image: Tensor, orders: list[tuple[int, ...]]) -> dict[tuple[int, ...], Tensor]:
        flat = pad(image, [self.ring, self.ring] * len(self.sizes)).flatten()
        return self._collect(flat, len(self.sizes) - 1, 0, set(orders))

    def _collect(
        self, flat: Tensor, axis: int, offset: int, orders: set[tuple[int, ...]]
    ) -> dict[tuple[int, ...], Tensor]:
        """Sums over the taps of this axis and of those below it; orders are those of these axes."""
        if axis < 0:
            shape = (self.batches, self.base.numel() // max(self.batches, 1))
            return {(): flat[offset:].index_select(0, self.base).view(shape)}
        total: dict[tuple[int, ...], Tensor] = {}
        for tap in range(self.ring):
            below = self._collect(flat, axis - 1, offset + tap * self.strides[axis], {o[:-1] for o in orders})
            for order in orders:
                weight, part = self.weights[axis][order[-1]][tap], below[order[:-1]]
                total[order] = torch.addcmul(total[order], weight, part) if tap else weight * part
        return total

    def scatter(self, amounts: dict[tuple[int, ...], Tensor]) -> Tensor:
        any_amount = next(iter(amounts.values()))
        flat = any_amount.new_zeros(self.batches * self.n_padded)
        self._spread(flat, len(self.sizes) - 1, 0, amounts)
        image = flat.view(self.batches, *self.padded)
        for axis, size in enumerate(self.sizes):
            image = image.narrow(axis + 1, self.ring, size)
        return image

    def _spread(self, flat: Tensor, axis: int, offset: int, amounts: dict[tuple[int, ...], Tensor]) -> None:
        if axis < 0:
            flat[offset:].index_add_(0, self.base, amounts[()].flatten())
            return
        for tap in range(self.ring):
            below: dict[tuple[int, ...], Tensor] = {}
            for order, amount in amounts.items():
                part, rest = amount * self.weights[axis][order[-1]][tap], order[:-1]
                below[rest] = below[rest] + part if rest in below else part
            self._spread(flat, axis - 1, offset + tap * self.strides[axis], below)


def _locate(u: Tensor, side: Taps, size: int) -> tuple[Tensor, Tensor]:
    """Cell floor(u + shift) and remainder along one axis; what cannot reach the image is moved away.

    Where u + shift rounds up to an integer (u = 1/2 - 3e-8 in float32) the event stays in the half-open bin
    that it lies in, and r rounds to 1.
    """
    low, high = float(-side.offsets[-1] - 1), float(size - side.first)
    u = torch.nan_to_num(u, nan=low, posinf=high, neginf=low).clamp(low, high)
    cell = torch.floor(u + side.shift)
    cell = cell - (u < cell - side.shift).to(u.dtype)
    return cell, u - cell + side.shift


def _weights(side: Taps, order: int, r: Tensor) -> Tensor:
    """One derivative of kappa at every tap (n_taps, B, N), by Horner; each tap lies contiguous."""
    table = _table(side, order, r.dtype, r.device)
    value = table[-1].expand(-1, *r.shape)
    for power in range(len(table) - 2, -1, -1):
        value = torch.addcmul(table[power], value, r)
    return value


@cache
def _table(side: Taps, order: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Coefficients (power, tap, 1, 1) on the device, without trailing powers that are zero."""
    coefficients = np.array(side.derivative(order))
    while len(coefficients) > 1 and not coefficients[-1].any():
        coefficients = coefficients[:-1]
    return torch.tensor(coefficients, dtype=dtype, device=device)[..., None, None]
