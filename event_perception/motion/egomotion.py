# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Angular velocity of the camera from one window of events.

    events -> bearings; a window with too much motion is shortened to its newest events
    on coarse bins, with a part of the events:
        from each start in {extrapolated, last, prior} or {0 and around it}: Newton on -variance
        keep the best
    on fine bins, with all events: Newton on (rate, change of rate), prior knowledge as quadratic terms
    covariance from the curvature; refuse what is flat, ran away or is no sharper than without motion

Newton uses the weak derivatives of binning. Sources: Gallego and Scaramuzza, RA-L 2017 (contrast);
arXiv 2602.12590 (weak derivatives). Search, acceleration and priors are this package's own.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, EventWindow, TwistPrior
from event_perception.motion.camera import CameraModel
from event_perception.motion.depth_warp import DepthViews
from event_perception.motion.egomotion_config import EgomotionConfig
from event_perception.motion.grid import BinGrid
from event_perception.motion.health import Refined, objection
from event_perception.motion.motion_history import MotionHistory
from event_perception.motion.newton import Evaluation, NewtonConfig, minimise
from event_perception.motion.own_votes import own_share
from event_perception.motion.quadratic_prior import (
    QuadraticPrior,
    covariance,
    noise_variance,
    scaled,
    scaled_objective,
    settled,
)
from event_perception.motion.result import EgomotionResult
from event_perception.motion.rigid_egomotion import RigidSolution, RigidSolver
from event_perception.motion.robust_weights import robust_weights
from event_perception.motion.rotation_variance import BearingEvents, RotationVariance
from event_perception.motion.scene_depth import events_with_depth
from event_perception.motion.warped_image import bearing_events, covered, newest

Vector = NDArray[np.float64]

LEAST_COVERED = 0.8  # of a window; with events in less of it, that part is the window


@dataclass(frozen=True, slots=True)
class _Problem:
    """One window, ready to be solved."""

    window: EventWindow
    events: BearingEvents
    prior: TwistPrior | None
    stamp_ns: int  # the instant that the result is to describe

    @property
    def duration_s(self) -> float:
        return max(self.window.duration_s, 1e-6)


class EgomotionEstimator:
    """Estimates window after window; each starts from what the ones before found.

    Args:
        camera: The camera model.
        config: Parameters.
    """

    def __init__(self, camera: CameraModel, config: EgomotionConfig | None = None) -> None:
        self.camera = camera
        self.config = config or EgomotionConfig()
        self._full = self._variance(self._grid(self.config.bin_size_px))
        sizes = [size for size in self.config.search.bin_sizes_px if size > self._full.grid.bin_size_px]
        self._levels = [self._variance(BinGrid.covering(camera, size, self.config.margin)) for size in sizes]
        search = self.config.search
        # Noise and gain are judged on all neighbours of an event, itself included.
        self._share = own_share(self.config.kernel) if self.config.own_votes == 'removed' else 0.0
        self._search_newton = NewtonConfig(max_evaluations=search.max_evaluations, tolerance=search.tolerance)
        self._history = MotionHistory()
        self._rigid: RigidSolver | None = None
        self._views: DepthViews | None = None
        self.reset()

    def _grid(self, bin_size_px: float) -> BinGrid:
        grid = BinGrid.covering(self.camera, bin_size_px, self.config.margin)
        return grid if grid.height * grid.width <= self.config.max_bins else self._grid(2 * bin_size_px)

    def _variance(self, grid: BinGrid) -> RotationVariance:
        config = self.config
        return RotationVariance(grid, config.kernel, hessian=config.hessian, own_votes=config.own_votes)

    @property
    def acceleration_rad_s2(self) -> Vector:
        """Angular acceleration of the last good window (3,), rad/s^2; zero if there is none."""
        return self._history.acceleration()

    def reset(self) -> None:
        """Forget the past: the next window starts cold."""
        self._history.clear()
        self._rigid_history: tuple[int, RigidSolution] | None = None

    def update(
        self,
        events: EventArray | EventWindow,
        prior: TwistPrior | None = None,
        depth: DepthImage | None = None,
    ) -> EgomotionResult:
        """Estimate the motion of one window.

        Args:
            events: A window, or events whose middle instant is the reference.
            prior: A velocity from elsewhere (gyro, wheels, a map), used with the weight of its covariance.
            depth: The latest depth image, in this camera; it is carried to the reference instant. With it the velocity is estimated, too.

        Raises:
            DataError: If the events, or the depth image, are of another size than the camera.
        """
        whole = self._window(events)
        window = self._shortened(covered(whole, LEAST_COVERED), prior)
        if depth is not None:
            return self._update_rigid(whole, self._fresh(prior, whole.t_ref_ns), depth)
        bearings, _ = bearing_events(window, self.camera)
        if len(bearings) < self.config.health.min_events:
            return self._refused(whole, len(bearings))
        problem = _Problem(window, bearings, self._fresh(prior, window.t_ref_ns), whole.t_ref_ns)
        start, spent = self._search(problem)
        refined = self._refine(problem, start)
        for _ in range(self.config.robust.iterations):
            problem = self._reweighted(problem, refined.x[:3])
            spent += refined.n_evaluations
            refined = self._refine(problem, refined.x[:3])
        return self._judged(problem, refined, spent)

    def _window(self, events: EventArray | EventWindow) -> EventWindow:
        if (events.height, events.width) != (self.camera.height, self.camera.width):
            raise DataError(
                f'events of a {events.width}x{events.height} sensor, camera model of '
                f'{self.camera.width}x{self.camera.height}; use the calibration of this camera'
            )
        if isinstance(events, EventWindow):
            return events
        return EventWindow.from_events(
            events, t0_ns=None if len(events) else 0, t1_ns=None if len(events) else 0
        )

    def _fresh(self, prior: TwistPrior | None, t_ns: int) -> TwistPrior | None:
        if prior is None or abs(prior.t_ns - t_ns) > self.config.max_prior_age_s * 1e9:
            return None
        usable = np.isfinite(prior.omega_rad_s).all() and np.isfinite(prior.covariance[3:, 3:]).all()
        return prior if usable else None

    def _shortened(self, window: EventWindow, prior: TwistPrior | None) -> EventWindow:
        """The newest part of a window in which the image is expected to move too far."""
        fresh = self._fresh(prior, window.t_ref_ns)
        rate = self._history.last if fresh is None else fresh.omega_rad_s
        motion_px = 0.0 if rate is None else float(np.linalg.norm(rate)) * window.duration_s * self.camera.fx
        if motion_px <= self.config.max_motion_px:
            return window
        length_ns = int((window.t1_ns - window.t0_ns) * self.config.max_motion_px / motion_px)
        return newest(window, length_ns)

    def _starts(self, problem: _Problem) -> list[Vector]:
        starts = self._history.starts(problem.window.t_ref_ns)
        if problem.prior is not None:
            starts.append(np.asarray(problem.prior.omega_rad_s, np.float64))
        if starts:
            return starts
        radius = self.config.search.cold_radius_px / (0.5 * problem.duration_s * self.camera.fx)
        return [np.zeros(3), *(radius * np.eye(3)), *(-radius * np.eye(3))]

    def _search(self, problem: _Problem) -> tuple[Vector, float]:
        """Best start after the coarse levels, and what it cost in passes over all events."""
        config, n_all = self.config.search, len(problem.events)
        wanted = min(max(n_all // 4, config.min_events), config.max_events)
        part = problem.events.every(-(-n_all // wanted))
        change = self._history.acceleration() * problem.duration_s
        starts, n = self._starts(problem), 0
        for level in self._levels:
            level.set_events(part, problem.duration_s)
            if len(starts) > 2:
                n += len(starts)
                values = [level.evaluate(start, change, 0).value for start in starts]
                starts = [starts[i] for i in np.argsort(values, kind='stable')[:2]]
            unit = 0.5 * problem.duration_s * level.grid.scale_x
            objective = scaled_objective(partial(level.evaluate, change=change), QuadraticPrior.none(3), unit)
            solutions = [minimise(objective, unit * start, self._search_newton) for start in starts]
            n += sum(s.n_evaluations for s in solutions)
            starts = [min(solutions, key=lambda s: s.last.value).x / unit]
        return starts[0], n * len(part) / n_all

    def _refine(self, problem: _Problem, start: Vector) -> Refined:
        """Newton on all events."""
        T = problem.duration_s
        self._full.set_events(problem.events, T)
        unit = 0.5 * T * self._full.grid.scale_x
        x0 = start
        if self._accelerating(start, T):
            x0 = np.concatenate([start, self._history.acceleration() * T])
        first = self._objective(x0)
        prior = self._prior(problem, len(x0), self._noise(first.value, len(problem.events)))
        objective = scaled_objective(self._objective, prior, unit)
        solution = minimise(
            objective, unit * x0, self.config.newton, first=scaled(prior.added_to(first, x0), unit)
        )
        value = solution.last.value - prior.value(solution.at / unit)
        rest = self._full.evaluate(np.zeros(3), order=0).value - self._share
        s2 = self._noise(value, len(problem.events))
        known = covariance(solution.last.hessian * unit**2, s2)
        gain = (value - self._share) / rest if rest < 0 else 1.0
        converged = solution.converged or settled(solution, s2)
        return Refined(solution.x / unit, known, gain, solution.n_evaluations, converged)

    def _noise(self, value: float, n_events: int) -> float:
        return noise_variance(value - self._share, n_events, self.config.uncertainty)

    def _accelerating(self, omega: Vector, duration_s: float) -> bool:
        """Whether to estimate the change of rate: not over distances where a cold search would be a guess."""
        motion_px = float(np.linalg.norm(omega)) * duration_s * self.camera.fx
        known = self._history.last is not None
        return self.config.acceleration and (known or motion_px <= self.config.max_motion_px)

    def _unmodelled(self, duration_s: float, n: int) -> float:
        """Error of the rate by motion that a model of n parameters leaves out, rad/s."""
        if n > 3:
            return self.config.uncertainty.jerk_rad_s3 * duration_s**2 / 24
        return self.config.acceleration_sigma_rad_s2 * duration_s / 12

    def _reweighted(self, problem: _Problem, omega: Vector) -> _Problem:
        """The same problem with less weight on what moves by itself."""
        robust, events = self.config.robust, problem.events
        weights = robust_weights(self._full, events, omega, robust.tile_px, robust.power)
        return replace(problem, events=replace(events, w=weights))

    def _objective(self, x: Vector) -> Evaluation:
        if len(x) == 3:
            return self._full.evaluate(x)
        return self._full.evaluate(x[:3], x[3:], by_change=True)

    def _prior(self, problem: _Problem, n: int, s2: float) -> QuadraticPrior:
        """Over (omega,) or (omega, change): the given twist and the smoothness of motion."""
        T = problem.duration_s
        mean, weight = np.zeros(n), np.zeros((n, n))
        if problem.prior is not None:
            mean[:3] = problem.prior.omega_rad_s
            weight[:3, :3] = s2 * np.linalg.inv(problem.prior.covariance[3:, 3:])
        if n > 3:
            mean[3:] = self._history.acceleration() * T
            weight[3:, 3:] = s2 / (self.config.acceleration_sigma_rad_s2 * T) ** 2 * np.eye(3)
        return QuadraticPrior(mean, weight)

    def _judged(self, problem: _Problem, refined: Refined, spent: float) -> EgomotionResult:
        """The result, with what speaks against it; a good one is remembered."""
        window, T = problem.window, problem.duration_s
        reason = objection(refined, 0.5 * T * self.camera.fx, self.config.health)
        if reason is None:
            acceleration = refined.x[3:] / T if len(refined.x) > 3 else None
            self._history.remember(window.t_ref_ns, T, refined.x[:3], acceleration)
        else:
            self.reset()
        twist_covariance = np.full((6, 6), np.nan)
        omega, omega_covariance = self._at_stamp(problem, refined)
        twist_covariance[3:, 3:] = omega_covariance
        return EgomotionResult(
            t0_ns=window.t0_ns,
            t1_ns=window.t1_ns,
            t_ref_ns=problem.stamp_ns,
            omega=omega if np.isfinite(omega).all() else np.zeros(3),
            v=np.full(3, np.nan),
            covariance=twist_covariance,
            converged=reason is None,
            reason=reason or 'converged',
            n_events=len(problem.events),
            n_evaluations=refined.n_evaluations + round(spent),
            contrast_gain=refined.gain,
        )

    def _at_stamp(self, problem: _Problem, refined: Refined) -> tuple[Vector, Vector]:
        """Rate and covariance at the instant asked for, which a shortened window has off its middle."""
        T, n = problem.duration_s, len(refined.x)
        if not np.isfinite(refined.covariance).all():
            return refined.x[:3], np.diag(np.full(3, np.inf))
        offset_s = (problem.stamp_ns - problem.window.t_ref_ns) * 1e-9
        unmodelled = self._unmodelled(T, n)
        if n > 3:
            carry = np.hstack([np.eye(3), offset_s / T * np.eye(3)])
            unmodelled += 0.5 * self.config.uncertainty.jerk_rad_s3 * offset_s**2
        else:
            carry = np.eye(3)
            unmodelled += self.config.acceleration_sigma_rad_s2 * abs(offset_s)
        return carry @ refined.x, carry @ refined.covariance @ carry.T + unmodelled**2 * np.eye(3)

    def _update_rigid(
        self, window: EventWindow, prior: TwistPrior | None, depth: DepthImage
    ) -> EgomotionResult:
        """Rate and velocity from events with depth."""
        known, starts = self._expected(window.t_ref_ns, prior)
        if self._views is None:
            self._views = DepthViews(self.camera)
        omega, v = starts[0].reshape(2, 3)
        view = self._views.of(depth).carried(omega_rad_s=omega, v_m_s=v, t_ns=window.t_ref_ns)
        events = events_with_depth(window, self.camera, view, self.config.rigid.max_events)
        if len(events) < self.config.health.min_events:
            return self._refused(window, len(events))
        T = max(window.duration_s, 1e-6)
        found = self._solver().solve(events, view, T, starts, known)
        refined = Refined(found.omega, found.covariance, found.gain, found.n_evaluations, found.converged)
        reason = objection(refined, 0.5 * T * self.camera.fx, self.config.health)
        if reason is None:
            self._history.remember(window.t_ref_ns, T, found.omega, None)
            self._rigid_history = window.t_ref_ns, found
        else:
            self.reset()
        order = [3, 4, 5, 0, 1, 2]
        return EgomotionResult(
            t0_ns=window.t0_ns,
            t1_ns=window.t1_ns,
            t_ref_ns=window.t_ref_ns,
            omega=found.omega,
            v=found.v,
            covariance=found.covariance[np.ix_(order, order)],
            converged=reason is None,
            reason=reason or 'converged',
            n_events=found.n_events,
            n_evaluations=found.n_evaluations,
            contrast_gain=found.gain,
        )

    def _expected(self, t_ns: int, given: TwistPrior | None) -> tuple[TwistPrior | None, list[Vector]]:
        """What is known of (v, omega) before the window is looked at, and where to search, the likeliest first."""
        rates = self._history.starts(t_ns)
        if given is not None:
            rates = [np.asarray(given.omega_rad_s, np.float64)]
            if np.isfinite(given.v_m_s).all() and np.isfinite(given.covariance).all():
                return given, [np.concatenate([given.omega_rad_s, given.v_m_s])]
        if self._rigid_history is None:
            return given, [np.concatenate([rate, np.zeros(3)]) for rate in rates or [np.zeros(3)]]
        before_ns, before = self._rigid_history
        dt_s = (t_ns - before_ns) * 1e-9
        changed = [self.config.rigid.acceleration_m_s2] * 3 + [self.config.acceleration_sigma_rad_s2] * 3
        covariance = np.diag((np.array(changed) * dt_s) ** 2)
        covariance[:3, :3] += before.covariance[3:, 3:]
        covariance[3:, 3:] += before.covariance[:3, :3]
        if given is not None:
            covariance[3:, 3:] = given.covariance[3:, 3:]
        starts = [np.concatenate([rate, before.v]) for rate in rates]
        return TwistPrior(t_ns, before.v, rates[0], covariance), starts

    def _solver(self) -> RigidSolver:
        """Made when the first depth comes: its workspace is of use to few."""
        if self._rigid is None:
            self._rigid = RigidSolver(self.camera, self.config)
        return self._rigid

    def _refused(self, window: EventWindow, n: int) -> EgomotionResult:
        last = self._history.last
        return EgomotionResult(
            t0_ns=window.t0_ns,
            t1_ns=window.t1_ns,
            t_ref_ns=window.t_ref_ns,
            omega=np.zeros(3) if last is None else last,
            v=np.full(3, np.nan),
            covariance=np.full((6, 6), np.nan),
            converged=False,
            reason=f'too few events ({n} < {self.config.health.min_events})',
            n_events=n,
            n_evaluations=0,
            contrast_gain=1.0,
        )
