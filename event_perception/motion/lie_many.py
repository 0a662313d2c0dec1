# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rotations as exponentials, many at once: arrays (n, 3) and (n, 3, 3). The single ones are in ``lie``."""

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.lie import SMALL_SQUARED_ANGLE

Array = NDArray[np.float64]


def hats(vectors: Array) -> Array:
    """The matrices [v]_x, (n, 3, 3)."""
    result = np.zeros((len(vectors), 3, 3))
    x, y, z = vectors.T
    result[:, 0, 1], result[:, 0, 2], result[:, 1, 2] = -z, y, -x
    result[:, 1, 0], result[:, 2, 0], result[:, 2, 1] = z, -y, x
    return result


def coefficients(squared_angles: Array) -> tuple[Array, Array, Array]:
    """sin(a)/a, (1-cos a)/a^2 and (a-sin a)/a^3 as functions of a^2, (n,) each."""
    s = squared_angles
    small = s < SMALL_SQUARED_ANGLE
    safe = np.where(small, 1.0, s)
    a = np.sqrt(safe)
    return (
        np.where(small, 1 - s / 6 * (1 - s / 20 * (1 - s / 42)), np.sin(a) / a),
        np.where(small, 0.5 - s / 24 * (1 - s / 30 * (1 - s / 56)), 2 * np.sin(a / 2) ** 2 / safe),
        np.where(small, 1 / 6 - s / 120 * (1 - s / 42 * (1 - s / 72)), (a - np.sin(a)) / (safe * a)),
    )


def exps(vectors: Array) -> Array:
    """Rotation matrices of rotation vectors."""
    a, b, _ = coefficients(np.einsum('ni,ni->n', vectors, vectors))
    h = hats(vectors)
    return np.asarray(np.eye(3) + a[:, None, None] * h + b[:, None, None] * (h @ h))


def logs(rotations: Array) -> Array:
    """Rotation vectors of rotation matrices that turn by less than pi."""
    anti = rotations - np.swapaxes(rotations, 1, 2)
    axial = 0.5 * np.stack([anti[:, 2, 1], anti[:, 0, 2], anti[:, 1, 0]], axis=1)
    sine, cosine = np.linalg.norm(axial, axis=1), 0.5 * (np.trace(rotations, axis1=1, axis2=2) - 1)
    straight = (cosine > 0) & (sine < 1e-4)
    angle = np.arctan2(sine, cosine)
    factor = np.where(straight, 1 + sine**2 / 6, angle / np.where(straight, 1.0, np.maximum(sine, 1e-300)))
    return np.asarray(factor[:, None] * axial)


def right_jacobians(vectors: Array) -> Array:
    """J with exp(phi + e) = exp(phi) exp(J e) to first order in e."""
    _, b, c = coefficients(np.einsum('ni,ni->n', vectors, vectors))
    h = hats(vectors)
    return np.asarray(np.eye(3) - b[:, None, None] * h + c[:, None, None] * (h @ h))


def right_jacobian_inverses(vectors: Array) -> Array:
    """Inverses of ``right_jacobians``; their transposes are those of the left ones."""
    s = np.einsum('ni,ni->n', vectors, vectors)
    a, b, _ = coefficients(s)
    small = s < SMALL_SQUARED_ANGLE
    second = np.where(small, 1 / 12 + s / 720 + s * s / 30240, (1 - a / (2 * b)) / np.where(small, 1.0, s))
    h = hats(vectors)
    return np.asarray(np.eye(3) + 0.5 * h + second[:, None, None] * (h @ h))
