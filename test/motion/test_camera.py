# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.errors import CalibrationError
from event_perception.motion import CameraModel

DAVIS = {
    'fx': 199.092366542,
    'fy': 198.82882047,
    'cx': 132.192071378,
    'cy': 110.712660011,
    'height': 180,
    'width': 240,
}
RADTAN = (-0.368436311798, 0.150947243557, -0.000296130534385, -0.000759431726241, 0.0)
FISHEYE = (-0.02, 0.008, -0.004, 0.0007)


def grid(camera):
    x, y = np.meshgrid(np.arange(0, camera.width, 7.0), np.arange(0, camera.height, 7.0))
    return np.column_stack([x.ravel(), y.ravel()])


def test_radtan_agrees_with_opencv():
    camera = CameraModel(**DAVIS, distortion_model='radtan', distortion=RADTAN)
    points = grid(camera)
    expected = camera.undistort(points)
    back = cv2.projectPoints(
        np.column_stack([expected, np.ones(len(expected))]),
        np.zeros(3),
        np.zeros(3),
        camera.matrix,
        np.array(RADTAN),
    )[0]
    np.testing.assert_allclose(back[:, 0], points, atol=1e-9)
    np.testing.assert_allclose(camera.project(expected), points, atol=1e-9)


def test_rational_radtan_agrees_with_opencv():
    k = (-0.1, 0.03, 1e-4, -2e-4, 0.002, 0.05, -0.01, 0.001)
    camera = CameraModel(**DAVIS, distortion_model='radtan', distortion=k)
    rays = np.array([[0.1, -0.2, 1.0], [-0.5, 0.4, 1.0], [0.7, 0.6, 2.0]])
    expected = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), camera.matrix, np.array(k))[0][:, 0]
    np.testing.assert_allclose(camera.project(rays), expected, atol=1e-9)


def test_equidistant_agrees_with_opencv():
    camera = CameraModel(**DAVIS, distortion_model='equidistant', distortion=FISHEYE)
    points = grid(camera)
    expected = cv2.fisheye.undistortPoints(points[:, None], camera.matrix, np.array(FISHEYE))[:, 0]
    np.testing.assert_allclose(camera.undistort(points), expected, atol=1e-6)
    rays = np.column_stack([expected, np.ones(len(expected))])
    np.testing.assert_allclose(camera.project(rays), points, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(
    model=st.sampled_from(
        [('none', ()), ('radtan', RADTAN), ('radtan', RADTAN[:4]), ('equidistant', FISHEYE)]
    ),
    x=st.floats(0, 239),
    y=st.floats(0, 179),
)
def test_projecting_an_undistorted_pixel_returns_it(model, x, y):
    camera = CameraModel(**DAVIS, distortion_model=model[0], distortion=model[1])
    np.testing.assert_allclose(camera.project(camera.undistort([[x, y]])), [[x, y]], atol=1e-8)


def test_where_distortion_folds_over_there_is_no_bearing():
    camera = CameraModel(**DAVIS, distortion_model='radtan', distortion=(-0.9, 0.0, 0.0, 0.0))
    corner, centre = camera.undistort([[0.0, 0.0], [132.0, 110.0]])
    assert np.isnan(corner).all()
    assert np.isfinite(centre).all()


def test_a_fisheye_pixel_at_ninety_degrees_has_no_bearing():
    camera = CameraModel(50, 50, 100, 50, 100, 200, 'equidistant', (0.0, 0.0, 0.0, 0.0))
    assert np.isnan(camera.undistort([[100 + 50 * np.pi / 2, 50.0]])).all()
    np.testing.assert_allclose(camera.undistort([[100 + 50 * np.pi / 4, 50.0]]), [[1.0, 0.0]], atol=1e-12)


def test_bearings_are_a_read_only_table_computed_once():
    camera = CameraModel(10.0, 20.0, 1.0, 2.0, 4, 3)
    table = camera.bearings()
    assert table.shape == (4, 3, 2)
    assert table.dtype == np.float32
    np.testing.assert_allclose(table[3, 2], [0.1, 0.05], rtol=1e-6)
    assert camera.bearings() is table
    with pytest.raises(ValueError, match='read-only'):
        table[0, 0, 0] = 1


def test_scaling_keeps_the_image_area():
    half = CameraModel(100.0, 100.0, 79.5, 59.5, 120, 160).scaled(0.5)
    assert (half.cx, half.cy, half.fx, half.height, half.width) == (39.5, 29.5, 50.0, 60, 80)


def test_points_behind_the_camera_have_no_pixel():
    camera = CameraModel(10.0, 10.0, 1.0, 1.0, 3, 3)
    assert np.isnan(camera.project([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0]])).all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'fx': 0.0}, 'fx=0.0: must be positive'),
        ({'cy': float('nan')}, 'cy=nan: must be finite'),
        ({'height': 0}, 'height=0'),
        ({'distortion_model': 'fov'}, "distortion_model='fov': supported are"),
        (
            {'distortion_model': 'radtan', 'distortion': (1.0,)},
            'radtan takes 4 or 5 or 8 coefficients, got 1',
        ),
        ({'distortion_model': 'equidistant', 'distortion': (0.0, 0.0, 0.0, float('inf'))}, 'must be finite'),
        ({'distortion': (0.1, 0, 0, 0)}, 'none takes 0 coefficients, got 4'),
    ],
)
def test_an_impossible_calibration_is_refused(change, message):
    with pytest.raises(CalibrationError, match=message.replace('(', r'\(')):
        CameraModel(**{**DAVIS, **change})
