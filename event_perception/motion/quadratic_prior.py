# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is known beforehand, as a quadratic term of the objective, and what is known afterwards.

The error of a minimum of f has covariance s2 H^-1, H the Hessian of f. So Gaussian knowledge of covariance C
weighs s2 C^-1 in f; with any other weight it would not be its own worth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.egomotion_config import UncertaintyConfig
from event_perception.motion.newton import Evaluation, Solution

SETTLED = 0.5  # a last step of less than this many standard deviations counts as arrived

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QuadraticPrior:
    """0.5 (x - mean)^T weight (x - mean)."""

    mean: Vector
    weight: Matrix

    @classmethod
    def none(cls, n: int) -> 'QuadraticPrior':
        """Nothing known of n parameters."""
        return cls(np.zeros(n), np.zeros((n, n)))

    def added_to(self, there: Evaluation, x: Vector) -> Evaluation:
        """The evaluation at x with this term."""
        offset = x - self.mean
        pull = self.weight @ offset
        return Evaluation(
            there.value + 0.5 * float(offset @ pull), there.gradient + pull, there.hessian + self.weight
        )

    def value(self, x: Vector) -> float:
        """The term itself."""
        offset = x - self.mean
        return 0.5 * float(offset @ self.weight @ offset)


def scaled_objective(
    objective: Callable[[Vector], Evaluation], prior: QuadraticPrior, unit: float
) -> Callable[[Vector], Evaluation]:
    """The objective with the prior as a function of z = unit * x."""

    def evaluate(z: Vector) -> Evaluation:
        x = z / unit
        return scaled(prior.added_to(objective(x), x), unit)

    return evaluate


def scaled(there: Evaluation, unit: float) -> Evaluation:
    """Derivatives by unit * x instead of x."""
    return Evaluation(there.value, there.gradient / unit, there.hessian / unit**2)


def noise_variance(value: float, n_events: float, config: UncertaintyConfig) -> float:
    """s2 of an objective normalised by the events: factor * F^2 / N * (F / (F - floor))^3, F = -f.

    F counts the neighbours of an event; what exceeds the floor comes from structure. Neighbours err together, so
    N / F events count. Found by regression of normalised errors over simulated rotations of 1 to 20 ms and
    2 500 to 60 000 events.
    """
    neighbours = max(-value, config.noise_floor + 0.05)
    signal = neighbours - config.noise_floor
    return config.noise_factor * neighbours**2 / max(n_events, 1.0) * (neighbours / signal) ** 3


def settled(solution: Solution, s2: float) -> bool:
    """Whether the last step stayed far within the uncertainty: thin data arrive there without converging."""
    step = solution.x - solution.at
    return 0.0 <= float(step @ solution.last.hessian @ step) < SETTLED**2 * s2


def covariance(hessian: Matrix, s2: float) -> Matrix:
    """s2 H^-1; infinite along directions in which the objective is flat or bends the wrong way."""
    eigenvalues, Q = np.linalg.eigh(hessian)
    usable = eigenvalues > 1e-9 * max(float(np.abs(eigenvalues).max()), 1e-300)
    if not usable.all():
        return np.diag(np.full(len(hessian), np.inf))
    return np.asarray(s2 * (Q / eigenvalues) @ Q.T, np.float64)
