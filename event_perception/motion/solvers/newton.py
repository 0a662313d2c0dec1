# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The weak Newton method behind the solver protocol."""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.newton import NewtonConfig, Solution, minimise
from event_perception.motion.solvers.base import Evaluate


class Newton:
    """Eigenvalue-modified Newton within a trust radius; no line search."""

    def __init__(self, config: NewtonConfig | None = None) -> None:
        self.config = config or NewtonConfig()

    def minimise(self, evaluate: Evaluate, start: NDArray[np.float64]) -> Solution:
        """See ``motion.newton.minimise``."""
        return minimise(lambda x: evaluate(x, 2), start, self.config)
