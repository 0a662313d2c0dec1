# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Angular velocity of the camera from one window of events.

    events -> bearings
    for level in coarse, fine:                       a part of the events, large bins, wide capture range
        from each start in {last, extrapolated, 0}: Newton on -variance with weak derivatives
        keep the best
    Newton on all events at full resolution
    accept if the image got sharper than without motion

Sources: Gallego and Scaramuzza, RA-L 2017 (contrast); arXiv 2602.12590 (weak derivatives of binning).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import EventArray, EventWindow, TwistPrior
from event_perception.motion.camera import CameraModel
from event_perception.motion.egomotion_config import EgomotionConfig
from event_perception.motion.grid import BinGrid
from event_perception.motion.newton import Evaluation, NewtonConfig, Solution, minimise
from event_perception.motion.result import EgomotionResult
from event_perception.motion.rotation_variance import BearingEvents, RotationVariance
from event_perception.motion.warped_image import bearing_events

Vector = NDArray[np.float64]


class EgomotionEstimator:
    """Estimates window after window; each starts from what the ones before found.

    Args:
        camera: The camera model.
        config: Parameters.
    """

    def __init__(self, camera: CameraModel, config: EgomotionConfig | None = None) -> None:
        self.camera = camera
        self.config = config or EgomotionConfig()
        margin = self.config.margin
        self._full = RotationVariance(self._grid(self.config.bin_size_px), self.config.kernel)
        sizes = [b for b in self.config.search.bin_sizes_px if b > self._full.grid.bin_size_px]
        self._levels = [
            RotationVariance(BinGrid.covering(camera, size, margin), self.config.kernel) for size in sizes
        ]
        self.reset()

    def _grid(self, bin_size_px: float) -> BinGrid:
        grid = BinGrid.covering(self.camera, bin_size_px, self.config.margin)
        return grid if grid.height * grid.width <= self.config.max_bins else self._grid(2 * bin_size_px)

    def reset(self) -> None:
        """Forget the past: the next window starts cold."""
        self._history: list[tuple[int, Vector]] = []

    def update(self, events: EventArray | EventWindow, prior: TwistPrior | None = None) -> EgomotionResult:
        """Estimate the motion of one window.

        Args:
            events: A window, or events whose middle instant is the reference.
            prior: A velocity from elsewhere: one more start of the search.

        Raises:
            DataError: If the events are of another sensor size than the camera.
        """
        window = self._window(events)
        if len(window) < self.config.min_events:
            return self._refused(window, len(window))
        bearings, _ = bearing_events(window, self.camera)
        if len(bearings) < self.config.min_events:
            return self._refused(window, len(bearings))
        start, spent = self._search(bearings, self._starts(window.t_ref_ns, prior))
        self._full.set_events(bearings)
        solution = minimise(self._full.evaluate, start, self.config.newton)
        gain = self._gain(solution.last)
        reason = self._objection(solution, gain)
        self._remember(window.t_ref_ns, solution.x, reason is None)
        return EgomotionResult(
            t0_ns=window.t0_ns,
            t1_ns=window.t1_ns,
            t_ref_ns=window.t_ref_ns,
            omega=solution.x if np.isfinite(solution.x).all() else np.zeros(3),
            v=np.full(3, np.nan),
            covariance=np.full((6, 6), np.nan),
            converged=reason is None,
            reason=reason or 'converged',
            n_events=len(bearings),
            n_evaluations=solution.n_evaluations + int(np.ceil(spent / len(bearings))),
            contrast_gain=gain,
        )

    def _window(self, events: EventArray | EventWindow) -> EventWindow:
        if (events.height, events.width) != (self.camera.height, self.camera.width):
            raise DataError(
                f'events of a {events.width}x{events.height} sensor, camera model of '
                f'{self.camera.width}x{self.camera.height}; use the calibration of this camera'
            )
        if isinstance(events, EventWindow):
            return events
        return (
            EventWindow.from_events(events)
            if len(events)
            else EventWindow.from_events(events, t0_ns=0, t1_ns=0)
        )

    def _starts(self, t_ns: int, prior: TwistPrior | None) -> list[Vector]:
        """The last estimate, the extrapolated one, a prior; zero if there is nothing else."""
        starts = [omega for _, omega in self._history[-1:]]
        if len(self._history) == 2:
            (t0, w0), (t1, w1) = self._history
            starts.append(w1 + (w1 - w0) * min(2.0, (t_ns - t1) / max(t1 - t0, 1)))
        if prior is not None and np.isfinite(prior.omega_rad_s).all():
            starts.append(np.asarray(prior.omega_rad_s, np.float64))
        return starts or [np.zeros(3)]

    def _search(self, events: BearingEvents, starts: Sequence[Vector]) -> tuple[Vector, int]:
        """Best start after the coarse levels, and the events evaluated on the way."""
        spent = 0
        part = events.every(-(-len(events) // self.config.search.max_events))
        newton = NewtonConfig(max_evaluations=self.config.search.max_evaluations, tolerance=0.02)
        for level in self._levels:
            level.set_events(part)
            solutions = [minimise(level.evaluate, start, newton) for start in starts]
            spent += sum(s.n_evaluations for s in solutions) * len(part)
            starts = [min(solutions, key=lambda s: s.last.value).x]
        return starts[0], spent

    def _gain(self, best: Evaluation) -> float:
        at_rest = self._full.evaluate(np.zeros(3), order=0).value
        return best.value / at_rest if at_rest < 0 else 1.0

    def _objection(self, solution: Solution, gain: float) -> str | None:
        """Why the solution may not be used, or None."""
        rate = float(np.linalg.norm(solution.x))
        if not np.isfinite(rate) or rate > self.config.max_rate_rad_s:
            return f'the search ran away to {rate:.3g} rad/s'
        if gain < self.config.min_gain:
            return f'no sharper than without motion (gain {gain:.3f} < {self.config.min_gain:g})'
        if not solution.converged:
            return f'no convergence within {solution.n_evaluations} evaluations'
        return None

    def _remember(self, t_ns: int, omega: Vector, good: bool) -> None:
        self._history = [*self._history[-1:], (t_ns, omega)] if good else []

    def _refused(self, window: EventWindow, n: int) -> EgomotionResult:
        last = self._history[-1][1] if self._history else np.zeros(3)
        return EgomotionResult(
            t0_ns=window.t0_ns,
            t1_ns=window.t1_ns,
            t_ref_ns=window.t_ref_ns,
            omega=last,
            v=np.full(3, np.nan),
            covariance=np.full((6, 6), np.nan),
            converged=False,
            reason=f'too few events ({n} < {self.config.min_events})',
            n_events=n,
            n_evaluations=0,
            contrast_gain=1.0,
        )
