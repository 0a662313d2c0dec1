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
    assert (
        np.quantile(error[same], 0.99) < 0.02 and np.median(error[same]) < 1e-3
    )  # log and linear interpolation


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
        gradient, torch.stack(differences), rtol=0.03, atol=0.03 * float(gradient.norm())
    )
    assert jumps < 0.02  # a pixel that changes surface between the two would jump by tenths without blending


def test_poses_that_are_not_finite_are_refused(room):
    with pytest.raises(DataError, match='finite'):
        PlaneLight(room.scene, CAMERA).render(torch.full((1, 4, 4), torch.nan))
