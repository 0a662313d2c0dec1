# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Six degrees of freedom from a window and a depth image.

Each event takes the inverse depth of its own pixel; events without depth are dropped. The parameters are
(omega, v / z), z the median depth: both then move events by comparable distances. Rotation and sideways
translation look alike in a narrow view, so the Hessian is badly conditioned by nature: the covariance says
which directions are weak, and a prior on the rate (a gyro) cuts exactly those.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow, TwistPrior
from event_perception.motion.camera import CameraModel
from event_perception.motion.contrast_problem import ContrastProblem
from event_perception.motion.egomotion_config import EgomotionConfig
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation
from event_perception.motion.objectives.variance import Variance
from event_perception.motion.quadratic_prior import QuadraticPrior, covariance, noise_variance
from event_perception.motion.solvers.base import Evaluate, coarse_to_fine
from event_perception.motion.solvers.newton import Newton
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.rigid import Rigid

Vector = NDArray[np.float64]


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


def events_with_depth(window: EventWindow, camera: CameraModel, depth: DepthImage) -> SceneEvents:
    """Undistorted events with the inverse depth of their pixel; those without are left out.

    Raises:
        DataError: If the depth image has another size than the sensor.
    """
    shape = (camera.height, camera.width)
    if depth.depth_m.shape != shape:
        raise DataError(f'depth image of shape {depth.depth_m.shape}; this camera has {shape}')
    xy = camera.bearings()[window.y, window.x].astype(np.float64)
    z = depth.depth_m[window.y, window.x].astype(np.float64)
    known = np.isfinite(xy[:, 0]) & (z > 0) & ~np.isnan(z)
    x, y = xy[known].T
    return SceneEvents(x, y, window.dt_s[known].astype(np.float64), np.ones(len(x)), 1.0 / z[known])


def solve_rigid(
    events: SceneEvents,
    camera: CameraModel,
    duration_s: float,
    starts: list[Vector],
    config: EgomotionConfig,
    prior: TwistPrior | None = None,
) -> RigidSolution:
    """Coarse-to-fine weak Newton on (omega, v); all levels but the last take every third event.

    Args:
        events: Events with inverse depth.
        camera: The camera.
        duration_s: Window length.
        starts: (omega, v), each (6,).
        config: Parameters.
        prior: Velocity from elsewhere, with the weight of its covariance.
    """
    sizes = config.rigid.bin_sizes_px
    events = events.thinned(config.rigid.max_events)
    z = median_depth(events)
    levels: list[tuple[Evaluate, Vector]] = []
    for size in sizes:
        part = events if size == sizes[-1] else events.every(3)
        problem = ContrastProblem(
            part, Rigid(), Variance(), BinGrid.covering(camera, size, config.margin), kernel=config.kernel
        )
        known = _prior(prior, _noise(problem, starts[0], config))
        px = 0.5 * duration_s * problem.grid.scale_x
        levels.append((_with_prior(problem, known), np.array([px] * 3 + [px / z] * 3)))
    solution = coarse_to_fine(levels, Newton(config.newton), starts)
    value = solution.last.value - known.value(solution.at)
    s2 = noise_variance(value, len(events), config.uncertainty)
    return RigidSolution(
        omega=solution.x[:3],
        v=solution.x[3:],
        covariance=_covariance(solution.last.hessian, s2, z),
        gain=value / min(problem.evaluate(np.zeros(6), 0).value, -1e-30),
        n_events=len(events),
        n_evaluations=solution.n_evaluations,
        converged=solution.converged,
    )


def median_depth(events: SceneEvents) -> float:
    """Metres; a million if everything is infinitely far."""
    return 1.0 / max(float(np.median(events.q)), 1e-6)


def _noise(problem: ContrastProblem, start: Vector, config: EgomotionConfig) -> float:
    value = problem.evaluate(start, 0).value
    return noise_variance(value, len(problem.events), config.uncertainty)


def _covariance(hessian: Vector, s2: float, z: float) -> Vector:
    """Of (omega, v); inverted in units in which both are comparable."""
    units = np.array([1, 1, 1, z, z, z])
    return covariance(hessian * np.outer(units, units), s2) * np.outer(units, units)


def _with_prior(problem: ContrastProblem, prior: QuadraticPrior) -> Evaluate:
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
