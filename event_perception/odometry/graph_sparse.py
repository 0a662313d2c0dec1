# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The pose graph on scipy alone: Gauss-Newton over all poses, on sparse normal equations.

    until the poses stand still
        errors e = Log(measured^-1 T_first^-1 T_second) and their derivatives by right-hand steps of both poses
        (J^T W J) step = -J^T W e;  take it if the weighted square of the errors falls, else shorten it

The same optimum as GTSAM's, but found from scratch after each closure: some tens of milliseconds for a hundred nodes.
Source: Grisetti and others, A tutorial on graph-based SLAM, IEEE ITS Magazine 2010.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import bsr_matrix, csc_matrix
from scipy.sparse.linalg import splu

from event_perception.errors import DataError
from event_perception.motion.lie import (
    se3_adjoint,
    se3_exp,
    se3_inverse,
    se3_left_jacobian,
    se3_log,
    se3_nearest,
)
from event_perception.odometry.pose_graph import Matrix, RelativePose, checked_covariance, checked_node

MOST_STEPS = 30
STILL = 1e-7  # m and rad
SHORTEST = 1e-3  # of a step; below it there is nothing to be gained


@dataclass(frozen=True, eq=False)
class _Edge:
    """One factor; ``first`` is -1 for the world, which does not move."""

    first: int
    second: int
    T: Matrix
    whitening: Matrix  # W with W^T W the inverse covariance


class SparsePoseGraph:
    """See ``PoseGraph``."""

    def __init__(self) -> None:
        self._edges: list[_Edge] = []
        self._poses: list[Matrix] = []
        self._closed = False
        self._factorised: Any = None  # of the normal equations, while nothing changes

    def begin(self, T: Matrix, covariance: Matrix) -> int:
        """See ``PoseGraph``."""
        if self._poses:
            raise DataError(f'the graph has {len(self._poses)} nodes already; only the first one begins it')
        self._edges.append(_Edge(-1, 0, np.array(T, np.float64), _whitening(covariance)))
        self._poses.append(np.array(T, np.float64))
        return 0

    def extend(self, origin: int, relative: RelativePose) -> int:
        """See ``PoseGraph``."""
        T = se3_nearest(self._poses[checked_node(origin, len(self._poses))] @ relative.T)
        self._edges.append(_Edge(origin, len(self._poses), relative.T, _whitening(relative.covariance)))
        self._poses.append(T)
        self._factorised = None
        return len(self._poses) - 1

    def close(self, first: int, second: int, relative: RelativePose) -> None:
        """See ``PoseGraph``."""
        for node in (first, second):
            checked_node(node, len(self._poses))
        self._edges.append(_Edge(first, second, relative.T, _whitening(relative.covariance)))
        self._closed, self._factorised = True, None

    def optimise(self) -> None:
        """See ``PoseGraph``."""
        if not self._closed:
            return  # new nodes stand where their only link puts them
        self._closed = False
        for _ in range(MOST_STEPS):
            if self._step() < STILL:
                return

    def poses(self) -> Matrix:
        """See ``PoseGraph``."""
        self.optimise()
        return np.array(self._poses).reshape(-1, 4, 4)

    def covariance(self, node: int) -> Matrix:
        """See ``PoseGraph``."""
        self.optimise()
        checked_node(node, len(self._poses))
        columns = np.zeros((6 * len(self._poses), 6))
        columns[6 * node : 6 * node + 6] = np.eye(6)
        if self._factorised is None:
            J, _ = self._linearised()
            self._factorised = splu(csc_matrix(J.T @ J))
        return np.asarray(self._factorised.solve(columns)[6 * node : 6 * node + 6])

    def _step(self) -> float:
        """One step of Gauss-Newton; returns the largest change, 0 where none helps."""
        J, errors = self._linearised()
        whole = -splu(csc_matrix(J.T @ J)).solve(J.T @ errors).reshape(-1, 6)
        before, part, start = float(errors @ errors), 1.0, self._poses
        while part > SHORTEST:
            self._poses = [se3_nearest(T @ se3_exp(part * step)) for T, step in zip(start, whole)]
            if self._cost() <= before:
                return part * float(np.abs(whole).max())
            part /= 2
        self._poses = start
        return 0.0

    def _cost(self) -> float:
        return sum(float(np.sum((edge.whitening @ self._error(edge)) ** 2)) for edge in self._edges)

    def _error(self, edge: _Edge) -> Matrix:
        first = np.eye(4) if edge.first < 0 else self._poses[edge.first]
        return se3_log(se3_inverse(first @ edge.T) @ self._poses[edge.second])

    def _linearised(self) -> tuple[bsr_matrix, Matrix]:
        """Derivatives of the whitened errors by the steps of all poses, and the errors."""
        blocks: list[Matrix] = []
        columns: list[int] = []
        starts, errors = [0], []
        for edge in self._edges:
            error = self._error(edge)
            by_second = edge.whitening @ np.linalg.inv(se3_left_jacobian(-error))
            if edge.first >= 0:
                seen_back = se3_inverse(self._poses[edge.second]) @ self._poses[edge.first]
                blocks.append(-by_second @ se3_adjoint(seen_back))
                columns.append(edge.first)
            blocks.append(by_second)
            columns.append(edge.second)
            starts.append(len(columns))
            errors.append(edge.whitening @ error)
        shape = (6 * len(self._edges), 6 * len(self._poses))
        return bsr_matrix((np.array(blocks), columns, starts), shape=shape), np.concatenate(errors)


def _whitening(covariance: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(np.linalg.cholesky(checked_covariance(covariance))))
