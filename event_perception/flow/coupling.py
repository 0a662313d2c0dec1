# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Neighbouring velocities pull at each other, each held by the curvature of its own events.

    minimise  sum_i 1/2 (q_i - Q_i)^T P_i (q_i - Q_i) + lambda sum_ij rho(|q_i - q_j|)

by Gauss-Seidel with reweighting: q_i = (P_i + a I)^-1 (P_i Q_i + sum_j a_ij q_j). P_i has two eigenvalues: along
an edge of the scene it is weak and the neighbours decide, across it the events do. That solves the aperture
problem. rho grows like a distance, not like its square, so motions may differ across the edge of an object.
"""

import numpy as np
from numba import njit

from event_perception.motion.image_kernels import OPTIONS

DIAGONAL, EMPTY = 0.5, 0.3  # weight of diagonal neighbours, and of those without events
LEAST_RAISED, MOST_RAISED = 0.2, 2.0  # of real cameras, cells of a few events are noise: more lets them stray
ONE_SIDED = 0.6  # of neighbours with none opposite: at the border they would pull a changing flow inwards


@njit(**OPTIONS)
def couple(target, curvature, rows, columns, strength, scale, power, sweeps, q):  # type: ignore[no-untyped-def]
    """Gauss-Seidel sweeps over a grid.

    Args:
        target: Q, float64 (rows * columns, 2), px/s.
        curvature: P as xx, xy, yy, positive semidefinite, float64 (rows * columns, 3); 0 where no events are.
        rows: Rows of the grid.
        columns: Columns of the grid.
        strength: lambda, in units of the curvature.
        scale: Difference where the pull begins to fall, px/s.
        power: How fast it falls.
        sweeps: How often to go over the grid.
        q: Start and result, float64 (rows * columns, 2), px/s.
    """
    for sweep in range(sweeps):
        for step in range(rows * columns):
            k = step if sweep % 2 == 0 else rows * columns - 1 - step
            row, column = k // columns, k % columns
            total, bx, by = 0.0, 0.0, 0.0
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    r, c = row + dy, column + dx
                    if (dx == 0 and dy == 0) or r < 0 or r >= rows or c < 0 or c >= columns:
                        continue
                    j = r * columns + c
                    ex, ey = q[k, 0] - q[j, 0], q[k, 1] - q[j, 1]
                    a = strength * (1.0 + (ex * ex + ey * ey) / (scale * scale)) ** -power
                    if dx != 0 and dy != 0:
                        a *= DIAGONAL
                    if curvature[j, 0] + curvature[j, 2] <= 0.0:
                        a *= EMPTY
                    opposite_r, opposite_c = row - dy, column - dx
                    if opposite_r < 0 or opposite_r >= rows or opposite_c < 0 or opposite_c >= columns:
                        a *= ONE_SIDED
                    total += a
                    bx += a * q[j, 0]
                    by += a * q[j, 1]
            xx, xy, yy = curvature[k, 0], curvature[k, 1], curvature[k, 2]
            bx += xx * target[k, 0] + xy * target[k, 1]
            by += xy * target[k, 0] + yy * target[k, 1]
            xx, yy = xx + total, yy + total
            determinant = xx * yy - xy * xy
            if determinant > 0.0:
                q[k, 0] = (yy * bx - xy * by) / determinant
                q[k, 1] = (xx * by - xy * bx) / determinant


def typical_curvature(curvature):  # type: ignore[no-untyped-def]
    """Median of half the trace over the cells that have events; 0 if none has."""
    trace = 0.5 * (curvature[:, 0] + curvature[:, 2])
    return float(np.median(trace[trace > 0])) if (trace > 0).any() else 0.0


def evenly_held(curvature, evenness):  # type: ignore[no-untyped-def]
    """Curvature with each cell's half trace brought to the median one: thin texture holds as firmly as dense.

    Otherwise a pull that suits the median cell drags thin background along with a busy object next to it.

    Args:
        curvature: xx, xy, yy, float64 (n, 3); 0 where no events are; not changed.
        evenness: 0 leaves it as it is, 1 makes all alike.

    Returns:
        float64 (n, 3).
    """
    trace = 0.5 * (curvature[:, 0] + curvature[:, 2])
    factor = np.divide(typical_curvature(curvature), trace, out=np.ones_like(trace), where=trace > 0)
    return curvature * np.clip(factor, LEAST_RAISED, MOST_RAISED)[:, None] ** evenness
