# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How sharp a small cell of the image becomes by a motion: by the events that the motion brings into it, compiled.

Flow is that of the reference time, so a cell is judged by what is in it then. Events seen in a cell earlier or later
may belong to an object that was passing through.
"""

import numpy as np
from numba import njit

from event_perception.flow.image_votes import MARGIN
from event_perception.motion.image_kernels import OPTIONS, f32


@njit(**OPTIONS)
def sort_into_cells(x, y, s, spacing, rows, columns, cell_x, cell_y, cell_s, begin):  # type: ignore[no-untyped-def]
    """Events cell after cell, row by row (counting sort); what lies beyond the cells belongs to those at the border.

    Args:
        x: Columns, float32 (n,), px.
        y: Rows.
        s: Times from the reference, s.
        spacing: Side of a cell, px.
        rows: Rows of cells.
        columns: Columns of cells.
        cell_x: Output, columns, float32 (n,).
        cell_y: Output, rows.
        cell_s: Output, times.
        begin: Output, where each cell begins, and the end, int64 (rows * columns + 1,).
    """
    begin[:] = 0
    for i in range(x.shape[0]):
        begin[1 + _cell(y[i], spacing, rows) * columns + _cell(x[i], spacing, columns)] += 1
    for k in range(rows * columns):
        begin[k + 1] += begin[k]
    position = begin.copy()
    for i in range(x.shape[0]):
        k = _cell(y[i], spacing, rows) * columns + _cell(x[i], spacing, columns)
        j = position[k]
        cell_x[j], cell_y[j], cell_s[j] = x[i], y[i], s[i]
        position[k] += 1


@njit(**OPTIONS)
def _cell(x, spacing, count):  # type: ignore[no-untyped-def]
    return np.int64(min(max(np.floor((x + 0.5) / spacing), 0.0), count - 1.0))


@njit(**OPTIONS)
def score_arrivals(  # type: ignore[no-untyped-def]
    x, y, s, begin, spacing, rows, columns, half_s, centre_x, centre_y, candidates, bin_px, side, few, by_gradient, scores
):  # fmt: skip
    """Focus of each cell's window at the reference time, at some velocities of its own.

    Args:
        x: From ``sort_into_cells``.
        y: From ``sort_into_cells``.
        s: From ``sort_into_cells``.
        begin: From ``sort_into_cells``.
        spacing: As ``sort_into_cells``.
        rows: As ``sort_into_cells``.
        columns: As ``sort_into_cells``.
        half_s: Half the length of the window of events, s.
        centre_x: Columns of the centres of the cells that are judged, float64 (cells,), px.
        centre_y: Their rows.
        candidates: Velocities, float64 (cells, m, 2), px/s.
        bin_px: Side of a bin, px.
        side: Side of the window that a cell is judged by, px.
        few: A velocity that brings fewer events into the window scores 0.
        by_gradient: Squared gradient magnitude, else sum of squares.
        scores: Output, float64 (cells, m).
    """
    inner = int(np.ceil(side / bin_px))
    size = inner + 2 * MARGIN
    image = np.empty((size, size), np.float32)
    per_px, middle = f32(1.0 / bin_px), f32(0.5 * (size - 1))
    reach = 0.5 * side + MARGIN * bin_px
    for k in range(candidates.shape[0]):
        for c in range(candidates.shape[1]):
            qx, qy = candidates[k, c, 0], candidates[k, c, 1]
            far_x, far_y = reach + half_s * abs(qx), reach + half_s * abs(qy)
            left, right = (
                _cell(centre_x[k] - far_x, spacing, columns),
                _cell(centre_x[k] + far_x, spacing, columns),
            )
            top, bottom = _cell(centre_y[k] - far_y, spacing, rows), _cell(centre_y[k] + far_y, spacing, rows)
            image[:] = f32(0)
            count = 0
            for row in range(top, bottom + 1):
                a, b = begin[row * columns + left], begin[row * columns + right + 1]
                count += _vote(
                    x[a:b], y[a:b], s[a:b], f32(centre_x[k]), f32(centre_y[k]), f32(qx), f32(qy), per_px, middle, image
                )  # fmt: skip
            scores[k, c] = _focus_inside(image, by_gradient) if count >= few else 0.0


@njit(**OPTIONS)
def _vote(x, y, s, centre_x, centre_y, qx, qy, per_px, middle, image):  # type: ignore[no-untyped-def]
    """Bilinear votes of moved events around a centre; returns how many fell inside the margin of the image."""
    one, last = f32(1), f32(image.shape[0] - 1)
    low, high = f32(MARGIN - 0.5), f32(image.shape[0] - MARGIN - 0.5)
    count = 0
    for i in range(x.shape[0]):
        u = (x[i] - s[i] * qx - centre_x) * per_px + middle
        v = (y[i] - s[i] * qy - centre_y) * per_px + middle
        if u >= f32(0) and v >= f32(0) and u < last and v < last:
            a, b = np.int64(u), np.int64(v)
            fu, fv = u - f32(a), v - f32(b)
            image[b, a] += (one - fu) * (one - fv)
            image[b, a + 1] += fu * (one - fv)
            image[b + 1, a] += (one - fu) * fv
            image[b + 1, a + 1] += fu * fv
            count += u >= low and v >= low and u < high and v < high
    return count


@njit(**OPTIONS)
def _focus_inside(image, by_gradient):  # type: ignore[no-untyped-def]
    """Focus of the bins within the margin: the cut of the window itself is no edge."""
    total = f32(0)
    for r in range(MARGIN, image.shape[0] - MARGIN):
        for c in range(MARGIN, image.shape[1] - MARGIN):
            if by_gradient:
                gx, gy = image[r, c + 1] - image[r, c - 1], image[r + 1, c] - image[r - 1, c]
                total += gx * gx + gy * gy
            else:
                total += image[r, c] * image[r, c]
    return float(total)
