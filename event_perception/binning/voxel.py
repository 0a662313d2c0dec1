# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Coordinates in bins, and events in (t, y, x) voxels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from event_perception.binning.points import bin_points
from event_perception.errors import DataError


def bin_coordinates(
    points: Tensor, lo: float | Sequence[float], hi: float | Sequence[float], bins: int | Sequence[int]
) -> Tensor:
    """Positions in any unit to positions in bins: u = (x - lo) s - 1/2 with s = bins / (hi - lo).

    Bin j covers [lo + j / s, lo + (j + 1) / s), its centre is u = j. An image of W pixels has lo = -1/2 and
    hi = W - 1/2; with ``bins`` = W nothing changes, with W / 2 a bin is 2 x 2 pixels. Derivatives follow by
    the chain rule: first ones times s, second ones times s_a s_b.

    Args:
        points: (..., D), order x, y, t. Subtract large offsets (absolute times) in integers before.
        lo: Lower end of the range, one number or one per coordinate.
        hi: Upper end.
        bins: Number of bins in the range.

    Returns:
        (..., D), same dtype.

    Raises:
        DataError: If a range is empty or has no bins.
    """
    low, high, count = (torch.as_tensor(v, dtype=torch.float64) for v in (lo, hi, bins))
    if not bool((high > low).all()) or not bool((count >= 1).all()):
        raise DataError(f'lo={lo}, hi={hi}, bins={bins}: every range needs lo < hi and at least one bin')
    scale = (count / (high - low)).to(points)
    return (points - low.to(points)) * scale - 0.5


def voxel_grid(
    points: Tensor,
    weights: Tensor | None = None,
    *,
    start_s: float,
    end_s: float,
    depth: int,
    height: int,
    width: int,
    kernel: str = 'bilinear',
    reconstruction: str | None = 'linear',
) -> Tensor:
    """Bin events into a space-time grid, differentiable like ``bin_events``, in time too.

    Args:
        points: (..., N, 3) as (x, y, t): pixels, pixels, seconds after a reference close by (float32 cannot
            hold absolute times).
        weights: (..., N), for example polarities; None for ones.
        start_s: Start of the first slice, seconds.
        end_s: End of the last slice.
        depth: Number of slices, equally long, half open. A slice's centre is in the middle of its interval.
        height: Rows.
        width: Columns.
        kernel: As in ``bin_events``, along all three axes.
        reconstruction: As in ``bin_events``.

    Returns:
        (..., depth, height, width).

    Raises:
        ConfigError: If a kernel or a reconstruction is unknown.
        DataError: If shapes, dtypes or the interval do not fit.
    """
    if points.shape[-1:] != (3,):
        raise DataError(f'points of shape {tuple(points.shape)}: give (..., N, 3) as (x, y, t)')
    t = bin_coordinates(points[..., 2:], start_s, end_s, depth)
    in_bins = torch.cat([points[..., :2], t], dim=-1)
    return bin_points(
        in_bins, weights, sizes=(depth, height, width), kernel=kernel, reconstruction=reconstruction
    )
