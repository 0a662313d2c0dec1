# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Strokes all around a camera that turns: windows of events with exact truth, made without images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.events import EventArray, EventWindow
from event_perception.motion import CameraModel, EgomotionResult

MS = 1_000_000
WINDOW_MS = 20


@dataclass(frozen=True)
class StrokeWorld:
    """500 strokes on the sphere and a camera with an orientation for every instant."""

    camera: CameraModel
    rotation: Callable[[float], Rotation]
    seed: int = 0

    @staticmethod
    @cache
    def _points(seed):
        rng = np.random.default_rng(seed)
        centre, along = rng.normal(size=(2, 500, 1, 3))
        centre /= np.linalg.norm(centre, axis=-1, keepdims=True)
        strokes = centre + 0.1 * rng.uniform(-1, 1, (500, 60, 1)) * along
        return (strokes / np.linalg.norm(strokes, axis=-1, keepdims=True)).reshape(-1, 3)

    def omega(self, t_s):
        step = 1e-4
        return (self.rotation(t_s - step).inv() * self.rotation(t_s + step)).as_rotvec() / (2 * step)

    def window(self, t_ms, n=3000):
        """Events of [t - 10 ms, t + 10 ms)."""
        rng, camera, t_s = np.random.default_rng([self.seed, t_ms]), self.camera, t_ms * 1e-3
        seen = self._points(self.seed) @ self.rotation(t_s).as_matrix()
        near = (abs(seen[:, :2]) < 0.7 * seen[:, 2:]).all(axis=1)
        seen = seen[near][rng.integers(np.count_nonzero(near), size=2 * n)]
        dt_ns = np.sort(rng.integers(-10 * MS, 10 * MS, 2 * n))
        seen = Rotation.from_rotvec(-1e-9 * dt_ns[:, None] * self.omega(t_s)).apply(seen)
        px = np.round(camera.project(seen))
        good = (px >= 0).all(axis=1) & (px[:, 0] < camera.width) & (px[:, 1] < camera.height)
        some = np.flatnonzero(good)
        some = some[:: -(-some.size // n)]
        return self._window(t_ms, dt_ns[some], *px[some].astype(int).T)

    def noise(self, t_ms, n=4000):
        """Events anywhere."""
        rng = np.random.default_rng([self.seed, t_ms])
        x, y = rng.integers(self.camera.width, size=n), rng.integers(self.camera.height, size=n)
        return self._window(t_ms, np.sort(rng.integers(-10 * MS, 10 * MS, n)), x, y)

    def _window(self, t_ms, dt_ns, x, y):
        camera = self.camera
        events = EventArray(
            t_ms * MS + dt_ns, x, y, np.ones(len(x), int), height=camera.height, width=camera.width
        )
        return EventWindow.from_events(events, t0_ns=(t_ms - 10) * MS, t1_ns=(t_ms + 10) * MS)

    def egomotion(self, t_ms, error=(0.0, 0.0, 0.0), std_rad_s=0.03, converged=True, n=3000):
        """The truth, and a given error."""
        covariance = np.full((6, 6), np.nan)
        covariance[3:, 3:] = std_rad_s**2 * np.eye(3)
        t_ns = t_ms * MS
        return EgomotionResult(
            t_ns - 10 * MS, t_ns + 10 * MS, t_ns, self.omega(t_ms * 1e-3) + error, np.full(3, np.nan),
            covariance, converged, 'converged' if converged else 'made not to', n, 5, 2.0,
        )  # fmt: skip


@pytest.fixture(scope='session')
def small_camera() -> CameraModel:
    """62 degrees wide."""
    return CameraModel(fx=100.0, fy=101.0, cx=59.5, cy=44.5, height=90, width=120)


@pytest.fixture(scope='session')
def stroke_world(small_camera):
    """``stroke_world(rotation)``: rotation of seconds to a ``Rotation`` of camera to world."""
    return lambda rotation: StrokeWorld(small_camera, rotation)
