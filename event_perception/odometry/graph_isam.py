# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The pose graph on GTSAM: incremental smoothing, so that a new node costs a tenth of a millisecond.

When the solver gives up (it throws a RuntimeError), its state is not to be trusted: it is built anew from all factors
and the last poses. GTSAM's tangents are rotation first; here they are turned round.

Source: Kaess and others, iSAM2, IJRR 2012.
"""

import gtsam
import numpy as np

from event_perception.errors import DataError
from event_perception.motion.lie import se3_nearest
from event_perception.odometry.pose_graph import Matrix, RelativePose, checked_covariance, checked_node

SWAPPED = [3, 4, 5, 0, 1, 2]  # (rho, phi) to (phi, rho) and back
ROUNDS = 3  # updates after a closure: each moves on by one Gauss-Newton step where poses have moved
MOVED = 1e-3  # poses are linearised again beyond this change, m and rad


class IsamPoseGraph:
    """See ``PoseGraph``."""

    def __init__(self) -> None:
        self._factors = gtsam.NonlinearFactorGraph()
        self._poses: list[Matrix] = []
        self._isam = _fresh()
        self._forget_news()

    def begin(self, T: Matrix, covariance: Matrix) -> int:
        """See ``PoseGraph``."""
        if self._poses:
            raise DataError(f'the graph has {len(self._poses)} nodes already; only the first one begins it')
        self._new_factors.add(gtsam.PriorFactorPose3(0, gtsam.Pose3(T), gaussian(covariance)))
        return self._new_node(T)

    def extend(self, origin: int, relative: RelativePose) -> int:
        """See ``PoseGraph``."""
        T = se3_nearest(self._poses[checked_node(origin, len(self._poses))] @ relative.T)
        self._new_factors.add(_between(origin, len(self._poses), relative))
        return self._new_node(T)

    def close(self, first: int, second: int, relative: RelativePose) -> None:
        """See ``PoseGraph``."""
        for node in (first, second):
            checked_node(node, len(self._poses))
        self._new_factors.add(_between(first, second, relative))
        self._closed = True

    def optimise(self) -> None:
        """See ``PoseGraph``."""
        if not self._new_factors.size():
            return
        closed = self._closed
        self._take_in()
        if closed:
            values = self._isam.calculateEstimate()
            self._poses = [values.atPose3(node).matrix() for node in range(len(self._poses))]

    def poses(self) -> Matrix:
        """See ``PoseGraph``."""
        self.optimise()
        return np.array(self._poses).reshape(-1, 4, 4)

    def covariance(self, node: int) -> Matrix:
        """See ``PoseGraph``."""
        self.optimise()
        marginal = self._isam.marginalCovariance(checked_node(node, len(self._poses)))
        return np.asarray(marginal[np.ix_(SWAPPED, SWAPPED)])

    def _new_node(self, T: Matrix) -> int:
        self._new_values.insert(len(self._poses), gtsam.Pose3(T))
        self._poses.append(np.array(T, np.float64))
        return len(self._poses) - 1

    def _take_in(self) -> None:
        """The only place where the solver runs."""
        factors, values, rounds = self._new_factors, self._new_values, ROUNDS if self._closed else 1
        self._factors.push_back(factors)
        self._forget_news()
        try:
            _run(self._isam, factors, values, rounds)
        except RuntimeError:
            self._isam, everything = _fresh(), gtsam.Values()
            for node, T in enumerate(self._poses):
                everything.insert(node, gtsam.Pose3(T))
            _run(self._isam, self._factors, everything, ROUNDS)

    def _forget_news(self) -> None:
        self._new_factors, self._new_values = gtsam.NonlinearFactorGraph(), gtsam.Values()
        self._closed = False


def gaussian(covariance: Matrix) -> 'gtsam.noiseModel.Gaussian':
    """Noise of a covariance in this package's order."""
    return gtsam.noiseModel.Gaussian.Covariance(checked_covariance(covariance)[np.ix_(SWAPPED, SWAPPED)])


def _between(first: int, second: int, relative: RelativePose) -> 'gtsam.BetweenFactorPose3':
    return gtsam.BetweenFactorPose3(first, second, gtsam.Pose3(relative.T), gaussian(relative.covariance))


def _fresh() -> 'gtsam.ISAM2':
    parameters = gtsam.ISAM2Params()
    parameters.setRelinearizeThreshold(MOVED)
    parameters.relinearizeSkip = 1
    return gtsam.ISAM2(parameters)


def _run(
    isam: 'gtsam.ISAM2', factors: 'gtsam.NonlinearFactorGraph', values: 'gtsam.Values', rounds: int
) -> None:
    isam.update(factors, values)
    for _ in range(rounds - 1):
        isam.update()
