# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Motion of a wheeled robot from one window of events with depth: (vx, vy, yaw rate) of the body, nothing else.

    on coarse bins: the objective on a grid of motions, Newton from the best few
    on finer bins: Newton from there, each event with the depth that the motion found so far brings it from

A body that stays on its floor has three degrees of freedom, so the six of ``RigidVariance`` are restricted to the
twists that it can have, (omega, v)_camera = P m; by the chain rule g = P^T g_6 and H = P^T H_6 P. Objective and
weak derivatives are those of egomotion with depth (Gallego and Scaramuzza, RA-L 2017; arXiv 2602.12590).
"""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.config import param
from event_perception.errors import CalibrationError, ConfigError
from event_perception.events import DepthImage, EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.motion.depth_warp import DepthViews
from event_perception.motion.egomotion_config import EgomotionConfig
from event_perception.motion.grid import BinGrid
from event_perception.motion.lie import hat
from event_perception.motion.newton import Evaluation, Solution
from event_perception.motion.own_votes import own_share
from event_perception.motion.quadratic_prior import covariance, noise_variance, settled
from event_perception.motion.rigid_variance import RigidVariance
from event_perception.motion.scene_depth import events_with_depth, refined
from event_perception.motion.solvers.base import coarse_to_fine
from event_perception.motion.solvers.newton import Newton
from event_perception.motion.warps.base import SceneEvents

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlanarConfig:
    """What a robot can do, and how it is searched."""

    bin_sizes_px: tuple[float, ...] = param(
        (6.0, 3.0, 1.5, 1.0), 'Bin sizes of the levels, coarse to fine, image pixels.', ge=0.25, le=64.0
    )
    most_m_s: float = param(1.0, 'Fastest forwards or backwards that is searched, m/s.', ge=0.0, le=100.0)
    most_rad_s: float = param(1.0, 'Fastest turn that is searched, rad/s.', ge=0.0, le=100.0)
    steps: int = param(9, 'Values of each that the search begins with.', ge=1, le=99)
    starts: int = param(3, 'Of these, how many are followed.', ge=1, le=20)


@dataclass(frozen=True, slots=True)
class PlanarMotion:
    """Motion of the body in the plane.

    Attributes:
        motion: vx and vy, m/s, and yaw rate, rad/s, of the base frame (3,).
        covariance: (3, 3); infinite where the events do not tell.
        n_events: Events with depth.
        converged: Whether the search came to rest.
    """

    motion: Vector
    covariance: Vector
    n_events: int
    converged: bool


class PlanarEgomotion:
    """Estimates the planar motion of a body from the events of a camera on it.

    Args:
        camera: The camera.
        T_base_camera: Where it sits (4, 4); base x forward, y left, z up.
        config: The search.
        egomotion: Kernel of the votes and model of noise.

    Raises:
        CalibrationError: If ``T_base_camera`` is not a rigid transform.
        ConfigError: If there is no bin size.
    """

    def __init__(
        self,
        camera: CameraModel,
        T_base_camera: ArrayLike,
        config: PlanarConfig | None = None,
        egomotion: EgomotionConfig | None = None,
    ) -> None:
        self.camera, self.config = camera, config or PlanarConfig()
        if not self.config.bin_sizes_px:
            raise ConfigError('bin_sizes_px is empty: give at least one size, such as 1.0')
        self._egomotion = egomotion or EgomotionConfig()
        self._views = DepthViews(camera)
        self.to_camera = planar_twists(T_base_camera)
        e = self._egomotion
        self._levels = [
            RigidVariance(BinGrid.covering(camera, size, e.margin), e.kernel, own_votes=e.own_votes)
            for size in self.config.bin_sizes_px
        ]

    def estimate(self, window: EventWindow, depth: DepthImage) -> PlanarMotion:
        """The motion of one window; of too few events, zero that has not converged.

        Args:
            window: Its events.
            depth: Depth at its middle, in this camera.

        Raises:
            DataError: If the depth image has another size than the sensor.
        """
        view = self._views.of(depth)
        events = events_with_depth(window, self.camera, view)
        if len(events) < self._egomotion.health.min_events:
            return PlanarMotion(np.zeros(3), np.diag(np.full(3, np.inf)), len(events), False)
        units = self._units(events, window.duration_s)
        starts = self._starts(events)
        for level in self._levels:
            level.set_events(refined(events, self.to_camera @ starts[0], view))
            stage = (partial(self._evaluate, level), units * level.grid.scale_x)
            solution = coarse_to_fine([stage], Newton(self._egomotion.newton), starts)
            starts = [solution.x]
        return self._judged(solution, len(events))

    def _evaluate(self, level: RigidVariance, motion: Vector, order: int = 2) -> Evaluation:
        """The objective of six, restricted."""
        P = self.to_camera
        there = level.evaluate(P @ motion, order)
        return Evaluation(there.value, P.T @ there.gradient, P.T @ there.hessian @ P)

    def _starts(self, events: SceneEvents) -> list[Vector]:
        """The sharpest of a grid of motions, on coarse bins."""
        c, level = self.config, self._levels[0]
        level.set_events(events)
        speeds, rates = (np.linspace(-most, most, c.steps) for most in (c.most_m_s, c.most_rad_s))
        grid = [np.array([v, 0.0, w]) for v, w in product(speeds, rates)]
        values = [level.evaluate(self.to_camera @ motion, 0).value for motion in grid]
        return [grid[k] for k in np.argsort(values, kind='stable')[: c.starts]]

    def _units(self, events: SceneEvents, duration_s: float) -> Vector:
        """Motion of a typical event until the end of the window, normalised, by each of the three."""
        x, y, q = (float(np.sqrt(np.mean(v**2))) for v in (events.x, events.y, events.q))
        per_rate, per_speed = np.sqrt(1 + x**2 + y**2), q
        size = np.array([per_rate] * 3 + [per_speed] * 3)
        return 0.5 * duration_s * np.maximum(np.linalg.norm(size[:, None] * self.to_camera, axis=0), 1e-6)

    def _judged(self, solution: Solution, n_events: int) -> PlanarMotion:
        e = self._egomotion
        share = own_share(e.kernel) if e.own_votes == 'removed' else 0.0
        s2 = noise_variance(solution.last.value - share, n_events, e.uncertainty)
        stands = bool((solution.converged or settled(solution, s2)) and np.isfinite(solution.x).all())
        return PlanarMotion(solution.x, covariance(solution.last.hessian, s2), n_events, stands)


def planar_twists(T_base_camera: ArrayLike) -> Vector:
    """The (6, 3) matrix from (vx, vy, yaw rate) of a body to (omega, v) of the camera on it.

    Raises:
        CalibrationError: If the transform is not rigid.
    """
    T = np.asarray(T_base_camera, np.float64)
    if T.shape != (4, 4) or not np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-6):
        raise CalibrationError(
            f'T_base_camera of shape {T.shape} is not a rigid transform; give (4, 4) with a rotation'
        )
    R, p = T[:3, :3], T[:3, 3]
    turns, moves = np.zeros((3, 3)), np.zeros((3, 3))
    turns[2, 2] = moves[0, 0] = moves[1, 1] = 1.0
    return np.concatenate([R.T @ turns, R.T @ (moves - hat(p) @ turns)])
