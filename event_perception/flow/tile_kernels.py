# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Contrast maximisation in one tile: value, gradient and Hessian by a velocity, and Newton's method, compiled.

All events of a tile move with one velocity q. With s = t - t_ref, bins of D px and u = (x - s q) / D,

    g = -sum s/D v . grad kappa(u),   H = sum (s/D)^2 v . hess kappa(u) + 2 J^T K J,   v = 2 K h

with J the images of the derivatives (kappa: weak derivatives, see ``binning.taps``). The value jumps where
events cross bins while these derivatives do not: so no line search, eigenvalues by magnitude, a trust radius,
and only a clear worsening is undone.
"""

import numpy as np
from numba import njit

from event_perception.flow.image_votes import (
    FIRST,
    MARGIN,
    OUTSIDE,
    SAMPLE,
    SLOPES,
    VALUES,
    capped_step,
    floored,
    focus,
    vote,
)
from event_perception.motion.image_kernels import OPTIONS, f32
from event_perception.motion.spread_kernels import spread

CHANNELS = 4  # of the images of derivatives: two and two zeros


@njit(**OPTIONS)
def evaluate_tile(x, y, s, qx, qy, bin_px, size, by_gradient, order, work, cells, out):  # type: ignore[no-untyped-def]
    """Focus of a tile, and with order 1 its gradient, with order 2 its Hessian, by the velocity.

    Args:
        x: Columns of the events from the centre of the tile, px, float32 (n,).
        y: Rows.
        s: Time from the reference, s.
        qx: Velocity, px/s.
        qy: Velocity, px/s.
        bin_px: Side of a bin, px.
        size: Rows and columns of the image.
        by_gradient: Kind of focus, see ``focus``.
        order: 0, 1 or 2.
        work: float32 (2 + CHANNELS, size * size): image, cotangent, derivatives.
        cells: float32 (4, m >= n) and int32 (m,): bin coordinates and remainders, cells.
        out: Output, float64 (6,): value, gx, gy, Hxx, Hxy, Hyy.
    """
    n = x.shape[0]
    u, v, rx, ry, cell = cells[0][0, :n], cells[0][1, :n], cells[0][2, :n], cells[0][3, :n], cells[1][:n]
    per_px, centre = f32(1.0 / bin_px), f32(0.5 * (size - 1))
    ax, ay = f32(qx) * per_px, f32(qy) * per_px
    for i in range(n):
        u[i] = x[i] * per_px - s[i] * ax + centre
        v[i] = y[i] * per_px - s[i] * ay + centre
    image, cotangent = work[0], work[1]
    top, bottom = vote(u, v, size, size, image, cell, rx, ry)
    out[0] = focus(image, size, top, bottom, by_gradient, cotangent)
    if order > 0:
        _pull(s, cell, rx, ry, cotangent, size, per_px, out)
    if order > 1:
        _add_products(s, cell, rx, ry, size, per_px, by_gradient, top, bottom, work, out)


@njit(**OPTIONS)
def _pull(s, cell, rx, ry, cotangent, size, per_px, out):  # type: ignore[no-untyped-def]
    """Gradient, and the part of the Hessian that comes from the curvature of the taps."""
    stride, zero = np.int32(size), f32(0)
    gx, gy, xx, xy, yy = zero, zero, zero, zero, zero
    for i in range(cell.shape[0]):
        if cell[i] != OUTSIDE:
            gu, gv, huu, huv, hvv = SAMPLE(cotangent, stride, cell[i], rx[i], ry[i])
            w = -s[i] * per_px
            gx += w * gu
            gy += w * gv
            w *= w
            xx += w * huu
            xy += w * huv
            yy += w * hvv
    for k, value in enumerate((gx, gy, xx, xy, yy)):
        out[1 + k] = value


@njit(**OPTIONS)
def _add_products(s, cell, rx, ry, size, per_px, by_gradient, top, bottom, work, out):  # type: ignore[no-untyped-def]
    """2 J^T K J of the two images of derivatives."""
    zero = f32(0)
    images = work[2:].ravel()
    first, last = (top - MARGIN) * size, (bottom + MARGIN) * size
    images[first * CHANNELS : last * CHANNELS] = zero
    stride = np.int32(size)
    for i in range(cell.shape[0]):
        if cell[i] != OUTSIDE:
            w = -s[i] * per_px
            corner = cell[i] + FIRST * (stride + np.int32(1))
            spread(
                images, corner, stride, (w, zero, zero, zero), (zero, w, zero, zero),
                VALUES(rx[i]), SLOPES(rx[i]), VALUES(ry[i]), SLOPES(ry[i]),
            )  # fmt: skip
    xx, xy, yy = _products(images, first, last, size, by_gradient)
    out[3] += xx
    out[4] += xy
    out[5] += yy


@njit(**OPTIONS)
def _products(images, first, last, size, by_gradient):  # type: ignore[no-untyped-def]
    """2 J^T K J over the bins from ``first`` to ``last``: sums of products of central differences, or of values."""
    xx, xy, yy = f32(0), f32(0), f32(0)
    if not by_gradient:
        for k in range(first, last):
            a, b = images[CHANNELS * k], images[CHANNELS * k + 1]
            xx += a * a
            xy += a * b
            yy += b * b
        return f32(2) * xx, f32(2) * xy, f32(2) * yy
    right, below = CHANNELS, CHANNELS * size
    for k in range(first + size, last - size):
        c = CHANNELS * k
        a0, b0 = images[c + right] - images[c - right], images[c + 1 + right] - images[c + 1 - right]
        a1, b1 = images[c + below] - images[c - below], images[c + 1 + below] - images[c + 1 - below]
        xx += a0 * a0 + a1 * a1
        xy += a0 * b0 + a1 * b1
        yy += b0 * b0 + b1 * b1
    return f32(0.5) * xx, f32(0.5) * xy, f32(0.5) * yy


@njit(**OPTIONS)
def solve_tile(x, y, s, start, limits, size, by_gradient, work, cells, here, best):  # type: ignore[no-untyped-def]
    """Modified Newton from ``start``; writes the best point's value, gradient and Hessian to ``best``.

    Args:
        x: As ``evaluate_tile``.
        y: As ``evaluate_tile``.
        s: As ``evaluate_tile``.
        start: Velocity to begin with (2,), px/s.
        limits: bin_px, trust radius px/s, tolerance px/s, eigenvalue floor, worsening that is undone, most
            evaluations, largest speed px/s.
        size: As ``evaluate_tile``.
        by_gradient: As ``evaluate_tile``.
        work: As ``evaluate_tile``.
        cells: As ``evaluate_tile``.
        here: Workspace, float64 (6,).
        best: Output, float64 (6,).

    Returns:
        Velocity x and y, px/s, and the number of evaluations.
    """
    bin_px, radius, tolerance, floor, worsening, most, fastest = limits
    qx, qy = start[0], start[1]
    good_x, good_y, n, length = qx, qy, 0, 0.0
    best[0] = -1.0
    while n < most:
        evaluate_tile(x, y, s, qx, qy, bin_px, size, by_gradient, 2, work, cells, here)
        n += 1
        if best[0] >= 0.0 and not here[0] >= best[0] * (1.0 - worsening):
            radius = 0.25 * length
        else:
            best[:] = here
            good_x, good_y = qx, qy
        xx, xy, yy = floored(-best[3], -best[4], -best[5], floor, True)
        dx, dy = capped_step(xx, xy, yy, best[1], best[2], radius)
        qx, qy, length = good_x + dx, good_y + dy, np.sqrt(dx * dx + dy * dy)
        if not (length >= tolerance and np.isfinite(length)) or qx * qx + qy * qy > fastest * fastest:
            break
    if not (np.isfinite(qx) and np.isfinite(qy)) or qx * qx + qy * qy > fastest * fastest:
        qx, qy = good_x, good_y
    return qx, qy, n


@njit(**OPTIONS)
def solve_tiles(x, y, s, begin, few, starts, limits, size, by_gradient, q, hessian, value):  # type: ignore[no-untyped-def]
    """Newton's method in every tile of a level.

    Args:
        x: Columns of events from the centres of their tiles, tile after tile, float32 (n,), px.
        y: Rows.
        s: Times from the reference, s.
        begin: Where each tile begins, and the end, int64 (tiles + 1,).
        few: Tiles with fewer events are left at their start with no curvature.
        starts: Velocities to begin with, float64 (tiles, 2), px/s.
        limits: As ``solve_tile``.
        size: Rows and columns of the image of a tile.
        by_gradient: Kind of focus.
        q: Output, velocities, float64 (tiles, 2).
        hessian: Output, xx, xy, yy of each tile, float64 (tiles, 3).
        value: Output, focus, float64 (tiles,).

    Returns:
        Evaluations, each weighted by its events.
    """
    longest = 0
    for k in range(begin.shape[0] - 1):
        longest = max(longest, begin[k + 1] - begin[k])
    work = np.zeros((2 + CHANNELS, size * size), np.float32)
    cells = (np.empty((4, longest), np.float32), np.empty(longest, np.int32))
    here, best = np.empty(6), np.empty(6)
    passes = 0
    for k in range(begin.shape[0] - 1):
        a, b = begin[k], begin[k + 1]
        q[k, 0], q[k, 1] = starts[k, 0], starts[k, 1]
        hessian[k, :], value[k] = 0.0, 0.0
        if b - a >= few:
            q[k, 0], q[k, 1], n = solve_tile(
                x[a:b], y[a:b], s[a:b], starts[k], limits, size, by_gradient, work, cells, here, best
            )
            hessian[k, :], value[k] = best[3:], best[0]
            passes += n * (b - a)
    return passes


@njit(**OPTIONS)
def score_tiles(x, y, s, begin, few, candidates, bin_px, size, by_gradient, scores):  # type: ignore[no-untyped-def]
    """Focus of every tile at some velocities of its own.

    Args:
        x: As ``solve_tiles``.
        y: As ``solve_tiles``.
        s: As ``solve_tiles``.
        begin: As ``solve_tiles``.
        few: Tiles with fewer events score 0.
        candidates: Velocities, float64 (tiles, m, 2), px/s; one that is not finite scores -1.
        bin_px: Side of a bin, px.
        size: Rows and columns of the image of a tile.
        by_gradient: Kind of focus.
        scores: Output, float64 (tiles, m).
    """
    longest = 0
    for k in range(begin.shape[0] - 1):
        longest = max(longest, begin[k + 1] - begin[k])
    work = np.zeros((2 + CHANNELS, size * size), np.float32)
    cells = (np.empty((4, longest), np.float32), np.empty(longest, np.int32))
    here = np.empty(6)
    for k in range(begin.shape[0] - 1):
        a, b = begin[k], begin[k + 1]
        for c in range(candidates.shape[1]):
            qx, qy = candidates[k, c, 0], candidates[k, c, 1]
            scores[k, c] = 0.0
            if not np.isfinite(qx):
                scores[k, c] = -1.0
            elif b - a >= few:
                evaluate_tile(x[a:b], y[a:b], s[a:b], qx, qy, bin_px, size, by_gradient, 0, work, cells, here)
                scores[k, c] = here[0]


@njit(**OPTIONS)
def sort_into_tiles(x, y, s, centre_x, centre_y, spacing, half, tile_x, tile_y, tile_s, begin):  # type: ignore[no-untyped-def]
    """Copy events into every tile whose window holds them (counting sort); call with empty outputs to count.

    Args:
        x: Columns, float32 (n,), px.
        y: Rows.
        s: Times from the reference, s.
        centre_x: Columns of the centres of the tiles, float64 (columns,), a ``spacing`` apart.
        centre_y: Rows of the centres, float64 (rows,).
        spacing: Distance of centres, px.
        half: Half of the side of a window, px.
        tile_x: Output, columns from the centre, float32 (total,).
        tile_y: Output, rows from the centre.
        tile_s: Output, times.
        begin: Where each tile begins, and the end, int64 (tiles + 1,); written when counting, else read.
    """
    rows, columns = centre_y.shape[0], centre_x.shape[0]
    counting = tile_x.shape[0] == 0
    position = np.zeros(rows * columns, np.int64)
    if not counting:
        position[:] = begin[:-1]
    for i in range(x.shape[0]):
        first_x, last_x = _windows(x[i], centre_x[0], spacing, half, columns)
        first_y, last_y = _windows(y[i], centre_y[0], spacing, half, rows)
        for row in range(first_y, last_y + 1):
            for column in range(first_x, last_x + 1):
                tile = row * columns + column
                if not counting:
                    k = position[tile]
                    tile_x[k] = x[i] - centre_x[column]
                    tile_y[k] = y[i] - centre_y[row]
                    tile_s[k] = s[i]
                position[tile] += 1
    if counting:
        begin[0] = 0
        for tile in range(rows * columns):
            begin[tile + 1] = begin[tile] + position[tile]


@njit(**OPTIONS)
def _windows(x, centre, spacing, half, count):  # type: ignore[no-untyped-def]
    """First and last of the evenly spaced windows [c - half, c + half) that hold x."""
    first = np.int64(np.floor((x - half - centre) / spacing)) + 1
    last = np.int64(np.floor((x + half - centre) / spacing))
    return max(first, 0), min(last, count - 1)
