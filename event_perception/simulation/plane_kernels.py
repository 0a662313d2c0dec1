# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Drawing textured rectangles row by row, nearest first kept: a depth buffer of one row."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

SLACK_M = np.float32(2e-5)  # rectangles are larger by this, so that rounding leaves no cracks between them
NOTHING = -1


@njit(cache=True, nogil=True, error_model='numpy')
def trace(
    bearings: NDArray,
    boxes: NDArray,
    inverse: NDArray,
    along_u: NDArray,
    along_v: NDArray,
    origin: NDArray,
    size: NDArray,
    texels: NDArray,
    start: NDArray,
    stride: NDArray,
    density: float,
    background: float,
    light: NDArray,
    inverse_depth: NDArray,
    surface: NDArray,
) -> None:
    """Nearest rectangle of every pixel, and its light, bilinear between texels."""
    at_u, at_v = np.zeros(light.shape[1], np.float32), np.zeros(light.shape[1], np.float32)
    for row in range(light.shape[0]):
        best, nearest = inverse_depth[row], surface[row]
        best[:] = np.float32(0)
        nearest[:] = NOTHING
        for k in range(inverse.shape[0]):
            if boxes[k, 0] <= row <= boxes[k, 1]:
                _cover(
                    k, boxes[k, 2], boxes[k, 3] + 1, bearings[row], inverse[k], along_u[k], along_v[k],
                    origin[k], size[k], best, nearest, at_u, at_v,
                )  # fmt: skip
        for column in range(light.shape[1]):
            k = nearest[column]
            if k == NOTHING:
                light[row, column] = background
                continue
            s, t = at_u[column] * density + np.float32(0.5), at_v[column] * density + np.float32(0.5)
            i, j = int(s), int(t)
            fs, ft = s - np.float32(i), t - np.float32(j)
            at = start[k] + j * stride[k] + i
            below = at + stride[k]
            top = texels[at] + fs * (texels[at + 1] - texels[at])
            low = texels[below] + fs * (texels[below + 1] - texels[below])
            light[row, column] = top + ft * (low - top)


@njit(cache=True, nogil=True, error_model='numpy')
def _cover(
    k: int,
    first: int,
    last: int,
    bearings: NDArray,
    inverse: NDArray,
    along_u: NDArray,
    along_v: NDArray,
    origin: NDArray,
    size: NDArray,
    best: NDArray,
    nearest: NDArray,
    at_u: NDArray,
    at_v: NDArray,
) -> None:
    """Draw rectangle k into one row, columns first..last-1, where it is nearer than what is there."""
    # scalars, because the compiler must assume that writing the row could change them
    i0, i1, i2 = inverse[0], inverse[1], inverse[2]
    u0, u1, u2, origin_u = along_u[0], along_u[1], along_u[2], origin[0]
    v0, v1, v2, origin_v = along_v[0], along_v[1], along_v[2], origin[1]
    end_u, end_v = size[0] + SLACK_M, size[1] + SLACK_M
    for column in range(first, last):
        x, y = bearings[column, 0], bearings[column, 1]
        w = i0 * x + i1 * y + i2
        if w <= best[column]:
            continue
        depth = np.float32(1) / w
        u = origin_u + depth * (u0 * x + u1 * y + u2)
        v = origin_v + depth * (v0 * x + v1 * y + v2)
        if u > -SLACK_M and v > -SLACK_M and u < end_u and v < end_v:
            best[column], nearest[column], at_u[column], at_v[column] = w, k, u, v
