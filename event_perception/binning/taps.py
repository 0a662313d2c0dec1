# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The taps: what one event gives to, and hears from, the bins around it. The only source of these numbers.

A vote kernel k and a reconstruction kernel l make the backward kernel kappa = l * k (convolution). The
forward image sums k(u_n - j); its derivatives use kappa'(u_n - j), so that a cotangent sampled at the bins
acts through its interpolation by l (functional backpropagation, arXiv 2602.12590).

On the cell of an event every kappa_o(r) = kappa(u - (i + o)) is one smooth function of the remainder
r in [0, 1), so a pair is a small table of polynomials: ``table[order, power, tap]`` holds the coefficients of
kappa (order 0), kappa' (1) and kappa'' (2). Rect and bilinear votes with linear or cubic reconstruction are
polynomials: their tables are exact rationals, rounded once. Gaussian votes and Lanczos reconstruction are
entire functions of r: theirs are Chebyshev interpolants carried to the last bit (error below 1e-14).
In both cases one starts from kappa'' and integrates twice; kappa and kappa' are continuous and vanish left of
the support, so each cell begins where the one before it ended. One Horner scheme then serves all:
``Taps.evaluate`` for numpy, ``stencil`` for torch, ``numba_taps`` for compiled kernels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from event_perception.binning import kernels, surrogates
from event_perception.errors import ConfigError

Polynomial = list[Fraction]  # coefficients in powers of r, the lowest first

_FIT_NODES = 26  # enough for the fastest function, Lanczos-2, whose last coefficients are rounding only
_FIT_TOLERANCE = 2e-15  # relative; a series ends before the first two coefficients in a row below it


@dataclass(frozen=True, eq=False)
class Taps:
    """The taps of one pair of vote kernel and reconstruction kernel, along one axis.

    Attributes:
        kernel: Name of the vote kernel.
        reconstruction: Name of the reconstruction kernel, or of a baseline.
        shift: 1/2 for rect and gaussian, 0 for bilinear: i = floor(u + shift), r = u + shift - i.
        first: Offset of the first tap: tap number c acts on bin i + first + c.
        table: float64 (3, degree + 1, n_taps), ``[derivative, power of r, tap]``, read only.
    """

    kernel: str
    reconstruction: str | None
    shift: float
    first: int
    table: NDArray[np.float64]

    @property
    def n_taps(self) -> int:
        """Number of bins along the axis that an event reaches backward."""
        return int(self.table.shape[2])

    @property
    def columns(self) -> NDArray[np.float64]:
        """The table as (degree + 1, 3 n_taps): kappa of all taps, then kappa', then kappa''."""
        return np.ascontiguousarray(self.table.transpose(1, 0, 2)).reshape(self.table.shape[1], -1)

    @property
    def offsets(self) -> range:
        """Offsets of the taps from the cell index i."""
        return range(self.first, self.first + self.n_taps)

    def derivative(self, order: int) -> NDArray[np.float64]:
        """Coefficients (power, tap) of any derivative; beyond the second those inside the cells."""
        coefficients = self.table[min(order, 2)]
        for _ in range(order - 2):
            coefficients = coefficients[1:] * np.arange(1.0, len(coefficients))[:, None]
            coefficients = coefficients if len(coefficients) else np.zeros((1, self.n_taps))
        return coefficients

    def evaluate(self, r: NDArray[np.floating]) -> NDArray[np.float64]:
        """kappa, kappa' and kappa'' at remainders r (N,): float64 (3, N, n_taps)."""
        r = np.asarray(r, np.float64)[:, None]
        value = np.zeros((3, r.shape[0], self.n_taps))
        for power in range(self.table.shape[1] - 1, -1, -1):
            value = value * r + self.table[:, power, None, :]
        return value


@cache
def taps(kernel: str, reconstruction: str | None) -> Taps:
    """The taps of a pair; built on first use (a few ms), then remembered.

    Args:
        kernel: 'rect', 'bilinear' or 'gaussian'.
        reconstruction: 'linear', 'cubic' or 'lanczos2'. None gives the vote kernel itself and its ordinary
            derivatives inside its cells (the jumps between cells are what they miss), 'straight_through' and
            'sigmoid' the surrogates of the ``surrogates`` module: three baselines.

    Raises:
        ConfigError: If a name is unknown.
    """
    vote = kernels.vote(kernel)
    if reconstruction is None:
        return _from_value(kernel, None, vote.shift, _vote_cells(kernel))
    if reconstruction == 'straight_through':
        return _from_value(kernel, reconstruction, 0.0, _vote_cells('bilinear'))
    if reconstruction == 'sigmoid':
        lefts = np.arange(-surrogates.SIGMOID_REACH, surrogates.SIGMOID_REACH)
        cells = [_fit(surrogates.sigmoid, left, surrogates.SIGMOID_TOLERANCE) for left in lefts]
        return _from_value(kernel, reconstruction, 0.5, cells)
    if reconstruction not in kernels.RECONSTRUCTIONS:
        allowed = [*kernels.RECONSTRUCTIONS, None, *surrogates.SURROGATES]
        raise ConfigError(f'reconstruction={reconstruction!r}: choose one of {allowed}')
    return _from_curvature(kernel, reconstruction, vote.shift)


def _from_curvature(kernel: str, reconstruction: str, shift: float) -> Taps:
    exact = kernel != 'gaussian' and reconstruction != 'lanczos2'
    curvature = (_exact_curvature if exact else _fitted_curvature)(kernel, reconstruction)
    slope = _integrate(curvature)
    return _assemble(kernel, reconstruction, shift, [_integrate(slope), slope, curvature])


def _from_value(kernel: str, reconstruction: str | None, shift: float, value: list[Polynomial]) -> Taps:
    slope = _differentiate(value)
    return _assemble(kernel, reconstruction, shift, [value, slope, _differentiate(slope)])


def _assemble(kernel: str, reconstruction: str | None, shift: float, orders: list[list[Polynomial]]) -> Taps:
    """Tables from cells; cell c of the symmetric support, from the left, is seen by the tap n - 1 - c."""
    n_powers = max(len(polynomial) for cells in orders for polynomial in cells)
    table = np.stack([_table(cells, n_powers) for cells in orders])
    table.setflags(write=False)
    first = -(len(orders[0]) // 2) + (1 if shift == 0.0 else 0)
    return Taps(kernel, reconstruction, shift, first, table)


def _table(cells: list[Polynomial], n_powers: int) -> NDArray[np.float64]:
    table = np.zeros((n_powers, len(cells)))
    for tap, polynomial in enumerate(reversed(cells)):
        table[: len(polynomial), tap] = [float(c) for c in polynomial]
    return table


def _integrate(cells: list[Polynomial]) -> list[Polynomial]:
    """The antiderivative that vanishes at the left end of the support and is continuous."""
    start = Fraction(0)
    integrals = []
    for polynomial in cells:
        integral = [start] + [c / (power + 1) for power, c in enumerate(polynomial)]
        start = sum(integral, Fraction(0))
        integrals.append(integral)
    return integrals


def _differentiate(cells: list[Polynomial]) -> list[Polynomial]:
    return [[power * c for power, c in enumerate(polynomial)][1:] or [Fraction(0)] for polynomial in cells]


def _vote_cells(kernel: str) -> list[Polynomial]:
    """The vote kernel per cell, from the left."""
    if kernel == 'rect':
        return [[Fraction(1)]]
    if kernel == 'bilinear':
        return kernels.RECONSTRUCTION_CELLS['linear']
    return [_fit(lambda x: kernels.vote_kernel('gaussian', x), left) for left in (-1.5, -0.5, 0.5)]


def _exact_curvature(kernel: str, reconstruction: str) -> list[Polynomial]:
    """Cells of kappa'', from the left: differences of l' over one bin (rect), of l over two (bilinear)."""
    cells = kernels.RECONSTRUCTION_CELLS[reconstruction]
    if kernel == 'bilinear':
        return _difference(_difference(cells))
    return _difference(_differentiate(cells))


def _difference(cells: list[Polynomial]) -> list[Polynomial]:
    """f(x + 1/2) - f(x - 1/2) for a function given by its cells; one cell more, half a bin further left."""
    zero = [Fraction(0)] * len(cells[0])
    return [[a - b for a, b in zip(after, before)] for after, before in zip([*cells, zero], [zero, *cells])]


def _fitted_curvature(kernel: str, reconstruction: str) -> list[Polynomial]:
    """Cells of kappa'', from the left, interpolated where they are no polynomials."""
    reach = kernels.vote(kernel).reach + kernels.RECONSTRUCTION_REACH[reconstruction]
    curvature = kernels.backward_curvature(kernel, reconstruction)
    cells = [_fit(curvature, left) for left in np.arange(-reach, reach)]
    degree = max(len(cell) for cell in cells)
    return [cell + [Fraction(0)] * (degree - len(cell)) for cell in cells]


def _fit(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    left: float,
    tolerance: float = _FIT_TOLERANCE,
) -> Polynomial:
    """Chebyshev interpolant on (left, left + 1) in powers of r; the conversion is exact: nothing cancels."""
    n = _FIT_NODES
    angle = (np.arange(n) + 0.5) * math.pi / n
    samples = function(left + 0.5 + 0.5 * np.cos(angle))
    series = [2 / n * math.fsum(samples * np.cos(k * angle)) for k in range(n)]
    series[0] /= 2
    small = [abs(c) <= tolerance * max(map(abs, series)) for c in series]
    length = next((k for k in range(1, n - 1) if small[k] and small[k + 1]), n)
    return _chebyshev_to_powers(series[:length])


def _chebyshev_to_powers(series: list[float]) -> Polynomial:
    """sum_k series[k] T_k(2 r - 1) in powers of r, by T_k+1 = 2 (2 r - 1) T_k - T_k-1."""
    before, now = [Fraction(0)], [Fraction(1)]
    total = [Fraction(0)] * len(series)
    for k, c in enumerate(series):
        total = [t + Fraction(c) * (now[p] if p < len(now) else 0) for p, t in enumerate(total)]
        factor = 1 if k == 0 else 2
        following = [Fraction(0)] * (len(now) + 1)
        for p, coefficient in enumerate(now):
            following[p] -= factor * coefficient
            following[p + 1] += 2 * factor * coefficient
        for p, coefficient in enumerate(before if k else []):
            following[p] -= coefficient
        before, now = now, following
    return total
