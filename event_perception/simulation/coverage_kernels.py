# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How much of a cell of the image each rectangle covers, exactly, and along which lines that share changes.

Seen from a camera, a rectangle is what lies inside four lines, and of two that overlap the nearer is that of greater
inverse depth: every condition is f(b) >= 0 with f linear in the bearing b = (x, y, 1). So what rectangle k shows in
a cell is a convex polygon less the union of the polygons that hide it, by inclusion and exclusion,

    area_k = sum over sets S of the others of (-1)^|S| |cell, inside k, inside j and j nearer than k for j in S|

and the derivative of a polygon by its lines is a sum over its edges (Reynolds): length / |grad f| times the change of f
in the middle of the edge, exact because f is linear.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST = 10  # rectangles about one cell; of more, those of which least is seen are left out
ROOM = 64  # vertices
SMALL = 1e-12  # of a cell: polygons smaller than this are nothing
TIE = 1e-12  # of two in one plane the first is nearer


@njit(cache=True, nogil=True, error_model='numpy')
def cover(
    seen: NDArray, per_side: int, corner: NDArray, edge: NDArray, inverse: NDArray,
    row: NDArray, share: NDArray, line: NDArray, change: NDArray,
) -> tuple[int, int]:  # fmt: skip
    """Shares of all cells of all frames.

    Args:
        seen: Rectangle that each of per_side^2 rays of a cell meets, -1 for none, (F, H per_side, W per_side). What is
            seen in a cell or its neighbours is looked for in it, so that nothing comes in unnoticed.
        per_side: See there.
        corner: Bearings (H + 1, W + 1, 2) of the corners of the cells.
        edge: Forms (F, K, 4, 3), positive inside a rectangle.
        inverse: Forms (F, K, 3), inverse depth.
        row: Filled with (frame, cell, rectangle), (n, 3); what is missing to the whole shows nothing.
        share: Filled with the share of the cell that it covers (n,).
        line: Filled with (row, frame, rectangle, edge or -1, other), (m, 4 + 1): what bounds a share. Edge -1: the
            line along which the rectangle is as far as the other.
        change: Filled with (d share / d f, x, y) there, (m, 3).

    Returns:
        Number of rows and of lines, which may exceed the room; only what fits is written.
    """
    height, width = corner.shape[0] - 1, corner.shape[1] - 1
    found, count = np.empty(MOST, np.int64), np.empty(MOST, np.int64)
    work = np.empty((4, ROOM, 2))
    label = np.empty((4, ROOM, 3), np.int64)
    n_rows, n_lines = 0, 0
    for frame in range(seen.shape[0]):
        for y in range(height):
            for x in range(width):
                top, left = max(y - 1, 0) * per_side, max(x - 1, 0) * per_side
                about = seen[frame, top : (y + 2) * per_side, left : (x + 2) * per_side]
                n = _distinct(about, found, count)
                size = _cell(corner, y, x, work[0], label[0])
                n = _present(n, found, edge[frame], inverse[frame], work, label)
                for i in range(n):
                    area, n_lines = _visible(
                        i, n, found, edge[frame], inverse[frame], work, label, size,
                        n_rows, frame, n_lines, line, change,
                    )  # fmt: skip
                    if n_rows < share.size:
                        row[n_rows, 0], row[n_rows, 1], row[n_rows, 2] = frame, y * width + x, found[i]
                        share[n_rows] = area
                    n_rows += 1
    return n_rows, n_lines


@njit(cache=True, nogil=True, error_model='numpy')
def _distinct(part: NDArray, found: NDArray, count: NDArray) -> int:
    """Different numbers in a block, the most frequent ones if they are many."""
    n = 0
    for v in part.flat:
        k = 0
        while k < n and found[k] != v:
            k += 1
        if k == n:
            if n == MOST:
                k = int(np.argmin(count))
                if count[k] > 1:
                    continue
            else:
                n += 1
            found[k], count[k] = v, 0
        count[k] += 1
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def _present(n: int, found: NDArray, edge: NDArray, inverse: NDArray, work: NDArray, label: NDArray) -> int:
    """Keep those of which a part lies in the cell; the others were seen beside it."""
    kept = 0
    for i in range(n):
        k = found[i]
        if k >= 0 and _area(work[1], _inside(k, -1, edge, inverse, 0, 1, 4, work, label)) > 0:
            found[kept] = k
            kept += 1
    return kept


@njit(cache=True, nogil=True, error_model='numpy')
def _cell(corner: NDArray, y: int, x: int, point: NDArray, label: NDArray) -> float:
    """The polygon of a cell, and its area."""
    point[0], point[1] = corner[y, x], corner[y, x + 1]
    point[2], point[3] = corner[y + 1, x + 1], corner[y + 1, x]
    label[:4] = -2
    return _area(point, 4)


@njit(cache=True, nogil=True, error_model='numpy')
def _area(point: NDArray, n: int) -> float:
    total = 0.0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        total += (point[i, 0] - point[0, 0]) * (point[j, 1] - point[0, 1])
        total -= (point[j, 0] - point[0, 0]) * (point[i, 1] - point[0, 1])
    return abs(total) / 2


@njit(cache=True, nogil=True, error_model='numpy')
def _visible(
    i: int, n: int, found: NDArray, edge: NDArray, inverse: NDArray, work: NDArray, label: NDArray, size: float,
    row: int, frame: int, n_lines: int, line: NDArray, change: NDArray,
) -> tuple[float, int]:  # fmt: skip
    """Share of a cell in which rectangle ``found[i]`` is seen; appends the lines that bound it.

    Of the buffers, 0 holds the cell, 1 what of it lies inside the rectangle, 2 and 3 are for clipping.
    """
    k, total = found[i], 0.0
    n_own = _inside(k, -1, edge, inverse, 0, 1, 4, work, label)
    for others in range(1 << n):
        if others >> i & 1:
            continue
        work[2, :n_own], label[2, :n_own] = work[1, :n_own], label[1, :n_own]
        m, sign = n_own, 1.0
        for o in range(n):
            if others >> o & 1 and m > 2:
                sign = -sign
                m = _inside(found[o], k, edge, inverse, 2, 2, m, work, label)
        area = _area(work[2], m) / size if m > 2 else 0.0
        if area > SMALL:
            total += sign * area
            n_lines = _bounds(
                sign / size, m, work[2], label[2], edge, inverse, row, frame, n_lines, line, change
            )
    return total, n_lines


@njit(cache=True, nogil=True, error_model='numpy')
def _inside(
    j: int, behind: int, edge: NDArray, inverse: NDArray, source: int, sink: int, n: int,
    work: NDArray, label: NDArray,
) -> int:  # fmt: skip
    """What of a polygon lies inside rectangle j, and where j is nearer than ``behind`` if that is given."""
    if source != sink:
        work[sink, :n], label[sink, :n] = work[source, :n], label[source, :n]
    for e in range(4):
        n = _clip(edge[j, e, 0], edge[j, e, 1], edge[j, e, 2], j, e, 0, n, work, label, sink)
    if behind >= 0:
        a, b, c = inverse[j] - inverse[behind]
        c += TIE if j < behind else -TIE
        n = _clip(a, b, c, j, -1, behind, n, work, label, sink)
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def _clip(
    a: float, b: float, c: float, rectangle: int, e: int, other: int, n: int,
    work: NDArray, label: NDArray, at: int,
) -> int:  # fmt: skip
    """Cut a polygon along a line, in place; the label of a vertex is that of the edge that begins there."""
    if n < 3:
        return 0
    out, m = 3, 0
    point, name = work[at], label[at]
    all_inside = True
    for i in range(n):
        if a * point[i, 0] + b * point[i, 1] + c < 0:
            all_inside = False
            break
    if all_inside:
        return n
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        f, g = a * point[i, 0] + b * point[i, 1] + c, a * point[j, 0] + b * point[j, 1] + c
        if f >= 0 and m < ROOM:
            work[out, m], label[out, m] = point[i], name[i]
            m += 1
        if (f >= 0) != (g >= 0) and m < ROOM:
            t = f / (f - g)
            work[out, m] = point[i] + t * (point[j] - point[i])
            if f >= 0:
                label[out, m, 0], label[out, m, 1], label[out, m, 2] = rectangle, e, other
            else:
                label[out, m] = name[i]
            m += 1
    work[at, :m], label[at, :m] = work[out, :m], label[out, :m]
    return m


@njit(cache=True, nogil=True, error_model='numpy')
def _bounds(
    factor: float, n: int, point: NDArray, label: NDArray, edge: NDArray, inverse: NDArray, row: int, frame: int,
    n_lines: int, line: NDArray, change: NDArray,
) -> int:  # fmt: skip
    """Append every edge of a polygon that is not one of the cell: how the area changes with its line."""
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        k, e, other = label[i, 0], label[i, 1], label[i, 2]
        length = np.hypot(point[j, 0] - point[i, 0], point[j, 1] - point[i, 1])
        if k < 0 or length == 0.0:
            continue
        form = edge[k, e] if e >= 0 else inverse[k] - inverse[other]
        if n_lines < change.shape[0]:
            line[n_lines, 0], line[n_lines, 1], line[n_lines, 2] = row, frame, k
            line[n_lines, 3], line[n_lines, 4] = e, other
            change[n_lines, 0] = factor * length / np.hypot(form[0], form[1])
            change[n_lines, 1] = (point[i, 0] + point[j, 0]) / 2
            change[n_lines, 2] = (point[i, 1] + point[j, 1]) / 2
        n_lines += 1
    return n_lines
