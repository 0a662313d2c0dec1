# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The public faces of binning in torch: points to an image, a line or a voxel grid."""

from math import prod

import torch
from torch import Tensor

from event_perception.binning.autograd import Scatter
from event_perception.binning.stencil import Stencil
from event_perception.errors import DataError

_DTYPES = (torch.float32, torch.float64)


def bin_events(
    points: Tensor,
    weights: Tensor | None,
    *,
    height: int,
    width: int,
    kernel: str = 'bilinear',
    reconstruction: str | None = 'linear',
) -> Tensor:
    """Bin events into an image.

    Args:
        points: (N, 2) or (..., N, 2) as (x, y) in bins, float32 or float64. An integer coordinate is the
            centre of a bin; the image covers [-0.5, width - 0.5) x [-0.5, height - 0.5).
        weights: (N,) or (..., N), for example polarities; None counts every event as 1.
        height: Rows.
        width: Columns.
        kernel: Vote kernel: 'rect' (half-open bins), 'bilinear' or 'gaussian'.
        reconstruction: How the cotangent is interpolated between bins when derivatives are taken: 'linear',
            'cubic', 'lanczos2'. None: raw derivative of the vote kernel; 'straight_through', 'sigmoid':
            surrogates. It never changes the image, not by a bit.

    Returns:
        (height, width) or (..., height, width), in the dtype of ``points``; differentiable any number of
        times, forward and backward. Events outside the image, and points that are not finite, add nothing;
        the latter get the derivative zero.

    Raises:
        ConfigError: If a kernel or a reconstruction is unknown.
        DataError: If shapes or dtypes do not fit.

    Source: functional backpropagation, arXiv 2602.12590.
    """
    return bin_points(points, weights, sizes=(height, width), kernel=kernel, reconstruction=reconstruction)


def bin_points(
    points: Tensor,
    weights: Tensor | None = None,
    *,
    sizes: tuple[int, ...],
    kernel: str = 'bilinear',
    reconstruction: str | None = 'linear',
) -> Tensor:
    """Bin points of any dimension.

    Args:
        points: (..., N, D) in bins, coordinates in the order x, y, t. Float32 or float64.
        weights: (..., N), or None for ones.
        sizes: Bins per array axis, (width,), (height, width) or (depth, height, width): x runs along the
            last one.
        kernel: See ``bin_events``.
        reconstruction: See ``bin_events``.

    Returns:
        (..., *sizes).

    Raises:
        ConfigError: If a kernel or a reconstruction is unknown.
        DataError: If shapes or dtypes do not fit.
    """
    _check(points, weights, sizes)
    stencil = Stencil(tuple(sizes), kernel, reconstruction)
    if weights is None:
        weights = points.new_ones(points.shape[:-1])
    batch, n_events = points.shape[:-2], points.shape[-2]
    n_images = prod(batch)
    flat_points = points.reshape(n_images, n_events, len(sizes))
    flat_weights = weights.to(points.dtype).reshape(1, n_images, n_events)
    images = Scatter.apply(flat_points, flat_weights, stencil, (None,))
    return images.reshape(*batch, *sizes)


def _check(points: Tensor, weights: Tensor | None, sizes: tuple[int, ...]) -> None:
    if points.dtype not in _DTYPES:
        raise DataError(f'points are {points.dtype}: give float32 or float64, for example points.float()')
    if points.dim() < 2 or points.shape[-1] != len(sizes):
        raise DataError(
            f'points of shape {tuple(points.shape)} do not fit sizes {tuple(sizes)}: give (..., N, {len(sizes)})'
        )
    if min(sizes) < 1:
        raise DataError(f'sizes={tuple(sizes)}: every axis needs at least one bin')
    if weights is not None and weights.shape != points.shape[:-1]:
        raise DataError(
            f'weights of shape {tuple(weights.shape)} for points of shape {tuple(points.shape)}: '
            f'give {tuple(points.shape[:-1])}'
        )
