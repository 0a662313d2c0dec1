# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of images as messages."""

from array import array
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_perception.errors import DataError
from event_perception.io import depth_from_message, fill_image, frame_from_message, image_to_array
from event_perception.io.blank_message import blank_message

LAYOUTS = {
    'mono8': ('uint8', ()),
    '8UC1': ('uint8', ()),
    'mono16': ('uint16', ()),
    '16UC1': ('uint16', ()),
    'bgr8': ('uint8', (3,)),
    'rgb8': ('uint8', (3,)),
    'bgra8': ('uint8', (4,)),
    'rgba8': ('uint8', (4,)),
    '32FC1': ('float32', ()),
    '32FC2': ('float32', (2,)),
}


def pixels_of(encoding, height=5, width=7, seed=0):
    dtype, channels = LAYOUTS[encoding]
    values = np.random.default_rng(seed).integers(0, 255, (height, width, *channels))
    return values.astype(dtype) * np.array(257 if dtype == 'uint16' else 1, dtype)


def plain_message():
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id=''), data=array('B')
    )


@pytest.mark.parametrize('encoding', LAYOUTS)
@pytest.mark.parametrize('make', [plain_message, lambda: blank_message('sensor_msgs/msg/Image')])
def test_every_pixel_survives_the_message(encoding, make):
    pixels = pixels_of(encoding)
    message = make()
    fill_image(message, pixels, encoding, t_ns=1_500_000_000, frame_id='cam')
    read = image_to_array(message)
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype == pixels.dtype
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_000)
    assert (message.height, message.width, message.step) == (5, 7, pixels[0].nbytes)


def test_reading_does_not_copy():
    message = plain_message()
    fill_image(message, pixels_of('mono8'), 'mono8', t_ns=0, frame_id='')
    message.data[8] = 201
    assert image_to_array(message)[1, 1] == 201


@given(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 9), st.booleans(), st.booleans())
def test_padded_rows_and_foreign_byte_order_are_read(encoding, padding, big, cut_last_row):
    pixels = pixels_of(encoding)
    stored = pixels.astype(pixels.dtype.newbyteorder('>' if big else '<'))
    rows = [row.tobytes() + b'\xaa' * padding for row in stored]
    data = b''.join(rows)
    message = SimpleNamespace(
        height=5,
        width=7,
        encoding=encoding,
        is_bigendian=int(big),
        step=len(rows[0]),
        data=data[: len(data) - padding] if cut_last_row else data,
    )
    read = image_to_array(message)
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype.isnative


@pytest.mark.parametrize(
    ('changes', 'text'),
    [
        ({'encoding': 'bayer_rggb8'}, 'bayer_rggb8'),
        ({'encoding': '64UC1'}, '64UC1'),
        ({'step': 6}, 'step 6'),
        ({'data': b'\0' * 34}, '34 bytes'),
    ],
)
def test_messages_that_cannot_be_are_refused(changes, text):
    values = {'height': 5, 'width': 7, 'encoding': 'mono8', 'is_bigendian': 0, 'step': 7, 'data': b'\0' * 35}
    with pytest.raises(DataError, match=text):
        image_to_array(SimpleNamespace(**(values | changes)))


@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('mono8', np.zeros((5, 7), np.float32)),
        ('bgr8', np.zeros((5, 7), np.uint8)),
        ('32FC2', np.zeros((2, 5, 7), np.float32)),
        ('mono8', np.zeros(7, np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_the_encoding_are_refused(encoding, pixels):
    with pytest.raises(DataError, match=encoding):
        fill_image(plain_message(), pixels, encoding, t_ns=0, frame_id='')


def test_a_time_that_is_not_nanoseconds_is_refused():
    with pytest.raises(DataError, match='is this nanoseconds'):
        fill_image(plain_message(), pixels_of('mono8'), 'mono8', t_ns=10**19, frame_id='')


def test_arrays_that_are_not_contiguous_are_written_as_they_look():
    message = plain_message()
    pixels = pixels_of('bgr8')[::-1, :, ::-1]
    fill_image(message, pixels, 'bgr8', t_ns=0, frame_id='')
    np.testing.assert_array_equal(image_to_array(message), pixels)


@pytest.mark.parametrize(
    ('encoding', 'dtype', 'factor'), [('32FC1', np.float32, 1.0), ('16UC1', np.uint16, 1000)]
)
def test_depth_is_metres(encoding, dtype, factor):
    message = plain_message()
    fill_image(message, (np.array([[1.5, 0.25]]) * factor).astype(dtype), encoding, t_ns=7, frame_id='')
    depth = depth_from_message(message)
    np.testing.assert_allclose(depth.depth_m, [[1.5, 0.25]], rtol=1e-6)
    assert (depth.t_ns, depth.depth_m.dtype) == (7, np.float32)


def test_a_picture_is_no_depth_and_depth_is_no_picture():
    message = plain_message()
    fill_image(message, pixels_of('mono8'), 'mono8', t_ns=0, frame_id='')
    with pytest.raises(DataError, match='mono8'):
        depth_from_message(message)
    fill_image(message, pixels_of('32FC1'), '32FC1', t_ns=0, frame_id='')
    with pytest.raises(DataError, match='32FC1'):
        frame_from_message(message)


@pytest.mark.parametrize(
    ('encoding', 'pixel', 'grey'),
    [
        ('mono8', 51, 0.2),
        ('mono16', 13107, 0.2),
        ('rgb8', (255, 0, 0), 0.299),
        ('bgr8', (255, 0, 0), 0.114),
        ('bgra8', (0, 255, 0, 9), 0.587),
        ('rgba8', (255, 255, 255, 0), 1.0),
    ],
)
def test_frames_are_grey_from_0_to_1(encoding, pixel, grey):
    message = plain_message()
    dtype = np.uint16 if encoding == 'mono16' else np.uint8
    fill_image(message, np.array([[pixel]], dtype), encoding, t_ns=3, frame_id='')
    frame = frame_from_message(message)
    assert frame.value.shape == (1, 1)
    assert frame.value[0, 0] == pytest.approx(grey, abs=1e-6)


@pytest.mark.parametrize('encoding', LAYOUTS)
def test_agrees_with_cv_bridge(encoding):
    cv_bridge = pytest.importorskip('cv_bridge')
    message = pytest.importorskip('sensor_msgs.msg').Image()
    fill_image(message, pixels_of(encoding), encoding, t_ns=0, frame_id='')
    np.testing.assert_array_equal(cv_bridge.CvBridge().imgmsg_to_cv2(message), image_to_array(message))


def test_rclpy_messages_take_what_is_written():
    image = pytest.importorskip('sensor_msgs.msg').Image()
    pixels = pixels_of('32FC2')
    fill_image(image, pixels, '32FC2', t_ns=5, frame_id='cam')
    assert isinstance(image.data, array)
    np.testing.assert_array_equal(image_to_array(image), pixels)
