# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the images of the bundled recording are good for: reading the AprilTags in them."""

import cv2

from event_perception.evaluation.tags import tag_score
from event_perception.io import open_recording

# The detector of OpenCV 5 reads nearly twice as many tags in the same images as that of OpenCV 4 (3.8 against 2.1).
OPENCV_5 = int(cv2.__version__.split('.')[0]) >= 5
LEAST_BEST, LEAST_MEAN, LATEST_FIRST_S = (10, 2.9, 0.2) if OPENCV_5 else (8, 1.8, 0.3)


def test_highpass_reads_most_tags_of_the_bundled_recording(recordings):
    score = tag_score(open_recording(recordings / 'apriltags'), 'highpass')
    assert score.count.size == 98
    assert score.best >= LEAST_BEST
    assert score.mean >= LEAST_MEAN
    assert score.first_s is not None
    assert score.first_s < LATEST_FIRST_S
    assert score.seen_ids == tuple(range(12))
