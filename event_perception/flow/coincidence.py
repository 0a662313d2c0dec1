# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether events moved by a field of velocities meet more often than chance would have it: noise does not.

Events of an edge come together on few pixels when they are moved rightly, noise stays spread. Of n events on A pixels
at random, n^2 / A ordered pairs share a pixel, with a variance of twice that.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.flow.events import FlowEvents
from event_perception.flow.field_kernels import follow_field, move_with_field, place_on_nodes
from event_perception.flow.grid import NodeGrid, Velocities

SIDE_PX = 108
"""Side of the square around a node that is judged: sparse texture is told from noise by its surroundings."""
FOLLOWED = 2


def coincidence_score(events: FlowEvents, grid: NodeGrid, q: Velocities) -> NDArray[np.float64]:
    """Pairs of events on one pixel beyond chance, in standard errors, around each node (n,).

    Args:
        events: Events of the window.
        grid: Nodes.
        q: Velocities at the nodes (n, 2), px/s.
    """
    counts = arrivals(events, grid, q)
    sums = [_around(image, SIDE_PX) for image in (counts, counts * (counts - 1), np.ones_like(counts))]
    rows, columns = (np.rint(centres).astype(np.intp) for centres in grid.centres[::-1])
    n, pairs, pixels = (image[np.ix_(rows, columns)].ravel().astype(np.float64) for image in sums)
    chance = n**2 / pixels
    return np.asarray((pairs - chance) / np.sqrt(2 * chance + 1))


def arrivals(events: FlowEvents, grid: NodeGrid, q: Velocities) -> NDArray[np.float32]:
    """Events per pixel (H, W) where the field takes them at the reference time."""
    field, n = np.ascontiguousarray(q, np.float32), len(events)
    node, (fx, fy, u, v) = np.empty(n, np.int32), np.empty((4, n), np.float32)
    place = (grid.first, grid.first, float(grid.spacing), grid.rows, grid.columns)
    place_on_nodes(events.x, events.y, *place, node, fx, fy)
    for _ in range(FOLLOWED):
        follow_field(events.x, events.y, events.s, *place, field, node, fx, fy)
    whole, none = np.float32(1), np.float32(0)
    move_with_field(events.x, events.y, events.s, node, fx, fy, grid.columns, field, whole, none, none, u, v)
    x, y = np.rint(u), np.rint(v)
    inside = (x >= 0) & (x < events.width) & (y >= 0) & (y < events.height)
    pixel = y[inside].astype(np.intp) * events.width + x[inside].astype(np.intp)
    counts = np.bincount(pixel, minlength=events.height * events.width)
    return counts.reshape(events.height, events.width).astype(np.float32)


def _around(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return np.asarray(
        cv2.boxFilter(image, cv2.CV_32F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    )
