# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Six degrees of freedom from a window and a depth image.

Each event takes the inverse depth of the point that it saw; events without depth are dropped. The parameters are
(omega, v / z), z the median depth: both then move events by comparable distances. Rotation and sideways
translation look alike in a narrow view, so the Hessian is badly conditioned by nature: the covariance says
which directions are weak, and a prior on the rate (a gyro) cuts exactly those.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.events import TwistPrior
from event_perception.motion.camera import CameraModel
from event_perception.motion.depth_warp import DepthView
from event_perception.motion.egomotion_config import EgomotionConfig
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation
from event_perception.motion.own_votes import own_share
from event_perception.motion.quadratic_prior import QuadraticPrior, covariance, noise_variance, settled
from event_perception.motion.rigid_variance import RigidVariance
from event_perception.motion.scene_depth import median_depth, refined
from event_perception.motion.solvers.base import Evaluate, coarse_to_fine
from event_perception.motion.solvers.newton import Newton
from event_perception.motion.warps.base import SceneEvents

Vector = NDArray[np.float64]

SIGMAS = 4.0  # what is known to a quarter of a bin is searched with smaller ones only


@dataclass(frozen=True, slots=True)
class RigidSolution:
    """Rate (3,) rad/s, velocity (3,) m/s, covariance (6, 6) of (omega, v), objective relative to rest."""

    omega: Vector
    v: Vector
    covariance: Vector
    gain: float
    n_events: int
    n_evaluations: int
    converged: bool


class RigidSolver:
    """Coarse-to-fine weak Newton on (omega, v); all levels but the last take a part of the events.

    Args:
        camera: The camera.
        config: Parameters.

    The workspace is kept from window to window; one instance serves one thread.
    """

    def __init__(self, camera: CameraModel, config: EgomotionConfig) -> None:
        self._config, self._camera = config, camera
        self._levels = [
            RigidVariance(
                BinGrid.covering(camera, size, config.margin),
                config.kernel,
                own_votes=config.own_votes,
            )
            for size in config.rigid.bin_sizes_px
        ]
        self._share = own_share(config.kernel) if config.own_votes == 'removed' else 0.0

    def solve(
        self,
        events: SceneEvents,
        depth: DepthView,
        duration_s: float,
        starts: list[Vector],
        prior: TwistPrior | None = None,
    ) -> RigidSolution:
        """Rate and velocity of one window.

        Args:
            events: Events with the inverse depth of their pixel.
            depth: Depth at the reference time, from which every level refines that.
            duration_s: Window length.
            starts: (omega, v), each (6,).
            prior: What is known beforehand, with the weight of its covariance; where that is little, coarse bins
                are searched first.
        """
        config, z = self._config, median_depth(events)
        levels = self._levels_for(len(events), _doubt(prior, z) * 0.5 * duration_s * self._camera.fx)
        part = events.every(config.rigid.search_every)
        last, search = levels[-1], Newton(replace(config.newton, tolerance=config.rigid.tolerance))
        spent, candidates = 0, starts
        for level in levels:
            chosen = refined(events if level is last else part, candidates[0], depth)
            level.set_events(chosen)
            known = _prior(prior, self._noise(level.evaluate(candidates[0], 0).value, len(chosen)))
            px = 0.5 * duration_s * level.grid.scale_x
            stage = (_with_prior(level, known), np.array([px] * 3 + [px / z] * 3))
            solution = coarse_to_fine([stage], search, candidates)
            spent, candidates = spent + solution.n_evaluations, [solution.x]
        value = solution.last.value - known.value(solution.at)
        s2 = self._noise(value, len(events))
        rest = last.evaluate(np.zeros(6), 0).value - self._share
        return RigidSolution(
            omega=solution.x[:3],
            v=solution.x[3:],
            covariance=_covariance(solution.last.hessian, s2, z),
            gain=(value - self._share) / min(rest, -1e-30),
            n_events=len(events),
            n_evaluations=spent,
            converged=solution.converged or settled(solution, s2),
        )

    def _levels_for(self, n_events: int, doubt_px: float) -> list[RigidVariance]:
        """Without the finest bins where events are too few to fill them, and without bins wider than the doubt.

        Args:
            n_events: Of the window.
            doubt_px: Standard deviation of what is known beforehand, at the window end.
        """
        thin = n_events < self._config.rigid.dense_events and len(self._levels) > 1
        levels = self._levels[:-1] if thin else self._levels
        return [lv for lv in levels[:-1] if lv.grid.bin_size_px < SIGMAS * doubt_px] + levels[-1:]

    def _noise(self, value: float, n_events: int) -> float:
        independent = min(n_events, self._config.rigid.independent_events)
        return noise_variance(value - self._share, independent, self._config.uncertainty)


def _doubt(prior: TwistPrior | None, z: float) -> float:
    """Standard deviation of the motion that is known beforehand, rad/s of a point at depth z; infinite if unknown."""
    if prior is None or not np.isfinite(np.diag(prior.covariance)).all():
        return float('inf')
    variance = np.diag(prior.covariance)
    return float(np.sqrt(variance[3:].max() + variance[:3].max() / z**2))


def _covariance(hessian: Vector, s2: float, z: float) -> Vector:
    """Of (omega, v); inverted in units in which both are comparable."""
    units = np.array([1, 1, 1, z, z, z])
    return covariance(hessian * np.outer(units, units), s2) * np.outer(units, units)


def _with_prior(problem: RigidVariance, prior: QuadraticPrior) -> Evaluate:
    def evaluate(x: Vector, order: int = 2) -> Evaluation:
        return prior.added_to(problem.evaluate(x, order), x)

    return evaluate


def _prior(prior: TwistPrior | None, s2: float) -> QuadraticPrior:
    """In the order (omega, v); infinite or missing variances of v count as unknown."""
    if prior is None:
        return QuadraticPrior.none(6)
    order = [3, 4, 5, 0, 1, 2]
    covariance = prior.covariance[np.ix_(order, order)]
    mean = np.concatenate([prior.omega_rad_s, prior.v_m_s])
    weight = np.zeros((6, 6))
    known = np.isfinite(np.diag(covariance)) & np.isfinite(mean)
    weight[np.ix_(known, known)] = s2 * np.linalg.inv(covariance[np.ix_(known, known)])
    return QuadraticPrior(np.where(known, mean, 0.0), weight)
