# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Edges of objects: where two motions meet, every small cell takes the one that focuses its own events best.

A smooth field blurs a motion edge over the spacing of its nodes. So on a finer grid each cell scores the
interpolated flow and the flows of the nodes around it, and changes only for a clearly better one. What is scored are
the events that a flow brings into the cell at the reference time: those seen in it may be of an object that passed.
Where all nodes around agree there is nothing to choose from but noise: a gate leaves those cells alone.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.flow.arrival_kernels import score_arrivals, sort_into_cells
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid, Velocities
from event_perception.flow.tiles_config import TilesConfig

_AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def select_at_edges(
    events: FlowEvents, grid: NodeGrid, q: Velocities, config: TilesConfig
) -> tuple[NodeGrid, Velocities]:
    """The field on a finer grid, with cells at motion edges switched to the motion that fits them.

    Args:
        events: The events.
        grid: Nodes of the field.
        q: Their velocities after coupling (n, 2), px/s.
        config: Parameters.

    Returns:
        The finer grid and its velocities.
    """
    fine = NodeGrid(events.height, events.width, config.selection.spacing_px)
    smooth = grid.to(fine, q)
    candidates = _motions_around(grid, fine, q)
    open_ = gated(candidates, q, config.selection.gate)
    if not open_.any():
        return fine, smooth
    chosen = _best(events, fine, smooth, candidates, open_, config)
    filtered = _median3(chosen, fine)
    return fine, np.where(open_[:, None], filtered, smooth)


def gated(candidates: Velocities, q: Velocities, gate: float) -> NDArray[np.bool_]:
    """Cells around which motions differ by more than ``gate`` times the median speed, bool (n,)."""
    spread = np.linalg.norm(candidates.max(axis=1) - candidates.min(axis=1), axis=1)
    return np.asarray(spread > gate * np.median(np.linalg.norm(q, axis=1)))


def _motions_around(grid: NodeGrid, fine: NodeGrid, q: Velocities) -> Velocities:
    """Velocities of the 3x3 nodes around each cell: (cells, 9, 2)."""
    field = q.reshape(grid.rows, grid.columns, 2)
    x, y = fine.centres
    column, row = (np.rint((p - grid.first) / grid.spacing).astype(int) for p in (x, y))
    around = [
        field[np.clip(row + dy, 0, grid.rows - 1)][:, np.clip(column + dx, 0, grid.columns - 1)]
        for dy, dx in _AROUND
    ]
    return np.stack(around, axis=2).reshape(-1, 9, 2)


def _best(
    events: FlowEvents,
    fine: NodeGrid,
    smooth: Velocities,
    candidates: Velocities,
    open_: NDArray[np.bool_],
    config: TilesConfig,
) -> Velocities:
    selection = config.selection
    x, y = np.meshgrid(*fine.centres)
    trials = np.ascontiguousarray(np.concatenate([smooth[:, None], candidates], axis=1)[open_])
    scores = np.zeros(trials.shape[:2])
    cells = np.zeros(len(fine) + 1, np.int64)
    sorted_x, sorted_y, sorted_s = np.empty((3, len(events)), np.float32)
    lattice = (float(fine.spacing), fine.rows, fine.columns)
    sort_into_cells(events.x, events.y, events.s, *lattice, sorted_x, sorted_y, sorted_s, cells)
    score_arrivals(
        sorted_x, sorted_y, sorted_s, cells, *lattice, events.half_s, x.ravel()[open_], y.ravel()[open_], trials,
        config.joint.bin_px, float(selection.window_px), selection.min_events, config.focus == 'gradient', scores,
    )  # fmt: skip
    scores[:, 0] *= 1 + selection.bonus
    chosen = smooth.copy()
    chosen[open_] = trials[np.arange(len(trials)), np.argmax(scores, axis=1)]
    return chosen


def _median3(q: Velocities, grid: NodeGrid) -> Velocities:
    """Median of each component over 3x3 cells, borders repeated."""
    padded = np.pad(q.reshape(grid.rows, grid.columns, 2), ((1, 1), (1, 1), (0, 0)), mode='edge')
    around = np.stack(
        [padded[1 + dy : 1 + dy + grid.rows, 1 + dx : 1 + dx + grid.columns] for dy, dx in _AROUND]
    )
    return np.asarray(np.median(around, axis=0)).reshape(-1, 2)
