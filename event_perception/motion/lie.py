# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations and rigid motions as exponentials, safe at zero.

A twist is (rho, phi): translation part first, rotation part last, as in a ROS covariance.
Source: Sola, Deray and Atchuthan, A micro Lie theory for state estimation in robotics, arXiv 1812.01537.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

SMALL_SQUARED_ANGLE = 1e-4  # rad^2; below it three Taylor terms are exact to 1e-15


def hat(vector: ArrayLike) -> Matrix:
    """The matrix [v]_x with [v]_x w = v x w, (3, 3)."""
    x, y, z = np.asarray(vector, np.float64)
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def vee(matrix: Matrix) -> Matrix:
    """The vector of the antisymmetric part of a (3, 3) matrix."""
    return 0.5 * np.array(
        [matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]
    )


def _coefficients(squared_angle: float) -> tuple[float, float, float]:
    """sin(a)/a, (1-cos a)/a^2 and (a-sin a)/a^3 as functions of a^2."""
    s = squared_angle
    if s < SMALL_SQUARED_ANGLE:
        return (
            1 - s / 6 * (1 - s / 20 * (1 - s / 42)),
            0.5 - s / 24 * (1 - s / 30 * (1 - s / 56)),
            1 / 6 - s / 120 * (1 - s / 42 * (1 - s / 72)),
        )
    a = math.sqrt(s)
    return math.sin(a) / a, 2 * math.sin(a / 2) ** 2 / s, (a - math.sin(a)) / (s * a)


def so3_exp(phi: ArrayLike) -> Matrix:
    """Rotation matrix of a rotation vector (3,), rad."""
    phi = np.asarray(phi, np.float64)
    a, b, _ = _coefficients(float(phi @ phi))
    h = hat(phi)
    return np.eye(3) + a * h + b * (h @ h)


def so3_log(R: ArrayLike) -> Matrix:
    """Rotation vector (3,) of a rotation matrix, length 0 to pi."""
    R = np.asarray(R, np.float64)
    axial = vee(R)
    sine, cosine = float(np.linalg.norm(axial)), (float(np.trace(R)) - 1) / 2
    angle = math.atan2(sine, cosine)
    if cosine > 0 and sine < 1e-4:
        return axial * (1 + sine * sine / 6)
    if sine > 1e-4:
        return axial * (angle / sine)
    return angle * _axis_of_half_turn(R, axial)


def _axis_of_half_turn(R: Matrix, axial: Matrix) -> Matrix:
    """Near pi the antisymmetric part vanishes: take the axis from R + R^T = 2 (cos I + (1-cos) a a^T)."""
    cosine = (float(np.trace(R)) - 1) / 2
    outer = ((R + R.T) / 2 - cosine * np.eye(3)) / (1 - cosine)
    column = outer[:, int(np.argmax(np.diag(outer)))]
    axis = column / np.linalg.norm(column)
    return axis if axis @ axial >= 0 else -axis


def so3_left_jacobian(phi: ArrayLike) -> Matrix:
    """J with exp(phi + e) = exp(J e) exp(phi) to first order in e, (3, 3)."""
    phi = np.asarray(phi, np.float64)
    _, b, c = _coefficients(float(phi @ phi))
    h = hat(phi)
    return np.eye(3) + b * h + c * (h @ h)


def so3_left_jacobian_inverse(phi: ArrayLike) -> Matrix:
    """Inverse of ``so3_left_jacobian``, (3, 3); defined for |phi| < 2 pi."""
    phi = np.asarray(phi, np.float64)
    s = float(phi @ phi)
    a, b, _ = _coefficients(s)
    h = hat(phi)
    second = 1 / 12 + s / 720 + s * s / 30240 if s < SMALL_SQUARED_ANGLE else (1 - a / (2 * b)) / s
    return np.eye(3) - 0.5 * h + second * (h @ h)


def se3_exp(twist: ArrayLike) -> Matrix:
    """Rigid transform (4, 4) of a twist (rho, phi), (6,)."""
    twist = np.asarray(twist, np.float64)
    T = np.eye(4)
    T[:3, :3] = so3_exp(twist[3:])
    T[:3, 3] = so3_left_jacobian(twist[3:]) @ twist[:3]
    return T


def se3_log(T: ArrayLike) -> Matrix:
    """Twist (rho, phi), (6,), of a rigid transform (4, 4)."""
    T = np.asarray(T, np.float64)
    phi = so3_log(T[:3, :3])
    return np.concatenate([so3_left_jacobian_inverse(phi) @ T[:3, 3], phi])


def se3_inverse(T: ArrayLike) -> Matrix:
    """Inverse of a rigid transform (4, 4)."""
    T = np.asarray(T, np.float64)
    inverse = np.eye(4)
    inverse[:3, :3] = T[:3, :3].T
    inverse[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return inverse


def se3_nearest(T: ArrayLike) -> Matrix:
    """The rigid transform closest to a (4, 4) matrix that is one but for rounding.

    Inverting by the transpose doubles what is not orthonormal, so chains through inverses must be cleaned.
    """
    rigid = np.array(T, np.float64)
    U, _, V = np.linalg.svd(rigid[:3, :3])
    rigid[:3, :3] = U @ V
    return rigid


def se3_adjoint(T: ArrayLike) -> Matrix:
    """Ad with T exp(x) T^-1 = exp(Ad x) for twists (rho, phi), (6, 6)."""
    T = np.asarray(T, np.float64)
    R = T[:3, :3]
    adjoint = np.zeros((6, 6))
    adjoint[:3, :3] = adjoint[3:, 3:] = R
    adjoint[:3, 3:] = hat(T[:3, 3]) @ R
    return adjoint


def se3_left_jacobian(twist: ArrayLike) -> Matrix:
    """J with exp(x + e) = exp(J e) exp(x) to first order in e, twists (rho, phi), (6, 6)."""
    twist = np.asarray(twist, np.float64)
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = jacobian[3:, 3:] = so3_left_jacobian(twist[3:])
    jacobian[:3, 3:] = _se3_q(twist[:3], twist[3:])
    return jacobian


def _se3_q(rho: Matrix, phi: Matrix) -> Matrix:
    """The upper right block of the SE(3) left Jacobian (Barfoot and Furgale, T-RO 2014, eq. 102)."""
    s = float(phi @ phi)
    _, b, c = _coefficients(s)
    if s < 1e-2:  # the closed forms below cancel; these series are exact to 1e-13
        d = 1 / 24 - s / 720 * (1 - s / 56 * (1 - s / 90))
        e = 1 / 120 - s / 2520 * (1 - s / 48 * (1 - s / 82.5))
    else:
        d, e = (0.5 - b) / s, (3 * c - b) / (2 * s)
    p, r = hat(phi), hat(rho)
    prp = p @ r @ p
    return (
        0.5 * r + c * (p @ r + r @ p + prp) + d * (p @ p @ r + r @ p @ p - 3 * prp) + e * (prp @ p + p @ prp)
    )
