# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of flow drawn in colour."""

import numpy as np
import pytest

from event_perception.flow.field import FlowField
from event_perception.flow.picture import flow_picture


def one_pixel(u, v, valid=True):
    field = FlowField(0, np.array([u, v], np.float32).reshape(2, 1, 1), np.array([[valid]]))
    return flow_picture(field, 100.0)[0, 0].tolist()


@pytest.mark.parametrize(
    ('u', 'v', 'bgr'),
    [
        (100, 0, [0, 0, 255]),
        (50, 0, [0, 0, 127]),
        (1000, 0, [0, 0, 255]),
        (0, 100, [0, 255, 128]),
        (-100, 0, [255, 255, 0]),
        (0, -100, [255, 0, 128]),
        (0, 0, [0, 0, 0]),
    ],
)
def test_hue_is_the_direction_and_brightness_the_speed(u, v, bgr):
    assert np.abs(np.subtract(one_pixel(u, v), bgr)).max() <= 1


def test_a_pixel_without_flow_is_black():
    assert one_pixel(100, 0, valid=False) == [0, 0, 0]
