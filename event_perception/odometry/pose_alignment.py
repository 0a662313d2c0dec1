# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where a window's sharpened events with depth lie on the map: a small motion of the predicted view.

As the alignment of rotations, with the translation tau beside the turn theta. Turning about one axis looks much like
shifting along another, so the alignment needs the prediction as a prior of its true weight: alone it brings back the
very directions in which it is weak.
"""

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation, NewtonConfig, minimise
from event_perception.motion.quadratic_prior import QuadraticPrior, covariance
from event_perception.motion.tracking_objective import TrackingObjective
from event_perception.odometry.direction_map import View
from event_perception.odometry.motion_filter import Evidence

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]


SWAPPED = [3, 4, 5, 0, 1, 2]  # (tau, theta) to (theta, tau) and back
NOTHING = Evidence(np.zeros((6, 6)), np.zeros(6))


@dataclass(frozen=True, slots=True)
class PoseAlignmentConfig:
    """Tracking of the pose against keyframes."""

    max_events: int = param(
        8000, 'Most events of a window that are aligned, evenly chosen.', ge=100, live=True
    )
    noise_factor: float = param(4.0, 'Scale of the covariance of an alignment.', ge=1e-3)
    max_turn_rad: float = param(
        0.1, 'A larger correction is believed only if the next window wants it, too, rad.', ge=1e-3, le=0.5
    )
    max_shift: float = param(
        0.1,
        'A larger correction is believed only if the next window wants it, too, part of the median depth.',
        ge=1e-3,
        le=0.5,
    )
    wide_px: float = param(
        1.5, 'Where the prediction is less certain than this, a blurred map is climbed first, px.', ge=0.0
    )
    widest_px: float = param(8.0, 'Largest blur of the map, px.', ge=0.5, le=100.0)
    newton: NewtonConfig = NewtonConfig(trust_radius=3.0, tolerance=0.02, reject_worsening=0.0)


@dataclass(frozen=True, eq=False)
class PoseAlignment:
    """A window on the map.

    Attributes:
        theta: Turn (3,), rad: R_true = R_predicted Exp(theta).
        tau: Shift (3,), m: p_true = p_predicted + R_predicted tau.
        posterior: Covariance of (tau, theta), camera axes, prediction and window together; infinite where flat.
        evidence: What the window alone says of (tau, theta).
        agreement: How well the events follow the map: 1 exactly, 0 not at all.
        n_evaluations: Evaluations of the objective.
        converged: Whether Newton arrived.
    """

    theta: Vector
    tau: Vector
    posterior: Vector
    evidence: Evidence
    agreement: float
    n_evaluations: int
    converged: bool


class PoseAligner:
    """Aligns window after window; keeps its workspace, so one instance serves one thread.

    Args:
        grid: Bins of the views.
        config: Parameters.
    """

    def __init__(self, grid: BinGrid, config: PoseAlignmentConfig) -> None:
        self.config, self.grid = config, grid
        self._objective = TrackingObjective(grid, translation=True)

    def align(self, bearings: Float32, q: Float32, view: View, prior: Vector) -> PoseAlignment:
        """Find the motion that puts the points on the map.

        Args:
            bearings: X/Z and Y/Z at the instant of the view, float32 (2, n).
            q: Inverse depth, (n,), positive.
            view: The map as predicted.
            prior: Covariance of the prediction, (tau, theta), camera axes (6, 6).
        """
        objective, ones = self._objective, np.ones(len(q), np.float32)
        objective.set_events(bearings[0], bearings[1], ones, (ones,), q)
        z, px = 1.0 / float(np.median(q)), self.grid.scale_x
        unit = np.array([px] * 3 + [px / z] * 3)  # one unit moves a point by about one bin
        believed, blurs = self._within_reach(prior[np.ix_(SWAPPED, SWAPPED)], unit)
        start, spent = np.zeros(6), 0
        for blur_px in blurs:
            objective.set_map(_blurred(view.image, blur_px))
            # Events closer than the blur read the same of the map: fewer of them say something of their own.
            s2 = self.config.noise_factor * (1 + blur_px**2) / max(len(q), 1)
            known = QuadraticPrior(np.zeros(6), np.asarray(s2 * np.linalg.inv(believed), np.float64))
            solution = minimise(partial(self._evaluate, unit, known), start, self.config.newton)
            start, spent = solution.x, spent + solution.n_evaluations
        x, flat = solution.x / unit, covariance(solution.last.hessian, s2)
        value = solution.last.value - known.value(solution.at / unit)
        agreement = -0.5 * value / max(view.peak, 1e-9)
        posterior = (flat / np.outer(unit, unit))[np.ix_(SWAPPED, SWAPPED)]
        if not np.isfinite(posterior).all():
            return PoseAlignment(x[:3], x[3:], posterior, NOTHING, agreement, spent, converged=False)
        evidence = Evidence.behind(believed[np.ix_(SWAPPED, SWAPPED)], x[SWAPPED], posterior)
        return PoseAlignment(x[:3], x[3:], posterior, evidence, agreement, spent, solution.converged)

    def _evaluate(self, unit: Vector, known: QuadraticPrior, s: Vector) -> Evaluation:
        x = s / unit
        there = known.added_to(self._objective.evaluate(x), x)
        return Evaluation(there.value, there.gradient / unit, there.hessian / np.outer(unit, unit))

    def _within_reach(self, prior: Vector, unit: Vector) -> tuple[Vector, list[float]]:
        """The prior, no wider than a blurred map can be climbed from, and the blurs to climb, coarse to fine.

        What lies beyond that reach is not found by leaving the solution free.
        """
        doubt_px = float(np.sqrt(np.linalg.eigvalsh(prior * np.outer(unit, unit))[-1]))
        blurs, blur_px = [0.0], self.config.wide_px
        while blur_px < min(doubt_px, self.config.widest_px):
            blurs.insert(0, blur_px)
            blur_px *= 2
        return prior * min(1.0, self.config.widest_px / doubt_px) ** 2, blurs


def _blurred(image: Float32, blur_px: float) -> Float32:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), blur_px), np.float32) if blur_px > 0 else image
