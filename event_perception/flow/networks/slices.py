# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events as the input of flow networks: four channels by half of the window and polarity, T slices each.

The layout (..., 4, H, W, T) is that of Spike-FlowNet (Lee et al., ECCV 2020): channel 0 holds ON events of the
first half, 1 OFF events of the first half, 2 and 3 those of the second half. The original sorts events into slices
by hard counting, which has no derivative; here a vote is shared between the two nearest of 2T slice centres on ONE
time axis, so weight flows across the border of the halves, and derivatives are weak derivatives.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from event_perception.binning import bin_points
from event_perception.errors import ConfigError, DataError
from event_perception.events import EventWindow

SliceMode = Literal['soft', 'equal_count', 'hard_count']


def events_to_slices(
    window: EventWindow,
    *,
    slices: int = 5,
    mode: SliceMode = 'soft',
    reconstruction: str | None = 'linear',
) -> Tensor:
    """The events of one window as the input of a flow network.

    Args:
        window: Events.
        slices: T, slices of each half.
        mode: ``soft``: slices of equal time, votes shared; ``equal_count``: slices of equal numbers of events,
            votes shared; ``hard_count``: the original counting, floor(N / 2T) events a slice, the rest dropped.
        reconstruction: Derivative of the vote, as in ``bin_events``.

    Returns:
        float32 (4, H, W, T), non-negative. Its sum is the number of events (without those dropped by hard_count).

    Raises:
        ConfigError: If the mode is unknown.
        DataError: If there are fewer than 2T events and slices hold equal numbers.
    """
    fraction = window_fraction(window)
    position = slice_positions(torch.from_numpy(fraction), slices=slices, mode=mode)
    xy = torch.from_numpy(np.stack([window.x, window.y], axis=-1).astype(np.float32))
    points = torch.cat([xy, position[:, None]], dim=-1)
    return sliced(
        points,
        torch.from_numpy(window.p.astype(np.float32)),
        height=window.height,
        width=window.width,
        slices=slices,
        reconstruction=reconstruction,
    )


def window_fraction(window: EventWindow) -> np.ndarray:
    """Time of every event as a fraction of its window, float32 (N,) in [0, 1)."""
    start_s = (window.t0_ns - window.t_ref_ns) * 1e-9
    return ((window.dt_s - start_s) / window.duration_s).astype(np.float32)


def slice_positions(fraction: Tensor, *, slices: int, mode: SliceMode = 'soft') -> Tensor:
    """Where events lie on the axis of 2T slices; slice m has its centre at m.

    Args:
        fraction: (N,) times as fractions of the window, in order; differentiable in the first two modes.
        slices: T.
        mode: See ``events_to_slices``.

    Returns:
        (N,); -10, outside of every slice, for an event that is dropped.

    Raises:
        ConfigError: If the mode is unknown.
        DataError: If there are fewer than 2T events and slices hold equal numbers.
    """
    if mode == 'soft':
        return 2 * slices * fraction - 0.5
    if mode not in ('equal_count', 'hard_count'):
        raise ConfigError(f'slices of mode {mode!r} are unknown; choose soft, equal_count or hard_count')
    n, group = fraction.shape[0], fraction.shape[0] // (2 * slices)
    if group == 0:
        raise DataError(f'{n} events cannot fill {2 * slices} slices of equal numbers; use mode soft')
    if mode == 'hard_count':
        index = torch.arange(n, device=fraction.device) // group
        return torch.where(index < 2 * slices, index, -10).to(fraction.dtype)
    return _equal_counts(fraction, group, slices)


def _equal_counts(fraction: Tensor, group: int, slices: int) -> Tensor:
    """Time stretched piecewise linearly so that every slice holds as many events; the edges are constants."""
    sorted_times = fraction.detach()
    edges = torch.cat([sorted_times[0 : 2 * slices * group : group], sorted_times[-1:]])
    lower = torch.bucketize(sorted_times, edges[1:-1].contiguous(), right=True)
    length = (edges[lower + 1] - edges[lower]).clamp(min=1e-9)
    return lower + (fraction - edges[lower]) / length - 0.5


def sliced(
    points: Tensor,
    polarity: Tensor,
    *,
    height: int,
    width: int,
    slices: int,
    reconstruction: str | None = 'linear',
) -> Tensor:
    """Vote points into slices.

    Args:
        points: (..., N, 3) as (x px, y px, position among the 2T slices). Positions up to half a slice outside
            the window count for the first or the last slice in full.
        polarity: (..., N): -1, +1, or 0 for a point that does not count (padding).
        height: Rows.
        width: Columns.
        slices: T.
        reconstruction: Derivative of the vote, as in ``bin_events``.

    Returns:
        (..., 4, H, W, T), in the dtype of the points; differentiable with respect to them.
    """
    lifted = points + points.new_tensor([0.0, 0.0, 1.0])  # one slice more at both ends, folded in below
    votes = torch.stack([(polarity > 0), (polarity < 0)], dim=-2).to(points.dtype)
    both = lifted.unsqueeze(-3).expand(*lifted.shape[:-2], 2, *lifted.shape[-2:])
    sizes = (2 * slices + 2, height, width)
    grid = bin_points(both, votes, sizes=sizes, kernel='bilinear', reconstruction=reconstruction)
    first, inner, last = grid[..., :1, :, :], grid[..., 1:-1, :, :], grid[..., -1:, :, :]
    outer = inner.new_zeros(*inner.shape[:-3], 2 * slices - 2, *inner.shape[-2:])
    folded = inner + torch.cat([first, outer, last], dim=-3)  # (..., polarity, 2T, H, W)
    halves = folded.unflatten(-3, (2, slices)).transpose(-5, -4)  # (..., half, polarity, T, H, W)
    return halves.flatten(-5, -4).movedim(-3, -1)
