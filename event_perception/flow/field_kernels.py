# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Contrast maximisation of a whole field, compiled: one image, a velocity at every node, bilinear in between.

Each event moves with q(x) = sum_i b_i(x) q_i and is used once. A node's gradient gathers b_i times the pull of its
events. Its curvature is lumped: weighted by b_i instead of b_i^2, the row sum of the full matrix, an upper bound
that makes a step of all nodes at once safe.
"""

import numpy as np
from numba import njit

from event_perception.flow.image_votes import OUTSIDE, SAMPLE, SAMPLE_FIRST, focus, vote
from event_perception.motion.image_kernels import OPTIONS, f32


@njit(**OPTIONS)
def place_on_nodes(x, y, first_x, first_y, spacing, rows, columns, node, fx, fy):  # type: ignore[no-untyped-def]
    """The node up left of each event and the event's place in its cell, 0 to 1; held at the border of the grid."""
    for i in range(x.shape[0]):
        a = min(max((x[i] - first_x) / spacing, 0.0), columns - 1.000001)
        b = min(max((y[i] - first_y) / spacing, 0.0), rows - 1.000001)
        column, row = max(np.floor(a), 0.0), max(np.floor(b), 0.0)
        node[i] = np.int32(row) * np.int32(columns) + np.int32(column)
        fx[i], fy[i] = a - column, b - row


@njit(**OPTIONS)
def follow_field(x, y, s, first_x, first_y, spacing, rows, columns, q, node, fx, fy):  # type: ignore[no-untyped-def]
    """Place events on the nodes again, where the field at their places of before takes them."""
    one = f32(1)
    first_x, first_y, per_cell = f32(first_x), f32(first_y), f32(1.0 / spacing)
    most_x, most_y = f32(columns - 1.00001), f32(rows - 1.00001)
    for i in range(x.shape[0]):
        k, b, a = node[i], fy[i], fx[i]
        w00, w01 = (one - a) * (one - b), a * (one - b)
        w10, w11 = (one - a) * b, a * b
        qx = w00 * q[k, 0] + w01 * q[k + 1, 0] + w10 * q[k + columns, 0] + w11 * q[k + columns + 1, 0]
        qy = w00 * q[k, 1] + w01 * q[k + 1, 1] + w10 * q[k + columns, 1] + w11 * q[k + columns + 1, 1]
        a = min(max((x[i] - s[i] * qx - first_x) * per_cell, f32(0)), most_x)
        b = min(max((y[i] - s[i] * qy - first_y) * per_cell, f32(0)), most_y)
        column, row = np.floor(a), np.floor(b)
        node[i] = np.int32(row) * np.int32(columns) + np.int32(column)
        fx[i], fy[i] = a - column, b - row


@njit(**OPTIONS)
def move_with_field(x, y, s, node, fx, fy, columns, q, per_px, off_x, off_y, u, v):  # type: ignore[no-untyped-def]
    """Bin coordinates of the events moved to the reference time by the field q, float32 (rows * columns, 2)."""
    one = f32(1)
    for i in range(x.shape[0]):
        k, b, a = node[i], fy[i], fx[i]
        w00, w01 = (one - a) * (one - b), a * (one - b)
        w10, w11 = (one - a) * b, a * b
        qx = w00 * q[k, 0] + w01 * q[k + 1, 0] + w10 * q[k + columns, 0] + w11 * q[k + columns + 1, 0]
        qy = w00 * q[k, 1] + w01 * q[k + 1, 1] + w10 * q[k + columns, 1] + w11 * q[k + columns + 1, 1]
        u[i] = (x[i] - s[i] * qx) * per_px + off_x
        v[i] = (y[i] - s[i] * qy) * per_px + off_y


@njit(**OPTIONS)
def evaluate_field(  # type: ignore[no-untyped-def]
    x,
    y,
    s,
    node,
    fx,
    fy,
    columns,
    q,
    per_px,
    off_x,
    off_y,
    shape,
    by_gradient,
    second,
    work,
    cells,
    gradient,
    curvature,
):
    """Focus of the image of the moved events, and for every node its gradient and lumped curvature.

    Args:
        x: Columns of the events, px, float32 (n,).
        y: Rows.
        s: Time from the reference, s.
        node: From ``place_on_nodes``, int32 (n,).
        fx: From ``place_on_nodes``, float32 (n,).
        fy: From ``place_on_nodes``.
        columns: Columns of the grid of nodes, at least two, as are rows.
        q: Velocities, float32 (nodes, 2), px/s.
        per_px: Bins per pixel, float32.
        off_x: Bin coordinate of column 0, float32.
        off_y: Bin coordinate of row 0, float32.
        shape: Rows and columns of the image.
        by_gradient: Kind of focus, see ``focus``.
        second: Whether the curvature is wanted.
        work: float32 (2, rows * columns): image and cotangent.
        cells: float32 (4, n) and int32 (n,).
        gradient: Output, float64 (nodes, 2): dS/dq.
        curvature: Output, float64 (nodes, 3): xx, xy, yy of minus the second derivative.

    Returns:
        The focus.
    """
    u, v, rx, ry, cell = cells[0][0], cells[0][1], cells[0][2], cells[0][3], cells[1]
    move_with_field(x, y, s, node, fx, fy, columns, q, per_px, off_x, off_y, u, v)
    top, bottom = vote(u, v, shape[0], shape[1], work[0], cell, rx, ry)
    value = focus(work[0], shape[1], top, bottom, by_gradient, work[1])
    if second:
        _pull_second(s, node, fx, fy, columns, per_px, cell, rx, ry, work[1], shape[1], gradient, curvature)
    else:
        _pull_first(s, node, fx, fy, columns, per_px, cell, rx, ry, work[1], shape[1], gradient)
    return value


@njit(**OPTIONS)
def _pull_second(s, node, fx, fy, columns, per_px, cell, rx, ry, cotangent, stride, gradient, curvature):  # type: ignore[no-untyped-def]
    sums = np.zeros((gradient.shape[0], 5), np.float32)
    one, width = f32(1), np.int32(stride)
    for i in range(cell.shape[0]):
        if cell[i] == OUTSIDE:
            continue
        gu, gv, huu, huv, hvv = SAMPLE(cotangent, width, cell[i], rx[i], ry[i])
        w = -s[i] * per_px
        w2 = -w * w
        gu, gv, huu, huv, hvv = w * gu, w * gv, w2 * huu, w2 * huv, w2 * hvv
        k, a, b = node[i], fx[i], fy[i]
        for corner in range(4):
            share = (a if corner & 1 else one - a) * (b if corner & 2 else one - b)
            j = k + (corner & 1) + (columns if corner & 2 else 0)
            sums[j, 0] += share * gu
            sums[j, 1] += share * gv
            sums[j, 2] += share * huu
            sums[j, 3] += share * huv
            sums[j, 4] += share * hvv
    for j in range(sums.shape[0]):
        gradient[j, 0], gradient[j, 1] = sums[j, 0], sums[j, 1]
        curvature[j, 0], curvature[j, 1], curvature[j, 2] = sums[j, 2], sums[j, 3], sums[j, 4]


@njit(**OPTIONS)
def _pull_first(s, node, fx, fy, columns, per_px, cell, rx, ry, cotangent, stride, gradient):  # type: ignore[no-untyped-def]
    gradient[:] = 0.0
    one, width = f32(1), np.int32(stride)
    for i in range(cell.shape[0]):
        if cell[i] == OUTSIDE:
            continue
        gu, gv, _, _, _ = SAMPLE_FIRST(cotangent, width, cell[i], rx[i], ry[i])
        w = -s[i] * per_px
        k, a, b = node[i], fx[i], fy[i]
        for corner in range(4):
            share = (a if corner & 1 else one - a) * (b if corner & 2 else one - b)
            j = k + (corner & 1) + (columns if corner & 2 else 0)
            gradient[j, 0] += share * w * gu
            gradient[j, 1] += share * w * gv


@njit(**OPTIONS)
def field_at_pixels(q, first_x, first_y, spacing, rows, columns, flow):  # type: ignore[no-untyped-def]
    """The field at every pixel: flow float32 (2, H, W) from q float32 (rows * columns, 2)."""
    one = f32(1)
    for y in range(flow.shape[1]):
        b = min(max((y - first_y) / spacing, 0.0), rows - 1.0)
        row = min(np.int64(b), max(rows - 2, 0))
        below, b = min(row + 1, rows - 1) * columns, f32(b - row)
        for x in range(flow.shape[2]):
            a = min(max((x - first_x) / spacing, 0.0), columns - 1.0)
            column = min(np.int64(a), max(columns - 2, 0))
            right, a = min(column + 1, columns - 1), f32(a - column)
            for c in range(2):
                upper = (one - a) * q[row * columns + column, c] + a * q[row * columns + right, c]
                lower = (one - a) * q[below + column, c] + a * q[below + right, c]
                flow[c, y, x] = (one - b) * upper + b * lower
