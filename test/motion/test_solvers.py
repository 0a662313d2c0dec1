# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every solver promises, and Newton's details."""

import numpy as np
import pytest

from event_perception.motion.newton import Evaluation, NewtonConfig, minimise, newton_step
from event_perception.motion.solvers import SOLVERS
from event_perception.motion.solvers.base import coarse_to_fine

A = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
MINIMUM = np.array([0.5, -0.7, 0.2])


def bowl(x, order=2):
    e = x - MINIMUM
    return Evaluation(float(0.5 * e @ A @ e), A @ e, A)


@pytest.fixture(params=SOLVERS.names())
def solver(request):
    return SOLVERS.load(request.param)()


def test_a_bowl_is_solved(solver):
    solution = solver.minimise(bowl, np.zeros(3))
    assert solution.converged
    np.testing.assert_allclose(solution.x, MINIMUM, atol=5e-3)
    assert solution.n_evaluations >= 1
    np.testing.assert_allclose(solution.last.gradient, A @ (solution.at - MINIMUM), atol=1e-9)


def test_the_start_is_not_modified(solver):
    start = np.zeros(3)
    solver.minimise(bowl, start)
    np.testing.assert_array_equal(start, np.zeros(3))


def test_newton_needs_two_evaluations_for_a_bowl():
    assert minimise(bowl, np.zeros(3)).n_evaluations == 2


def test_a_saddle_is_left_downhill():
    H = np.diag([1.0, -2.0])
    step = newton_step(Evaluation(0.0, np.array([1.0, -0.5]), H), radius=10.0, floor=1e-3)
    np.testing.assert_allclose(step, [-1.0, 0.25])


def test_a_step_is_cut_to_the_trust_radius():
    step = newton_step(Evaluation(0.0, np.array([30.0, 40.0]), np.eye(2)), radius=2.0, floor=1e-3)
    np.testing.assert_allclose(step, [-1.2, -1.6])


def test_curvature_has_a_floor():
    H = np.diag([1.0, 1e-9])
    step = newton_step(Evaluation(0.0, np.array([0.0, 1e-3]), H), radius=10.0, floor=1e-3)
    np.testing.assert_allclose(step, [0.0, -1.0])


def test_no_curvature_at_all_is_no_step():
    flat = Evaluation(0.0, np.array([1.0, 2.0]), np.zeros((2, 2)))
    np.testing.assert_array_equal(newton_step(flat, 1.0, 1e-3), [0.0, 0.0])


def test_a_much_worse_point_is_left_and_the_radius_shrinks():
    seen = []

    def cliff(x):
        seen.append(float(x[0]))
        value = 1.0 if x[0] < 3.9 else 50.0
        return Evaluation(value, np.array([-1.0]), np.eye(1) * 1e-3)

    minimise(cliff, np.zeros(1), NewtonConfig(trust_radius=4.0, max_evaluations=3))
    assert seen == [0.0, 4.0, 1.0]


def test_a_slightly_worse_value_is_accepted():
    def bumpy(x):
        there = bowl(x)
        return Evaluation(1.0 + 0.001 * np.linalg.norm(x), there.gradient, there.hessian)

    assert minimise(bumpy, np.zeros(3)).converged


def test_what_is_not_finite_ends_as_not_converged():
    solution = minimise(lambda x: Evaluation(float('nan'), np.zeros(3), np.eye(3)), np.zeros(3))
    assert not solution.converged
    assert solution.n_evaluations == 1


def test_the_number_of_evaluations_is_bounded():
    def slope(x):
        return Evaluation(-float(x[0]), np.array([-1.0]), np.eye(1))

    solution = minimise(slope, np.zeros(1), NewtonConfig(max_evaluations=7))
    assert (solution.n_evaluations, solution.converged) == (7, False)


def test_coarse_to_fine_takes_the_best_start_through_all_levels():
    def double_well(x, order=2):
        value = float((x[0] ** 2 - 1) ** 2 + 0.1 * x[0])
        gradient = np.array([4 * x[0] * (x[0] ** 2 - 1) + 0.1])
        return Evaluation(value, gradient, np.array([[12 * x[0] ** 2 - 4]]))

    solver = SOLVERS.load('newton')(NewtonConfig(tolerance=1e-6, max_evaluations=30))
    unit = np.array([10.0])
    solution = coarse_to_fine([(double_well, unit)] * 2, solver, [np.array([0.9]), np.array([-0.9])])
    assert solution.x[0] == pytest.approx(-1.0123, abs=1e-3)
    assert solution.last.gradient[0] == pytest.approx(0.0, abs=1e-4)
    assert solution.last.hessian[0, 0] == pytest.approx(12 * 1.0123**2 - 4, rel=1e-2)
