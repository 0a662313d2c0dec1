# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of calibration files and camera messages."""

from types import SimpleNamespace

import numpy as np
import pytest

from event_perception.errors import CalibrationError
from event_perception.io import camera_from_message, fill_camera_info, read_camera
from event_perception.io.blank_message import blank_message
from event_perception.motion.camera import CameraModel

K = [324.0, 0.0, 172.5, 0.0, 325.0, 129.5, 0.0, 0.0, 1.0]


def info(**changes):
    values = {
        'header': SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=5), frame_id='cam'),
        'height': 260,
        'width': 346,
        'distortion_model': 'plumb_bob',
        'k': K,
        'd': [-0.3, 0.1, 0.01, 0.02, 0.0],
        'binning_x': 0,
        'binning_y': 1,
        'roi': SimpleNamespace(x_offset=0, y_offset=0, height=0, width=0),
    }
    return SimpleNamespace(**(values | changes))


def test_plumb_bob_becomes_radtan():
    camera = camera_from_message(info())
    assert camera == CameraModel(
        fx=324.0,
        fy=325.0,
        cx=172.5,
        cy=129.5,
        height=260,
        width=346,
        distortion_model='radtan',
        distortion=(-0.3, 0.1, 0.01, 0.02, 0.0),
        frame_id='cam',
    )


def test_ros_1_messages_with_capital_letters_are_read_alike():
    message = info()
    message.K, message.D = message.k, message.d
    del message.k, message.d
    assert camera_from_message(message) == camera_from_message(info())


@pytest.mark.parametrize(
    ('name', 'd', 'model', 'distortion'),
    [
        ('plumb_bob', [], 'none', ()),
        ('plumb_bob', [0.0] * 5, 'none', ()),
        ('', [], 'none', ()),
        ('plumb_bob', [-0.3, 0.1, 0.01, 0.02], 'radtan', (-0.3, 0.1, 0.01, 0.02, 0.0)),
        ('rational_polynomial', [-0.3, 0.1, 0, 0, 0.2, 0, 0, 0], 'radtan', (-0.3, 0.1, 0, 0, 0.2)),
        (
            'rational_polynomial',
            [-0.3, 0.1, 0, 0, 0.2, 0.5, 0, 0],
            'radtan',
            (-0.3, 0.1, 0, 0, 0.2, 0.5, 0, 0),
        ),
        ('equidistant', [0.1, 0.2, 0.3, 0.4], 'equidistant', (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_distortion_models(name, d, model, distortion):
    camera = camera_from_message(info(distortion_model=name, d=d))
    assert (camera.distortion_model, camera.distortion) == (model, distortion)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'k': [0.0] * 9}, 'not calibrated'),
        ({'k': [324.0, 1.0, *K[2:]]}, 'skew'),
        ({'distortion_model': 'double_sphere'}, "distortion_model='double_sphere'"),
        ({'distortion_model': 'rational_polynomial', 'd': [0.1] * 12}, 'only the first 8'),
        ({'binning_x': 2}, 'binning'),
        ({'roi': SimpleNamespace(x_offset=8, y_offset=0, height=100, width=100)}, 'region of interest'),
        ({'height': 0}, 'height=0'),
    ],
)
def test_what_cannot_be_used_says_why(changes, message):
    with pytest.raises(CalibrationError, match=message):
        camera_from_message(info(**changes))


@pytest.mark.parametrize(
    ('model', 'distortion'),
    [
        ('none', ()),
        ('radtan', (-0.3, 0.1, 0.01, 0.02, 0.0)),
        ('radtan', (0.1,) * 8),
        ('equidistant', (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_a_camera_survives_the_message(model, distortion):
    camera = CameraModel(
        fx=324.0,
        fy=325.0,
        cx=172.5,
        cy=129.5,
        height=260,
        width=346,
        distortion_model=model,
        distortion=distortion,
        frame_id='cam',
    )
    message = blank_message('sensor_msgs/msg/CameraInfo')
    fill_camera_info(message, camera, t_ns=5)
    assert camera_from_message(message) == camera
    np.testing.assert_array_equal(message.p, [324, 0, 172.5, 0, 0, 325, 129.5, 0, 0, 0, 1, 0])


def test_the_bundled_davis346_calibration_is_read(repository):
    camera = read_camera(repository / 'config' / 'davis346.yaml')
    assert (camera.width, camera.height, camera.distortion_model) == (346, 260, 'none')
    assert camera.fx == camera.fy == 324.3
    assert (camera.cx, camera.cy) == (172.5, 129.5)


def test_a_calibration_of_ros_is_read(tmp_path):
    path = tmp_path / 'ost.yaml'
    path.write_text(
        'image_width: 640\nimage_height: 480\ncamera_name: cam\n'
        'camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 501, 240, 0, 0, 1]}\n'
        'distortion_model: plumb_bob\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0, 0, 0]}\n'
    )
    camera = read_camera(path)
    assert (camera.fx, camera.fy, camera.width, camera.height) == (500.0, 501.0, 640, 480)
    assert camera.distortion == (0.1, -0.2, 0.0, 0.0, 0.0)


def test_a_calibration_of_numbers_needs_the_size_of_the_sensor(tmp_path):
    path = tmp_path / 'calib.txt'
    path.write_text('199.1 198.8 132.2 110.7 -0.37 0.15 -0.0003 -0.0008 0.0\n')
    camera = read_camera(path, height=180, width=240)
    assert (camera.fx, camera.distortion) == (199.1, (-0.37, 0.15, -0.0003, -0.0008, 0.0))
    with pytest.raises(CalibrationError, match='does not say the size'):
        read_camera(path)


@pytest.mark.parametrize(
    'text', ['1 2 3', 'hello', 'image_width: 5', '[1, 2', '', '- 1\n- 2\n', 'image_width: x\nimage_height: 2']
)
def test_other_texts_are_refused(tmp_path, text):
    path = tmp_path / 'calib.txt'
    path.write_text(text)
    with pytest.raises(CalibrationError, match=r'calib\.txt'):
        read_camera(path, height=180, width=240)


def test_a_file_that_is_not_there_is_a_calibration_error(tmp_path):
    with pytest.raises(CalibrationError, match='cannot be read'):
        read_camera(tmp_path / 'nothing.yaml')
