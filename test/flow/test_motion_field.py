# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of flow from egomotion."""

import numpy as np
import pytest

from event_perception import flow
from event_perception.errors import ConfigError, DataError
from event_perception.events import DepthImage, EventArray, EventWindow
from event_perception.flow.motion_field import MotionField
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import so3_exp
from event_perception.motion.result import EgomotionResult

LENSES = {
    'none': (),
    'radtan': (-0.37, 0.15, 0.0007, -0.0011, 0.0),
    'equidistant': (0.02, -0.01, 0.003, -0.0005),
}
OMEGA = np.array([0.7, -1.1, 2.3])
V = np.array([0.4, -0.2, 0.9])
NOT_ESTIMATED = np.full(3, np.nan)


def camera(lens='radtan'):
    return CameraModel(
        100.0, 99.0, 33.0, 22.0, height=48, width=64, distortion_model=lens, distortion=LENSES[lens]
    )


def window(t_ref_ns=10**9):
    empty = EventArray.empty(height=48, width=64)
    return EventWindow.from_events(empty, t0_ns=t_ref_ns - 10**7, t1_ns=t_ref_ns + 10**7)


def egomotion(omega=OMEGA, v=NOT_ESTIMATED, converged=True):
    return EgomotionResult(0, 1, 0, omega, v, np.eye(6), converged, 'made up', 1000, 5, 2.0)


def difference_of_projections(model, omega, v, depth_m):
    """Flow of every pixel by moving its scene point along Xdot = -omega x X - v, a little each way."""
    step_s = 1e-6
    columns, rows = np.meshgrid(np.arange(model.width), np.arange(model.height))
    bearings = model.undistort(np.stack([columns.ravel(), rows.ravel()], axis=1))
    points = np.column_stack([bearings, np.ones(len(bearings))]) * depth_m.reshape(-1, 1)
    before, after = (model.project(points @ so3_exp(-s * omega).T - s * v) for s in (-step_s, step_s))
    return ((after - before) / (2 * step_s)).T.reshape(2, model.height, model.width)


@pytest.mark.parametrize('lens', sorted(LENSES))
def test_rotational_flow_is_the_derivative_of_projecting_turned_bearings(lens):
    model = camera(lens)
    field = flow.create('motion_field', model).update(window(), egomotion())
    expected = difference_of_projections(model, OMEGA, np.zeros(3), np.ones((48, 64)))
    assert field.valid.all()
    assert field.t_ref_ns == 10**9
    assert field.flow_px_s.dtype == np.float32
    np.testing.assert_allclose(field.flow_px_s, expected, rtol=1e-5, atol=2e-4)


def test_with_depth_and_velocity_it_is_the_derivative_of_projecting_moved_points():
    model = camera()
    depth_m = np.random.default_rng(1).uniform(0.5, 4.0, (48, 64)).astype(np.float32)
    depth = DepthImage(10**9 - 10**7, depth_m)
    field = MotionField(None, model).update(window(), egomotion(v=V), depth)
    expected = difference_of_projections(model, OMEGA, V, depth_m.astype(float))
    np.testing.assert_allclose(field.flow_px_s, expected, rtol=1e-5, atol=1e-3)


def test_turning_about_the_optical_axis_moves_the_image_the_other_way_round():
    field = MotionField(None, camera('none')).update(window(), egomotion(np.array([0.0, 0.0, 1.0])))
    np.testing.assert_allclose(field.flow_px_s[:, 22, 43], [0.0, -9.9], atol=1e-4)
    np.testing.assert_allclose(field.flow_px_s[:, 32, 33], [100 * 10 / 99, 0.0], atol=1e-4)


def test_without_convergence_nothing_is_valid_and_nothing_moves():
    field = MotionField(None, camera()).update(window(), egomotion(converged=False))
    assert not field.valid.any()
    assert not field.flow_px_s.any()


def test_only_pixels_of_known_depth_are_valid_when_the_camera_also_moves():
    depth_m = np.full((48, 64), 2.0, np.float32)
    depth_m[0, 0], depth_m[1, 1], depth_m[2, 2] = np.nan, 0.0, np.inf
    field = MotionField(None, camera()).update(window(), egomotion(v=V), DepthImage(10**9, depth_m))
    assert np.argwhere(~field.valid).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert not field.flow_px_s[:, ~field.valid].any()


@pytest.mark.parametrize('depth', [None, DepthImage(0, np.ones((48, 64), np.float32))])
def test_a_moving_camera_without_recent_depth_gives_no_flow(depth):
    field = MotionField(None, camera()).update(window(), egomotion(v=V), depth)
    assert not field.valid.any()


def test_pixels_that_the_lens_model_cannot_invert_are_not_valid():
    folded = CameraModel(
        30.0,
        30.0,
        32.0,
        24.0,
        height=48,
        width=64,
        distortion_model='radtan',
        distortion=(-0.6, 0.0, 0.0, 0.0),
    )
    field = MotionField(None, folded).update(window(), egomotion())
    assert field.valid[24, 32]
    assert not field.valid[0, 0]
    assert np.isfinite(field.flow_px_s).all()


def test_a_result_does_not_share_memory_with_the_next_one():
    estimator = MotionField(None, camera())
    first = estimator.update(window(), egomotion())
    first.valid[:] = False
    assert estimator.update(window(), egomotion()).valid.all()


def test_missing_egomotion_and_depth_of_another_size_are_errors():
    with pytest.raises(DataError, match='egomotion'):
        MotionField(None, camera()).update(window())
    with pytest.raises(DataError, match='register'):
        MotionField(None, camera()).update(
            window(), egomotion(v=V), DepthImage(10**9, np.ones((4, 4), np.float32))
        )


def test_wrong_parameters_are_refused():
    with pytest.raises(ConfigError):
        flow.create('motion_field', camera(), max_depth_age_s=-1.0)


@pytest.mark.parametrize('sequence', ['boxes_rotation', 'shapes_rotation'])
def test_it_agrees_with_the_flow_published_for_the_event_camera_dataset(shared_data, sequence):
    folder = shared_data / 'ecd_rotation_gt' / sequence
    fx, fy, cx, cy = np.loadtxt(folder / 'calib.txt').ravel()[:4]
    t_s = np.loadtxt(folder / 'events.txt', usecols=0)
    pinhole = CameraModel(fx, fy, cx, cy, height=180, width=240)
    field = MotionField(None, pinhole).update(window(), egomotion(np.loadtxt(folder / 'motion.txt').ravel()))
    published_px = np.load(folder / 'flow.npy')[0]
    np.testing.assert_allclose(field.flow_px_s * (t_s[-1] - t_s[0]), published_px, atol=2e-5)
