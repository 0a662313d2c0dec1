# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Depth, flow, poses, velocities and inertial readings of a scene belong together."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from event_perception.errors import CalibrationError, ConfigError
from event_perception.motion.camera import CameraModel
from event_perception.simulation import room_sequence, scenes, trajectories
from event_perception.simulation.imu import PERFECT_IMU, ImuConfig
from event_perception.simulation.truth import displacement

CAMERA = CameraModel(fx=130.0, fy=128.0, cx=85.0, cy=66.0, height=130, width=172)
LENS = CameraModel(
    fx=130.0, fy=128.0, cx=85.0, cy=66.0, height=130, width=172,
    distortion_model='radtan', distortion=(-0.2, 0.05, 0.001, -0.001),
)  # fmt: skip
T_NS, STEP_NS = 700_000_000, 10_000_000


def room(camera, **more):
    return room_sequence(seed=5, duration_s=1.0, camera=camera, texel_m=0.02, **more)


@pytest.fixture(scope='module', params=[CAMERA, LENS], ids=['pinhole', 'lens'])
def sequence(request):
    return room(request.param)


@pytest.fixture(scope='module')
def walker_sequence():
    return room(CAMERA, walker_m_s=1.5)


def seen_later(sequence, t_ns, moved_px):
    """What the renderer shows at t_ns at the displaced pixels, read from a view of four times the resolution."""
    camera = sequence.camera.scaled(4)
    fine = sequence.scene.render(camera, *sequence._view(t_ns))
    rows, columns = np.indices(moved_px.shape[1:])
    x, y = ((place + 0.5) * 4 - 0.5 for place in (columns + moved_px[0], rows + moved_px[1]))
    return cv2.remap(fine, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderValue=np.nan)


def test_flow_is_the_derivative_of_the_reprojection(sequence):
    depth, (before, after) = sequence.depth(T_NS).depth_m, sequence.pose([T_NS - 10_000, T_NS + 10_000])
    at = sequence.pose(T_NS)[0]
    moved = displacement(sequence.camera, depth, at, after) - displacement(sequence.camera, depth, at, before)
    np.testing.assert_allclose(sequence.flow(T_NS).flow_px_s, moved / 20e-6, atol=0.02)


def test_what_depth_and_poses_predict_is_what_the_renderer_shows(sequence):
    now, later = sequence.log_light(T_NS), sequence.log_light(T_NS + STEP_NS)
    poses = sequence.pose([T_NS, T_NS + STEP_NS])
    moved_px = displacement(sequence.camera, sequence.depth(T_NS).depth_m, *poses)
    error = np.abs(seen_later(sequence, T_NS + STEP_NS, moved_px) - now)
    moved = np.abs(later - now)
    assert np.nanmedian(error) < 0.03 * np.nanmedian(moved)
    assert np.nanmean(error > 0.1) < 0.02  # edges that cover or uncover


def test_flow_of_a_thing_that_moves_on_its_own_is_its_own(walker_sequence):
    s = walker_sequence
    own = np.abs(s.scene.object_velocity(s.camera, *s._view(T_NS))).max(axis=-1) > 0
    assert 0.03 < own.mean() < 0.6
    now = s.log_light(T_NS)
    true_flow = s.flow(T_NS).flow_px_s * (STEP_NS * 1e-9)
    static_flow = displacement(s.camera, s.depth(T_NS).depth_m, *s.pose([T_NS, T_NS + STEP_NS]))
    error = {
        name: np.nanmedian(np.abs(seen_later(s, T_NS + STEP_NS, f) - now)[own])
        for name, f in (('true', true_flow), ('static', static_flow))
    }
    assert error['true'] < 0.2 * error['static']


def test_depth_places_points_of_two_views_on_the_same_walls(sequence):
    camera = sequence.camera
    for T, t in zip(sequence.pose([0, T_NS]), (0, T_NS)):
        ray = np.concatenate([camera.bearings(), np.ones((camera.height, camera.width, 1))], axis=-1)
        X = (ray * sequence.depth(t).depth_m[..., None]) @ T[:3, :3].T + T[:3, 3]
        assert np.abs(X[..., 0]).max() < 2.4 + 1e-3 and np.abs(X[..., 1]).max() < 2.2 + 1e-3
        assert X[..., 2].min() > -1e-3 and X[..., 2].max() < 2.8 + 1e-3


def test_every_pixel_of_a_closed_room_sees_something(sequence):
    for t in range(0, 1_000_000_000, 100_000_000):
        assert np.isfinite(sequence.depth(t).depth_m).all()


def test_perfect_inertial_readings_are_the_derivatives_of_the_pose(sequence):
    record = sequence.imu(PERFECT_IMU)
    k, h = 500, 2_000_000
    t = int(record.t_ns[k])
    before, at, after = sequence.pose([t - h, t, t + h])
    spin = at[:3, :3].T @ (after - before)[:3, :3] / (2 * h * 1e-9)
    np.testing.assert_allclose(record.gyro_rad_s[k], [spin[2, 1], spin[0, 2], spin[1, 0]], atol=1e-3)
    acceleration = (after - 2 * at + before)[:3, 3] / (h * 1e-9) ** 2
    force = at[:3, :3].T @ (acceleration + np.array([0, 0, 9.81]))
    np.testing.assert_allclose(record.accel_m_s2[k], force, atol=2e-3)


def test_velocity_is_the_derivative_of_the_position_in_camera_axes(sequence):
    before, at, after = sequence.pose([T_NS - 100_000, T_NS, T_NS + 100_000])
    expected = at[:3, :3].T @ (after - before)[:3, 3] / 200_000e-9
    np.testing.assert_allclose(sequence.v(T_NS)[0], expected, atol=1e-6)


def test_inertial_noise_has_the_set_density(sequence):
    noisy = sequence.imu(ImuConfig(gyro_noise=0.01, gyro_bias_rad_s=0.0, gyro_walk=0.0, rate_hz=400.0))
    perfect = sequence.imu(ImuConfig(gyro_noise=0.0, gyro_bias_rad_s=0.0, gyro_walk=0.0, rate_hz=400.0))
    assert np.std(noisy.gyro_rad_s - perfect.gyro_rad_s) == pytest.approx(0.01 * 20, rel=0.06)
    assert len(noisy.samples()) == 401


def test_bounding_boxes_of_rectangles_change_no_pixel(walker_sequence, monkeypatch):
    s = walker_sequence
    view = s._view(T_NS)
    fast = s.scene._look(s.camera, *view)
    everything = np.tile([0, CAMERA.height - 1, 0, CAMERA.width - 1], (len(s.scene.rectangles), 1))
    monkeypatch.setattr(s.scene, '_boxes', lambda *_: everything)
    for a, b in zip(fast, s.scene._look(s.camera, *view)):
        np.testing.assert_array_equal(a, b)


def test_a_room_is_the_same_to_the_byte_for_the_same_seed():
    first, again = (room(CAMERA, walker_m_s=1.0) for _ in range(2))
    np.testing.assert_array_equal(first.log_light(T_NS), again.log_light(T_NS))
    np.testing.assert_array_equal(first.pose(T_NS), again.pose(T_NS))
    np.testing.assert_array_equal(first.frame_times_ns(), again.frame_times_ns())
    a, b = next(first.chunks()), next(again.chunks())
    assert a.t_ns.tobytes() == b.t_ns.tobytes() and a.x.tobytes() == b.x.tobytes() and len(a) > 1000


def test_frames_are_close_enough_for_the_motion(sequence):
    times = sequence.frame_times_ns()
    worst = max(
        np.quantile(np.hypot(*sequence.flow(int(a)).flow_px_s) * (b - a) * 1e-9, 0.99)
        for a, b in zip(times[:-1:50], times[1::50])
    )
    assert 0.2 < worst <= 0.5


def test_a_lens_that_cannot_be_inverted_is_refused():
    bent = CameraModel(
        fx=60.0, fy=60.0, cx=85.0, cy=66.0, height=130, width=172,
        distortion_model='radtan', distortion=(-0.4, 0.0, 0.0, 0.0),
    )  # fmt: skip
    with pytest.raises(CalibrationError, match='no inverse'):
        room(bent).log_light(0)


def test_an_unknown_scene_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ConfigError, match='room_walker'):
        scenes.create('attic')


@pytest.mark.parametrize('name', [*scenes.TABLE_MOTIONS, 'slider', 'occl', 'gen'])
def test_named_scenes_look_at_something_that_moves(name):
    build = {'slider': scenes.slider_sequence}.get(name) or partial(
        scenes.flow_clip if name in ('occl', 'gen') else scenes.table_sequence, name
    )
    s = build(seed=1, duration_s=0.2, texel_m=0.06)
    flow = s.flow(100_000_000).flow_px_s
    assert name in scenes.names()
    assert np.hypot(*flow).mean() > 10 and s.log_light(100_000_000).std() > 0.1


def test_an_orbit_looks_at_its_target_and_moves_as_fast_as_it_should():
    path = trajectories.orbit(duration_s=2.0, radius_m=1.5, rate_rad_s=0.4, height_m=1.0)
    T = path.pose(1.0)[0]
    to_target = T[:3, :3].T @ (np.array([0, 0, 0.5]) - T[:3, 3])
    np.testing.assert_allclose(to_target, [0, 0, np.hypot(1.5, 0.5)], atol=1e-6)
    assert np.linalg.norm(path.velocity(1.0)) == pytest.approx(0.6, rel=1e-6)


def test_events_moved_by_the_true_flow_gather_on_edges():
    """The whole chain from scene to event times: with the true flow counts are sharper than with none or twice it."""
    s = scenes.flow_clip('occl', seed=3, duration_s=0.15, texel_m=0.03)
    s = replace(s, camera=CAMERA, dvs=replace(s.dvs, threshold_sigma=0.0))
    events, t = s.events(), 100_000_000
    part = events.between(t - 40_000_000, t + 40_000_000)
    flow = s.flow(t).flow_px_s[:, part.y, part.x] * (part.t_ns - t) * 1e-9

    def contrast(factor):
        counts = np.histogram2d(
            part.y - factor * flow[1],
            part.x - factor * flow[0],
            bins=(130, 172),
            range=((-0.5, 129.5), (-0.5, 171.5)),
        )[0]
        return counts.var() / counts.mean()

    assert contrast(1.0) > 1.2 * contrast(0.0) and contrast(1.0) > 1.2 * contrast(2.0)


def test_a_measured_trajectory_drives_the_room(shared_data):
    file = shared_data / 'ecd_poster_6dof_trajectory' / 'groundtruth.txt'
    if not file.is_file():
        pytest.skip('no measured trajectory')
    s = scenes.file_sequence(file, seed=1, duration_s=2.0, start_s=5.0, texel_m=0.02, camera=CAMERA)
    rows = np.loadtxt(file)
    rows = rows[rows[:, 0] >= rows[0, 0] + 5.0]
    t_ns = np.rint((rows[20:380, 0] - rows[0, 0]) * 1e9).astype(np.int64)
    length = np.linalg.norm(rows[20:380, 1:4] - rows[20, 1:4], axis=1)
    ours = s.pose(t_ns)[:, :3, 3]
    np.testing.assert_allclose(np.linalg.norm(ours - ours[0], axis=1), length, atol=0.01)
    assert np.hypot(*s.flow(1_000_000_000).flow_px_s).mean() > 5
