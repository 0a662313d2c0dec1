# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from event_perception.motion import lie

VECTORS = st.lists(st.floats(-1.7, 1.7), min_size=3, max_size=3).map(np.array)
SCALES = st.sampled_from([0.0, 1e-9, 1e-5, 9.99e-3, 1e-2, 0.1, 1.0])


@settings(max_examples=60, deadline=None)
@given(v=VECTORS, scale=SCALES)
def test_exp_agrees_with_an_independent_library_and_log_inverts_it(v, scale):
    R = lie.so3_exp(scale * v)
    np.testing.assert_allclose(R, Rotation.from_rotvec(scale * v).as_matrix(), atol=1e-14)
    np.testing.assert_allclose(lie.so3_log(R), scale * v, atol=1e-12)


@pytest.mark.parametrize('angle', [np.pi, np.pi - 1e-9, np.pi - 1e-5, np.pi - 1e-3])
@pytest.mark.parametrize('axis', [(1, 0, 0), (0, -1, 0), (0.6, 0, 0.8), (-2 / 3, 1 / 3, 2 / 3)])
def test_log_is_right_near_half_a_turn(angle, axis):
    R = Rotation.from_rotvec(angle * np.array(axis)).as_matrix()
    np.testing.assert_allclose(lie.so3_exp(lie.so3_log(R)), R, atol=1e-10)
    assert np.linalg.norm(lie.so3_log(R)) == pytest.approx(angle, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(rho=VECTORS, phi=VECTORS, scale=SCALES)
def test_se3_exp_is_the_matrix_exponential_and_log_inverts_it(rho, phi, scale):
    twist = np.concatenate([rho, scale * phi])
    generator = np.zeros((4, 4))
    generator[:3, :3], generator[:3, 3] = lie.hat(twist[3:]), rho
    T = lie.se3_exp(twist)
    np.testing.assert_allclose(T, expm(generator), atol=1e-12)
    np.testing.assert_allclose(lie.se3_log(T), twist, atol=1e-11)
    np.testing.assert_allclose(lie.se3_inverse(T) @ T, np.eye(4), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(x=st.tuples(VECTORS, VECTORS, SCALES), direction=st.tuples(VECTORS, VECTORS))
def test_left_jacobians_are_the_derivatives_of_exp(x, direction):
    twist = np.concatenate([x[0], x[2] * x[1]])
    e, h = np.concatenate(direction), 1e-6
    plus, minus = lie.se3_exp(twist + h * e), lie.se3_exp(twist - h * e)
    numeric = lie.se3_log(plus @ lie.se3_inverse(minus)) / (2 * h)
    np.testing.assert_allclose(lie.se3_left_jacobian(twist) @ e, numeric, atol=2e-8)
    R = lie.so3_exp(twist[3:] + h * e[3:]) @ lie.so3_exp(twist[3:] - h * e[3:]).T
    np.testing.assert_allclose(lie.so3_left_jacobian(twist[3:]) @ e[3:], lie.so3_log(R) / (2 * h), atol=2e-8)


@pytest.mark.parametrize('scale', [0.0, 1e-3, 9.9e-3, 1.01e-2, 0.0999, 0.1001, 1.0])
def test_inverse_jacobian_and_adjoint_hold_their_definitions(scale):
    phi, rho = scale * np.array([0.6, -0.8, 0.3]), np.array([1.0, 2.0, -0.5])
    product = lie.so3_left_jacobian(phi) @ lie.so3_left_jacobian_inverse(phi)
    np.testing.assert_allclose(product, np.eye(3), atol=1e-13)
    T, x = lie.se3_exp(np.concatenate([rho, phi])), np.array([0.1, 0.2, 0.3, -0.3, 0.2, 0.1])
    np.testing.assert_allclose(
        T @ lie.se3_exp(x) @ lie.se3_inverse(T), lie.se3_exp(lie.se3_adjoint(T) @ x), atol=1e-13
    )


def test_hat_is_the_cross_product_and_vee_inverts_it():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([-4.0, 5.0, 0.5])
    np.testing.assert_allclose(lie.hat(a) @ b, np.cross(a, b))
    np.testing.assert_array_equal(lie.vee(lie.hat(a)), a)
