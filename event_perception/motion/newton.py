# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Newton's method for objectives whose value jumps but whose weak derivatives are smooth.

The Hessian of a variance is indefinite away from the maximum, and Gauss-Newton does not apply: J^T J has the
wrong sign. So: absolute eigenvalues with a floor, a trust radius, and no line search, because the value of a
binned objective is inconsistent with its weak gradient at short range. Only a large worsening is rejected.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """An objective at one point: value, gradient (k,), Hessian (k, k)."""

    value: float
    gradient: Vector
    hessian: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NewtonConfig:
    """Settings of the solver. Parameters are scaled: one unit moves an event at the window end by one bin."""

    trust_radius: float = param(4.0, 'Longest first step, bins at the end of the window.', ge=1e-6)
    tolerance: float = param(0.03, 'A shorter step ends the search, bins at the end of the window.', ge=0.0)
    reject_worsening: float = param(
        0.002, 'A step is undone if the objective worsens by more than this fraction.', ge=0.0, le=1.0
    )
    eigenvalue_floor: float = param(
        1e-3, 'Smallest curvature assumed, as a fraction of the largest.', ge=1e-9, le=1.0
    )
    max_evaluations: int = param(10, 'Most evaluations of one search.', ge=1, le=1000)


@dataclass(frozen=True, slots=True)
class Solution:
    """Where a solver stopped.

    Attributes:
        x: The parameters (k,); the last step is not evaluated again.
        last: The last accepted evaluation.
        at: Where ``last`` was taken.
        n_evaluations: Evaluations made.
        converged: Whether the last step was short enough.
    """

    x: Vector
    last: Evaluation
    at: Vector
    n_evaluations: int
    converged: bool
    path: list[Vector] = field(default_factory=list)


def minimise(
    objective: Callable[[Vector], Evaluation],
    start: Vector,
    config: NewtonConfig | None = None,
    *,
    first: Evaluation | None = None,
) -> Solution:
    """Minimise from ``start``; a point that is not finite ends the search as not converged.

    Args:
        objective: Value, gradient and Hessian at a point.
        start: Where to begin (k,).
        config: Settings.
        first: The evaluation at ``start``, if there is one already; it is counted.
    """
    config = config or NewtonConfig()
    x = np.array(start, np.float64)
    accepted: tuple[Vector, Evaluation] | None = None
    radius, step, path = config.trust_radius, np.zeros_like(x), []
    for n in range(1, config.max_evaluations + 1):
        here = first if first is not None and n == 1 else objective(x)
        path.append(x)
        if accepted is not None and _worse(here, accepted[1], config.reject_worsening):
            radius = 0.25 * float(np.linalg.norm(step))
            x, here = accepted
        else:
            accepted = (x, here)
        if not _finite(here):
            return Solution(x, here, x, n, False, path)
        step = newton_step(here, radius, config.eigenvalue_floor)
        x = x + step
        if float(np.linalg.norm(step)) < config.tolerance:
            return Solution(x, here, accepted[0], n, True, path)
    assert accepted is not None  # noqa: S101 - the loop ran at least once
    return Solution(x, accepted[1], accepted[0], n, False, path)


def newton_step(here: Evaluation, radius: float, floor: float) -> Vector:
    """-Q |Lambda|^-1 Q^T g, cut to the trust radius; zero where there is no curvature at all."""
    eigenvalues, Q = np.linalg.eigh(here.hessian)
    curvature = np.abs(eigenvalues)
    largest = float(curvature.max())
    if largest == 0.0:
        return np.zeros_like(here.gradient)
    step = -Q @ ((Q.T @ here.gradient) / np.maximum(curvature, floor * largest))
    length = float(np.linalg.norm(step))
    return step * (radius / length) if length > radius else step


def _worse(here: Evaluation, best: Evaluation, fraction: float) -> bool:
    return not here.value <= best.value + fraction * abs(best.value)


def _finite(here: Evaluation) -> bool:
    return bool(
        np.isfinite(here.value) and np.isfinite(here.gradient).all() and np.isfinite(here.hessian).all()
    )
