# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the complementary filter."""

import itertools
import math

import numpy as np
import pytest

from event_perception import images
from event_perception.errors import DataError
from event_perception.events import EventArray, FrameImage

HEIGHT, WIDTH = 4, 5
MS = 1_000_000


def frame(t_ms, value):
    return FrameImage(t_ms * MS, np.full((HEIGHT, WIDTH), value, np.float32))


def on_events(*t_ms):
    n = len(t_ms)
    return EventArray(np.array(t_ms) * MS, [1] * n, [2] * n, [1] * n, height=HEIGHT, width=WIDTH)


def complementary(**params):
    return images.create('complementary', height=HEIGHT, width=WIDTH, **params)


def test_a_frame_alone_is_shown_as_it_is():
    shown = complementary()
    shown.push(frame(0, 0.3))
    np.testing.assert_allclose(shown.image(5 * MS), 0.3, atol=1e-6)


def test_an_event_brightens_its_pixel_by_the_contrast_and_fades():
    shown = complementary(time_constant_s=0.1, contrast=0.1)
    shown.push(frame(0, 0.5))
    shown.push(on_events(10))
    assert shown.image(10 * MS)[2, 1] == pytest.approx(1.5 * math.exp(0.1) - 1, abs=1e-5)
    assert shown.image(110 * MS)[2, 1] == pytest.approx(1.5 * math.exp(0.1 * math.exp(-1)) - 1, abs=1e-4)
    assert shown.image(10 * MS)[0, 0] == pytest.approx(0.5, abs=1e-6)


def test_a_new_frame_does_not_make_the_image_jump_and_takes_over_with_time():
    shown = complementary(time_constant_s=0.1)
    shown.push(frame(0, 0.2))
    shown.push(frame(50, 0.6))
    assert shown.image(50 * MS)[0, 0] == pytest.approx(0.2, abs=1e-4)
    halfway = math.log(1.6) - (math.log(1.6) - math.log(1.2)) * math.exp(-1)
    assert shown.image(150 * MS)[0, 0] == pytest.approx(math.expm1(halfway), abs=1e-4)
    assert shown.image(3000 * MS)[0, 0] == pytest.approx(0.6, abs=1e-4)


def test_where_the_frame_is_saturated_the_events_last_ten_times_longer():
    grey, white = complementary(time_constant_s=0.1), complementary(time_constant_s=0.1)
    grey.push(frame(0, 0.5))
    white.push(frame(0, 1.0))
    off = EventArray([10 * MS], [1], [2], [-1], height=HEIGHT, width=WIDTH)
    grey.push(off)
    white.push(off)
    grey_left = math.log1p(float(grey.image(210 * MS)[2, 1])) - math.log(1.5)
    white_left = math.log1p(float(white.image(210 * MS)[2, 1])) - math.log(2.0)
    assert grey_left == pytest.approx(-0.1 * math.exp(-2), abs=1e-4)
    assert white_left == pytest.approx(-0.1 * math.exp(-0.2), abs=1e-4)


def test_the_image_does_not_depend_on_how_the_events_are_cut():
    rng = np.random.default_rng(2)
    n = 3000
    events = EventArray(
        np.sort(rng.integers(0, 10**9, n)), rng.integers(0, WIDTH, n), rng.integers(0, HEIGHT, n),
        rng.choice([-1, 1], n), height=HEIGHT, width=WIDTH,
    )  # fmt: skip
    whole, pieces = complementary(), complementary()
    for shown, cuts in ((whole, [0, n]), (pieces, [0, 7, 1500, 1501, n])):
        shown.push(frame(0, 0.4))
        for start, stop in itertools.pairwise(cuts):
            shown.push(events[start:stop])
    np.testing.assert_array_equal(whole.image(10**9), pieces.image(10**9))


def test_before_the_first_frame_the_image_is_mid_grey_and_nothing_is_seen():
    shown = complementary()
    np.testing.assert_allclose(shown.image(0), 0.5, atol=1e-6)
    assert not shown.seen.any()
    shown.push(frame(0, 0.1))
    assert shown.seen.all()


@pytest.mark.parametrize(
    'value', [np.zeros((5, 4), np.float32), np.full((HEIGHT, WIDTH), np.nan, np.float32)]
)
def test_unusable_frames_are_refused(value):
    with pytest.raises(DataError):
        complementary().push(FrameImage(0, value))
