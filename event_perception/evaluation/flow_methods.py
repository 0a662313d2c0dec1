# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What flow is measured on and against: our solvers as functions of a window, and plain ones beside them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from event_perception.evaluation.flow_windows import ClipWindow, Solver
from event_perception.events import EventWindow
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.joint import JointField, Refined, refine
from event_perception.flow.pyramid import REACH, cold_start, image_size, sorted_tiles
from event_perception.flow.residual import ResidualFlow
from event_perception.flow.residual_config import ResidualConfig
from event_perception.flow.selection import select_at_edges
from event_perception.flow.tile_kernels import score_tiles
from event_perception.flow.tiles import median_speed
from event_perception.flow.tiles_config import TilesConfig
from event_perception.flow.window import FlowWindowConfig
from event_perception.motion.result import EgomotionResult

ALL = 10**8
SIMPLE_SPEEDS_PX_S = 40.0  # step of the search of simple tiles
SIMPLE_GRID = (5, 6)  # rows and columns of simple tiles
RATE_SIGMA_RAD_S = 0.01  # of the gyroscope that the study makes up


def zero(_: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
    """Nothing moves."""
    return np.zeros((2, window.height, window.width), np.float32)


def pyramid(finest_px: int, config: TilesConfig | None = None) -> Solver:
    """Tiles alone, coarse to fine."""
    settings = config or TilesConfig()

    def solve(_: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
        tiles = cold_start(FlowEvents.of(window), settings, finest_px)
        return tiles.grid.dense(tiles.q)

    return solve


def joint(config: TilesConfig | None = None, *, select: bool = True, most: int = ALL) -> Solver:
    """The whole method, cold."""
    settings = config or TilesConfig()

    def solve(_: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
        events = FlowEvents.of(window, most)
        grid, refined = cold_refined(events, settings)
        if not select:
            return grid.dense(refined.q)
        fine, q = select_at_edges(events, grid, refined.q, settings)
        return fine.dense(q)

    return solve


def cold_refined(events: FlowEvents, config: TilesConfig) -> tuple[NodeGrid, Refined]:
    """Pyramid and joint refinement of one window."""
    grid = NodeGrid(events.height, events.width, config.joint.spacing_px)
    tiles = cold_start(events, config)
    reach = REACH * config.max_speed_px_s * events.half_s
    objective = JointField(
        events, grid, bin_px=config.joint.bin_px, reach_px=reach, by_gradient=config.focus == 'gradient'
    )
    return grid, refine(objective, tiles.grid.to(grid, tiles.q), config.joint.iterations, config)


def sized(config: TilesConfig | None = None, *, most: int = ALL) -> Solver:
    """The whole method on a window as long as a first look at 50 ms says."""
    settings = config or TilesConfig()

    def solve(clip: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
        first = cold_refined(FlowEvents.of(window, most), settings)[1]
        length_s = FlowWindowConfig().length_s(median_speed(first))
        return joint(settings, most=most)(clip, clip.window(length_s))

    return solve


def simple_tiles(_: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
    """6x5 tiles of one velocity, variance of 1 px bins, a grid of velocities, then Nelder and Mead."""
    events = FlowEvents.of(window)
    side = max(window.height / SIMPLE_GRID[0], window.width / SIMPLE_GRID[1])
    grid = NodeGrid(window.height, window.width, side)
    tiles, config = sorted_tiles(events, grid, side), TilesConfig()
    size = image_size(side, 1.0, 2 * config.max_speed_px_s * events.half_s)

    def scores(candidates: NDArray[np.float64], part: slice = slice(None)) -> NDArray[np.float64]:
        begin = tiles.begin if part == slice(None) else tiles.begin[part.start : part.start + 2]
        out = np.zeros((len(begin) - 1, candidates.shape[1]))
        score_tiles(tiles.x, tiles.y, tiles.s, begin, config.min_events, candidates, 1.0, size, False, out)
        return out

    steps = np.arange(-config.max_speed_px_s, config.max_speed_px_s + 1, SIMPLE_SPEEDS_PX_S)
    trials = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    starts = trials[np.argmax(scores(np.tile(trials, (len(grid), 1, 1))), axis=1)]
    q = np.zeros((len(grid), 2))
    for k in np.flatnonzero(tiles.count >= config.min_events):
        simplex = starts[k] + SIMPLE_SPEEDS_PX_S / 2 * np.array([[0, 0], [1, 0], [0, 1]])
        q[k] = minimize(
            lambda p, k=k: -scores(p.reshape(1, 1, 2), slice(k, k + 1))[0, 0],
            starts[k],
            method='Nelder-Mead',
            options={'initial_simplex': simplex, 'maxfev': 60, 'xatol': 0.5},
        ).x
    return grid.dense(q)


def egomotion_flow(
    *, residual: bool, depth_error: float = 0.0, gyro: bool = False, depth: bool = True
) -> Solver:
    """Depth and a linear fit to tiles, with residual tiles or without.

    Args:
        residual: Whether residual tiles are looked for.
        depth_error: Smooth relative error of depth, standard deviation.
        gyro: Whether the rate is known.
        depth: Whether depth is given.
    """

    def solve(clip: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
        config = ResidualConfig(max_events=ALL, keep=0.08 if residual else 10.0)
        estimator = ResidualFlow(config, clip.camera)
        seen = _wrong_depth(clip, depth_error) if depth else None
        return estimator.update(window, _rate(clip) if gyro else None, seen).flow_px_s

    return solve


def _rate(clip: ClipWindow) -> EgomotionResult:
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = RATE_SIGMA_RAD_S**2 * np.eye(3)
    omega = clip.sequence.omega(np.array([clip.t_ns]))[0]
    return EgomotionResult(
        clip.t_ns, clip.t_ns, clip.t_ns, omega, np.full(3, np.nan), covariance, True, 'truth', 0, 0, 1.0
    )


def _wrong_depth(clip: ClipWindow, error: float):  # type: ignore[no-untyped-def]
    import cv2

    rows, columns = clip.depth.depth_m.shape
    coarse = np.random.default_rng(0).normal(0, error, (5, 7)).astype(np.float32)
    smooth = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return replace(clip.depth, depth_m=clip.depth.depth_m * (1 + smooth))
