# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.linalg import expm

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, EventWindow, TwistPrior
from event_perception.motion import CameraModel, EgomotionConfig, EgomotionEstimator
from event_perception.motion.egomotion_config import RigidConfig
from event_perception.motion.lie import hat

OMEGA, V = np.array([0.3, -0.5, 0.4]), np.array([0.5, -0.2, 0.3])
T_NS = 100_000_000


def depth_at(x, y):
    return 2.0 + 0.8 * np.sin(3 * x + 1) * np.cos(2 * y) + 0.6 * x


@pytest.fixture(scope='module')
def camera() -> CameraModel:
    """A sensor of 346 x 260 pixels, 67 degrees wide."""
    return CameraModel(fx=260.0, fy=260.0, cx=172.5, cy=129.5, height=260, width=346)


@pytest.fixture(scope='module')
def scene(camera):
    """Strokes on a curved surface 1 to 3 m away; depth belongs to the middle instant."""
    rng = np.random.default_rng(0)
    n = 45_000
    centre, direction = rng.uniform([-0.75, -0.6], [0.75, 0.6], (200, 2)), rng.normal(0, 0.12, (200, 2))
    stroke = rng.integers(200, size=n)
    xy = centre[stroke] + rng.uniform(-1, 1, (n, 1)) * direction[stroke]
    X = np.column_stack([xy, np.ones(n)]) * depth_at(*xy.T)[:, None]
    generator = np.zeros((4, 4))
    generator[:3, :3], generator[:3, 3] = -hat(OMEGA), -V
    steps = np.arange(200)
    step = rng.integers(200, size=n)
    motions = np.stack([expm(((k + 0.5) / 200 - 0.5) * T_NS * 1e-9 * generator) for k in steps])
    seen = np.einsum('nij,nj->ni', motions[step][:, :3], np.column_stack([X, np.ones(n)]))
    pixels = np.round(camera.project(seen))
    good = (pixels >= 0).all(axis=1) & (pixels[:, 0] < camera.width) & (pixels[:, 1] < camera.height)
    t_ns = np.round((step[good] + 0.5) / 200 * T_NS).astype(np.int64)
    x, y = pixels[good].astype(int).T
    array = EventArray(t_ns, x, y, np.ones(len(x), int), height=camera.height, width=camera.width).sorted()
    table = camera.bearings().astype(np.float64)
    depth = DepthImage(T_NS // 2, depth_at(table[..., 0], table[..., 1]).astype(np.float32))
    return EventWindow.from_events(array, t0_ns=0, t1_ns=T_NS), depth


def test_rate_and_velocity_are_measured_from_a_cold_start(camera, scene):
    every = EgomotionConfig(rigid=RigidConfig(max_events=60_000))
    result = EgomotionEstimator(camera, every).update(scene[0], depth=scene[1])
    assert result.converged and result.n_events == len(scene[0])
    cosine = result.v @ V / np.linalg.norm(result.v) / np.linalg.norm(V)
    assert np.rad2deg(np.arccos(cosine)) < 2.0
    assert np.linalg.norm(result.v) == pytest.approx(np.linalg.norm(V), rel=0.03)
    assert np.linalg.norm(result.omega - OMEGA) < 0.01 * np.linalg.norm(OMEGA)
    error = np.concatenate([result.v - V, result.omega - OMEGA])
    assert error @ np.linalg.solve(result.covariance, error) < 16.8  # 99 % of chi-square, six degrees


def test_a_third_of_the_events_measures_nearly_as_well(camera, scene):
    result = EgomotionEstimator(camera).update(scene[0], depth=scene[1])
    assert result.converged and result.n_events == 10_000
    assert np.linalg.norm(result.v - V) < 0.05 * np.linalg.norm(V)
    assert np.linalg.norm(result.omega - OMEGA) < 0.02 * np.linalg.norm(OMEGA)


def test_where_motion_is_about_known_a_few_evaluations_do(camera, scene):
    covariance = np.diag([0.1**2] * 3 + [0.01**2] * 3)
    prior = TwistPrior(T_NS // 2, V + 0.08, OMEGA - 0.008, covariance)
    cold = EgomotionEstimator(camera).update(scene[0], depth=scene[1])
    told = EgomotionEstimator(camera).update(scene[0], prior, scene[1])
    assert told.converged and told.n_evaluations <= 4 < cold.n_evaluations
    np.testing.assert_allclose(told.v, V, atol=0.02)


def test_a_gyro_cuts_the_weak_directions(camera, scene):
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = 1e-6 * np.eye(3)
    prior = TwistPrior(T_NS // 2, np.full(3, np.nan), OMEGA, covariance)
    alone = EgomotionEstimator(camera).update(scene[0], depth=scene[1])
    helped = EgomotionEstimator(camera).update(scene[0], prior, scene[1])
    np.testing.assert_allclose(helped.omega, OMEGA, atol=2e-3)
    assert np.trace(helped.covariance[:3, :3]) < 0.5 * np.trace(alone.covariance[:3, :3])


@pytest.mark.parametrize('hole', [0.0, -1.0, np.nan])
def test_events_without_depth_are_left_out(camera, scene, hole):
    depth = scene[1].depth_m.copy()
    depth[:, :173] = hole
    result = EgomotionEstimator(camera).update(scene[0], depth=DepthImage(0, depth))
    assert result.n_events <= np.count_nonzero(scene[0].x >= 173)
    nothing = EgomotionEstimator(camera).update(
        scene[0], depth=DepthImage(0, np.full((260, 346), hole, np.float32))
    )
    assert (nothing.converged, nothing.reason) == (False, 'too few events (0 < 300)')


def test_a_scene_infinitely_far_away_says_nothing_of_velocity(camera, turning):
    far = DepthImage(0, np.full((260, 346), np.inf, np.float32))
    result = EgomotionEstimator(camera).update(turning(camera, OMEGA, n=6000, duration_s=0.1), depth=far)
    assert not result.converged
    assert result.reason.startswith('flat objective')


def test_a_depth_image_of_another_size_is_refused(camera, scene):
    with pytest.raises(DataError, match='depth image of shape'):
        EgomotionEstimator(camera).update(scene[0], depth=DepthImage(0, np.ones((10, 10), np.float32)))
