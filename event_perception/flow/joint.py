# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Refinement of the velocities of all nodes at once, over one image of all events.

    repeat:  x'_n = x_n - s_n q(x'_n),   Q_i = q_i + .7 P_i^-1 g_i,   q = coupling(Q, P)

whose fixed point minimises -S + (lambda / .7) rho. Every event is used once, whichever tile it lies in, so an edge
that runs through several tiles is one edge. The field is that of the reference time: an event moves as the field says
where it arrives, x', not where it was seen, or the edges of moving objects would lag behind. No line search: the value is not consistent with its weak gradient.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.flow.coupling import couple, evenly_held, typical_curvature
from event_perception.flow.events import FlowEvents
from event_perception.flow.field_kernels import evaluate_field, follow_field, place_on_nodes
from event_perception.flow.grid import NodeGrid, Velocities
from event_perception.flow.image_votes import MARGIN, capped_step, floored
from event_perception.flow.tiles_config import TilesConfig
from event_perception.motion.image_kernels import OPTIONS

SEMIDEFINITE_FLOOR = 0.01
TRUST_BINS = 1.5  # longest step, bins at the end of the window
STRENGTHS = (0.1, 1.5)  # least and most that motion over the window changes the coupling by


@dataclass(frozen=True, eq=False)
class Refined:
    """Velocities of the nodes.

    Attributes:
        q: float64 (n, 2), px/s.
        raw: Where the last step wanted each node to be, before the coupling.
        curvature: P of each node, xx, xy, yy, float64 (n, 3).
        weight: Events of each node, weighted by nearness, float64 (n,).
        focus: Focus at the velocities before the last step.
    """

    q: Velocities
    raw: Velocities
    curvature: NDArray[np.float64]
    weight: NDArray[np.float64]
    focus: float


class JointField:
    """The objective of a field of velocities on some events.

    Args:
        events: The events.
        grid: The nodes.
        bin_px: Side of a bin, px.
        reach_px: How far an event may be moved without leaving the image, px.
        by_gradient: Kind of focus.
    """

    def __init__(
        self, events: FlowEvents, grid: NodeGrid, *, bin_px: float, reach_px: float, by_gradient: bool = True
    ) -> None:
        self.events, self.grid, self.bin_px = events, grid, bin_px
        self._by_gradient = by_gradient
        n, border = len(events), MARGIN + 2 + int(np.ceil(reach_px / bin_px))
        self._shape = tuple(
            int(np.ceil(side / bin_px)) + 2 * border for side in (events.height, events.width)
        )
        self._per_px = np.float32(1 / bin_px)
        self._offset = np.float32(border + 0.5 / bin_px - 0.5)
        self._node, self._fx, self._fy = (
            np.empty(n, np.int32),
            np.empty(n, np.float32),
            np.empty(n, np.float32),
        )
        place_on_nodes(
            events.x, events.y, grid.first, grid.first, float(grid.spacing), grid.rows, grid.columns,
            self._node, self._fx, self._fy,
        )  # fmt: skip
        self._work = np.zeros((2, self._shape[0] * self._shape[1]), np.float32)
        self._cells = (np.empty((4, n), np.float32), np.empty(n, np.int32))
        self._gradient, self._curvature = np.zeros((len(grid), 2)), np.zeros((len(grid), 3))

    def follow(self, q: Velocities) -> None:
        """Let each event be moved by the field at the place it comes from at the reference time."""
        grid = self.grid
        follow_field(
            self.events.x, self.events.y, self.events.s, grid.first, grid.first, float(grid.spacing),
            grid.rows, grid.columns, np.ascontiguousarray(q, np.float32), self._node, self._fx, self._fy,
        )  # fmt: skip

    def evaluate(
        self, q: Velocities, *, second: bool = True
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Focus S, dS/dq (n, 2), and the lumped curvature -d2S/dq2 as xx, xy, yy (n, 3); arrays are reused."""
        value = evaluate_field(
            self.events.x, self.events.y, self.events.s, self._node, self._fx, self._fy, self.grid.columns,
            np.ascontiguousarray(q, np.float32), self._per_px, self._offset, self._offset, self._shape,
            self._by_gradient, second, self._work, self._cells, self._gradient, self._curvature,
        )  # fmt: skip
        return value, self._gradient, self._curvature

    @property
    def image(self) -> NDArray[np.float32]:
        """The image of the last evaluation."""
        return self._work[0].reshape(self._shape)

    def weights(self) -> NDArray[np.float64]:
        """Sum of the interpolation weights of the events of each node, (n,)."""
        total = np.zeros(len(self.grid))
        for row in (0, 1):
            for column in (0, 1):
                share = np.abs(1 - column - self._fx) * np.abs(1 - row - self._fy)
                node = self._node + column + row * self.grid.columns
                total += np.bincount(node, share, minlength=len(self.grid))
        return total


def refine(objective: JointField, start: Velocities, iterations: int, config: TilesConfig) -> Refined:
    """Newton steps of all nodes, each followed by the coupling.

    Args:
        objective: What is maximised.
        start: Velocities to begin with (n, 2), px/s; not changed.
        iterations: How many steps.
        config: Parameters.
    """
    joint, grid = config.joint, objective.grid
    q, length_s = np.array(start, np.float64), 2 * objective.events.half_s
    weight = joint.coupling * strength_of_coupling(
        start, objective.weights(), length_s, joint.displacement_px
    )
    longest = TRUST_BINS * objective.bin_px / objective.events.half_s
    raw, curvature, value = q.copy(), np.zeros((len(grid), 3)), 0.0
    for _ in range(iterations):
        objective.follow(q)
        value, gradient, second = objective.evaluate(q)
        newton_targets(
            q, gradient, second, config.newton.eigenvalue_floor, joint.relaxation, longest, raw, curvature
        )
        couple(
            raw,
            evenly_held(curvature, joint.evenness),
            grid.rows,
            grid.columns,
            weight * typical_curvature(curvature),
            joint.scale_px / length_s,
            config.coupling.power,
            joint.sweeps,
            q,
        )
    return Refined(q, raw, curvature, objective.weights(), value)


def strength_of_coupling(
    q: Velocities, weight: NDArray[np.float64], length_s: float, displacement_px: float
) -> float:
    """How much more or less neighbours pull than at ``displacement_px``: a node that saw its events move far knows more.

    Curvature grows with the length of a window as coupling does, so their ratio does not tell this.
    """
    speed = weighted_median(np.hypot(*q.T), weight)
    if speed is None:
        return 1.0
    return float(np.clip(displacement_px / max(speed * length_s, 1e-6), *STRENGTHS))


def weighted_median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float | None:
    """The value that half of the weight lies below; None where there is no weight."""
    if not weight.sum() > 0:
        return None
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, 0.5 * share[-1])])


@njit(**OPTIONS)
def newton_targets(q, gradient, second, floor, relaxation, longest, raw, curvature):  # type: ignore[no-untyped-def]
    """Where each node wants to go, and the curvature that holds it there."""
    for k in range(q.shape[0]):
        xx, xy, yy = floored(second[k, 0], second[k, 1], second[k, 2], floor, True)
        dx, dy = capped_step(xx, xy, yy, gradient[k, 0], gradient[k, 1], longest / relaxation)
        raw[k, 0], raw[k, 1] = q[k, 0] + relaxation * dx, q[k, 1] + relaxation * dy
        xx, xy, yy = floored(second[k, 0], second[k, 1], second[k, 2], SEMIDEFINITE_FLOOR, False)
        curvature[k, 0], curvature[k, 1], curvature[k, 2] = xx, xy, yy
