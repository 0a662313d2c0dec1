# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Planar motion of a robot from events of strokes on its floor."""

import numpy as np
import pytest

from event_perception.errors import CalibrationError, DataError
from event_perception.events import DepthImage, EventArray, EventWindow
from event_perception.motion import CameraModel
from event_perception.motion.lie import se3_exp, se3_inverse
from event_perception.motion.planar_egomotion import PlanarEgomotion, planar_twists

CAMERA = CameraModel(fx=90.0, fy=90.0, cx=63.5, cy=47.5, height=96, width=128)
MOTION, T_NS = (0.5, -0.04, 0.4), 100_000_000
HEIGHT_M = 0.4
PITCHED = np.eye(
    4
)  # 45 degrees down, 0.2 m ahead of the base, 0.3 m above it; the base is 0.1 m over the floor
PITCHED[:3, :3] = np.array([[0, -1, 1], [-(2**0.5), 0, 0], [0, -1, -1]]) / 2**0.5
PITCHED[:3, 3] = (0.2, 0.0, 0.3)


@pytest.fixture(scope='module')
def floor():
    """A window of 12 000 events and the depth at its middle."""
    rng = np.random.default_rng(0)
    n = 30_000
    centre, direction = rng.uniform([0, -1], [2, 1], (400, 2)), rng.normal(0, 0.05, (400, 2))
    stroke, step = rng.integers(400, size=n), rng.integers(50, size=n)
    on_floor = centre[stroke] + rng.uniform(-1, 1, (n, 1)) * direction[stroke]
    X = np.column_stack([on_floor, np.full(n, -0.1), np.ones(n)])  # base frame at the middle instant
    twist = np.array([MOTION[0], MOTION[1], 0, 0, 0, MOTION[2]])
    offset_s = ((np.arange(50) + 0.5) / 50 - 0.5) * T_NS * 1e-9
    to_camera = np.stack([se3_inverse(se3_exp(dt * twist) @ PITCHED) for dt in offset_s])
    seen = np.einsum('nij,nj->ni', to_camera[step][:, :3], X)
    pixels = np.round(CAMERA.project(seen))
    good = (seen[:, 2] > 0.05) & (pixels >= 0).all(1) & (pixels < [CAMERA.width, CAMERA.height]).all(1)
    t_ns = np.round((step[good] + 0.5) / 50 * T_NS).astype(np.int64)
    x, y = pixels[good].astype(int).T
    events = EventArray(t_ns, x, y, np.ones(len(x), int), height=96, width=128).sorted()
    down = np.moveaxis(CAMERA.bearings().astype(float), -1, 0)[1] + 1
    depth = np.where(down > 0.01, HEIGHT_M * 2**0.5 / np.maximum(down, 0.01), 0.0).astype(np.float32)
    return EventWindow.from_events(events, t0_ns=0, t1_ns=T_NS), DepthImage(T_NS // 2, depth)


def test_the_motion_of_the_body_is_found_from_cold(floor):
    found = PlanarEgomotion(CAMERA, PITCHED).estimate(*floor)
    assert found.converged and found.n_events > 5000
    assert (np.abs(found.motion - MOTION) < (0.01, 0.02, 0.02)).all(), found.motion
    error = found.motion - MOTION
    assert error @ np.linalg.solve(found.covariance, error) < 16.3  # 99.9 % of chi-square, three degrees


def test_a_camera_ahead_of_the_base_moves_sideways_when_the_base_turns():
    T = np.eye(4)
    T[:3, 3] = (0.5, 0.0, 0.0)
    np.testing.assert_allclose(planar_twists(T)[:, 2], [0, 0, 1, 0, 0.5, 0], atol=1e-15)
    np.testing.assert_allclose(planar_twists(T)[:, 0], [0, 0, 0, 1, 0, 0], atol=1e-15)


def test_a_window_with_few_events_is_not_estimated(floor):
    depth = floor[1]
    few = EventWindow.from_events(EventArray.empty(height=96, width=128), t0_ns=0, t1_ns=T_NS)
    found = PlanarEgomotion(CAMERA, PITCHED).estimate(few, depth)
    assert not found.converged and found.n_events == 0 and np.isinf(np.diag(found.covariance)).all()


def test_a_mount_that_is_not_rigid_and_a_depth_of_another_size_are_errors(floor):
    with pytest.raises(CalibrationError, match='not a rigid transform'):
        PlanarEgomotion(CAMERA, 2 * np.eye(4))
    with pytest.raises(DataError, match='depth image'):
        PlanarEgomotion(CAMERA, PITCHED).estimate(floor[0], DepthImage(0, np.ones((4, 4), np.float32)))
