# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of pictures."""

import cv2
import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.evaluation.pictures import (
    error_picture,
    events_picture,
    flow_colours,
    flow_picture,
    grey_picture,
    png_bytes,
    side_by_side,
    tags_picture,
)
from event_perception.evaluation.tags import Tags
from event_perception.flow.field import FlowField


def colour_of(u, v):
    return flow_colours(np.array([u, v], float).reshape(2, 1, 1), 100.0)[0, 0].tolist()


@pytest.mark.parametrize(
    ('u', 'v', 'strongest'),
    [(100, 0, [2]), (50, 87, [1, 2]), (-50, 87, [1]), (-100, 0, [0, 1]), (-50, -87, [0])],
)
def test_the_hue_tells_the_direction(u, v, strongest):
    colour = np.array(colour_of(u, v))
    assert np.flatnonzero(colour > 200).tolist() == strongest


def test_no_motion_is_white_and_speed_adds_colour_up_to_the_scale():
    assert colour_of(0, 0) == [255, 255, 255]
    assert colour_of(50, 0)[0] > colour_of(100, 0)[0]
    assert colour_of(100, 0) == colour_of(1000, 0)


def test_pixels_that_are_not_valid_are_grey_and_the_legend_is_in_a_corner():
    field = FlowField(0, np.zeros((2, 120, 160), np.float32), np.ones((120, 160), bool))
    field.valid[100, 5] = False
    plain, told = flow_picture(field, legend=False), flow_picture(field)
    assert plain[100, 5].tolist() == [225, 225, 225]
    changed = np.argwhere((plain != told).any(axis=2))
    assert changed[:, 0].max() < 60
    assert changed[:, 1].min() > 90


def test_a_grey_picture_is_clipped():
    assert grey_picture(np.array([[-1.0, 0.5, 2.0, np.nan]]))[0, :, 0].tolist() == [0, 128, 255, 0]


def test_events_are_dark_on_white():
    picture = events_picture(np.array([[0.0, -1.0, 4.0]]), scale=4.0)[0, :, 0]
    assert picture[0] == 255
    assert 0 < picture[1] < 255
    assert picture[2] == 0


def test_tags_are_outlined_in_an_enlarged_image():
    corners = np.array([[[10, 10], [20, 10], [20, 20], [10, 20]]], np.float32)
    picture = tags_picture(np.full((40, 40), 0.5), Tags(np.array([3]), corners), enlarge=2)
    assert picture.shape == (80, 80, 3)
    assert picture[20, 30].tolist() != [128, 128, 128]
    assert picture[70, 70].tolist() == [128, 128, 128]


def test_pictures_stand_side_by_side_under_their_titles():
    a, b = np.zeros((10, 20, 3), np.uint8), np.zeros((10, 30, 3), np.uint8)
    assert side_by_side([a, b], gap_px=6).shape == (10, 56, 3)
    assert side_by_side([a, b], ['a', 'b']).shape == (32, 56, 3)
    with pytest.raises(DataError, match='heights'):
        side_by_side([a, b[:5]])


def test_a_png_holds_the_picture_exactly():
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    decoded = cv2.imdecode(np.frombuffer(png_bytes(picture), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, picture)


def test_errors_of_flow_are_white_where_right_red_where_wrong_and_grey_where_unknown():
    known = np.ones((2, 3), bool)
    known[1, 2] = False
    truth = FlowField(0, np.zeros((2, 2, 3), np.float32), np.ones((2, 3), bool))
    flow = np.zeros((2, 2, 3), np.float32)
    flow[0, 0, 1], flow[1, 0, 2] = 15.0, 90.0
    picture = error_picture(FlowField(0, flow, known), truth, interval_s=0.1, full_px=3.0)
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1].tolist() == [128, 128, 255]
    assert picture[0, 2].tolist() == [0, 0, 255]
    assert picture[1, 2].tolist() == [200, 200, 200]
