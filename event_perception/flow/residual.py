# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow of the camera's own motion, and on top of it what moves otherwise.

The motion of the camera explains most of an image. Events are moved back by the flow that follows from it (rotation
always, translation where depth is known); tiles then look for what is left, and are believed only where they focus
clearly better. So independent motion shows, and a static scene keeps the exact flow.

Where depth is known but the egomotion stage tells no velocity, it is fitted here, to tiles (``linear_egomotion``).
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.events import DepthImage, EventWindow, TwistPrior
from event_perception.flow.coincidence import coincidence_score
from event_perception.flow.events import FlowEvents
from event_perception.flow.field import FlowField
from event_perception.flow.grid import NodeGrid, Velocities
from event_perception.flow.linear_egomotion import LinearEgomotion, fit_egomotion
from event_perception.flow.motion_field import MotionField, MotionFieldConfig
from event_perception.flow.pyramid import LEVELS, TileField, cold_start, image_size, sorted_tiles
from event_perception.flow.residual_config import ResidualConfig
from event_perception.flow.selection import select_at_edges
from event_perception.flow.tile_kernels import score_tiles
from event_perception.flow.tiles import check_size, dense_mask, neighbour_disagreement, nothing
from event_perception.flow.tiles_config import TilesConfig
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult

FINEST_PX = 16  # spacing of the residual tiles


class ResidualFlow:
    """Flow of egomotion with residual tiles.

    Args:
        config: Parameters; None for the defaults.
        camera: Model of the camera.

    Attributes:
        speed_px_s: Median speed of the last field, for choosing the length of the next window.
        fitted: The last motion that was fitted here; None where none was.
    """

    config_type: ClassVar[type[ResidualConfig]] = ResidualConfig

    def __init__(self, config: ResidualConfig | None, camera: CameraModel) -> None:
        self.config = config or ResidualConfig()
        self._shape = (camera.height, camera.width)
        self._field = MotionField(MotionFieldConfig(max_depth_age_s=self.config.max_depth_age_s), camera)
        self._tiles = TilesConfig(min_events=self.config.min_events)
        selection = replace(self._tiles.selection, bonus=self.config.bonus, gate=0.0)
        self._residual = replace(self._tiles, max_speed_px_s=self.config.max_speed_px_s, selection=selection)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self.speed_px_s: float | None = None
        self.fitted: LinearEgomotion | None = None

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult | None = None,
        depth: DepthImage | None = None,
    ) -> FlowField:
        """Flow at the reference instant of the window.

        Without an egomotion that converged nothing but tiles is used: the camera is taken to stand still.

        Raises:
            DataError: If the window or the depth image is of another size than the camera.
        """
        check_size(window, self._shape)
        events = FlowEvents.of(window, self.config.max_events, seed=window.t_ref_ns & 0xFFFF)
        base, known = self._of_camera(events, window, egomotion, depth)
        if len(events) < self.config.min_events:
            self.speed_px_s = None
            return (
                FlowField(window.t_ref_ns, base * known, known)
                if known.any()
                else nothing(window.t_ref_ns, self._shape)
            )
        left = events.shifted_back(base)
        tiles, believed = self._residual_tiles(left)
        q: Velocities = np.where(believed[:, None], tiles.q, 0.0)
        flow = base + self._dense_rest(left, tiles.grid, q)
        told = (tiles.count >= self.config.min_events) & self._no_noise(left, tiles.grid, q)
        valid = known | dense_mask(tiles.grid, told)
        self.speed_px_s = _median_speed(flow, events)
        disagreement = neighbour_disagreement(tiles.raw, tiles.grid)
        confidence = self.config.confidence_px_s / (self.config.confidence_px_s + disagreement)
        dense = tiles.grid.dense(np.repeat(confidence[:, None], 2, axis=1))[0]
        return FlowField(window.t_ref_ns, flow * valid, valid, dense * valid)

    def _of_camera(
        self,
        events: FlowEvents,
        window: EventWindow,
        egomotion: EgomotionResult | None,
        depth: DepthImage | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Flow of the camera's motion, and where it is known to be that of what is seen."""
        recent = depth is not None and window.t_ref_ns - depth.t_ns <= self.config.max_depth_age_s * 1e9
        inverse, seen = self._field.inverse_depth(depth) if recent and depth is not None else (None, None)
        moving = egomotion if egomotion is not None and egomotion.converged else None
        if inverse is None or seen is None:
            flow = np.zeros((2, *self._shape), np.float32)
            if moving is not None:
                flow += self._field.rotational(moving.omega)
            return flow, np.zeros(self._shape, bool)
        self.fitted = self._fit(events, inverse, seen, moving)
        omega, v = (self.fitted.omega, self.fitted.v) if self.fitted is not None else _told(moving)
        flow = self._field.rotational(omega)
        if not np.isfinite(v).all():  # nobody tells the velocity: tiles alone
            return flow, np.zeros(self._shape, bool)
        flow += inverse * self._field.translational(v)
        return flow, seen

    def _fit(
        self,
        events: FlowEvents,
        inverse: NDArray[np.float32],
        seen: NDArray[np.bool_],
        moving: EgomotionResult | None,
    ) -> LinearEgomotion | None:
        """The motion that tiles and depth tell, unless egomotion knows its velocity already."""
        if moving is not None and np.isfinite(moving.v).all():
            return None
        if len(events) < self.config.min_events:
            return None
        tiles = cold_start(events, self._tiles)
        tiles = replace(
            tiles, curvature=tiles.curvature * self._no_noise(events, tiles.grid, tiles.q)[:, None]
        )
        return egomotion_of_tiles(tiles, self._field, inverse, seen, _prior(moving))

    def _residual_tiles(self, left: FlowEvents) -> tuple[TileField, NDArray[np.bool_]]:
        """Tiles of what the camera's motion leaves to explain, and which of them are believed."""
        tiles = cold_start(left, self._residual, FINEST_PX)
        level = next(level for level in LEVELS if level.spacing == FINEST_PX)
        trials = np.ascontiguousarray(np.stack([np.zeros_like(tiles.q), tiles.q], axis=1))
        scores = np.zeros(trials.shape[:2])
        size = image_size(level.side, level.bin_px, 2 * self.config.max_speed_px_s * left.half_s)
        inside = sorted_tiles(left, tiles.grid, level.side)
        score_tiles(
            inside.x, inside.y, inside.s, inside.begin, self.config.min_events, trials,
            level.bin_px, size, True, scores,
        )  # fmt: skip
        return tiles, scores[:, 1] > (1 + self.config.keep) * scores[:, 0]

    def _no_noise(self, events: FlowEvents, grid: NodeGrid, q: Velocities) -> NDArray[np.bool_]:
        return coincidence_score(events, grid, q) >= self._tiles.joint.min_coincidence

    def _dense_rest(self, left: FlowEvents, grid: NodeGrid, q: Velocities) -> NDArray[np.float32]:
        if not q.any():
            return np.zeros((2, *self._shape), np.float32)
        fine, chosen = select_at_edges(left, grid, q, self._residual)
        return fine.dense(chosen)


def egomotion_of_tiles(
    tiles: TileField,
    field: MotionField,
    inverse_depth: NDArray[np.float32],
    seen: NDArray[np.bool_],
    prior: TwistPrior | None = None,
) -> LinearEgomotion | None:
    """Fit the motion of the camera to tiles whose centres have a depth; None if there are too few."""
    place, rows, columns = _centres(tiles.grid)
    rotation, translation = field.basis_at(rows, columns)
    basis = np.concatenate([rotation, translation * inverse_depth[rows, columns][:, None, None]], axis=2)
    curvature = np.where(seen[rows, columns][:, None], tiles.curvature, 0.0)
    return fit_egomotion(tiles.raw, curvature, basis, place, prior)


def _centres(grid: NodeGrid) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Places (n, 2) of the nodes, and the rows and columns of their pixels."""
    x, y = np.meshgrid(*grid.centres)
    place = np.stack([x.ravel(), y.ravel()], axis=1)
    columns = np.clip(np.rint(place[:, 0]), 0, grid.width - 1).astype(np.intp)
    rows = np.clip(np.rint(place[:, 1]), 0, grid.height - 1).astype(np.intp)
    return place, rows, columns


def _prior(moving: EgomotionResult | None) -> TwistPrior | None:
    """What egomotion says of the rate, as a prior."""
    if moving is None or not np.isfinite(moving.omega_covariance).all():
        return None
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = moving.omega_covariance
    return TwistPrior(moving.t_ref_ns, np.full(3, np.nan), moving.omega, covariance)


def _told(moving: EgomotionResult | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if moving is None:
        return np.zeros(3), np.full(3, np.nan)
    return moving.omega, moving.v


def _median_speed(flow: NDArray[np.float32], events: FlowEvents) -> float:
    at = flow[:, events.y.astype(np.intp), events.x.astype(np.intp)]
    return float(np.median(np.hypot(*at)))
