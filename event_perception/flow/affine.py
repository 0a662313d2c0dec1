# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Affine flow of the whole image by contrast maximisation: six numbers, for boards, planes and far scenes.

    window -> the last tens of milliseconds, as many as hold enough events
    warm: Newton on fine bins from the prediction;  cold: from rest, on coarse, then finer bins
    the flow at an instant: a line through the last few estimates, each booked at the middle of its events

A window that ends now tells the flow of its middle; the line brings it to now. Where tiles of the image are less
sharp after the warp than before, the model does not hold, and the flow is not valid there.

Sources: Gallego, Rebecq and Scaramuzza, CVPR 2018 (contrast); arXiv 2602.12590 (weak derivatives). The line through
estimates and the check by tiles are this package's own.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow
from event_perception.flow.affine_variance import AffineVariance, pixel_grid
from event_perception.flow.field import FlowField
from event_perception.flow.recent_events import RecentEvents, RecentEventsConfig
from event_perception.motion.camera import CameraModel
from event_perception.motion.newton import Evaluation, NewtonConfig, minimise
from event_perception.motion.own_votes import own_share
from event_perception.motion.result import EgomotionResult

Vector = NDArray[np.float64]
QUICK = 5  # evaluations of a search after which the next one keeps part of the Hessian


@dataclass(frozen=True, slots=True)
class AffineFlowConfig:
    """How affine flow is estimated, and when it is believed."""

    memory: RecentEventsConfig = RecentEventsConfig()
    bin_size_px: float = param(
        1.5, 'Side of the finest bins; whole pixels favour no motion, px.', ge=0.5, le=8.0
    )
    kernel: Literal['bilinear', 'gaussian'] = param(
        'bilinear', 'How an event votes: bilinear is sharper and faster, gaussian (sigma 1 bin) smoother.'
    )
    coarsest_px: float = param(
        6.0, 'Side of the bins on which a search without prediction begins, px.', ge=1.0, le=64.0
    )
    margin_px: float = param(
        16.0, 'Border around the image for events that are warped out of it, px.', ge=0.0
    )
    line_estimates: int = param(
        5, 'The flow follows a line through this many estimates; 1 takes the last as it is.', ge=1, le=100
    )
    min_events: int = param(2000, 'A search with fewer events is not made.', ge=10)
    min_contrast: float = param(
        0.6,
        'Least contrast after the warp: neighbours of an event beyond those by chance; noise reaches 0.5.',
        ge=0.0,
    )
    min_gain: float = param(
        1.01, 'Least contrast relative to that without motion, where motion is visible.', ge=1.0
    )
    visible_px: float = param(1.0, 'Motion within the window that counts as visible, px.', ge=0.0)
    tile_px: int = param(32, 'Side of the tiles in which the model is checked, px.', ge=4)
    tile_gain: float = param(
        0.9,
        'Least contrast of a tile relative to that without motion: with less, flow is not valid there.',
        ge=0.0,
    )
    newton: NewtonConfig = NewtonConfig()


@dataclass(frozen=True, slots=True)
class AffineEstimate:
    """One estimate: parameters (6,) in half widths per second, at the middle of its events."""

    t_ns: int
    parameters: Vector


class AffineFlow:
    """Flow of the pixel grid, lens distortion or not: everything happens in sensor pixels.

    Args:
        config: Parameters; None for the defaults.
        camera: Its size is used, nothing else.
    """

    config_type: ClassVar[type[AffineFlowConfig]] = AffineFlowConfig

    def __init__(self, config: AffineFlowConfig | None, camera: CameraModel) -> None:
        self.config = config = config or AffineFlowConfig()
        self._shape = (camera.height, camera.width)
        self._recent = RecentEvents(config.memory, camera.height, camera.width)
        sizes = [config.bin_size_px]
        while sizes[-1] * 2 <= config.coarsest_px:
            sizes.append(sizes[-1] * 2)
        self._levels = [
            AffineVariance(pixel_grid(*self._shape, s, config.margin_px), config.kernel) for s in sizes[::-1]
        ]
        self._estimates: deque[AffineEstimate] = deque(maxlen=config.line_estimates)
        self._explained = np.zeros(self._shape, bool)
        self._tile_bins = round(config.tile_px / config.bin_size_px) | 1
        self._own = own_share(config.kernel)
        self.n_evaluations = 0
        self._quick = False

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult | None = None,
        depth: DepthImage | None = None,
    ) -> FlowField:
        """Flow at the reference instant of the window.

        Raises:
            DataError: If the events are of another size than the camera.
        """
        self.push(window)
        return self.at(window.t_ref_ns)

    def push(self, window: EventWindow) -> None:
        """Estimate from the events up to the end of this window.

        Raises:
            DataError: If the events are of another size than the camera.
        """
        if (window.height, window.width) != self._shape:
            raise DataError(
                f'events of a {window.width}x{window.height} sensor, camera model of '
                f'{self._shape[1]}x{self._shape[0]}; use the calibration of this camera'
            )
        if self._recent.push(window):
            self._forget()
        x, y, d, t_ref_ns = self._recent.centred(window.t1_ns)
        found = self._solve(x, y, d, t_ref_ns) if len(d) >= self.config.min_events else None
        if found is None:
            self._forget()
        else:
            self._estimates.append(AffineEstimate(t_ref_ns, found))

    def at(self, t_ns: int) -> FlowField:
        """Flow at an instant, from the last estimates."""
        if not self._estimates:
            return FlowField(t_ns, np.zeros((2, *self._shape), np.float32), np.zeros(self._shape, bool))
        return FlowField(
            t_ns,
            affine_field(self.parameters(t_ns), *self._shape) * self._explained,
            self._explained.copy(),
        )

    def parameters(self, t_ns: int) -> Vector:
        """The line through the last estimates at an instant, (6,), half widths per second."""
        t_s = np.array([(e.t_ns - t_ns) * 1e-9 for e in self._estimates])
        values = np.array([e.parameters for e in self._estimates])
        if len(values) < 3:
            return np.asarray(values[-1])
        centre = t_s.mean()
        slope = (t_s - centre) @ values / max(float(((t_s - centre) ** 2).sum()), 1e-12)
        return np.asarray(values.mean(axis=0) - centre * slope)

    def _forget(self) -> None:
        self._estimates.clear()

    def _solve(
        self, x: NDArray[np.float32], y: NDArray[np.float32], d: NDArray[np.float32], t_ref_ns: int
    ) -> Vector | None:
        """Parameters, or None if they are not to be believed."""
        duration_s = 2 * max(float(np.abs(d).max()), 1e-6)
        levels, start = self._levels, np.zeros(6)
        keep = bool(self._estimates) and self._quick
        if self._estimates:
            levels, start = levels[-1:], self.parameters(t_ref_ns)
        for level in levels:
            level.set_events(x, y, d)
            unit = 0.5 * duration_s * level.grid.scale_x
            solution = minimise(_scaled(level, unit, keep), unit * start, self.config.newton)
            self.n_evaluations += solution.n_evaluations
            self._quick = solution.n_evaluations <= QUICK
            start = solution.x / unit
        fine = self._levels[-1]
        warped, still = fine.image(start), fine.image(np.zeros(6))
        motion_px = float(np.abs(start[:2]).max()) * 0.5 * self._shape[1] * duration_s
        here, there = self._structure(warped), self._structure(still)
        sharp = here >= self.config.min_contrast
        sharper = here >= self.config.min_gain * there or motion_px <= self.config.visible_px
        if not (solution.converged and sharp and sharper and np.isfinite(start).all()):
            return None
        self._explained = self._check_tiles(warped, still)
        return np.asarray(start)

    def _structure(self, image: NDArray[np.float32]) -> float:
        """Neighbours that an event has beyond those that chance and the mean around it give."""
        around = cv2.blur(image, (self._tile_bins, self._tile_bins))
        return float(np.square(image - around).sum() / max(float(image.sum()), 1.0)) - self._own

    def _check_tiles(self, warped: NDArray[np.float32], still: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Where the warp leaves the image no less sharp than it was, bool (H, W)."""
        side = (self._tile_bins, self._tile_bins)
        sharp, before = (cv2.boxFilter(np.square(image), -1, side) for image in (warped, still))
        worse = sharp < self.config.tile_gain * before
        size = self.config.bin_size_px
        (H, W), (rows, columns) = self._shape, worse.shape
        at_row = np.round((np.arange(H) - 0.5 * (H - 1)) / size + 0.5 * (rows - 1)).astype(int)
        at_column = np.round((np.arange(W) - 0.5 * (W - 1)) / size + 0.5 * (columns - 1)).astype(int)
        return np.asarray(~worse[np.ix_(at_row, at_column)])


def affine_field(parameters: Vector, height: int, width: int) -> NDArray[np.float32]:
    """Flow of six parameters, float32 (2, H, W), px/s."""
    half = 0.5 * width
    x = ((np.arange(width) - 0.5 * (width - 1)) / half).astype(np.float32)
    y = ((np.arange(height) - 0.5 * (height - 1)) / half).astype(np.float32)
    p = (half * parameters).astype(np.float32)
    flow = np.empty((2, height, width), np.float32)
    for axis, (constant, along, across) in enumerate(((0, 2, 3), (1, 4, 5))):
        flow[axis] = (p[constant] + p[along] * x)[None, :] + (p[across] * y)[:, None]
    return flow


def _scaled(level: AffineVariance, unit: float, keep: bool) -> Callable[[Vector], Evaluation]:
    def evaluate(z: Vector) -> Evaluation:
        there = level.evaluate(z / unit, keep=keep)
        return Evaluation(there.value, there.gradient / unit, there.hessian / unit**2)

    return evaluate
