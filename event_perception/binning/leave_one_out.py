# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Quadratic objectives without each event's meeting with itself.

The mean square of an image is a sum over pairs of events, (1/M) sum_nm w_n w_m sum_j k(u_n - j) k(u_m - j). Its
diagonal n = m says nothing about motion, but its derivative is not zero: for rect with linear reconstruction
it is 1 - 2 r per axis, a pull of every event to the middle of its bin. Taking the diagonal away is the same as
giving each event the cotangent of the image without itself. ``own_mean_square`` and ``own_variance`` are the
diagonal; its derivatives are those of binning each event alone, so gradient and Hessian come out corrected.

For fused kernels ``own_vote_terms`` gives the sums over the taps as polynomials of the remainder.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_perception.binning.points import bin_points
from event_perception.binning.taps import taps
from event_perception.errors import ConfigError

OWN_VOTE_ROWS = ('k kappa', "k kappa'", "k kappa''", 'kappa kappa', "kappa kappa'", "kappa' kappa'")


def leave_one_out_variance(
    points: Tensor,
    weights: Tensor | None = None,
    *,
    sizes: tuple[int, ...],
    kernel: str = 'bilinear',
    reconstruction: str | None = 'linear',
) -> Tensor:
    """Variance of the image, less what each event adds to it alone: only meetings of two events count.

    Args:
        points: (N, D) in bins.
        weights: (N,), or None for ones.
        sizes: Bins per array axis, as in ``bin_points``.
        kernel: As in ``bin_events``.
        reconstruction: As in ``bin_events``.

    Returns:
        A number; its derivatives, first and second, are those of the leave-one-out cotangent.

    Raises:
        ConfigError: If a kernel or a reconstruction is unknown.
        DataError: If shapes or dtypes do not fit.
    """
    image = bin_points(points, weights, sizes=sizes, kernel=kernel, reconstruction=reconstruction)
    alone = own_variance(points, weights, sizes=sizes, kernel=kernel, reconstruction=reconstruction)
    return (image**2).mean() - image.mean() ** 2 - alone


def own_variance(
    points: Tensor, weights: Tensor | None, *, sizes: tuple[int, ...], kernel: str, reconstruction: str | None
) -> Tensor:
    """Sum over the events of the variance of an image with that event alone; arguments as above."""
    n_bins = float(np.prod(sizes))
    patches = _alone(points, weights, sizes, kernel, reconstruction)
    return (patches**2).sum() / n_bins - ((patches.sum(1) / n_bins) ** 2).sum()


def own_mean_square(
    points: Tensor, weights: Tensor | None, *, sizes: tuple[int, ...], kernel: str, reconstruction: str | None
) -> Tensor:
    """Sum over the events of the mean square of an image with that event alone; arguments as above."""
    return (_alone(points, weights, sizes, kernel, reconstruction) ** 2).sum() / float(np.prod(sizes))


def _alone(
    points: Tensor, weights: Tensor | None, sizes: tuple[int, ...], kernel: str, reconstruction: str | None
) -> Tensor:
    """Every event binned alone, into a patch that just holds its taps; bins outside the image are zero.

    Returns:
        (N, bins of a patch).
    """
    sides = (taps(kernel, None), taps(kernel, reconstruction))
    lowest = min(side.offsets[0] for side in sides) - 1
    n = max(side.offsets[-1] for side in sides) + 2 - lowest
    corner = torch.floor(points.detach() + sides[0].shift) + lowest
    weights = points.new_ones(points.shape[:-1]) if weights is None else weights
    patch = bin_points(
        (points - corner)[:, None, :],
        weights[:, None],
        sizes=(n,) * len(sizes),
        kernel=kernel,
        reconstruction=reconstruction,
    )
    for axis, size in enumerate(sizes):
        bins = corner[:, len(sizes) - 1 - axis, None] + torch.arange(n, device=points.device)
        shape = [len(points), *(n if a == axis else 1 for a in range(len(sizes)))]
        patch = patch * ((bins >= 0) & (bins < size)).to(patch.dtype).view(shape)
    return patch.flatten(1)


@cache
def own_vote_terms(kernel: str, reconstruction: str | None) -> NDArray[np.float64]:
    """Sums over the bins of products of an event's own taps, as polynomials of its remainder r.

    With A = sum k kappa', B = sum k kappa, C = sum k kappa'', Q = sum kappa' kappa', P = sum kappa kappa and
    E = sum kappa kappa', all of one axis, the diagonal of the mean square of M bins has the derivatives
    (2 w^2 / M) times

        d/dx: A_x B_y      d2/dx2: C_x B_y + Q_x P_y      d2/dxdy: A_x A_y + E_x E_y

    (times the scales of the axes). They hold where all taps lie inside the image.

    Returns:
        (6, n_powers), rows as in ``OWN_VOTE_ROWS``, powers of r from the lowest.

    Raises:
        ConfigError: If a name is unknown, or votes and backward taps have different cells.
    """
    votes, backward = taps(kernel, None), taps(kernel, reconstruction)
    if votes.shift != backward.shift:
        raise ConfigError(f'{kernel!r} with {reconstruction!r}: votes and taps have different cells')
    k = [votes.table[0][:, c] for c in range(votes.n_taps)]
    inside = range(votes.first - backward.first, votes.first - backward.first + votes.n_taps)
    value, slope, curvature = (list(table.T) for table in backward.table)
    rows = [_products(k, [order[c] for c in inside]) for order in (value, slope, curvature)]
    rows += [_products(value, value), _products(value, slope), _products(slope, slope)]
    table = np.zeros((len(rows), max(map(len, rows))))
    for row, polynomial in zip(table, rows):
        row[: len(polynomial)] = polynomial
    table.setflags(write=False)
    return table


def _products(left: list[NDArray[np.float64]], right: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.sum([np.convolve(a, b) for a, b in zip(left, right)], axis=0)
