# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel of all trackers against finite differences, against the rigid objective, and against itself."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from event_perception.errors import DataError
from event_perception.motion import BinGrid
from event_perception.motion.lie import so3_exp
from event_perception.motion.newton import minimise
from event_perception.motion.rigid_variance import RigidVariance
from event_perception.motion.tracking_objective import TrackingObjective
from event_perception.motion.warps.base import SceneEvents

AT = np.array([0.9, -0.5, 0.4, 0.4, -0.3, 0.6, 0.01, -0.02, 0.015, 0.008, -0.01, 0.02])


@pytest.fixture(scope='module')
def events() -> SceneEvents:
    rng = np.random.default_rng(3)
    limits = [(-0.5, 0.5), (-0.4, 0.4), (-0.1, 0.1), (0.5, 1.5), (0.1, 1.0)]
    return SceneEvents(*(rng.uniform(*pair, 3000).astype(np.float32).astype(float) for pair in limits))


@pytest.fixture(scope='module')
def grid(camera) -> BinGrid:
    return BinGrid.covering(camera, 2.0, 0.1)


@pytest.fixture(scope='module')
def rendered(grid):
    noise = np.random.default_rng(5).normal(size=(grid.height, grid.width)).astype(np.float32)
    return noise - noise.mean()


def tracker(grid, events, translation=True, own=0.0, kernel='bilinear', both=True) -> TrackingObjective:
    objective = TrackingObjective(grid, kernel, own=own, translation=translation)
    ones = np.ones(len(events))
    weights = (events.d, ones) if both else (events.d,)
    objective.set_events(events.x, events.y, events.w, weights, events.q)
    return objective


def spline_value(grid, events, rendered, parameters):
    """-2/N sum_n w_n M~(u_n) in float64, M~ the map under a cubic B-spline, 0 beyond the bins."""
    omega, v, theta, tau = parameters.reshape(4, 3)
    P = np.stack([events.x, events.y, np.ones(len(events))], axis=1)
    r = np.outer(events.d, omega) + theta
    X = P + np.cross(r, P) + events.q[:, None] * (np.outer(events.d, v) + tau)
    bins = grid.to_bins(X[:, :2] / X[:, 2:])
    basis = BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)
    padded = np.pad(rendered.astype(float), 3)
    total = np.zeros(len(events))
    first = np.floor(bins).astype(int) - 1
    for i in range(4):
        for j in range(4):
            column, row = first[:, 0] + i, first[:, 1] + j
            kappa = basis(bins[:, 0] - column) * basis(bins[:, 1] - row)
            inside = (abs(column - grid.width / 2) < grid.width / 2 + 2) & (
                abs(row - grid.height / 2) < grid.height / 2 + 2
            )
            total[inside] += (kappa[inside]) * padded[row[inside] + 3, column[inside] + 3]
    return -2 * (events.w @ np.nan_to_num(total)) / events.w.sum()


def differences(function, at, step):
    steps = step * np.eye(len(at))
    return np.array([(function(at + e) - function(at - e)) / (2 * step) for e in steps])


def test_against_the_map_all_twelve_derivatives_are_those_of_the_smoothed_map(grid, events, rendered):
    objective = tracker(grid, events)
    objective.set_map(rendered)
    there = objective.evaluate(AT)
    assert there.value == pytest.approx(spline_value(grid, events, rendered, AT), rel=1e-4, abs=1e-6)
    gradient = differences(lambda p: spline_value(grid, events, rendered, p), AT, 1e-6)
    np.testing.assert_allclose(there.gradient, gradient, atol=1e-5 * np.abs(gradient).max())
    # the gradient is right, so its differences are the Hessian; the step is one that float32 allows
    hessian = differences(lambda p: objective.evaluate(p, 1).gradient, AT, 2e-4)
    np.testing.assert_allclose(there.hessian, hessian, atol=3e-3 * np.abs(hessian).max())
    np.testing.assert_array_equal(there.hessian, there.hessian.T)


@pytest.mark.parametrize(('translation', 'both'), [(False, False), (False, True), (True, False)])
def test_fewer_parameters_are_a_part_of_all(grid, events, rendered, translation, both):
    whole = tracker(grid, events, own=0.7)
    part = tracker(grid, events, translation, own=0.7, both=both)
    chosen = [k for k in range(12) if (translation or k % 6 < 3) and (both or k < 6)]
    at = np.zeros(12)
    at[chosen] = AT[chosen]
    for objective in (whole, part):
        objective.set_map(rendered, 0.5)
    expected, there = whole.evaluate(at), part.evaluate(at[chosen])
    assert there.value == pytest.approx(expected.value, rel=1e-6)
    np.testing.assert_allclose(
        there.gradient, expected.gradient[chosen], atol=1e-5 * np.abs(expected.gradient).max()
    )
    hessian = expected.hessian[np.ix_(chosen, chosen)]
    np.testing.assert_allclose(there.hessian, hessian, atol=1e-5 * np.abs(expected.hessian).max())
    assert part.evaluate(at[chosen], 0).value == pytest.approx(there.value, rel=1e-6)


def test_own_contrast_alone_is_the_rigid_objective(grid, events):
    at = AT[:6]
    rigid = RigidVariance(grid)
    rigid.set_events(events)
    expected, there = rigid.evaluate(at), tracker(grid, events, own=1.0, both=False).evaluate(at)
    assert there.value == pytest.approx(expected.value, rel=1e-6)
    np.testing.assert_allclose(there.gradient, expected.gradient, atol=1e-5 * np.abs(expected.gradient).max())
    np.testing.assert_allclose(there.hessian, expected.hessian, atol=1e-5 * np.abs(expected.hessian).max())


def test_own_contrast_and_map_add_up(grid, events, rendered):
    own, mapped, both = tracker(grid, events, own=0.5), tracker(grid, events), tracker(grid, events, own=0.5)
    mapped.set_map(rendered, 0.3)
    both.set_map(rendered, 0.3)
    a, b, sum_ = own.evaluate(AT), mapped.evaluate(AT), both.evaluate(AT)
    assert sum_.value == pytest.approx(a.value + b.value, rel=1e-5)
    np.testing.assert_allclose(
        sum_.gradient, a.gradient + b.gradient, atol=1e-4 * np.abs(sum_.gradient).max()
    )
    np.testing.assert_allclose(sum_.hessian, a.hessian + b.hessian, atol=1e-4 * np.abs(sum_.hessian).max())


def test_a_turned_view_is_found_to_a_thousandth_of_a_radian(camera):
    """Points voted as the map; seen from a camera turned by theta; found again."""
    rng = np.random.default_rng(1)
    grid = BinGrid.covering(camera, 1.0, 0.2)
    corners = rng.uniform((-0.4, -0.3), (0.4, 0.3), (60, 2))
    P = np.repeat(corners, 50, axis=0) + 0.006 * rng.normal(size=(3000, 2))
    ones = np.ones(len(P))
    truth = np.array([0.010, -0.015, 0.02])
    map_ = TrackingObjective(grid)
    map_.set_events(*P.T, ones, (ones,))
    objective = TrackingObjective(grid)
    seen = np.column_stack([P, ones]) @ so3_exp(truth)  # R^T P: in the true camera
    objective.set_events(seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2], ones, (ones,))
    rendered = map_.image(np.zeros(3))
    objective.set_map(rendered - rendered.mean())
    unit = grid.scale_x

    def scaled(z):
        there = objective.evaluate(z / unit)
        return type(there)(there.value, there.gradient / unit, there.hessian / unit**2)

    found = minimise(scaled, np.zeros(3))
    assert found.converged
    assert found.n_evaluations <= 8
    np.testing.assert_allclose(found.x / unit, truth, atol=1e-3)


def test_a_map_of_another_size_is_refused(grid, events):
    with pytest.raises(DataError, match='render it on this grid'):
        tracker(grid, events).set_map(np.zeros((3, 4), np.float32))
