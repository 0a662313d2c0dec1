# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy, evaluations and covariance on a simulated rotation with exact truth."""

import numpy as np
import pytest
from scipy.stats import chi2

from event_perception.events import EventWindow
from event_perception.motion import BinGrid, EgomotionConfig, EgomotionEstimator
from event_perception.motion.contrast_problem import ContrastProblem
from event_perception.motion.objectives.variance import Variance
from event_perception.motion.solvers.base import scaled_parameters
from event_perception.motion.solvers.lbfgsb import Lbfgsb
from event_perception.motion.warped_image import bearing_events
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.rotation import Rotation

N = 20_000


@pytest.fixture(scope='module')
def sequence():
    from event_perception.simulation.rotations import rotation_set

    return rotation_set('synC', seed=21, duration_s=0.2)


@pytest.fixture(scope='module')
def windows(sequence):
    events = sequence.events()
    return [EventWindow.from_events(events[k : k + N]) for k in range(0, len(events) - N, N)]


@pytest.fixture(scope='module')
def results(sequence, windows):
    estimator = EgomotionEstimator(sequence.camera)
    return [estimator.update(window) for window in windows]


def errors(sequence, windows, omegas):
    return np.array([w - sequence.omega(win.t_ref_ns)[0] for w, win in zip(omegas, windows)])


def test_every_window_converges_with_few_evaluations(results):
    assert all(r.converged for r in results)
    assert np.mean([r.n_evaluations for r in results]) <= 5.0


def test_the_error_is_far_below_that_of_raw_derivatives(sequence, windows, results):
    """Bilinear votes of 2 px with raw derivatives and L-BFGS-B, started at the truth: the usual method."""
    grid, solver, raw = BinGrid.covering(sequence.camera, 2.0, 0.1), Lbfgsb(), []
    for window in windows[:8]:
        b = bearing_events(window, sequence.camera)[0]
        arrays = [np.asarray(a, np.float64) for a in (b.x, b.y, b.d, b.w)]
        scene = SceneEvents(*arrays, np.zeros(len(b)))
        problem = ContrastProblem(scene, Rotation(), Variance(), grid, reconstruction=None)
        unit = np.full(3, 0.5 * window.duration_s * grid.scale_x)
        start = unit * sequence.omega(window.t_ref_ns)[0]
        raw.append(solver.minimise(scaled_parameters(problem.evaluate, unit), start).x / unit)
    ours = errors(sequence, windows[:8], [r.omega for r in results])
    assert rms(ours) <= 0.85 * rms(errors(sequence, windows[:8], raw))
    assert np.rad2deg(rms(ours)) < 2.5


def test_the_covariance_holds_what_it_promises(sequence, windows, results):
    e = errors(sequence, windows, [r.omega for r in results])
    squares = [x @ np.linalg.solve(r.omega_covariance, x) for x, r in zip(e, results)]
    low, high = chi2.ppf([0.005, 0.995], 3 * len(squares))
    assert low < sum(squares) < high


def test_short_windows_still_agree_with_the_truth_within_their_own_sigma(sequence, windows):
    config = EgomotionConfig()
    part = [EventWindow.from_events(_events(window, 5000)) for window in windows]
    estimator = EgomotionEstimator(sequence.camera, config)
    found = [estimator.update(window) for window in part]
    e = errors(sequence, part, [r.omega for r in found])
    sigma = np.sqrt([np.diag(r.omega_covariance) for r in found])
    assert np.mean(np.abs(e) < 2 * sigma) > 0.7


def _events(window, n):
    from event_perception.events import EventArray

    t_ns = window.t_ref_ns + np.round(window.dt_s[:n].astype(np.float64) * 1e9).astype(np.int64)
    return EventArray(
        t_ns, window.x[:n], window.y[:n], window.p[:n], height=window.height, width=window.width
    )


def rms(e):
    return float(np.sqrt(np.mean(np.square(e))))
