# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where a window's sharpened events lie on the map: a small turn of the predicted view, with its covariance.

Newton on f(theta) = -(2/N) sum_n M~(u_n(theta)) + prior, M~ the map rendered into the predicted view, smoothed by
the B-spline of the weak derivatives and in units of its standard deviation. Value and derivatives agree, so a step
that makes it worse is a wrong step. f counts how well events follow the map; divided by what events that
follow it exactly would give, it is the ``agreement``: about 0 for noise.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation, NewtonConfig, minimise
from event_perception.motion.quadratic_prior import QuadraticPrior, covariance, scaled_objective
from event_perception.motion.tracking_objective import TrackingObjective
from event_perception.odometry.direction_map import View

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AlignmentConfig:
    """Tracking of the orientation against the map."""

    max_events: int = param(
        8000, 'Most events of a window that are aligned, evenly chosen.', ge=100, live=True
    )
    noise_factor: float = param(
        4.0, 'Scale of the covariance of an alignment, from simulated rotations with exact truth.', ge=1e-3
    )
    max_turn_rad: float = param(0.1, 'A larger correction is refused, rad.', ge=1e-3, le=0.5)
    newton: NewtonConfig = NewtonConfig(trust_radius=2.0, tolerance=0.02, reject_worsening=0.0)


@dataclass(frozen=True, eq=False)
class Alignment:
    """A window on the map.

    Attributes:
        theta: Turn (3,), rad, camera axes: R_true = R_predicted Exp(theta).
        covariance: Of what the window alone says of it, (3, 3); infinite where the map is flat.
        agreement: How well the events follow the map: 1 exactly, 0 not at all.
        n_evaluations: Evaluations of the objective.
        converged: Whether Newton arrived.
        spin: Turn by which the rate must be corrected over the unit of time (3,), rad; 0 if it was not asked for.
        information: Of (spin, turn) from the window alone (6, 6), 1 / rad^2; likewise.
    """

    theta: Vector
    covariance: Vector
    agreement: float
    n_evaluations: int
    converged: bool
    spin: Vector = field(default_factory=lambda: np.zeros(3))
    information: Vector = field(default_factory=lambda: np.zeros((6, 6)))


class MapAligner:
    """Aligns window after window; keeps its workspace, so one instance serves one thread.

    Args:
        grid: Bins of the views.
        config: Parameters.
    """

    def __init__(self, grid: BinGrid, config: AlignmentConfig) -> None:
        self.config, self.grid = config, grid
        self._objective = TrackingObjective(grid)

    def align(
        self, points: Float32, view: View, prior: Vector | None = None, *, blur_px: float = 0.0,
        times: Float32 | None = None,
    ) -> Alignment:  # fmt: skip
        """Find the turn that puts the points on the map.

        Args:
            points: Normalised image coordinates, float32 (2, n).
            view: The map as predicted.
            prior: Covariance of the prediction (3, 3), rad^2, or with times of (spin, turn) (6, 6); None where nothing
                is known.
            blur_px: Standard deviation of a blur of the map: a wider view of where to go, bins.
            times: When the points were seen, in some unit from the reference instant, float32 (n,): then the map
                must tell the rate as well.
        """
        n, objective = points.shape[1], self._objective
        ones = np.ones(n, np.float32)
        weights = (ones,) if times is None else (np.ascontiguousarray(times, np.float32), ones)
        objective.set_events(points[0], points[1], ones, weights)
        image = view.image if blur_px <= 0 else cv2.GaussianBlur(view.image, (0, 0), blur_px)
        objective.set_map(np.asarray(image, np.float32))
        unit, s2, k = self.grid.scale_x, self.config.noise_factor / max(n, 1), 3 * len(weights)
        known = (
            QuadraticPrior.none(k)
            if prior is None
            else QuadraticPrior(np.zeros(k), s2 * np.linalg.inv(prior))
        )
        solution = minimise(
            scaled_objective(objective.evaluate, known, unit), np.zeros(k), self.config.newton
        )
        there: Evaluation = solution.last
        value = there.value - known.value(solution.at / unit)
        agreement = -0.5 * value / max(view.peak, 1e-9)
        hessian = there.hessian * unit**2 - known.weight
        rest = (agreement, solution.n_evaluations, solution.converged)
        x = solution.x / unit
        if times is None:
            return Alignment(x, covariance(hessian, s2), *rest)
        eigenvalues, Q = np.linalg.eigh(hessian)
        information = (Q * np.maximum(eigenvalues, 0.0)) @ Q.T / s2
        return Alignment(x[3:], covariance(hessian, s2)[3:, 3:], *rest, x[:3], information)

    def expanded(self, points: Float32, dt_s: Float32, theta: Vector) -> tuple[Vector, Vector]:
        """What the same points say of rate and orientation together, about where ``align`` has put them.

        Args:
            points: As given to ``align``, sharpened by a rate.
            dt_s: Their times against the reference instant, float32 (n,), seconds.
            theta: The turn found (3,), rad.

        Returns:
            Exact weak Hessian (6, 6), made positive semidefinite, and gradient (6,) by (rate, turn), divided by the
            variance that makes them a log likelihood.
        """
        n, objective = points.shape[1], self._objective
        ones = np.ones(n, np.float32)
        objective.set_events(points[0], points[1], ones, (dt_s, ones))
        there = objective.evaluate(np.concatenate([np.zeros(3), theta]))
        eigenvalues, Q = np.linalg.eigh(there.hessian)
        s2 = self.config.noise_factor / max(n, 1)
        return (Q * np.maximum(eigenvalues, 0)) @ Q.T / s2, there.gradient / s2
