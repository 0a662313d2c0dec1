# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where a window's sharpened events with depth lie on the map: a small motion of the predicted view.

As the alignment of rotations, with the translation tau beside the turn theta. Turning about one axis looks much like
shifting along another, so the alignment needs the prediction as a prior of its true weight: alone it brings back the
very directions in which it is weak.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation, NewtonConfig, minimise
from event_perception.motion.quadratic_prior import QuadraticPrior, covariance
from event_perception.motion.tracking_objective import TrackingObjective
from event_perception.odometry.direction_map import View

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PoseAlignmentConfig:
    """Tracking of the pose against keyframes."""

    max_events: int = param(
        8000, 'Most events of a window that are aligned, evenly chosen.', ge=100, live=True
    )
    noise_factor: float = param(4.0, 'Scale of the covariance of an alignment.', ge=1e-3)
    max_turn_rad: float = param(0.1, 'A larger correction is refused, rad.', ge=1e-3, le=0.5)
    max_shift: float = param(
        0.1, 'A larger correction is refused, part of the median depth.', ge=1e-3, le=0.5
    )
    newton: NewtonConfig = NewtonConfig(trust_radius=3.0, tolerance=0.02, reject_worsening=0.0)


@dataclass(frozen=True, eq=False)
class PoseAlignment:
    """A window on the map.

    Attributes:
        theta: Turn (3,), rad: R_true = R_predicted Exp(theta).
        tau: Shift (3,), m: p_true = p_predicted + R_predicted tau.
        posterior: Covariance of (tau, theta), camera axes, prediction and window together; infinite where flat.
        agreement: How well the events follow the map: 1 exactly, 0 not at all.
        n_evaluations: Evaluations of the objective.
        converged: Whether Newton arrived.
    """

    theta: Vector
    tau: Vector
    posterior: Vector
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

    def align(
        self, bearings: Float32, q: Float32, view: View, prior: Vector, *, free: bool = False
    ) -> PoseAlignment:
        """Find the motion that puts the points on the map.

        Args:
            bearings: X/Z and Y/Z at the instant of the view, float32 (2, n).
            q: Inverse depth, (n,), positive.
            view: The map as predicted.
            prior: Covariance of the prediction, (tau, theta), camera axes (6, 6).
            free: Whether the prediction is not to hold the solution back.
        """
        n, objective = bearings.shape[1], self._objective
        ones = np.ones(n, np.float32)
        objective.set_events(bearings[0], bearings[1], ones, (ones,), q)
        objective.set_map(view.image)
        z, px = 1.0 / float(np.median(q)), self.grid.scale_x
        unit = np.array([px] * 3 + [px / z] * 3)  # one unit moves a point by about one bin
        s2 = self.config.noise_factor / max(n, 1)
        order = [3, 4, 5, 0, 1, 2]
        weight = s2 * np.linalg.inv(prior[np.ix_(order, order)]) * (1e-3 if free else 1.0)
        known = QuadraticPrior(np.zeros(6), weight)

        def evaluate(s: Vector) -> Evaluation:
            x = s / unit
            there = known.added_to(objective.evaluate(x), x)
            return Evaluation(there.value, there.gradient / unit, there.hessian / np.outer(unit, unit))

        solution = minimise(evaluate, np.zeros(6), self.config.newton)
        x = solution.x / unit
        posterior = covariance(solution.last.hessian, s2) / np.outer(unit, unit)
        value = solution.last.value - known.value(solution.at / unit)
        agreement = -0.5 * value / max(view.peak, 1e-9)
        return PoseAlignment(
            x[:3],
            x[3:],
            posterior[np.ix_(order, order)],
            agreement,
            solution.n_evaluations,
            solution.converged,
        )
