# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops between warped events and their image: cells, votes, statistics, and the pull-back.

The pull-back carries the derivative of an objective from the bins to the parameters of a warp. It writes no
array, only sums, so the compiler may take many events at once; the taps come from ``binning.taps`` as
constants, and the derivatives of a warp enter as a small inlined function. One thread, a fixed order of
summation: the same input gives the same bits.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

from event_perception.binning.taps import taps
from event_perception.motion.grid import RING

f32 = np.float32
# Sums may be reordered for vector units; nan and infinity keep their meaning.
FAST = {'reassoc', 'contract', 'nsz', 'arcp'}
OPTIONS: dict[str, Any] = {'cache': True, 'nogil': True, 'fastmath': FAST, 'error_model': 'numpy'}

# Small functions of a loop: the compiler inlines them late, which builds several times faster than numba's inlining.
INLINED: dict[str, Any] = {'forceinline': True, 'fastmath': FAST, 'error_model': 'numpy'}

FLOAT32_TAPS = 3e-8  # error allowed when a tap's series is shortened for float32
FIRST_CELL, LAST_CELL_BEYOND = -2, 1  # cells -2 .. W + 1 still reach the image, whatever the pair
TAPS_REACH = 2  # cells further than this from the border have all taps in the image
_SHELTER = 2  # row and column of a ring bin whose taps all lie in the ring: the place of masked events
_BLOCK = 1024


@cache
def _float32_table(kernel: str, reconstruction: str) -> tuple[tuple[f32, ...], tuple[int, ...], int]:
    """Taps as flat constants ``[(order * powers + power) * n_taps + tap]``, degree per order, powers."""
    table = taps(kernel, reconstruction).table
    orders = [[shortened(table[o, :, k]) for k in range(table.shape[2])] for o in range(3)]
    degrees = tuple(max(len(series) for series in taps_) - 1 for taps_ in orders)
    powers = max(degrees) + 1
    flat = np.zeros((3, powers, table.shape[2]), f32)
    for o, series_of_taps in enumerate(orders):
        for k, series in enumerate(series_of_taps):
            flat[o, : len(series), k] = series
    return tuple(f32(c) for c in flat.ravel()), degrees, powers


def shortened(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shortest polynomial on [0, 1] that agrees to float32; exact short ones stay as they are."""
    trimmed = np.trim_zeros(series, 'b')
    if len(trimmed) <= 5:
        return trimmed if len(trimmed) else np.zeros(1)
    chebyshev = Polynomial(series).convert(domain=[0, 1], kind=Chebyshev, window=[-1, 1])
    tail = np.cumsum(np.abs(chebyshev.coef[::-1]))[::-1]
    keep = max(1, int(np.count_nonzero(tail > FLOAT32_TAPS)))
    shorter = Chebyshev(chebyshev.coef[:keep], domain=[0, 1]).convert(kind=Polynomial)
    return np.asarray(shorter.coef, np.float64)


@njit(**OPTIONS)
def look_up_bearings(table, columns, rows, dt_s, x, y, d):  # type: ignore[no-untyped-def]
    """Copy the bearings (H, W, 2) of the events' pixels, skipping pixels without one; returns how many."""
    kept = 0
    for i in range(columns.shape[0]):
        r, c = np.uint64(rows[i]), np.uint64(columns[i])
        x[kept], y[kept], d[kept] = table[r, c, 0], table[r, c, 1], dt_s[i]
        kept += np.isfinite(table[r, c, 0])
    return kept


@njit(**OPTIONS)
def find_cells(u, v, inside, grid, shape, stride, shift, cell, rx, ry):  # type: ignore[no-untyped-def]
    """Cell index in the padded image and remainders; what cannot reach the image goes to the ring.

    Args:
        u: X/Z of the warped events, float32 (n,).
        v: Y/Z.
        inside: Whether the warp is defined for the event, bool (n,); afterwards, whether all taps of the event
            lie in the image.
        grid: scale_x, offset_x, scale_y, offset_y, float32 (4,).
        shape: Rows and columns of the image without its ring.
        stride: Columns of the padded image, int32.
        shift: 1/2 for rect and gaussian votes, 0 for bilinear, float32.
        cell: Output int32 (n,).
        rx: Output float32 (n,), in [0, 1).
        ry: Output float32 (n,).
    """
    scale_x, offset_x, scale_y, offset_y = grid[0], grid[1] + shift, grid[2], grid[3] + shift
    low, far = f32(FIRST_CELL), f32(TAPS_REACH)
    far_x, far_y = f32(shape[1] - 1 - TAPS_REACH), f32(shape[0] - 1 - TAPS_REACH)
    high_x, high_y = f32(shape[1] + LAST_CELL_BEYOND), f32(shape[0] + LAST_CELL_BEYOND)
    shelter = np.int32(_SHELTER) * stride + np.int32(_SHELTER)
    for i in range(u.shape[0]):
        a = u[i] * scale_x + offset_x
        b = v[i] * scale_y + offset_y
        column, row = np.floor(a), np.floor(b)
        reach = inside[i] & (column >= low) & (column <= high_x) & (row >= low) & (row <= high_y)
        inside[i] = reach & (column >= far) & (column <= far_x) & (row >= far) & (row <= far_y)
        index = (np.int32(row) + np.int32(RING)) * stride + np.int32(column) + np.int32(RING)
        cell[i] = index if reach else shelter
        rx[i] = a - column if reach else f32(0)
        ry[i] = b - row if reach else f32(0)


@njit(**OPTIONS)
def vote_rect(cell, rx, ry, w, image, stride):  # type: ignore[no-untyped-def]
    """Add each weight to its bin."""
    for i in range(cell.shape[0]):
        image[np.uint64(cell[i])] += w[i]


@njit(**OPTIONS)
def vote_bilinear(cell, rx, ry, w, image, stride):  # type: ignore[no-untyped-def]
    """Spread each weight over the four nearest bins."""
    next_row = np.uint64(stride)
    one = np.uint64(1)
    for i in range(cell.shape[0]):
        c = np.uint64(cell[i])
        lower = w[i] * ry[i]
        upper = w[i] - lower
        image[c] += upper - upper * rx[i]
        image[c + one] += upper * rx[i]
        image[c + next_row] += lower - lower * rx[i]
        image[c + next_row + one] += lower * rx[i]


@njit(**OPTIONS)
def vote_bilinear_moments(cell, rx, ry, w, d, ramp, image, first, second, stride, n_moments):  # type: ignore[no-untyped-def]
    """Votes of w, w d and w d (d ramp) in one go; ``n_moments`` 1 leaves out the last."""
    next_row = np.uint64(stride)
    one = np.uint64(1)
    for i in range(cell.shape[0]):
        c = np.uint64(cell[i])
        e = c + next_row
        x, t = rx[i], d[i]
        lower = w[i] * ry[i]
        upper = w[i] - lower
        v01, v11 = upper * x, lower * x
        v00, v10 = upper - v01, lower - v11
        image[c] += v00
        image[c + one] += v01
        image[e] += v10
        image[e + one] += v11
        first[c] += v00 * t
        first[c + one] += v01 * t
        first[e] += v10 * t
        first[e + one] += v11 * t
        if n_moments > 1:
            t *= t * ramp
            second[c] += v00 * t
            second[c + one] += v01 * t
            second[e] += v10 * t
            second[e + one] += v11 * t


@njit(**OPTIONS)
def _gauss3(r):  # type: ignore[no-untyped-def]
    """The cut, normalised Gaussian of sigma 1 at the three nearest bins."""
    scale = f32(0.39894228040143268 / 0.8663855974622838)
    d = r - f32(0.5)
    centre = scale * np.exp(f32(-0.5) * d * d)
    side = f32(0.6065306597126334)  # exp(-1/2)
    return centre * side * np.exp(-d), centre, centre * side * np.exp(d)


@njit(**OPTIONS)
def vote_gaussian(cell, rx, ry, w, image, stride):  # type: ignore[no-untyped-def]
    """Spread each weight over the nine nearest bins."""
    for i in range(cell.shape[0]):
        gx, gy = _gauss3(rx[i]), _gauss3(ry[i])
        start = np.int64(cell[i]) - np.int64(stride) - 1
        for row in range(3):
            c = np.uint64(start + row * np.int64(stride))
            for column in range(3):
                image[c + np.uint64(column)] += w[i] * gy[row] * gx[column]


@njit(**OPTIONS)
def sums_and_ring(image, shape, stride):  # type: ignore[no-untyped-def]
    """Sum and sum of squares of the image; its ring is set to the mean, where the cotangent is zero."""
    total, squares = 0.0, 0.0
    for row in range(RING, RING + shape[0]):
        start = row * stride + RING
        line = image[start : start + shape[1]]
        line_total, line_squares = f32(0), f32(0)
        for value in line:
            line_total += value
            line_squares += value * value
        total += float(line_total)
        squares += float(line_squares)
    fill_ring(image, shape, stride, f32(total / (shape[0] * shape[1])))
    return total, squares


@njit(**OPTIONS)
def fill_ring(image, shape, stride, value):  # type: ignore[no-untyped-def]
    """Set the ring around the image to one value."""
    top, bottom = RING * stride, (RING + shape[0]) * stride
    image[:top] = value
    image[bottom:] = value
    for row in range(RING, RING + shape[0]):
        image[row * stride : row * stride + RING] = value
        image[row * stride + RING + shape[1] : (row + 1) * stride] = value


def specialised(template: Callable[..., Any], name: str, **constants: Any) -> Callable[..., Any]:
    """A kernel compiled from a template whose global names stand for these constants and inlined functions.

    Not a closure: numba tells closures apart by what they hold, and finds an inlined function different in
    every process; its disk cache would miss each time, and grow.
    """
    function = FunctionType(template.__code__, {**template.__globals__, **constants}, name)
    function.__qualname__ = name
    compiled: Callable[..., Any] = njit(**OPTIONS)(function)
    return compiled


def make_sampler(kernel: str, reconstruction: str, order: int, *, valued: bool = False) -> Callable[..., Any]:
    """Inlined function (image, stride, cell, rx, ry) -> (gu, gv, huu, huv, hvv) of one event, per bin.

    Weak derivatives of sum_j image_j k(u - j) by the position of the event: kappa', kappa'' for k. With ``valued``
    the value before them, of kappa for k: what they are the exact derivatives of.
    """
    pair = taps(kernel, reconstruction)
    n, first = pair.n_taps, np.int32(pair.first)
    value_of, slope_of, curvature_of = (make_taps(kernel, reconstruction, o) for o in range(3))
    dot, rows = _CONTRACTIONS[n]
    second = order > 1

    @njit(**INLINED)
    def sample(image, stride, cell, rx, ry):  # type: ignore[no-untyped-def]
        corner = cell + first * (stride + np.int32(1))
        x1, y0 = slope_of(rx), value_of(ry)
        across, along = rows(image, corner, stride, value_of(rx)), rows(image, corner, stride, x1)
        y1 = slope_of(ry)
        gu, gv = dot(y0, along), dot(y1, across)
        if second:
            huu = dot(y0, rows(image, corner, stride, curvature_of(rx)))
            return gu, gv, huu, dot(y1, along), dot(curvature_of(ry), across)
        return gu, gv, f32(0), f32(0), f32(0)

    @njit(**INLINED)
    def sample_with_value(image, stride, cell, rx, ry):  # type: ignore[no-untyped-def]
        corner = cell + first * (stride + np.int32(1))
        value = dot(value_of(ry), rows(image, corner, stride, value_of(rx)))
        return (value, *sample(image, stride, cell, rx, ry))

    return sample_with_value if valued else sample


def make_taps(kernel: str, reconstruction: str, derivative: int) -> Callable[..., Any]:
    """Inlined function r -> the taps of one derivative as a tuple."""
    n = taps(kernel, reconstruction).n_taps
    table, degrees, powers = _float32_table(kernel, reconstruction)
    degree, base = degrees[derivative], derivative * powers

    @njit(**INLINED)
    def tap(k, r):  # type: ignore[no-untyped-def]
        value = table[(base + degree) * n + k]
        for power in range(degree):
            value = value * r + table[(base + degree - 1 - power) * n + k]
        return value

    @njit(**INLINED)
    def three(r):  # type: ignore[no-untyped-def]
        return tap(0, r), tap(1, r), tap(2, r)

    @njit(**INLINED)
    def four(r):  # type: ignore[no-untyped-def]
        return tap(0, r), tap(1, r), tap(2, r), tap(3, r)

    @njit(**INLINED)
    def five(r):  # type: ignore[no-untyped-def]
        return tap(0, r), tap(1, r), tap(2, r), tap(3, r), tap(4, r)

    return {3: three, 4: four, 5: five}[n]


@njit(**INLINED)
def _dot3(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(**INLINED)
def _dot4(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]


@njit(**INLINED)
def _dot5(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] + a[4] * b[4]


# Unsigned indices below: no wrap-around to test for.


@njit(**INLINED)
def _row3(image, i, t):  # type: ignore[no-untyped-def]
    k = np.uint64(i)
    return t[0] * image[k] + t[1] * image[k + np.uint64(1)] + t[2] * image[k + np.uint64(2)]


@njit(**INLINED)
def _row4(image, i, t):  # type: ignore[no-untyped-def]
    k = np.uint64(i)
    left = t[0] * image[k] + t[1] * image[k + np.uint64(1)]
    return left + t[2] * image[k + np.uint64(2)] + t[3] * image[k + np.uint64(3)]


@njit(**INLINED)
def _row5(image, i, t):  # type: ignore[no-untyped-def]
    k = np.uint64(i)
    left = t[0] * image[k] + t[1] * image[k + np.uint64(1)] + t[2] * image[k + np.uint64(2)]
    return left + t[3] * image[k + np.uint64(3)] + t[4] * image[k + np.uint64(4)]


@njit(**INLINED)
def _rows3(image, i, stride, t):  # type: ignore[no-untyped-def]
    j = i + stride
    return _row3(image, i, t), _row3(image, j, t), _row3(image, j + stride, t)


@njit(**INLINED)
def _rows4(image, i, stride, t):  # type: ignore[no-untyped-def]
    j = i + stride
    k = j + stride
    return _row4(image, i, t), _row4(image, j, t), _row4(image, k, t), _row4(image, k + stride, t)


@njit(**INLINED)
def _rows5(image, i, stride, t):  # type: ignore[no-untyped-def]
    j = i + stride
    k = j + stride
    m = k + stride
    a, b, c = _row5(image, i, t), _row5(image, j, t), _row5(image, k, t)
    return a, b, c, _row5(image, m, t), _row5(image, m + stride, t)


# Written out per number of taps: loops here would keep the compiler from taking many events at once.
_CONTRACTIONS = {3: (_dot3, _rows3), 4: (_dot4, _rows4), 5: (_dot5, _rows5)}
VOTES: dict[str, Callable[..., None]] = {
    'rect': vote_rect,
    'bilinear': vote_bilinear,
    'gaussian': vote_gaussian,
}
