# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What an event does to the square sum of the image by meeting itself, inside compiled kernels.

An event's own vote is part of the image from which it takes its derivative, and says nothing of motion. With the
sums over its own taps of ``binning.leave_one_out.own_vote_terms`` (A = sum k kappa', B = sum k kappa,
C = sum k kappa'', and P, E, Q of kappa kappa, kappa kappa', kappa' kappa'), an event of weight w takes

    from its slopes      w A_x B_y,  w B_x A_y
    from its curvatures  w (C_x B_y + Q_x P_y),  w (A_x A_y + E_x E_y),  w (B_x C_y + P_x Q_y)

where Q, P, E are its share of sum_j J_jk J_jl. This holds for events all of whose taps lie in the image; the few
at its border keep their own votes.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.binning.leave_one_out import own_vote_terms
from event_perception.binning.taps import taps
from event_perception.motion.image_kernels import INLINED, f32, make_sampler, shortened, specialised
from event_perception.motion.scheme import Scheme


@cache
def make_gatherer(scheme: Scheme, order: int) -> Callable[..., Any]:
    """Inlined function (image, stride, cell, rx, ry, w) -> (gu, gv, huu, huv, hvv) of one event, per bin.

    As ``make_sampler``, and with own votes removed less those, their share of sum_j J_jk J_jl included; then w is
    the weight of the event, 0 at the border. An approximate Hessian keeps own votes: its roots are the same, and
    the larger curvature damps the steps (measured: 4 evaluations a window instead of 5).
    """
    sample = make_sampler(scheme.kernel, scheme.reconstruction, order)
    if not scheme.alone:

        @njit(**INLINED)
        def with_own(image, stride, cell, rx, ry, w):  # type: ignore[no-untyped-def]
            return sample(image, stride, cell, rx, ry)

        return with_own
    own_slopes, own_curvatures = _own(scheme)
    second = order > 1 and scheme.exact

    @njit(**INLINED)
    def without_own(image, stride, cell, rx, ry, w):  # type: ignore[no-untyped-def]
        gu, gv, huu, huv, hvv = sample(image, stride, cell, rx, ry)
        along, across = own_slopes(rx, ry)
        if second:
            xx, xy, yy = own_curvatures(rx, ry)
            return gu - w * along, gv - w * across, huu - w * xx, huv - w * xy, hvv - w * yy
        return gu - w * along, gv - w * across, huu, huv, hvv

    return without_own


def _own(scheme: Scheme) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Inlined functions (rx, ry) -> A_x B_y, B_x A_y and -> what is taken from xx, xy and yy."""
    B, A, C, P, E, Q = (_polynomial(row) for row in own_vote_terms(scheme.kernel, scheme.reconstruction))

    @njit(**INLINED)
    def slopes(rx, ry):  # type: ignore[no-untyped-def]
        return A(rx) * B(ry), B(rx) * A(ry)

    @njit(**INLINED)
    def curvatures(rx, ry):  # type: ignore[no-untyped-def]
        xx, xy = C(rx) * B(ry) + Q(rx) * P(ry), A(rx) * A(ry) + E(rx) * E(ry)
        return xx, xy, B(rx) * C(ry) + P(rx) * Q(ry)

    return slopes, curvatures


def _polynomial(series: NDArray[np.float64]) -> Callable[..., Any]:
    """Inlined function r -> value."""
    constants = tuple(f32(c) for c in shortened(series))
    last = len(constants) - 1

    @njit(**INLINED)
    def polynomial(r):  # type: ignore[no-untyped-def]
        value = constants[last]
        for power in range(last):
            value = value * r + constants[last - 1 - power]
        return value

    return polynomial


def _square_and_mass(kernel: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Inlined functions r -> sum_j k^2 and r -> sum_j k of one axis."""
    votes = taps(kernel, None).table[0].T
    return _polynomial(np.sum([np.convolve(c, c) for c in votes], axis=0)), _polynomial(votes.sum(axis=0))


@cache
def own_share(kernel: str) -> float:
    """What an event's own vote adds to the mean number of its neighbours, on average over the bin."""
    square = np.sum([np.convolve(c, c) for c in taps(kernel, None).table[0].T], axis=0)
    return float((square / np.arange(1, len(square) + 1)).sum() ** 2)


# What the template below reads; ``specialised`` puts other values in their place.
SQUARE, MASS = _square_and_mass('bilinear')


@cache
def own_squares(kernel: str) -> Callable[..., float]:
    """Compiled function (rx, ry, w, inside, per_bin) -> what the events alone add to the variance sum."""
    square, mass = _square_and_mass(kernel)
    return specialised(_squares, f'own_squares_{kernel}', SQUARE=square, MASS=mass)


def _squares(rx, ry, w, inside, per_bin):  # type: ignore[no-untyped-def]
    """Sum of w^2 (sum_j k^2 - (sum_j k)^2 / bins)."""
    total = f32(0)
    for i in range(w.shape[0]):
        mass = MASS(rx[i]) * MASS(ry[i])
        own = SQUARE(rx[i]) * SQUARE(ry[i]) - mass * mass * per_bin
        total += w[i] * w[i] * own if inside[i] else f32(0)
    return total
