# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The torch renderer shows what the scene shows, and its derivative by the pose is that of differences."""

import numpy as np
import pytest
import torch

from event_perception.errors import DataError
from event_perception.motion.camera import CameraModel
from event_perception.simulation import scenes
from event_perception.simulation.plane_light import PlaneLight
from event_perception.simulation.planes import PlaneScene, Rectangle

CAMERA = CameraModel(fx=28.0, fy=28.0, cx=15.5, cy=11.5, height=24, width=32)


@pytest.fixture(scope='module')
def room():
    return scenes.room_sequence(seed=3, duration_s=0.2, camera=CAMERA, texel_m=0.03)


def test_away_from_edges_the_light_is_that_of_the_scene(room):
    T = room.trajectory.pose(0.1)
    light = PlaneLight(room.scene, CAMERA).render(torch.as_tensor(T))[0].numpy()
    expected = np.exp(room.scene.render(CAMERA, T[0], 0.0)) / 255
    surface = np.pad(room.scene.surface(CAMERA, T[0], 0.0), 1, mode='edge')
    inner = surface[1:-1, 1:-1]
    same = np.ones(inner.shape, bool)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        same &= surface[dy : dy + 24, dx : dx + 32] == inner
    error = np.abs(light - expected)
    assert 0.6 < same.mean() < 1
    # between texels lines in log light there, splines in light here
    assert np.quantile(error[same], 0.99) < 0.025 and np.median(error[same]) < 3e-3


def test_the_derivative_by_the_pose_equals_differences_at_edges_and_inside(room):
    light = PlaneLight(room.scene, CAMERA, blur_m=0.04)
    T = torch.as_tensor(room.trajectory.pose(0.1))
    rng = np.random.default_rng(0)
    weight = torch.as_tensor(rng.normal(size=(24, 32)))

    def value(position):
        moved = T.clone()
        moved[:, :3, 3] = T[:, :3, 3] + position
        return light.render(moved)[0]

    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad((weight * value(x)).sum(), x)[0]
    step, differences, jumps = 1e-4, [], 0.0
    with torch.no_grad():
        for k in range(3):
            e = torch.zeros(3, dtype=torch.float64)
            e[k] = step
            change = value(e) - value(-e)
            jumps = max(jumps, float(change.abs().max()))
            differences.append((weight * change).sum() / (2 * step))
    torch.testing.assert_close(
        gradient, torch.stack(differences), rtol=2e-3, atol=2e-3 * float(gradient.norm())
    )
    assert jumps < 0.02  # a pixel that changes surface between the two would jump by tenths without its area


def panel(x, y, z, size):
    """A rectangle before the camera, facing it."""
    return Rectangle((x, y, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), size)


def test_a_panel_smaller_than_a_pixel_shows_with_its_area_wherever_it_is():
    """Seen at 1 m through fx = 28, a side of 0.02 m is 0.56 px: rays through centres would miss it or not."""
    scene = PlaneScene([panel(0.0, 0.0, 1.0, (0.02, 0.02))], seed=0, texel_m=0.005)
    renderer = PlaneLight(scene, CAMERA)
    T = torch.eye(4, dtype=torch.float64).repeat(9, 1, 1)
    T[:, 0, 3] = torch.linspace(-0.02, 0.03, 9, dtype=torch.float64)
    T[:, 1, 3] = torch.linspace(0.01, -0.013, 9, dtype=torch.float64)
    shares = []
    for k in range(9):
        forms = renderer._forms(T[k : k + 1])
        seen = scene.surface(CAMERA.scaled(6), T[k].numpy(), 0.0)[None]
        shares.append(float(renderer._shares(seen, forms)[1].sum()))
    np.testing.assert_allclose(shares, (0.02 * 28) ** 2, rtol=1e-9)


def test_where_panels_overlap_the_nearer_hides_the_farther():
    near, far = panel(-0.1, -0.1, 1.0, (0.13, 0.17)), panel(-0.06, -0.04, 2.0, (0.4, 0.3))
    scene = PlaneScene([far, near], seed=0, texel_m=0.01)
    renderer = PlaneLight(scene, CAMERA)
    T = torch.eye(4, dtype=torch.float64)[None]
    row, share = renderer._shares(
        scene.surface(CAMERA.scaled(6), T[0].numpy(), 0.0)[None], renderer._forms(T)
    )
    covered = [
        28**2 * a for a in (0.2 * 0.15 - 0.06 * 0.09, 0.13 * 0.17)
    ]  # at depth 2 half the sides are seen
    found = [float(share[row[:, 2] == k].sum()) for k in range(2)]
    np.testing.assert_allclose(found, covered, rtol=1e-9)


def test_poses_that_are_not_finite_are_refused(room):
    with pytest.raises(DataError, match='finite'):
        PlaneLight(room.scene, CAMERA).render(torch.full((1, 4, 4), torch.nan))
