# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the spline of rotations: its values, its rate, and every derivative by its knots."""

import numpy as np
import pytest

from event_perception.motion import lie, lie_many
from event_perception.odometry.rotation_spline import basis, sample

STEP_S = 0.02


def knots_of(rate, n=8, wobble=0.0, seed=0):
    rng = np.random.default_rng(seed)
    knots = [lie.so3_exp([0.3, -0.2, 0.5])]
    for _ in range(n - 1):
        knots.append(knots[-1] @ lie.so3_exp(np.asarray(rate) * STEP_S + wobble * rng.standard_normal(3)))
    return np.array(knots)


@pytest.mark.parametrize('size', [0.0, 1e-6, 0.009, 0.011, 0.5, 3.0])
def test_many_rotations_are_those_one_by_one(size):
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((5, 3))
    vectors *= size / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(lie_many.exps(vectors), [lie.so3_exp(v) for v in vectors], atol=1e-14)
    np.testing.assert_allclose(lie_many.logs(lie_many.exps(vectors)), vectors, atol=1e-9)
    right = [lie.so3_left_jacobian(-v) for v in vectors]
    np.testing.assert_allclose(lie_many.right_jacobians(vectors), right, atol=1e-14)
    inverses = lie_many.right_jacobian_inverses(vectors)
    np.testing.assert_allclose(inverses @ np.array(right), np.tile(np.eye(3), (5, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(lie_many.hats(vectors), [lie.hat(v) for v in vectors])


def test_the_basis_has_its_known_values():
    l, change = basis(np.array([0.0, 1.0]), 1.0)  # noqa: E741
    np.testing.assert_allclose(l.T, [[5 / 6, 1 / 6, 0], [1, 5 / 6, 1 / 6]])
    np.testing.assert_allclose(change.T, [[0.5, 0.5, 0], [0, 0.5, 0.5]])


def test_an_even_turn_stays_one():
    rate = np.array([1.0, -2.0, 0.5])
    knots = knots_of(rate)
    t_s = np.linspace(0, 5 * STEP_S, 11)
    found = sample(knots, STEP_S, t_s)
    np.testing.assert_allclose(found.omega, np.tile(rate, (11, 1)), atol=1e-12)
    expected = [knots[1] @ lie.so3_exp(rate * t) for t in t_s]
    np.testing.assert_allclose(found.R, expected, atol=1e-12)


def test_orientation_and_rate_belong_together_and_go_on_smoothly():
    knots = knots_of([2.0, 1.0, -1.0], wobble=0.02)
    t_s = np.array([0.001, 0.0199999, 0.02, 0.051, 0.0999])
    here = sample(knots, STEP_S, t_s)
    step = 1e-6
    sides = [sample(knots, STEP_S, t_s + s).R for s in (-step, step)]
    rate = lie_many.logs(np.swapaxes(sides[0], 1, 2) @ sides[1]) / (2 * step)
    np.testing.assert_allclose(here.omega, rate, atol=1e-5)
    np.testing.assert_allclose(here.omega[1], here.omega[2], atol=1e-4)


def test_derivatives_by_the_knots_are_those_of_differences():
    knots = knots_of([2.0, 1.0, -1.0], wobble=0.1)
    t_s = np.array([0.003, 0.033, 0.0999])
    here, step = sample(knots, STEP_S, t_s), 1e-6
    for k, t in enumerate(t_s):
        for column in range(12):
            moved = []
            for sign in (-step, step):
                shift = np.zeros(3)
                shift[column % 3] = sign
                changed = knots.copy()
                changed[here.first[k] + column // 3] = changed[here.first[k] + column // 3] @ lie.so3_exp(
                    shift
                )
                moved.append(sample(changed, STEP_S, np.array([t])))
            turned = lie.so3_log(moved[0].R[0].T @ moved[1].R[0]) / (2 * step)
            np.testing.assert_allclose(here.R_by_knots[k, :, column], turned, atol=1e-7)
            changed_rate = (moved[1].omega[0] - moved[0].omega[0]) / (2 * step)
            np.testing.assert_allclose(here.omega_by_knots[k, :, column], changed_rate, atol=1e-5)
