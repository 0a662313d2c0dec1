# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""MuJoCo's pictures, depth, surfaces and velocities in the conventions of this package. Skipped without mujoco."""

import os
import sys

import numpy as np
import pytest

from event_perception.errors import CalibrationError, DataError, PluginError
from event_perception.motion.camera import CameraModel
from event_perception.simulation import trajectories
from event_perception.simulation.mujoco_scene import MujocoScene
from event_perception.simulation.truth import displacement

CAMERA = CameraModel(fx=90.0, fy=95.0, cx=50.0, cy=30.0, height=70, width=96)
XML = """<mujoco><visual><headlight ambient="0.5 0.5 0.5" diffuse="0 0 0" specular="0 0 0"/></visual><worldbody>
<geom name="floor" type="plane" size="20 20 .1" rgba="1 1 1 1"/>
<body name="box" pos="0 0 0.3"><joint type="slide" axis="0 1 0"/><joint type="hinge" axis="0 0 1"/>
<geom name="box" type="box" size=".2 .3 .3" rgba=".2 .2 .2 1"/></body></worldbody></mujoco>"""


def move(model, data, t_s):
    data.qpos[:] = (0.8 * t_s, 1.5 * t_s)
    data.qvel[:] = (0.8, 1.5)


@pytest.fixture(scope='module')
def mujoco():
    os.environ.setdefault('MUJOCO_GL', 'egl')  # before the first import
    return pytest.importorskip('mujoco')


@pytest.fixture(scope='module')
def scene(mujoco):
    made = MujocoScene(XML, set_state=move)
    try:
        made.depth(CAMERA, pose(), 0.0)
    except PluginError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def pose(t_s=0.0):
    return trajectories.orbit(duration_s=1.0, radius_m=2.0, height_m=1.2).pose(t_s)[0]


def world_points(depth, T):
    rows, columns = np.indices(depth.shape)
    ray = [(columns - CAMERA.cx) / CAMERA.fx, (rows - CAMERA.cy) / CAMERA.fy, np.ones(depth.shape)]
    near = np.where(np.isfinite(depth), depth, 0.0)
    return (np.stack(ray, axis=-1) * near[..., None]) @ T[:3, :3].T + T[:3, 3]


def test_depth_puts_every_pixel_on_the_surface_that_it_shows(scene):
    T = pose()
    surface, depth = scene.surface(CAMERA, T, 0.0), scene.depth(CAMERA, T, 0.0)
    points = world_points(depth, T)
    floor = surface == 0
    assert 0.3 < floor.mean() < 0.95 and (surface == 1).mean() > 0.05
    assert np.abs(points[floor][:, 2]).max() < 2e-3
    box = np.abs(points[surface == 1] - (0, 0, 0.3)) / (0.2, 0.3, 0.3)
    np.testing.assert_allclose(box.max(axis=1), 1.0, atol=0.02)


def test_nothing_has_infinite_depth_no_surface_and_no_velocity(scene):
    up = pose()
    up[:3, :3] = up[:3, :3] @ np.diag([1.0, -1.0, -1.0])  # to the sky
    assert np.isinf(scene.depth(CAMERA, up, 0.0)).all() and (scene.surface(CAMERA, up, 0.0) == -1).all()
    assert not scene.object_velocity(CAMERA, up, 0.0).any()


def test_light_is_the_logarithm_of_the_colours(scene):
    light, surface = (look(CAMERA, pose(), 0.0) for look in (scene.render, scene.surface))
    inside = surface == 0
    assert np.median(light[inside]) == pytest.approx(np.log(127.5), abs=0.02)
    assert np.median(light[surface == 1]) == pytest.approx(np.log(25.5), abs=0.05)


def test_depth_and_poses_predict_where_surfaces_are_seen_from_elsewhere(scene):
    """The principal point is off the centre and the focal lengths differ: a wrong frustum would show."""
    a, b = pose(0.0), pose(0.3)
    moved = displacement(CAMERA, scene.depth(CAMERA, a, 0.0), a, b)
    assert np.abs(moved).max() > 3
    surface = [scene.surface(CAMERA, T, 0.0) for T in (a, b)]
    rows, columns = np.indices(surface[0].shape)
    x, y = np.rint(columns + moved[0]).astype(int), np.rint(rows + moved[1]).astype(int)
    inside = (x >= 0) & (x < CAMERA.width) & (y >= 0) & (y < CAMERA.height)
    assert (surface[1][y[inside], x[inside]] == surface[0][inside]).mean() > 0.97


def test_velocity_of_a_moving_thing_is_the_derivative_of_its_points(scene):
    T, t_s, step_s = pose(), 0.2, 1e-3
    on_it = scene.surface(CAMERA, T, t_s) == 1
    points, velocity = world_points(scene.depth(CAMERA, T, t_s), T), scene.object_velocity(CAMERA, T, t_s)

    def carried(t):
        centre, angle = np.array([0, 0.8 * t, 0.3]), 1.5 * t
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), centre

    (R0, c0), (R1, c1) = carried(t_s), carried(t_s + step_s)
    expected = ((points[on_it] - c0) @ R0 @ R1.T + c1 - points[on_it]) / step_s
    np.testing.assert_allclose(velocity[on_it], expected, atol=5e-3)
    assert not velocity[~on_it].any() and np.abs(velocity[on_it]).max() > 0.8


def test_a_sequence_on_a_table_has_events_of_both_signs_and_repeats(mujoco, scene):
    from event_perception.simulation import scenes
    from event_perception.simulation.mujoco_table import mujoco_sequence

    runs = [mujoco_sequence(seed=1, duration_s=0.04, camera=CAMERA).events() for _ in range(2)]
    assert len(runs[0]) > 200 and set(np.unique(runs[0].p)) == {-1, 1}
    assert runs[0].t_ns.tobytes() == runs[1].t_ns.tobytes()
    assert 'mujoco' in scenes.names()


def test_more_samples_a_pixel_soften_edges_and_keep_the_rest(mujoco, scene):
    fine = MujocoScene(XML, set_state=move, supersample=3)
    a, b = scene.render(CAMERA, pose(), 0.0), fine.render(CAMERA, pose(), 0.0)
    fine.close()
    assert np.median(np.abs(a - b)) < 0.01 and b.shape == a.shape


def test_lenses_and_broken_models_are_refused(mujoco, scene):
    lens = CameraModel(
        fx=90.0, fy=95.0, cx=50.0, cy=30.0, height=70, width=96,
        distortion_model='radtan', distortion=(-0.1, 0.0, 0.0, 0.0),
    )  # fmt: skip
    with pytest.raises(CalibrationError, match='pinhole'):
        scene.render(lens, pose(), 0.0)
    with pytest.raises(DataError, match='cannot read'):
        MujocoScene('<mujoco><nonsense/></mujoco>')


def test_without_mujoco_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mujoco', None)
    with pytest.raises(PluginError, match=r'event_perception\[sim\]'):
        MujocoScene(XML)
