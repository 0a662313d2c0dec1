# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The objective of the joint field under first-order optimisers, with weak or with raw derivatives.

    minimise  -S(q) + lambda sum_ij w_ij eps^2 (sqrt(1 + |q_i - q_j|^2 / eps^2) - 1)

S is what ``flow.joint`` maximises: one image at the middle of the window, events moved by the field where they arrive.
Only dS/dq differs: weak derivatives of the votes, or those of bilinear votes as they stand, which jump from bin to
bin. Where an event arrives is held while a gradient is taken, for both kinds alike.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import minimize

from event_perception.flow.grid import NodeGrid, Velocities
from event_perception.flow.image_votes import OUTSIDE
from event_perception.flow.joint import JointField
from event_perception.motion.image_kernels import OPTIONS, f32

PULL_SCALE_PX_S = 30.0  # eps: differences above pull as a distance does
ARRIVAL_STEPS = 2  # of the fixed point that tells where an event arrives
ADAM_STEP_BINS = 0.5  # first step, bins at the end of the window; it falls linearly to 0
ADAM_DECAY = (0.9, 0.99)

_PAIRS = (
    (np.s_[1:], np.s_[:-1], 1.0),
    (np.s_[:, 1:], np.s_[:, :-1], 1.0),
    (np.s_[1:, 1:], np.s_[:-1, :-1], 0.5),
    (np.s_[1:, :-1], np.s_[:-1, 1:], 0.5),
)


class RawField(JointField):
    """The same focus with the derivatives that bilinear votes have as they stand."""

    def evaluate(
        self, q: Velocities, *, second: bool = False
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Focus S and raw dS/dq; there is no second derivative, so the curvature stays 0.

        Raises:
            ValueError: If the second derivative is asked for.
        """
        if second:
            raise ValueError('second=True: raw bilinear votes have no second derivative; use JointField')
        value, gradient, curvature = super().evaluate(q, second=False)
        floats, cell = self._cells
        pull_raw(
            self.events.s, self._node, self._fx, self._fy, self.grid.columns, self._per_px,
            cell, floats[2], floats[3], self._work[1], np.int32(self._shape[1]), gradient,
        )  # fmt: skip
        return value, gradient, curvature


FIELDS: dict[str, type[JointField]] = {'raw': RawField, 'weak': JointField}


@njit(**OPTIONS)
def pull_raw(s, node, fx, fy, columns, per_px, cell, rx, ry, cotangent, stride, gradient):  # type: ignore[no-untyped-def]
    """dS/dq (nodes, 2) by differences of the four bins of each vote; arguments as in ``field_kernels``."""
    gradient[:] = 0.0
    one = f32(1)
    for i in range(cell.shape[0]):
        if cell[i] == OUTSIDE:
            continue
        c, x, y = cell[i], rx[i], ry[i]
        upper_left, upper_right = cotangent[c], cotangent[c + 1]
        lower_left, lower_right = cotangent[c + stride], cotangent[c + stride + 1]
        gu = (one - y) * (upper_right - upper_left) + y * (lower_right - lower_left)
        gv = (one - x) * (lower_left - upper_left) + x * (lower_right - upper_right)
        w = -s[i] * per_px
        k, a, b = node[i], fx[i], fy[i]
        for corner in range(4):
            share = (a if corner & 1 else one - a) * (b if corner & 2 else one - b)
            j = k + (corner & 1) + (columns if corner & 2 else 0)
            gradient[j, 0] += share * w * gu
            gradient[j, 1] += share * w * gv


def distance_energy(q: Velocities, grid: NodeGrid, scale: float) -> tuple[float, NDArray[np.float64]]:
    """The coupling that pulls as a distance does, and its gradient (n, 2); ``torch_flow.coupling_energy`` in numpy."""
    field = q.reshape(grid.rows, grid.columns, 2)
    gradient, total = np.zeros_like(field), 0.0
    for here, there, weight in _PAIRS:
        difference = field[here] - field[there]
        root = np.sqrt(1 + np.square(difference).sum(axis=-1) / scale**2)
        total += weight * scale**2 * float((root - 1).sum())
        pull = weight * difference / root[..., None]
        gradient[here] += pull
        gradient[there] -= pull
    return total, gradient.reshape(-1, 2)


class CoupledLoss:
    """Minus the focus plus the coupling, and the gradient; counts its evaluations.

    Args:
        objective: Focus with the derivatives to use.
        strength: lambda.
        start: Where the optimiser begins, (n, 2), px/s: events are followed from there.
    """

    def __init__(self, objective: JointField, strength: float, start: Velocities) -> None:
        self._objective, self._strength = objective, strength
        self.evaluations = 0
        objective.follow(start)

    def __call__(self, q: Velocities) -> tuple[float, NDArray[np.float64]]:
        """Value and gradient (n, 2) at velocities (n, 2)."""
        self.evaluations += 1
        for _ in range(ARRIVAL_STEPS):
            self._objective.follow(q)
        value, gradient, _ = self._objective.evaluate(q, second=False)
        energy, pull = distance_energy(q, self._objective.grid, PULL_SCALE_PX_S)
        return self._strength * energy - value, self._strength * pull - gradient


def lbfgs(loss: CoupledLoss, start: Velocities, iterations: int, **_: Any) -> Velocities:
    """L-BFGS-B of scipy with its defaults and no bounds."""

    def flat(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = loss(x.reshape(-1, 2))
        return value, gradient.ravel()

    found = minimize(flat, start.ravel(), jac=True, method='L-BFGS-B', options={'maxiter': iterations})
    return np.asarray(found.x).reshape(-1, 2)


def adam(loss: CoupledLoss, start: Velocities, iterations: int, *, bin_speed: float) -> Velocities:
    """Adam, its step falling linearly to zero; ``bin_speed`` is one bin at the end of the window, px/s."""
    q, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    first, second = ADAM_DECAY
    for k in range(1, iterations + 1):
        _, gradient = loss(q)
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * np.square(gradient)
        step = ADAM_STEP_BINS * bin_speed * (1 - (k - 1) / iterations)
        q = q - step * (mean / (1 - first**k)) / (np.sqrt(square / (1 - second**k)) + 1e-12)
    return q


OPTIMISERS = {'L-BFGS-B': lbfgs, 'Adam': adam}
