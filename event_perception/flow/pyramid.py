# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from nothing: tiles of one velocity each, from few large ones with coarse bins to many small ones.

On the coarsest level a grid of velocities is tried, so that no start is needed; each further level starts from the
coupled field of the level before. Bins must be as large as the error of the displacement at the end of the
window, so they shrink with the tiles.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.flow.coupling import couple, typical_curvature
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid, Velocities
from event_perception.flow.image_votes import MARGIN, floored
from event_perception.flow.tile_kernels import score_tiles, solve_tiles, sort_into_tiles
from event_perception.flow.tiles_config import TilesConfig

BORDER_BINS = 2 * (MARGIN + 3)  # of the image of a tile, beyond its window and the motion
REACH = 1.2  # room for motion in the images, against the fastest motion of a cold start
SEARCH_EVENTS = 8_000  # half as many still tell coarse velocities of the largest tiles apart
REST_BONUS = 0.02  # a tile starts from rest if that focuses better by this fraction
SEMIDEFINITE_FLOOR = 0.01  # of the curvature that holds a tile against its neighbours


@dataclass(frozen=True, slots=True)
class Level:
    """Tiles ``spacing`` px apart with windows of ``side`` px and bins of ``bin_px``."""

    spacing: int
    side: int
    bin_px: float


LEVELS = (Level(128, 128, 8.0), Level(64, 64, 4.0), Level(32, 40, 2.0), Level(16, 32, 1.5))


@dataclass(frozen=True, eq=False)
class TileField:
    """Velocities of a grid of tiles.

    Attributes:
        grid: Where the tiles are.
        raw: Each tile by itself, float64 (n, 2), px/s.
        q: After coupling.
        curvature: P = -H of each tile, sums over its events, xx, xy, yy, float64 (n, 3); 0 where empty.
        count: Events in the window of each tile, int64 (n,).
        passes: Evaluations so far, in passes over the events.
    """

    grid: NodeGrid
    raw: Velocities
    q: Velocities
    curvature: NDArray[np.float64]
    count: NDArray[np.int64]
    passes: float


@dataclass(frozen=True, eq=False)
class SortedTiles:
    """Events tile after tile, relative to the centres; ``begin`` int64 (tiles + 1,)."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    s: NDArray[np.float32]
    begin: NDArray[np.int64]

    @property
    def count(self) -> NDArray[np.int64]:
        """Events of each tile."""
        return np.diff(self.begin)


def sorted_tiles(events: FlowEvents, grid: NodeGrid, side: float) -> SortedTiles:
    """The events of every window of ``side`` px around a node; windows may overlap."""
    begin, none = np.zeros(len(grid) + 1, np.int64), np.empty(0, np.float32)
    where = (events.x, events.y, events.s, *grid.centres, float(grid.spacing), 0.5 * side)
    sort_into_tiles(*where, none, none, none, begin)
    x, y, s = np.empty((3, begin[-1] + 1), np.float32)  # one more: no events must not look like counting
    sort_into_tiles(*where, x, y, s, begin)
    return SortedTiles(x[:-1], y[:-1], s[:-1], begin)


def image_size(side: float, bin_px: float, reach_px: float) -> int:
    """Bins of the square image of a tile that holds all its events after moving them by ``reach_px``."""
    return math.ceil((side + 2 * reach_px) / bin_px) + BORDER_BINS


def cold_start(events: FlowEvents, config: TilesConfig, finest_px: int = 32) -> TileField:
    """The pyramid down to tiles ``finest_px`` apart."""
    field: TileField | None = None
    for level in LEVELS:
        if level.spacing >= finest_px:
            field = _next_level(events, level, field, config)
    if field is None:
        raise ValueError(f'finest_px={finest_px}: the coarsest tiles are {LEVELS[0].spacing} px apart')
    return field


def _next_level(events: FlowEvents, level: Level, before: TileField | None, config: TilesConfig) -> TileField:
    grid = NodeGrid(events.height, events.width, level.spacing)
    tiles = sorted_tiles(events, grid, level.side)
    if before is None:
        few = events.thinned(SEARCH_EVENTS)
        starts, passes = best_of_a_search(sorted_tiles(few, grid, level.side), events.half_s, level, config)
        passes *= len(few) / max(1, len(events))
    else:
        starts, passes = before.grid.to(grid, before.q), before.passes
        starts, passes = _or_at_rest(events, tiles, level, starts, config), passes + 2
    return solve_level(events, tiles, grid, level, starts, passes, config)


def _or_at_rest(
    events: FlowEvents, tiles: SortedTiles, level: Level, starts: Velocities, config: TilesConfig
) -> Velocities:
    """The given starts, or rest where that focuses better: a large fast object must not drag what stands around it."""
    candidates = np.ascontiguousarray(np.stack([starts, np.zeros_like(starts)], axis=1))
    scores = np.zeros(candidates.shape[:2])
    size = image_size(level.side, level.bin_px, REACH * config.max_speed_px_s * events.half_s)
    score_tiles(
        tiles.x, tiles.y, tiles.s, tiles.begin, config.min_events, candidates,
        level.bin_px, size, config.focus == 'gradient', scores,
    )  # fmt: skip
    moving = scores[:, 0] * (1 + REST_BONUS) >= scores[:, 1]
    return np.where(moving[:, None], starts, 0.0)


def best_of_a_search(
    tiles: SortedTiles, half_s: float, level: Level, config: TilesConfig
) -> tuple[Velocities, float]:
    """For each tile the best of a square grid of velocities, one bin at the end of the window apart; and passes."""
    spacing, fastest = level.bin_px / half_s, config.max_speed_px_s
    reach = np.arange(-math.floor(fastest / spacing), math.floor(fastest / spacing) + 1) * spacing
    candidates = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    candidates = candidates[np.hypot(*candidates.T) <= fastest]
    n = len(tiles.begin) - 1
    scores = np.zeros((n, len(candidates)))
    size = image_size(level.side, level.bin_px, fastest * half_s)
    score_tiles(
        tiles.x, tiles.y, tiles.s, tiles.begin, config.min_events,
        np.broadcast_to(candidates, (n, *candidates.shape)).copy(),
        level.bin_px, size, config.focus == 'gradient', scores,
    )  # fmt: skip
    best = np.argmax(scores, axis=1)
    empty = tiles.count < config.min_events
    return np.where(empty[:, None], 0.0, candidates[best]), float(len(candidates))


def solve_level(
    events: FlowEvents,
    tiles: SortedTiles,
    grid: NodeGrid,
    level: Level,
    starts: Velocities,
    passes: float,
    config: TilesConfig,
) -> TileField:
    """Newton's method in every tile, then the coupling."""
    n, newton = len(grid), config.newton
    q, hessian, value = np.empty((n, 2)), np.empty((n, 3)), np.empty(n)
    bin_speed = level.bin_px / events.half_s
    limits = (
        level.bin_px, newton.trust_bins * bin_speed, newton.tolerance_bins * bin_speed, newton.eigenvalue_floor,
        newton.reject_worsening, newton.max_evaluations, REACH * config.max_speed_px_s,
    )  # fmt: skip
    size = image_size(level.side, level.bin_px, REACH * config.max_speed_px_s * events.half_s)
    work = solve_tiles(
        tiles.x, tiles.y, tiles.s, tiles.begin, config.min_events, starts, limits, size,
        config.focus == 'gradient', q, hessian, value,
    )  # fmt: skip
    curvature = semidefinite(-hessian)
    smooth = coupled(q, curvature, grid, config, starts)
    passes += work / max(1, int(tiles.begin[-1]))
    return TileField(grid, q, smooth, curvature, tiles.count, passes)


def coupled(
    raw: Velocities, curvature: NDArray[np.float64], grid: NodeGrid, config: TilesConfig, start: Velocities
) -> Velocities:
    """The velocities after pulling at each other; tiles without curvature are filled in."""
    empty = (curvature[:, 0] + curvature[:, 2] <= 0)[:, None]
    q = np.where(empty, start, raw)
    strength = config.coupling.strength * typical_curvature(curvature)
    couple(
        raw,
        curvature,
        grid.rows,
        grid.columns,
        strength,
        config.coupling.scale_px_s,
        config.coupling.power,
        config.coupling.sweeps,
        q,
    )
    return q


def semidefinite(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symmetric 2x2 matrices as xx, xy, yy (n, 3), eigenvalues raised to a small fraction of the largest."""
    return np.array([floored(*m, SEMIDEFINITE_FLOOR, False) for m in matrices]).reshape(-1, 3)
