# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Quaternions x y z w, as files and messages write them, to rotation matrices and back."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.errors import DataError

SHORTEST = 0.1  # text files round, so length 1 is not demanded; a length near 0 is no rotation at all


def rotation_from_quaternion(quaternion: ArrayLike) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) of a quaternion x y z w of any length.

    Raises:
        DataError: If it is not finite or has no length.
    """
    q = np.asarray(quaternion, np.float64)
    length = float(np.linalg.norm(q))
    if q.shape != (4,) or not SHORTEST < length < np.inf:
        raise DataError(f'quaternion {q.tolist()} (x y z w): must be finite and of length 1')
    x, y, z, w = q / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(R: ArrayLike) -> NDArray[np.float64]:
    """Quaternion x y z w, w >= 0, of a rotation matrix (3, 3).

    The largest of the four is found first and the others are divided by it (Shepperd, J. Guidance and
    Control 1978), so nothing cancels at any angle.
    """
    R = np.asarray(R, np.float64)
    diagonal = np.diag(R)
    trace = float(diagonal.sum())
    candidates = np.append(1 - trace + 2 * diagonal, 1 + trace)  # 4 x^2, 4 y^2, 4 z^2, 4 w^2
    i = int(np.argmax(candidates))
    products = np.array(
        [
            [candidates[0], R[0, 1] + R[1, 0], R[0, 2] + R[2, 0], R[2, 1] - R[1, 2]],
            [R[0, 1] + R[1, 0], candidates[1], R[1, 2] + R[2, 1], R[0, 2] - R[2, 0]],
            [R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], candidates[2], R[1, 0] - R[0, 1]],
            [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], candidates[3]],
        ]
    )
    q = products[i] / np.linalg.norm(products[i])
    return -q if q[3] < 0 else q


def transform(translation: ArrayLike, quaternion: ArrayLike) -> NDArray[np.float64]:
    """Rigid transform (4, 4) of a translation (3,) and a quaternion x y z w.

    Raises:
        DataError: If a value is not finite or the quaternion has no length.
    """
    t = np.asarray(translation, np.float64)
    if t.shape != (3,) or not np.isfinite(t).all():
        raise DataError(f'translation {t.tolist()}: three finite numbers are expected')
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_from_quaternion(quaternion), t
    return T
