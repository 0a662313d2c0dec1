# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A turning body over continuous time: a cumulative cubic B-spline on SO(3), and its derivatives by its knots.

    R(u) = R_0 A_1 A_2 A_3,   A_j = Exp(l_j(u) d_j),   d_j = Log(R_{j-1}^T R_j),   0 <= u < 1
    l_1 = (5 + 3u - 3u^2 + u^3)/6,   l_2 = (1 + 3u + 3u^2 - 2u^3)/6,   l_3 = u^3/6

Each instant feels four knots; R_j <- R_j Exp(delta_j) changes d_j by J_r^-1(d_j) delta_j - J_l^-1(d_j) delta_{j-1},
and so A_j by the right factor Exp(l_j J_r(l_j d_j) delta d_j). The rate is built up in the same order,
omega <- A_j^T omega + l_j' d_j.

Sources: Kim, Kim and Shin, SIGGRAPH 1995; Sommer and others, CVPR 2020 (derivatives of cumulative splines).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.lie_many import exps, hats, logs, right_jacobian_inverses, right_jacobians

Array = NDArray[np.float64]

KNOTS = 4  # that an instant feels


@dataclass(frozen=True, eq=False)
class SplineSample:
    """The spline at n instants.

    Attributes:
        first: Number of the first of the four knots that each feels (n,).
        R: Orientation (n, 3, 3).
        omega: Rate in the axes of the body (n, 3), rad/s.
        R_by_knots: Right perturbation of R by those of the knots (n, 3, 12).
        omega_by_knots: The same of the rate (n, 3, 12).
    """

    first: NDArray[np.intp]
    R: Array
    omega: Array
    R_by_knots: Array
    omega_by_knots: Array

    def __getitem__(self, part: slice) -> 'SplineSample':
        """Some of the instants."""
        return SplineSample(
            self.first[part], self.R[part], self.omega[part], self.R_by_knots[part], self.omega_by_knots[part]
        )


def basis(u: Array, step_s: float) -> tuple[Array, Array]:
    """Cumulative basis l_1, l_2, l_3 and its time derivative, (3, n) each."""
    l = np.stack([5 + 3 * u - 3 * u**2 + u**3, 1 + 3 * u + 3 * u**2 - 2 * u**3, u**3]) / 6  # noqa: E741
    change = np.stack([3 - 6 * u + 3 * u**2, 3 + 6 * u - 6 * u**2, 3 * u**2]) / (6 * step_s)
    return l, change


def sample(knots: Array, step_s: float, t_s: Array) -> SplineSample:
    """The spline at some instants.

    Args:
        knots: Orientations (m, 3, 3); the first interval, from 0 to ``step_s``, is that of knots 0 to 3.
        step_s: Time from knot to knot, seconds.
        t_s: Instants (n,), from 0 to ``step_s`` (m - 3); beyond, the last interval is continued.
    """
    place = np.asarray(t_s, np.float64) / step_s
    first = np.clip(np.floor(place).astype(np.intp), 0, len(knots) - KNOTS)
    u, n = place - first, len(place)
    l, change = basis(u, step_s)  # noqa: E741
    between = logs(np.swapaxes(knots[:-1], 1, 2) @ knots[1:])
    inverse = right_jacobian_inverses(between)
    R, omega = knots[first], np.zeros((n, 3))
    by_R, by_omega = np.zeros((n, 3, 3 * KNOTS)), np.zeros((n, 3, 3 * KNOTS))
    by_R[:, :, :3] = np.eye(3)
    for j in range(1, KNOTS):
        d = between[first + j - 1]
        by_d = np.zeros((n, 3, 3 * KNOTS))
        by_d[:, :, 3 * j : 3 * j + 3] = inverse[first + j - 1]
        by_d[:, :, 3 * j - 3 : 3 * j] = -np.swapaxes(inverse[first + j - 1], 1, 2)
        scaled, share = l[j - 1][:, None] * d, l[j - 1][:, None, None]
        A = exps(scaled)
        back = np.swapaxes(A, 1, 2)
        turned = share * (right_jacobians(scaled) @ by_d)
        R, by_R = R @ A, back @ by_R + turned
        carried = np.einsum('nij,nj->ni', back, omega)
        by_omega = back @ by_omega + hats(carried) @ turned + change[j - 1][:, None, None] * by_d
        omega = carried + change[j - 1][:, None] * d
    return SplineSample(first, R, omega, by_R, by_omega)
