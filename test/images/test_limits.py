# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of display limits."""

import numpy as np
import pytest

from event_perception.images.limits import DisplayConfig, DisplayLimits


def image(low, high):
    """Values evenly spread between two bounds."""
    return np.linspace(low, high, 400 * 404, dtype=np.float32).reshape(404, 400)


def limits(**params):
    return DisplayLimits(DisplayConfig(low_percent=0.0, high_percent=100.0, **params))


def test_the_first_image_sets_the_limits():
    shown = limits()
    shown.follow(0, image(-3, 7))
    assert shown.limits == pytest.approx((-3, 7), abs=0.1)


def test_later_images_move_them_with_the_time_constant():
    shown = limits(smoothing_s=0.5)
    shown.follow(0, image(-5, 5))
    shown.follow(500_000_000, image(-5, 15))
    assert shown.limits[1] == pytest.approx(5 + 10 * (1 - np.exp(-1)), abs=0.15)


def test_reading_one_instant_twice_moves_nothing():
    shown = limits(smoothing_s=0.5)
    shown.follow(10, image(-5, 5))
    shown.follow(10, image(-50, 50))
    assert shown.limits == pytest.approx((-5, 5), abs=0.1)


def test_without_smoothing_each_image_has_its_own_limits():
    shown = limits(smoothing_s=0.0)
    shown.follow(0, image(-5, 5))
    shown.follow(1, image(-50, 50))
    assert shown.limits == pytest.approx((-50, 50), abs=0.8)


def test_a_quiet_scene_is_not_stretched_beyond_the_least_range():
    shown = limits(min_range=2.0)
    shown.follow(0, image(0.9, 1.1))
    assert shown.limits == pytest.approx((0.0, 2.0), abs=1e-2)


def test_scaling_maps_the_limits_to_black_and_white_and_clips():
    shown = limits(min_range=1.0)
    shown.follow(0, image(0, 10))
    low, high = shown.limits
    values = np.array([[low - 1, low, (low + high) / 2, high, high + 1]], np.float32)
    np.testing.assert_allclose(shown.scale(values), [[0, 0, 0.5, 1, 1]], atol=1e-6)
    assert values[0, 0] == np.float32(low - 1)


def test_a_reset_forgets_the_old_limits():
    shown = limits(smoothing_s=10.0)
    shown.follow(0, image(-50, 50))
    shown.reset()
    shown.follow(1, image(-5, 5))
    assert shown.limits == pytest.approx((-5, 5), abs=0.1)
