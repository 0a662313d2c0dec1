# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Binning as a torch operation whose derivatives are weak derivatives.

Scatter and gather (``stencil``) with all their derivative orders are closed under differentiation:

    d scatter_a = scatter_a(d amount) + sum_axis scatter_(a + e_axis)(amount du_axis)
    d gather_a  = gather_a(d image)   + sum_axis du_axis gather_(a + e_axis)(image)

and each is the adjoint of the other. So two short autograd functions that call each other give reverse,
forward and nested derivatives of every order. The order None (votes) raises to e_axis: this one step, from
k to kappa', is functional backpropagation; everything else is ordinary calculus.

The image is linear in the weights, so its derivative with respect to them is exact and uses k itself. The
mixed derivative (point, weight) then comes out as kappa' in either order: Hessians are symmetric.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from event_perception.binning.stencil import Order, Stencil


def _nestable(jvp: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let outer forward derivatives see the arithmetic inside a jvp.

    Torch switches forward mode off around a jvp. Forward over forward would then silently lose the terms
    that do not pass through another ``apply``.
    """

    @wraps(jvp)
    def nested(*args: Any) -> Tensor:
        with forward_ad._set_fwd_grad_enabled(True):
            return jvp(*args)

    return nested


def _primals(ctx: Any) -> list[Tensor]:
    """The saved tensors without the tangents that this very jvp is about to apply."""
    return [forward_ad.unpack_dual(tensor).primal for tensor in ctx.saved_tensors]


class Scatter(Function):
    """Images (B, *sizes) from points (B, N, D) and amounts (K, B, N)."""

    @staticmethod
    def forward(points: Tensor, amounts: Tensor, stencil: Stencil, orders: Sequence[Order]) -> Tensor:
        """See ``Stencil.scatter``."""
        return stencil.scatter(points, amounts, orders)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the inputs; cells and taps are cheaper to compute again than to store."""
        _keep(ctx, inputs)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        """Gather the cotangent: with the same orders for the amounts, one higher for the points."""
        points, amounts = ctx.saved_tensors
        axes = range(points.shape[-1]) if ctx.needs_input_grad[0] else range(0)
        orders = [*_raised(ctx.orders, axes), *(ctx.orders if ctx.needs_input_grad[1] else [])]
        sums = Gather.apply(points, cotangent, ctx.stencil, tuple(orders))
        n = len(ctx.orders)
        grad_points = [(amounts * sums[axis * n : (axis + 1) * n]).sum(0) for axis in axes]
        return (
            torch.stack(grad_points, -1) if grad_points else None,
            sums[len(axes) * n :] if ctx.needs_input_grad[1] else None,
            None,
            None,
        )

    @staticmethod
    @_nestable
    def jvp(ctx: Any, d_points: Tensor | None, d_amounts: Tensor | None, *_: Any) -> Tensor:
        """Scatter the tangents, each with its order."""
        points, amounts = _primals(ctx)
        orders, parts = [], []
        if d_points is not None:
            axes = range(points.shape[-1])
            orders += _raised(ctx.orders, axes)
            parts += [amounts * d_points[..., axis] for axis in axes]
        if d_amounts is not None:
            orders += ctx.orders
            parts.append(d_amounts)
        return Scatter.apply(points, torch.cat(parts), ctx.stencil, tuple(orders))

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, points: Tensor, amounts: Tensor, stencil: Stencil, orders: Any
    ) -> tuple[Tensor, int]:
        """A mapped axis joins the batch."""
        points, amounts = _merge(points, in_dims[0], info, 0), _merge(amounts, in_dims[1], info, 1)
        images = Scatter.apply(points, amounts, stencil, orders)
        return images.unflatten(0, (info.batch_size, -1)), 0


class Gather(Function):
    """Per event sums (K, B, N) from points (B, N, D) and images (B, *sizes)."""

    @staticmethod
    def forward(points: Tensor, image: Tensor, stencil: Stencil, orders: Sequence[Order]) -> Tensor:
        """See ``Stencil.gather``."""
        return stencil.gather(points, image, orders)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep the inputs."""
        _keep(ctx, inputs)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        """Scatter the cotangent for the image; gather one order higher for the points."""
        points, image = ctx.saved_tensors
        grad_points = grad_image = None
        if ctx.needs_input_grad[0]:
            axes = range(points.shape[-1])
            sums = Gather.apply(points, image, ctx.stencil, tuple(_raised(ctx.orders, axes)))
            sums = sums.unflatten(0, (len(axes), -1))
            grad_points = torch.stack([(cotangent * sums[axis]).sum(0) for axis in axes], -1)
        if ctx.needs_input_grad[1]:
            grad_image = Scatter.apply(points, cotangent, ctx.stencil, ctx.orders)
        return grad_points, grad_image, None, None

    @staticmethod
    @_nestable
    def jvp(ctx: Any, d_points: Tensor | None, d_image: Tensor | None, *_: Any) -> Tensor:
        """Gather the tangent image, and the image one order higher times the tangent points."""
        points, image = _primals(ctx)
        total: Any = 0.0 if d_image is None else Gather.apply(points, d_image, ctx.stencil, ctx.orders)
        if d_points is not None:
            axes = range(points.shape[-1])
            sums = Gather.apply(points, image, ctx.stencil, tuple(_raised(ctx.orders, axes)))
            sums = sums.unflatten(0, (len(axes), -1))
            total = total + sum(d_points[..., axis] * sums[axis] for axis in axes)
        return total

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, points: Tensor, image: Tensor, stencil: Stencil, orders: Any
    ) -> tuple[Tensor, int]:
        """A mapped axis joins the batch."""
        points, image = _merge(points, in_dims[0], info, 0), _merge(image, in_dims[1], info, 0)
        sums = Gather.apply(points, image, stencil, orders)
        return sums.unflatten(1, (info.batch_size, -1)), 1


def _keep(ctx: Any, inputs: tuple[Any, ...]) -> None:
    points, other, ctx.stencil, ctx.orders = inputs
    ctx.save_for_backward(points, other)
    ctx.save_for_forward(points, other)


def _raised(orders: Sequence[Order], axes: range) -> list[Order]:
    """All orders raised along each axis in turn: [axis 0: every order, axis 1: every order, ...]."""
    n_axes = len(axes)
    raised: list[Order] = []
    for axis in axes:
        for order in orders:
            base = (0,) * n_axes if order is None else order
            raised.append(tuple(m + (a == axis) for a, m in enumerate(base)))
    return raised


def _merge(tensor: Tensor, mapped: int | None, info: Any, batch_axis: int) -> Tensor:
    """Join a mapped axis, or a repetition where there is none, with the batch axis."""
    if mapped is None:
        size = [-1] * (tensor.dim() + 1)
        size[batch_axis] = info.batch_size
        tensor = tensor.unsqueeze(batch_axis).expand(size)
    else:
        tensor = tensor.movedim(mapped, batch_axis)
    return tensor.flatten(batch_axis, batch_axis + 1)
