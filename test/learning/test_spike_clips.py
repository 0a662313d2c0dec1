# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Clips to learn from: seeded, of the light that is said to be the truth, spread as configured."""

import cv2
import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.learning.pictures import own_pictures
from event_perception.learning.spike_clips import SpikeClipConfig, SpikeClipMaker


@pytest.fixture(scope='module')
def maker():
    return SpikeClipMaker(
        SpikeClipConfig(n_planes=21, height=24, width=32, own_pictures=4, picture_side_px=128)
    )


def test_a_seed_gives_the_same_clips(maker):
    a, b = (maker(np.random.default_rng(3), 6) for _ in range(2))
    np.testing.assert_array_equal(a.planes, b.planes)
    np.testing.assert_array_equal(a.light, b.light)
    assert a.planes.shape == (6, 21, 24, 32) and a.planes.dtype == np.uint8 and a.planes.max() == 1
    assert a.light.dtype == np.float32 and 0 <= a.light.min() < a.light.max() <= 1
    assert not np.array_equal(a.planes, maker(np.random.default_rng(4), 6).planes)


def test_clips_fire_at_their_gain_times_their_light():
    still = SpikeClipMaker(
        SpikeClipConfig(n_planes=200, still_share=1.0, noisy_share=0.0, own_pictures=4, picture_side_px=128)
    )
    clips = still(np.random.default_rng(0), 8)
    rate = clips.planes.mean(axis=1)
    expected = clips.gain[:, None, None] * clips.light
    # over 200 planes a count is known to one spike
    assert np.abs(rate - expected).max() <= 1 / 200 + 1e-6
    assert clips.gain.min() >= 0.12 and clips.gain.max() <= 1.0 and (clips.gain == np.float32(0.6)).any()


def test_light_speed_and_noise_are_spread_as_configured():
    config = SpikeClipConfig(n_planes=1, height=8, width=8, own_pictures=2, picture_side_px=64)
    clips = SpikeClipMaker(config)(np.random.default_rng(1), 800)
    assert (clips.gain == np.float32(0.6)).mean() == pytest.approx(0.4, abs=0.06)
    assert clips.noisy.mean() == pytest.approx(0.5, abs=0.06)
    assert (clips.speed_px_plane == 0).mean() == pytest.approx(0.1, abs=0.04)
    assert 0.55 < clips.speed_px_plane.max() <= 0.6


def test_the_own_pictures_differ_and_use_the_whole_scale():
    pictures = own_pictures(0, 4, 128)
    assert all(p.shape == (128, 128) and p.dtype == np.float32 for p in pictures)
    assert all(0 <= p.min() < 0.4 and p.max() == 1 for p in pictures)
    assert all(np.abs(pictures[0] - p).mean() > 0.05 for p in pictures[1:])


def test_pictures_of_a_folder_are_used_and_a_folder_without_any_is_an_error(tmp_path):
    config = SpikeClipConfig(n_planes=3, own_pictures=0, pictures=str(tmp_path), still_share=1.0)
    with pytest.raises(DataError, match='no pictures'):
        SpikeClipMaker(config)(np.random.default_rng(0), 1)
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((130, 140), 255, np.uint8))
    assert SpikeClipMaker(config)(np.random.default_rng(0), 2).light.min() > 0.9
    cv2.imwrite(str(tmp_path / 'b.png'), np.zeros((20, 20), np.uint8))
    with pytest.raises(DataError, match=r'b\.png'):
        SpikeClipMaker(config)(np.random.default_rng(0), 1)
