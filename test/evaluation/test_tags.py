# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of counting tags."""

import itertools

import cv2
import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError
from event_perception.evaluation.tags import TagScore, count_tags, images_of, tag_score
from event_perception.events import EventArray


def board(*ids):
    """Tags in a row on white, float in [0, 1]."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    picture = np.full((100, 100 * len(ids)), 255, np.uint8)
    for k, tag_id in enumerate(ids):
        picture[20:80, 100 * k + 20 : 100 * k + 80] = cv2.aruco.generateImageMarker(dictionary, tag_id, 60)
    return (picture / 255).astype(np.float32)


class Recording:
    def __init__(self, *samples):
        self._samples = samples

    def samples(self):
        return iter(self._samples)


def events_at(t_ms):
    t_ns = np.asarray(t_ms, np.int64) * 1_000_000
    zero = np.zeros(len(t_ns), int)
    return EventArray(t_ns, zero, zero, zero + 1, height=20, width=20)


def test_tags_are_found_with_their_corners():
    tags = count_tags(board(7, 3))
    assert tags.ids.tolist() == [3, 7]
    np.testing.assert_allclose(tags.corners_px[1, 0], [20, 20], atol=1.5)
    np.testing.assert_allclose(tags.corners_px[0, 2], [180, 80], atol=1.5)


def test_a_tag_that_is_there_twice_counts_once_and_ids_can_be_restricted():
    assert count_tags(board(5, 5, 9)).ids.tolist() == [5, 9]
    assert count_tags(board(5, 5, 9), ids=[9, 11]).ids.tolist() == [9]


def test_an_empty_image_has_no_tags():
    tags = count_tags(np.full((50, 50), 0.5, np.float32))
    assert len(tags) == 0
    assert tags.corners_px.shape == (0, 4, 2)


def test_unknown_families_and_colour_images_are_refused():
    with pytest.raises(ConfigError, match='36h11'):
        count_tags(board(1), family='41h12')
    with pytest.raises(DataError, match='grey'):
        count_tags(np.zeros((5, 5, 3), np.float32))


@pytest.mark.parametrize('cuts', [[], [3], [2, 2, 5]])
def test_images_are_read_at_multiples_of_the_period_however_the_recording_is_cut(cuts):
    events = events_at([1000, 1004, 1010, 1011, 1025, 1045, 1099])
    bounds = [0, *cuts, 7]
    recording = Recording(*(events[a:b] for a, b in itertools.pairwise(bounds)), 'not events')
    read = dict(images_of(recording, 'highpass', period_s=0.01, stop_s=0.08))
    assert list(read) == pytest.approx([0.01 * k for k in range(1, 9)])
    whole = dict(images_of(Recording(events), 'highpass', period_s=0.01, stop_s=0.08))
    for a, b in zip(read.values(), whole.values()):
        np.testing.assert_array_equal(a, b)


def test_a_recording_without_events_is_refused():
    with pytest.raises(DataError, match='no events'):
        tag_score(Recording())


def test_a_score_is_summed_up():
    score = TagScore('made up', np.array([0.1, 0.2, 0.3]), np.array([0, 3, 1]), (1, 2, 5))
    assert (score.best, score.mean, score.first_s, score.images_with(1)) == (3, pytest.approx(4 / 3), 0.2, 2)
    assert score.summary()['seen_ids'] == [1, 2, 5]
