# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a solver is, and coarse to fine: one solver on a sequence of problems."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.newton import Evaluation, Solution

Vector = NDArray[np.float64]
Evaluate = Callable[[Vector, int], Evaluation]


class Solver(Protocol):
    """Finds a minimum from a start."""

    def minimise(self, evaluate: Evaluate, start: Vector) -> Solution:
        """Where it stopped; ``evaluate(x, order)`` gives value, gradient (1) and Hessian (2)."""
        ...


def scaled_parameters(evaluate: Evaluate, units: Vector) -> Evaluate:
    """The same objective as a function of units * x: what moves events alike should count alike."""

    def in_units(z: Vector, order: int = 2) -> Evaluation:
        there = evaluate(z / units, order)
        return Evaluation(there.value, there.gradient / units, there.hessian / np.outer(units, units))

    return in_units


def coarse_to_fine(
    levels: Sequence[tuple[Evaluate, Vector]], solver: Solver, starts: Sequence[Vector]
) -> Solution:
    """Solve level after level; of several starts the best of the first level goes on.

    Args:
        levels: Objective and units of its parameters, coarse bins first.
        solver: The solver of every level.
        starts: Parameters to start from, at least one.

    Returns:
        The solution of the last level in its own parameters; evaluations of all levels are counted.
    """
    spent, candidates = 0, list(starts)
    for evaluate, units in levels:
        scaled = scaled_parameters(evaluate, units)
        solutions = [solver.minimise(scaled, units * start) for start in candidates]
        spent += sum(s.n_evaluations for s in solutions)
        best = min(solutions, key=lambda s: s.last.value)
        candidates = [best.x / units]
    hessian = best.last.hessian * np.outer(units, units)
    last = Evaluation(best.last.value, best.last.gradient * units, hessian)
    return Solution(best.x / units, last, best.at / units, spent, best.converged)
