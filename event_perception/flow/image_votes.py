# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled steps that tiles and the joint field share: votes into one image, its focus, and its cotangent.

The focus of an image h of votes is sum h^2 (on an image that loses no event sum h is constant, so this is its
variance) or, by default, the squared gradient magnitude

    S = sum |grad h|^2 = h^T K h,   central differences,   dS/dh = 2 K h.

Events outside the image are left out, never moved to its border. One thread, a fixed order of summation.
"""

import numpy as np
from numba import njit

from event_perception.motion.image_kernels import OPTIONS, f32, make_sampler
from event_perception.motion.spread_kernels import backward_taps

MARGIN = 3  # bins of a border that no event comes to: two for the differences, one for the taps
SAMPLE = make_sampler('bilinear', 'linear', 2)
SAMPLE_FIRST = make_sampler('bilinear', 'linear', 1)
VALUES, SLOPES, FIRST = backward_taps('bilinear', 'linear').values()
OUTSIDE = np.int32(-1)


@njit(**OPTIONS)
def vote(u, v, rows, columns, image, cell, rx, ry):  # type: ignore[no-untyped-def]
    """Bilinear votes of events at bin coordinates (u, v) into a cleared image.

    Args:
        u: Columns in bins, float32 (n,).
        v: Rows in bins.
        rows: Rows of the image.
        columns: Columns of the image.
        image: Output, float32 (rows * columns,); cleared here.
        cell: Output, index of the bin up left of each event, int32 (n,); ``OUTSIDE`` for one that is left out.
        rx: Output, remainder along the row, float32 (n,).
        ry: Output, remainder across rows.

    Returns:
        First row and last row + 1 where something was voted for.
    """
    one = f32(1)
    low, high_x, high_y = f32(MARGIN), f32(columns - MARGIN - 2), f32(rows - MARGIN - 2)
    image[: rows * columns] = f32(0)
    top, bottom = high_y, low
    for i in range(u.shape[0]):
        column, row = np.floor(u[i]), np.floor(v[i])
        if column >= low and column <= high_x and row >= low and row <= high_y:
            x, y = u[i] - column, v[i] - row
            c = np.int32(row) * np.int32(columns) + np.int32(column)
            cell[i], rx[i], ry[i] = c, x, y
            k = np.uint64(c)
            below = k + np.uint64(columns)
            image[k] += (one - x) * (one - y)
            image[k + np.uint64(1)] += x * (one - y)
            image[below] += (one - x) * y
            image[below + np.uint64(1)] += x * y
            top, bottom = min(top, row), max(bottom, row)
        else:
            cell[i] = OUTSIDE
    return min(np.int64(top), np.int64(bottom)), np.int64(bottom) + 2


@njit(**OPTIONS)
def focus(image, columns, top, bottom, by_gradient, cotangent):  # type: ignore[no-untyped-def]
    """Focus of an image of votes, and its derivative by the bins.

    Args:
        image: float32 (rows * columns,), zero within ``MARGIN`` of its border.
        columns: Columns of the image.
        top: First row that is not zero.
        bottom: Last one + 1.
        by_gradient: Squared gradient magnitude, else sum of squares.
        cotangent: Output, float32 (rows * columns,); written from two rows above top to two below bottom.

    Returns:
        The focus.
    """
    total = 0.0
    quarter, half = f32(2), f32(0.5)
    for row in range(top - MARGIN, bottom + MARGIN):
        start = row * columns
        line = f32(0)
        if by_gradient and row >= top - 2 and row < bottom + 2:
            for k in range(start + 2, start + columns - 2):
                near = image[k - 2] + image[k + 2] + image[k - 2 * columns] + image[k + 2 * columns]
                value = quarter * image[k] - half * near
                cotangent[k] = value
                line += half * value * image[k]
        elif by_gradient:
            cotangent[start : start + columns] = f32(0)
        else:
            for k in range(start, start + columns):
                cotangent[k] = f32(2) * image[k]
                line += image[k] * image[k]
        total += float(line)
    return total


@njit(**OPTIONS)
def floored(xx, xy, yy, floor, absolute):  # type: ignore[no-untyped-def]
    """A symmetric matrix 2x2 with eigenvalues of at least ``floor`` times the larger one in size.

    Args:
        xx: Its elements.
        xy: Its elements.
        yy: Its elements.
        floor: Fraction.
        absolute: Whether negative eigenvalues turn their sign, as modified Newton wants; else they are raised to the
            floor.

    Returns:
        Its elements xx, xy, yy; all zero where it is zero.
    """
    mean, difference = 0.5 * (xx + yy), 0.5 * (xx - yy)
    radius = np.sqrt(difference * difference + xy * xy)
    high, low = mean + radius, mean - radius
    largest = max(abs(high), abs(low))
    if absolute:
        a, b = abs(high), abs(low)
    else:
        a, b = high, low
    a, b = max(a, floor * largest), max(b, floor * largest)
    if radius <= 1e-12 * largest:
        return a, 0.0, b
    # P = b I + (a - b) projector on the eigenvector of ``high``, which is (I + M' / radius) / 2.
    along, share = 0.5 * (a - b), difference / radius
    return b + along * (1 + share), along * xy / radius, b + along * (1 - share)


@njit(**OPTIONS)
def capped_step(xx, xy, yy, gx, gy, longest):  # type: ignore[no-untyped-def]
    """P^-1 g, cut to a length; zero where P is not positive."""
    determinant = xx * yy - xy * xy
    if not determinant > 0.0:
        return 0.0, 0.0
    x, y = (yy * gx - xy * gy) / determinant, (xx * gy - xy * gx) / determinant
    length = np.sqrt(x * x + y * y)
    if length > longest:
        return x * longest / length, y * longest / length
    return x, y
