# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every warp promises."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation as Turn

from event_perception.errors import PluginError
from event_perception.motion.warps import WARPS
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.rigid import Rigid, Translation, inverse_depth_of_plane

H = 1e-5


@pytest.fixture(params=WARPS.names())
def warp(request):
    return WARPS.load(request.param)()


@pytest.fixture
def events():
    rng = np.random.default_rng(3)
    x, y, d, q = rng.uniform([-0.6, -0.5, -0.05, 0.1], [0.6, 0.5, 0.05, 2.0], (40, 4)).T
    return SceneEvents(x, y, d, np.ones(40), q)


def parameters(warp, seed=1, size=1.5):
    return np.random.default_rng(seed).uniform(-size, size, len(warp.names))


def test_no_motion_leaves_the_events_where_they_are(warp, events):
    points = warp.warp(np.zeros(len(warp.names)), events, order=1).points
    np.testing.assert_allclose(points, [events.x, events.y], atol=1e-15)


@pytest.mark.parametrize('size', [0.0, 1.5])
def test_first_derivatives_agree_with_differences(warp, events, size):
    p = parameters(warp, size=size)
    first = warp.warp(p, events, order=1).first
    for k, step in enumerate(H * np.eye(len(p))):
        numeric = (warp.warp(p + step, events, 0).points - warp.warp(p - step, events, 0).points) / (2 * H)
        np.testing.assert_allclose(first[:, k], numeric, atol=2e-9)


@pytest.mark.parametrize('size', [0.0, 1.5])
def test_second_derivatives_agree_with_differences(warp, events, size):
    p = parameters(warp, size=size)
    second = warp.warp(p, events, order=2).second
    for k, step in enumerate(H * np.eye(len(p))):
        numeric = (warp.warp(p + step, events, 1).first - warp.warp(p - step, events, 1).first) / (2 * H)
        np.testing.assert_allclose(second[:, k], numeric, atol=2e-8)


def test_an_event_that_ends_behind_the_camera_is_marked(warp, events):
    if warp.names[0] == 'tx':
        pytest.skip('affine flow has no depth')
    p = np.zeros(len(warp.names))
    far = SceneEvents(np.full(2, 2.0), np.zeros(2), np.array([0.001, 1.0]), np.ones(2), np.ones(2))
    p[{'wx_rad_s': 1, 'vx_m_s': 2, 'g11': 6}[warp.names[0]]] = 2.0 if warp.names[0] == 'wx_rad_s' else -2.0
    np.testing.assert_array_equal(warp.warp(p, far, 0).inside, [True, False])


def test_the_exact_rotation_is_that_of_an_independent_library(events):
    omega = np.array([3.0, -20.0, 8.0])
    points = WARPS.load('rotation')().warp(omega, events, 0).points
    X = np.column_stack([events.x, events.y, np.ones(40)])
    X0 = Turn.from_rotvec(events.d[:, None] * omega).apply(X)
    np.testing.assert_allclose(points, (X0[:, :2] / X0[:, 2:]).T, atol=1e-13)


def test_a_homography_is_rigid_motion_before_a_plane(events):
    n, omega, v = np.array([0.2, -0.1, 0.5]), np.array([0.3, 0.4, -0.5]), np.array([1.0, -0.5, 0.7])
    q = inverse_depth_of_plane(n, events.x, events.y)
    on_plane = SceneEvents(events.x, events.y, events.d, events.w, q)
    rigid = Rigid().warp(np.concatenate([omega, v]), on_plane, 0).points
    cross = np.array([[0, -omega[2], omega[1]], [omega[2], 0, -omega[0]], [-omega[1], omega[0], 0]])
    G = cross + np.outer(v, n)
    last = G[2, 2]
    G = G - last * np.eye(3)
    # subtracting last * identity rescales X by (1 + d last): the same point for d / (1 + d last)
    scaled = SceneEvents(events.x, events.y, events.d / (1 + events.d * last), events.w, q)
    np.testing.assert_allclose(
        WARPS.load('homography')().warp(G.ravel()[:8], scaled, 0).points, rigid, atol=1e-12
    )


def test_translation_moves_near_points_more(events):
    moved = Translation().warp(np.array([1.0, 0.0, 0.0]), events, 0).points[0] - events.x
    np.testing.assert_allclose(moved, events.d * events.q, atol=1e-15)


def test_an_unknown_warp_is_refused():
    with pytest.raises(PluginError, match='choose one of'):
        WARPS.load('spiral')
