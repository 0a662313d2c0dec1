# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Compiled loops of the map of directions: voting into a cube, and rendering it as a camera sees it.

A direction (x, y, z) belongs to the face of its largest component; on that face, w the component,

    column = half (u / w) + centre,   row = half (v / w) + centre,   half = texels from the centre to the edge

A face reaches ``BORDER`` texels beyond its edge, and what falls there is voted into both faces: so a bilinear read
needs one face only. A texel in a corner of a face covers a smaller angle than one in its centre: votes carry
(1 + (u/w)^2 + (v/w)^2)^(3/2), so that texels hold a density over the sphere.
"""

import numpy as np
from numba import njit

from event_perception.motion.image_kernels import INLINED, OPTIONS, f32

BORDER = 2
FACES = 6
SPARSE = 3  # the values of cells are read at pixels whose row and column have none of these bits
COARSE = 8  # texels of the map per cell of what is kept about exposure, along each side


@njit(**INLINED)
def _on_face(face, x, y, z):  # type: ignore[no-untyped-def]
    """(u, v, w) of a direction on a face; w is negative behind it."""
    axis = face >> 1
    w = x if axis == 0 else (y if axis == 1 else z)
    u, v = (y, z) if axis == 0 else ((x, z) if axis == 1 else (x, y))
    return u, v, -w if face & 1 else w


@njit(**INLINED)
def _main_face(x, y, z):  # type: ignore[no-untyped-def]
    ax, ay, az = abs(x), abs(y), abs(z)
    if ax >= ay and ax >= az:
        return 0 if x > 0 else 1
    if ay >= az:
        return 2 if y > 0 else 3
    return 4 if z > 0 else 5


@njit(**INLINED)
def _rows(R):  # type: ignore[no-untyped-def]
    """The matrix as scalars: the compiler must assume that writing a picture could change an array."""
    return (R[0, 0], R[0, 1], R[0, 2]), (R[1, 0], R[1, 1], R[1, 2]), (R[2, 0], R[2, 1], R[2, 2])


@njit(**INLINED)
def _turned(r, p, q):  # type: ignore[no-untyped-def]
    """R (p, q, 1)."""
    x, y, z = r
    return x[0] * p + x[1] * q + x[2], y[0] * p + y[1] * q + y[2], z[0] * p + z[1] * q + z[2]


@njit(**OPTIONS)
def vote_directions(p, q, R, weight, votes):  # type: ignore[no-untyped-def]
    """Add points of the image plane to the faces.

    Args:
        p: X/Z of the points, float32 (n,).
        q: Y/Z.
        R: Camera to map, float32 (3, 3).
        weight: Of every point.
        votes: float32 (6, size, size).
    """
    size = votes.shape[1]
    half = f32(0.5 * (size - 2 * BORDER))
    centre = f32(0.5 * (size - 1))
    reach = centre - f32(0.01)
    one, rows = f32(1), _rows(R)
    for i in range(p.shape[0]):
        x, y, z = _turned(rows, p[i], q[i])
        for face in range(FACES):
            u, v, w = _on_face(face, x, y, z)
            if w <= f32(0):
                continue
            u, v = u / w, v / w
            a, b = half * u, half * v
            if abs(a) >= reach or abs(b) >= reach:
                continue
            s = one + u * u + v * v
            density = weight * s * np.sqrt(s)
            a, b = a + centre, b + centre
            column, row = int(a), int(b)
            fa, fb = a - f32(column), b - f32(row)
            upper, lower = density * (one - fb), density * fb
            votes[face, row, column] += upper * (one - fa)
            votes[face, row, column + 1] += upper * fa
            votes[face, row + 1, column] += lower * (one - fa)
            votes[face, row + 1, column + 1] += lower * fa


@njit(**OPTIONS)
def expose(grid, shape, step, R, omega, amount, sums, values):  # type: ignore[no-untyped-def]
    """Book that a view was seen.

    Args:
        grid: scale_x, offset_x, scale_y, offset_y of the view's bins, float32 (4,).
        shape: Rows and columns of the view.
        step: Every how many bins.
        R: Camera to map, float32 (3, 3).
        omega: Rotation over the window, rad (3,): a texel is exposed by how far the image moves over it.
        amount: Exposure per radian of motion and per bin looked at.
        sums: float32 (6, cells, cells, k + 1): exposure, and exposure times each value.
        values: float32 (k,).
    """
    cells = sums.shape[1]
    one, rows = f32(1), _rows(R)
    for row in range(step // 2, shape[0], step):
        q = (f32(row) - grid[3]) / grid[2]
        for column in range(step // 2, shape[1], step):
            p = (f32(column) - grid[1]) / grid[0]
            c0, c1, c2 = omega[1] - omega[2] * q, omega[2] * p - omega[0], omega[0] * q - omega[1] * p
            view = one + p * p + q * q
            # how far this direction moved, and how large an angle the bin covers there
            moved = np.sqrt((c0 * c0 + c1 * c1 + c2 * c2) / view) * amount / (view * np.sqrt(view))
            x, y, z = _turned(rows, p, q)
            face = _main_face(x, y, z)
            u, v, w = _on_face(face, x, y, z)
            i = min(int(f32(0.5) * (v / w + one) * f32(cells)), cells - 1)
            j = min(int(f32(0.5) * (u / w + one) * f32(cells)), cells - 1)
            s = one + (u * u + v * v) / (w * w)
            share = moved * s * np.sqrt(s)
            sums[face, i, j, 0] += share
            for k in range(values.shape[0]):
                sums[face, i, j, k + 1] += share * values[k]


@njit(**OPTIONS)
def render_directions(votes, sums, least, extra, until, grid, shape, R, out, seen):  # type: ignore[no-untyped-def]
    """The map as a camera sees it: votes per exposure, its mean removed where it is known, 0 elsewhere.

    Args:
        votes: float32 (6, size, size).
        sums: float32 (6, cells, cells, k + 1), see ``expose``.
        least: Exposure from which a cell counts as known.
        extra: Added to the exposure.
        until: Cells whose last value is on average beyond this count as unknown.
        grid: scale_x, offset_x, scale_y, offset_y of the bins, float32 (4,).
        shape: Rows and columns.
        R: Camera to map, float32 (3, 3).
        out: Output, float32 (rows, columns).
        seen: Output, float32 (k + 1,): mean of the values over the known part; last its share.

    Returns:
        Mean, over the known part, of the density and of its square.
    """
    size, cells, n_values = votes.shape[1], sums.shape[1], seen.shape[0] - 1
    half, centre = f32(0.5 * (size - 2 * BORDER)), f32(0.5 * (size - 1))
    one, rows, half_cells, last = f32(1), _rows(R), f32(0.5 * cells), np.int32(cells - 1)
    texels, cell_values, line = votes.ravel(), sums.ravel(), np.uint64(size)
    step_p, step_q = one / grid[0], one / grid[2]
    total, squares, known, looked = 0.0, 0.0, 0, 0
    seen[:] = 0
    for row in range(shape[0]):
        q = (f32(row) - grid[3]) * step_q
        line_total, line_squares = f32(0), f32(0)
        for column in range(shape[1]):
            p = (f32(column) - grid[1]) * step_p
            x, y, z = _turned(rows, p, q)
            face = _main_face(x, y, z)
            u, v, w = _on_face(face, x, y, z)
            inverse = one / w
            u, v = u * inverse, v * inverse
            i = min(np.int32((v + one) * half_cells), last)
            j = min(np.int32((u + one) * half_cells), last)
            cell = np.uint64(((face * cells + i) * cells + j) * (n_values + 1))
            exposure = cell_values[cell]
            if exposure < least or cell_values[cell + np.uint64(n_values)] > until * exposure:
                out[row, column] = np.nan
                continue
            a, b = half * u + centre, half * v + centre
            c, r = np.int32(a), np.int32(b)
            fa, fb = a - f32(c), b - f32(r)
            k = np.uint64((face * size + r) * size + c)
            top = texels[k] + fa * (texels[k + np.uint64(1)] - texels[k])
            m = k + line
            low = texels[m] + fa * (texels[m + np.uint64(1)] - texels[m])
            value = (top + fb * (low - top)) / (exposure + extra)
            out[row, column] = value
            line_total += value
            line_squares += value * value
            known += 1
            if (row & SPARSE) == 0 and (column & SPARSE) == 0:
                looked += 1
                for n in range(n_values):
                    seen[n] += cell_values[cell + np.uint64(n + 1)] / exposure
        total += float(line_total)
        squares += float(line_squares)
    count = max(known, 1)
    mean = f32(total / count)
    for row in range(shape[0]):
        for column in range(shape[1]):
            out[row, column] = out[row, column] - mean if out[row, column] == out[row, column] else f32(0)
    seen[:] /= f32(max(looked, 1))
    seen[-1] = known / (shape[0] * shape[1])
    return total / count, squares / count
