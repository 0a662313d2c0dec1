# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How wrong an integrated orientation is: covariance of orientation and rate, correlated over time.

Errors of neighbouring windows are not independent: the same edges carry them. Treating them as independent
makes the orientation look far too good, so the rate error is a first-order Gauss-Markov process here, and its
correlation with the orientation error is carried along.

Orientation errors are about the axes of the odometry frame, R_true = Exp(phi) R; rate errors are in the camera
frame. With G = R J_l(increment), J_l the left Jacobian of SO(3), phi grows by G times the integrated rate error.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]


@dataclass(frozen=True, eq=False)
class RotationError:
    """Second moments of the errors, each (3, 3).

    Attributes:
        orientation: E[phi phi^T], rad^2.
        cross: E[phi e^T], rad^2/s.
        rate: E[e e^T], rad^2/s^2.
    """

    orientation: Matrix
    cross: Matrix
    rate: Matrix


def after_measurement(
    error: RotationError, G: Matrix, dt_s: float, rate: Matrix, correlation: float
) -> RotationError:
    """The errors after integrating by the trapezium rule to a newly measured rate.

    The new rate error is e' = F e + w: of covariance ``rate``, and correlated with the old one by the factor
    ``correlation`` along whitened axes, F = c L' L^-1, with L L^T and L' L'^T the two covariances.

    Args:
        error: The errors before.
        G: Effect of an integrated rate error on the orientation, (3, 3).
        dt_s: Time between the two rates, seconds.
        rate: Covariance of the new rate, (3, 3), rad^2/s^2, positive definite.
        correlation: Correlation of the new rate error with the old one, 0 to 1.
    """
    F = correlation * np.linalg.cholesky(rate) @ np.linalg.inv(np.linalg.cholesky(error.rate))
    Q = (1 - correlation**2) * rate
    B = 0.5 * dt_s * G
    A = B @ (np.eye(3) + F)
    return _propagated(error, A, F, B @ Q @ B.T, B @ Q, Q)


def after_prediction(
    error: RotationError, G: Matrix, dt_s: float, time_constant_s: float, sigma_rad_s: float
) -> RotationError:
    """The errors after a time without measurement, the rate decaying to 0.

    The rate is an Ornstein-Uhlenbeck process of this time constant and stationary standard deviation; its
    integral has a closed form for any duration (Gillespie, Phys. Rev. E 54, 1996).

    Args:
        error: The errors before.
        G: Effect of an integrated rate error on the orientation, (3, 3).
        dt_s: Duration, seconds.
        time_constant_s: How long a rate lasts, seconds.
        sigma_rad_s: What the rate may be when nothing is known, rad/s.
    """
    tau, kept = time_constant_s, math.exp(-dt_s / time_constant_s)
    variance = sigma_rad_s**2
    integral = variance * tau**2 * _integrated_noise(dt_s / tau)
    mixed = variance * tau * (1 - kept) ** 2
    Q = variance * (1 - kept**2) * np.eye(3)
    return _propagated(error, tau * (1 - kept) * G, kept * np.eye(3), integral * G @ G.T, mixed * G, Q)


def _integrated_noise(ratio: float) -> float:
    """2 r - 3 + 4 exp(-r) - exp(-2 r), by its series where the terms cancel."""
    if ratio < 0.01:
        return ratio**3 * (2 / 3 - ratio / 2)
    return 2 * ratio - 3 + 4 * math.exp(-ratio) - math.exp(-2 * ratio)


def _propagated(
    error: RotationError, A: Matrix, F: Matrix, noise_orientation: Matrix, noise_cross: Matrix, Q: Matrix
) -> RotationError:
    """One step phi' = phi + A e + n, e' = F e + w, with E[n n^T], E[n w^T] and E[w w^T] given."""
    mixed = A @ error.cross.T
    orientation = error.orientation + mixed + mixed.T + A @ error.rate @ A.T + noise_orientation
    cross = (error.cross + A @ error.rate) @ F.T + noise_cross
    rate = F @ error.rate @ F.T + Q
    return RotationError(_symmetric(orientation), cross, _symmetric(rate))


def _symmetric(matrix: Matrix) -> Matrix:
    return 0.5 * (matrix + matrix.T)
