# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""L-BFGS-B of SciPy, the solver of most published contrast maximisation; gradients only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.newton import Solution
from event_perception.motion.solvers.base import Evaluate


@dataclass(frozen=True, slots=True)
class Lbfgsb:
    """Quasi-Newton with a line search on the value, which a weak gradient only agrees with at long range."""

    max_evaluations: int = 200
    gradient_tolerance: float = 1e-5

    def minimise(self, evaluate: Evaluate, start: NDArray[np.float64]) -> Solution:
        """Minimise; 'converged' is what SciPy reports."""
        from scipy.optimize import minimize

        def value_and_gradient(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            there = evaluate(x, 1)
            return there.value, there.gradient

        options = {'maxfun': self.max_evaluations, 'gtol': self.gradient_tolerance}
        found = minimize(value_and_gradient, start, jac=True, method='L-BFGS-B', options=options)
        x = np.asarray(found.x, np.float64)
        return Solution(x, evaluate(x, 1), x, int(found.nfev) + 1, bool(found.success))
