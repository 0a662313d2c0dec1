# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Optical flow by contrast maximisation: the sharpest image of warped events, tile by tile and then jointly.

Cold: a pyramid of tiles finds the motion from nothing, a field of nodes over one image refines it. Warm: the field
of the window before is refined at once. Last, small cells at motion edges choose their side.

Tile-wise contrast maximisation follows Shiba, Klose, Aoki and Gallego, Secrets of event-based optical flow,
TPAMI 2024; the derivatives are weak ones (arXiv 2602.12590) and the solver is Newton's.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow
from event_perception.flow.coincidence import coincidence_score
from event_perception.flow.events import FlowEvents
from event_perception.flow.field import FlowField
from event_perception.flow.grid import NodeGrid, Velocities
from event_perception.flow.joint import JointField, Refined, refine, weighted_median
from event_perception.flow.pyramid import REACH, cold_start
from event_perception.flow.selection import select_at_edges
from event_perception.flow.tiles_config import TilesConfig
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult

LOOSE_PX_S = 10.0  # error to expect where events hold a node as firmly as the median one
MEMORY = 0.8  # share of the past in the running mean of the gain of focus


@dataclass(frozen=True, eq=False)
class NodeFlow:
    """Flow of one window before it becomes dense.

    Attributes:
        t_ref_ns: The instant described.
        t1_ns: End of the window.
        grid: The nodes.
        refined: Velocities and what is known about them.
        gain: Focus at the velocities divided by that at rest.
        warm: Whether the field of the window before was the start.
    """

    t_ref_ns: int
    t1_ns: int
    grid: NodeGrid
    refined: Refined
    gain: float
    warm: bool


class TileFlow:
    """Flow of window after window; each starts from the one before unless that stopped to fit.

    Args:
        config: Parameters; None for the defaults.
        camera: Model of the camera: only its size is used.

    Attributes:
        speed_px_s: Median speed of the events of the last window, for choosing the length of the next; None where
            it is not known.
        latest: The last result on nodes; None where there was none.
    """

    config_type: ClassVar[type[TilesConfig]] = TilesConfig

    def __init__(self, config: TilesConfig | None, camera: CameraModel) -> None:
        self.config = config or TilesConfig()
        self._shape = (camera.height, camera.width)
        self._grid = NodeGrid(camera.height, camera.width, self.config.joint.spacing_px)
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next window starts cold."""
        self.speed_px_s: float | None = None
        self.latest: NodeFlow | None = None
        self._gain: float | None = None
        self._cold_ns = self._cold_length_ns = 0

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult | None = None,
        depth: DepthImage | None = None,
    ) -> FlowField:
        """Flow at the reference instant of the window; egomotion and depth are not used.

        Raises:
            DataError: If the window is of another sensor size than the camera.
        """
        check_size(window, self._shape)
        events = FlowEvents.of(window, self.config.max_events, seed=window.t_ref_ns & 0xFFFF)
        if len(events) < self.config.min_events:
            self.reset()
            return nothing(window.t_ref_ns, self._shape)
        self.latest = self._solve(events, window)
        self.speed_px_s = median_speed(self.latest.refined)
        return self._dense(events, self.latest)

    def _solve(self, events: FlowEvents, window: EventWindow) -> NodeFlow:
        before = self.latest
        if before is not None and self._may_be_warm(before, window):
            start, iterations = before.refined.q, self.config.joint.warm_iterations
            result = self._refined(events, start, iterations, window, warm=True)
            if self._gain is None or result.gain >= self.config.restart.focus_drop * self._gain:
                self._gain = MEMORY * (self._gain or result.gain) + (1 - MEMORY) * result.gain
                return result
        tiles = cold_start(events, self.config)
        start = tiles.grid.to(self._grid, tiles.q)
        result = self._refined(events, start, self.config.joint.iterations, window, warm=False)
        self._cold_ns, self._gain = window.t_ref_ns, None
        self._cold_length_ns = window.t1_ns - window.t0_ns
        return result

    def _may_be_warm(self, before: NodeFlow, window: EventWindow) -> bool:
        gap_ns = window.t0_ns - before.t1_ns
        since_cold_ns = window.t_ref_ns - self._cold_ns
        restart = self.config.restart
        recent = gap_ns <= restart.gap_s * 1e9 and window.t_ref_ns > before.t_ref_ns
        longer = window.t1_ns - window.t0_ns > restart.lengthened * self._cold_length_ns
        return recent and not longer and since_cold_ns <= restart.period_s * 1e9

    def _refined(
        self, events: FlowEvents, start: Velocities, iterations: int, window: EventWindow, *, warm: bool
    ) -> NodeFlow:
        config = self.config
        objective = JointField(
            events,
            self._grid,
            bin_px=config.joint.bin_px,
            reach_px=REACH * config.max_speed_px_s * events.half_s,
            by_gradient=config.focus == 'gradient',
        )
        at_rest = objective.evaluate(np.zeros_like(start), second=False)[0]
        refined = refine(objective, start, iterations, config)
        gain = refined.focus / max(at_rest, 1e-12)
        return NodeFlow(window.t_ref_ns, window.t1_ns, self._grid, refined, gain, warm)

    def _dense(self, events: FlowEvents, result: NodeFlow) -> FlowField:
        config, refined = self.config, result.refined
        known = known_nodes(events, result, config)
        if config.selection.enabled:
            fine, q = select_at_edges(events, result.grid, refined.q, config)
            flow = fine.dense(q)
        else:
            flow = result.grid.dense(refined.q)
        valid = dense_mask(result.grid, known)
        confidence = result.grid.dense(np.repeat(node_confidence(result, config)[:, None], 2, axis=1))[0]
        flow *= valid
        return FlowField(result.t_ref_ns, flow, valid, confidence * valid)


def check_size(window: EventWindow, shape: tuple[int, int]) -> None:
    """Refuse events of another sensor.

    Raises:
        DataError: If the sizes differ.
    """
    if (window.height, window.width) != shape:
        raise DataError(
            f'events of a sensor {(window.height, window.width)} for flow of a camera {shape} (height, width); '
            'give the calibration of this camera'
        )


def nothing(t_ref_ns: int, shape: tuple[int, int]) -> FlowField:
    """A field of which nothing is known."""
    zero = np.zeros(shape, np.float32)
    return FlowField(t_ref_ns, np.zeros((2, *shape), np.float32), np.zeros(shape, bool), zero)


def known_nodes(events: FlowEvents, result: NodeFlow, config: TilesConfig) -> NDArray[np.bool_]:
    """Nodes that rest on events of their own, among events that are no noise, and no faster than can be told."""
    q, joint = result.refined.q, config.joint
    own = result.refined.weight >= joint.min_weight
    seen = coincidence_score(events, result.grid, q) >= joint.min_coincidence
    return np.asarray(own & seen & (np.hypot(*q.T) <= REACH * config.max_speed_px_s))


def node_confidence(result: NodeFlow, config: TilesConfig) -> NDArray[np.float64]:
    """One half where the error to expect is ``confidence_px_s``, towards 1 below it and 0 above."""
    return config.confidence_px_s / (config.confidence_px_s + expected_error(result.refined, result.grid))


def expected_error(refined: Refined, grid: NodeGrid) -> NDArray[np.float64]:
    """What tells bad nodes from good ones, px/s (n,); it sorts errors and is not calibrated to their size.

    How much neighbours disagree, each by itself; how far the coupling had to pull the node; and how weakly events
    hold it along its weaker direction, which alone says little.
    """
    P = refined.curvature
    mean, half = 0.5 * (P[:, 0] + P[:, 2]), np.hypot(0.5 * (P[:, 0] - P[:, 2]), P[:, 1])
    weakest = np.maximum(mean - half, 1e-9)
    held = weakest[refined.weight > 0]
    looseness = np.sqrt(float(np.median(held)) / weakest) if held.size else np.ones(len(P))
    pulled = np.linalg.norm(refined.raw - refined.q, axis=1)
    return neighbour_disagreement(refined.raw, grid) + pulled + LOOSE_PX_S * np.minimum(looseness, 1e3)


def neighbour_disagreement(q: Velocities, grid: NodeGrid) -> NDArray[np.float64]:
    """Mean distance of each velocity from its four neighbours, (n,), px/s."""
    field = q.reshape(grid.rows, grid.columns, 2)
    total, count = np.zeros((grid.rows, grid.columns)), np.zeros((grid.rows, grid.columns))
    for here, there in (
        (np.s_[1:, :], np.s_[:-1, :]),
        (np.s_[:, 1:], np.s_[:, :-1]),
    ):
        distance = np.linalg.norm(field[here] - field[there], axis=-1)
        for place in (here, there):
            total[place] += distance
            count[place] += 1
    return (total / count).ravel()


def median_speed(refined: Refined) -> float | None:
    """Median of the speed over the events; None where no node has any."""
    return weighted_median(np.hypot(*refined.q.T), refined.weight)


def dense_mask(grid: NodeGrid, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels whose nearest node is known, bool (H, W)."""
    cells = known.reshape(grid.rows, grid.columns)
    row = np.clip(((np.arange(grid.height) + 0.5) / grid.spacing).astype(int), 0, grid.rows - 1)
    column = np.clip(((np.arange(grid.width) + 0.5) / grid.spacing).astype(int), 0, grid.columns - 1)
    return np.asarray(cells[row][:, column])
