# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels as functions: votes k (events to bins) and reconstructions l (cotangent samples to a function).

Coordinates are in bins: bin j has its centre at coordinate j. Everything else about binning follows from the
definitions in this file; ``taps`` turns them into tables.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from event_perception.errors import ConfigError

Real = NDArray[np.float64]

GAUSSIAN_CUT = 1.5  # bins; sigma is one bin
GAUSSIAN_MASS = math.erf(GAUSSIAN_CUT / math.sqrt(2.0))  # of the cut Gaussian: the vote is divided by it
LANCZOS_MASS = 1.0097898406187330  # integral of the Lanczos-2 kernel, which is not normalised


@dataclass(frozen=True)
class Vote:
    """A vote kernel k.

    Attributes:
        shift: i = floor(u + shift) is the cell of an event, r = u + shift - i its remainder in [0, 1).
        reach: k vanishes beyond this distance, bins.
        offsets: Bins i + offset receive a vote.
    """

    shift: float
    reach: float
    offsets: tuple[int, ...]


VOTES = {
    'rect': Vote(shift=0.5, reach=0.5, offsets=(0,)),
    'bilinear': Vote(shift=0.0, reach=1.0, offsets=(0, 1)),
    'gaussian': Vote(shift=0.5, reach=GAUSSIAN_CUT, offsets=(-1, 0, 1)),
}
RECONSTRUCTIONS = ('linear', 'cubic', 'lanczos2')
RECONSTRUCTION_REACH = {'linear': 1.0, 'cubic': 2.0, 'lanczos2': 2.0}

_F = Fraction
# Per unit cell from the left, powers of the remainder. Cubic: Keys 1981, a = -1/2.
RECONSTRUCTION_CELLS: dict[str, list[list[Fraction]]] = {
    'linear': [[_F(0), _F(1)], [_F(1), _F(-1)]],
    'cubic': [
        [_F(0), _F(0), _F(-1, 2), _F(1, 2)],
        [_F(0), _F(1, 2), _F(2), _F(-3, 2)],
        [_F(1), _F(0), _F(-5, 2), _F(3, 2)],
        [_F(0), _F(-1, 2), _F(1), _F(-1, 2)],
    ],
}


def vote(kernel: str) -> Vote:
    """Look up a vote kernel.

    Raises:
        ConfigError: If the name is unknown.
    """
    if kernel not in VOTES:
        raise ConfigError(f'kernel={kernel!r}: choose one of {list(VOTES)}')
    return VOTES[kernel]


def vote_kernel(kernel: str, x: Real) -> Real:
    """k(x), for reference and for tests; rect is 1 on [-1/2, 1/2)."""
    vote(kernel)
    if kernel == 'rect':
        return ((x >= -0.5) & (x < 0.5)).astype(np.float64)
    if kernel == 'bilinear':
        return np.maximum(0.0, 1.0 - np.abs(x))
    return _gaussian(x)


def reconstruction_kernel(reconstruction: str, x: Real) -> Real:
    """l(x): linear and cubic reproduce straight lines; Lanczos-2 only interpolates the samples."""
    if reconstruction == 'lanczos2':
        return _lanczos(x)
    return _from_cells(RECONSTRUCTION_CELLS[reconstruction], x)


def backward_curvature(kernel: str, reconstruction: str) -> Callable[[Real], Real]:
    """kappa''(x) of a pair without polynomial form, off the knots; kappa = l * k, by the kernel's own rule."""
    if kernel == 'rect':
        return lambda x: _lanczos(x + 0.5, 1) - _lanczos(x - 0.5, 1)
    if kernel == 'bilinear':
        return lambda x: _second_difference(_lanczos, x)
    if reconstruction == 'linear':
        return lambda x: _second_difference(_gaussian, x)
    second_derivative = _cubic_curvature if reconstruction == 'cubic' else lambda x: _lanczos(x, 2)
    return lambda x: _convolve_with_gaussian(second_derivative, x)


def _second_difference(function: Callable[[Real], Real], x: Real) -> Real:
    return function(x + 1.0) - 2.0 * function(x) + function(x - 1.0)


def _from_cells(cells: list[list[Fraction]], x: Real) -> Real:
    index = np.floor(x).astype(int) + len(cells) // 2
    coefficients = np.array(cells, np.float64)[np.clip(index, 0, len(cells) - 1)]
    r = x - np.floor(x)
    value = sum(coefficients[..., p] * r**p for p in range(coefficients.shape[-1]))
    return np.where((index >= 0) & (index < len(cells)), value, 0.0)


def _gaussian(x: Real) -> Real:
    density = np.exp(-0.5 * x * x) / (math.sqrt(2.0 * math.pi) * GAUSSIAN_MASS)
    return np.where(np.abs(x) < GAUSSIAN_CUT, density, 0.0)


def _convolve_with_gaussian(function: Callable[[Real], Real], x: Real) -> Real:
    """Integral of function(x - t) k(t), by Gauss-Legendre between the knots of both: exact to rounding.

    For Lanczos there is no closed form: a Gaussian times cos(a t) / t^2. For the cubic there is one in erf,
    which cancels; it serves as a test.
    """
    nodes, weights = leggauss(20)
    ends = np.broadcast_to([-GAUSSIAN_CUT, GAUSSIAN_CUT], (len(x), 2))
    inside = np.clip(x[:, None] + np.arange(-2.0, 3.0), -GAUSSIAN_CUT, GAUSSIAN_CUT)
    knots = np.sort(np.concatenate([ends, inside], axis=1), axis=1)
    half = 0.5 * np.diff(knots)[..., None]
    t = 0.5 * (knots[:, 1:] + knots[:, :-1])[..., None] + half * nodes
    return np.sum(half * weights * function(x[:, None, None] - t) * _gaussian(t), axis=(1, 2))


def _cubic_curvature(x: Real) -> Real:
    return _from_cells([[2 * c[2], 6 * c[3]] for c in RECONSTRUCTION_CELLS['cubic']], x)


def _lanczos(x: Real, order: int = 0) -> Real:
    """Lanczos-2, its first or its second derivative, through its spectrum.

    sinc(x) sinc(x/2) is the Fourier integral of a trapezoid, 1 up to frequency 1/4 and falling to 0 at 3/4;
    so no quotient sin(a)/a has to be differentiated near 0, and Gauss-Legendre is exact to rounding.
    """
    nodes, weights = leggauss(24)
    inner, outer = 0.125 * (nodes + 1.0), 0.5 + 0.25 * nodes
    omega = 2.0 * math.pi * np.concatenate([inner, outer])
    spectrum = np.concatenate([0.25 * weights, 0.5 * weights * (1.5 - 2.0 * outer)])
    wave = np.cos(omega * x[..., None] + 0.5 * math.pi * order) * omega**order
    return np.where(np.abs(x) < 2.0, wave @ spectrum, 0.0)
