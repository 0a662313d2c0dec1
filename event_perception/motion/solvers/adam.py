# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Adam (Kingma and Ba, ICLR 2015): slow and hard to stop, for comparisons and noisy objectives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.newton import Solution
from event_perception.motion.solvers.base import Evaluate


@dataclass(frozen=True, slots=True)
class Adam:
    """Gradient descent with momentum and a step length per parameter, halved towards the end."""

    rate: float = 0.1
    max_evaluations: int = 250
    tolerance: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999

    def minimise(self, evaluate: Evaluate, start: NDArray[np.float64]) -> Solution:
        """Minimise; converged if the last ten steps were all shorter than the tolerance."""
        x = np.array(start, np.float64)
        momentum, square, quiet = np.zeros_like(x), np.zeros_like(x), 0
        for n in range(1, self.max_evaluations + 1):
            here, at = evaluate(x, 1), x
            momentum = self.beta_1 * momentum + (1 - self.beta_1) * here.gradient
            square = self.beta_2 * square + (1 - self.beta_2) * here.gradient**2
            mean, spread = momentum / (1 - self.beta_1**n), square / (1 - self.beta_2**n)
            rate = self.rate * 0.5 ** (4 * n / self.max_evaluations)
            step = -rate * mean / (np.sqrt(spread) + 1e-12)
            x = x + step
            quiet = quiet + 1 if float(np.linalg.norm(step)) < self.tolerance else 0
            if quiet >= 10:
                break
        return Solution(x, here, at, n, quiet >= 10)
