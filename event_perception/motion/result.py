# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the egomotion stage says of one window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class EgomotionResult:
    """Camera velocity at one instant, optical frame (x right, y down, z forward).

    A static scene point moves with Xdot = -omega x X - v.

    Attributes:
        t0_ns: Start of the part of the window that was used; later than the window's if motion was fast.
        t1_ns: End of the window.
        t_ref_ns: The instant described.
        omega: Angular velocity (3,), rad/s.
        v: Linear velocity (3,), m/s; nan where it is not estimated.
        covariance: (6, 6) in the order (v, omega), as in a ROS twist; nan where not estimated.
        converged: Whether the estimate may be used. If not, ``omega`` is the best guess only.
        reason: Why it did or did not converge, one short sentence.
        n_events: Events used.
        n_evaluations: Evaluations of the objective in passes over the window's events: value, gradient and
            Hessian count as one, an evaluation on a quarter of the events as a quarter.
        contrast_gain: Objective at the estimate divided by the objective at zero motion.
    """

    t0_ns: int
    t1_ns: int
    t_ref_ns: int
    omega: NDArray[np.float64]
    v: NDArray[np.float64]
    covariance: NDArray[np.float64]
    converged: bool
    reason: str
    n_events: int
    n_evaluations: int
    contrast_gain: float

    @property
    def omega_covariance(self) -> NDArray[np.float64]:
        """Covariance of the angular velocity (3, 3), rad^2/s^2."""
        return self.covariance[3:, 3:]
