# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A scene of points at infinity, seen by a turning camera, with exact truth: fast, no image needed."""

from collections.abc import Callable

import numpy as np
import pytest

from event_perception.events import EventArray
from event_perception.motion import CameraModel
from event_perception.motion.lie import so3_exp


@pytest.fixture(scope='session')
def camera() -> CameraModel:
    """A small pinhole camera, 82 degrees wide."""
    return CameraModel(fx=100.0, fy=101.0, cx=79.0, cy=59.5, height=120, width=160)


@pytest.fixture(scope='session')
def turning() -> Callable[..., EventArray]:
    """Events of points on random strokes at infinity: ``turning(camera, omega, n, duration_s, seed)``.

    A point seen at the middle instant at X is at exp(-dt [omega]_x) X at dt; its pixel is rounded.
    """

    def make(camera, omega, n=4000, duration_s=0.04, seed=0, n_strokes=60):
        rng = np.random.default_rng(seed)
        centre = rng.uniform([-0.9, -0.7], [0.9, 0.7], (n_strokes, 2))
        direction = rng.normal(0, 0.12, (n_strokes, 2))
        t_ns = np.empty(0, np.int64)
        pixels = np.empty((0, 2))
        while len(t_ns) < n:
            stroke = rng.integers(n_strokes, size=4 * n)
            along = rng.uniform(-1, 1, (4 * n, 1))
            bearing = np.column_stack([centre[stroke] + along * direction[stroke], np.ones(4 * n)])
            new_t = rng.integers(0, round(duration_s * 1e9), 4 * n)
            dt = (new_t - round(duration_s * 1e9) // 2) * 1e-9
            seen = rotate(-dt[:, None] * np.asarray(omega), bearing)
            seen_px = np.round(camera.project(seen))
            good = (
                (seen_px >= 0).all(axis=1) & (seen_px[:, 0] < camera.width) & (seen_px[:, 1] < camera.height)
            )
            t_ns, pixels = np.concatenate([t_ns, new_t[good]]), np.concatenate([pixels, seen_px[good]])
        order = np.argsort(t_ns[:n], kind='stable')
        x, y = pixels[:n][order].astype(np.int64).T
        p = rng.choice(np.array([-1, 1]), n)
        return EventArray(t_ns[:n][order], x, y, p, height=camera.height, width=camera.width)

    return make


def rotate(vectors: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Apply one rotation vector to each point."""
    return np.stack([so3_exp(v) @ p for v, p in zip(vectors, points)])
