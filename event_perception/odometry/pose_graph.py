# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Poses held together by relative poses with covariances: what a graph of them must be able to do.

Two do it: ``graph_isam`` incrementally by GTSAM (extra ``[slam]``), ``graph_sparse`` by scipy alone, all of it each
time. Both are Gaussian: one wrong closure bends everything, so closures are verified before they come here (see
``closure_check``); a robust kernel would also suppress the first true closure after a long way.

Conventions: a tangent is (rho, phi), translation first; errors are on the right, T_true = T Exp(error), so covariances
are in the axes of the pose that they belong to.
"""

import logging
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import ConfigError, DataError
from event_perception.motion.lie import se3_adjoint, se3_inverse

Matrix = NDArray[np.float64]
Solver = Literal['auto', 'gtsam', 'sparse']

WITHOUT_EXTRA = "GTSAM is not installed (pip install 'event_perception[slam]', Python 3.11 or later)"


@dataclass(frozen=True, eq=False)
class RelativePose:
    """Where a second pose is, seen from a first one.

    Attributes:
        T: T_first_second (4, 4).
        covariance: Of its error, (6, 6), in the axes of the second.
    """

    T: Matrix
    covariance: Matrix

    def then(self, following: 'RelativePose') -> 'RelativePose':
        """The way on, from the second to a third; errors of the two ways are independent."""
        back = se3_adjoint(se3_inverse(following.T))
        return RelativePose(self.T @ following.T, back @ self.covariance @ back.T + following.covariance)

    def reversed(self) -> 'RelativePose':
        """The first seen from the second."""
        moved = se3_adjoint(self.T)
        return RelativePose(se3_inverse(self.T), moved @ self.covariance @ moved.T)


class PoseGraph(Protocol):
    """Nodes are numbered as they come. Every one is linked to an earlier one, so nothing floats."""

    def begin(self, T: Matrix, covariance: Matrix) -> int:
        """The first node, T_odom_node, which fixes the frame."""
        ...

    def extend(self, origin: int, relative: RelativePose) -> int:
        """A new node, seen from an earlier one."""
        ...

    def close(self, first: int, second: int, relative: RelativePose) -> None:
        """A second way between two nodes, verified."""
        ...

    def optimise(self) -> None:
        """Take into account what has come since."""
        ...

    def poses(self) -> Matrix:
        """T_odom_node of all nodes (n, 4, 4)."""
        ...

    def covariance(self, node: int) -> Matrix:
        """Of the pose of a node given everything, (6, 6)."""
        ...


def create_pose_graph(solver: Solver = 'auto') -> PoseGraph:
    """An empty graph.

    Args:
        solver: 'gtsam', 'sparse', or 'auto': GTSAM where it is installed; where not, the log says so once.

    Raises:
        ConfigError: If GTSAM is asked for and not there.
    """
    if solver == 'gtsam' and not gtsam_is_there():
        raise ConfigError(f'{WITHOUT_EXTRA}; use the solver sparse or auto')
    if solver == 'gtsam' or (solver == 'auto' and gtsam_is_there()):
        from event_perception.odometry.graph_isam import IsamPoseGraph

        return IsamPoseGraph()
    from event_perception.odometry.graph_sparse import SparsePoseGraph

    if solver == 'auto':
        _say_reduced()
    return SparsePoseGraph()


def gtsam_is_there() -> bool:
    """Whether GTSAM can be imported; it is not, yet."""
    return find_spec('gtsam') is not None


@cache
def _say_reduced() -> None:
    logging.getLogger(__name__).warning(
        '%s: the pose graph is solved by scipy, as a whole after each closure', WITHOUT_EXTRA
    )


def checked_covariance(covariance: Matrix) -> Matrix:
    """A symmetric copy.

    Raises:
        DataError: If it is not a positive definite (6, 6) matrix: a graph with such a factor cannot be solved.
    """
    symmetric = (
        0.5 * (covariance + covariance.T) if np.shape(covariance) == (6, 6) else np.full((6, 6), np.nan)
    )
    if not np.isfinite(symmetric).all() or np.linalg.eigvalsh(symmetric)[0] <= 0:
        raise DataError(
            f'covariance of a pose with diagonal {np.round(np.diag(np.atleast_2d(covariance)), 12).tolist()}: must be '
            'finite, (6, 6) and positive definite'
        )
    return symmetric


def checked_node(node: int, count: int) -> int:
    """The number of a node that exists.

    Raises:
        DataError: If it does not.
    """
    if not 0 <= node < count:
        raise DataError(f'node {node} of a pose graph with {count} nodes; nodes are numbered from 0')
    return node
