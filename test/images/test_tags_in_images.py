# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the images of the bundled recording are good for: reading the AprilTags in them."""

from event_perception.evaluation.tags import tag_score
from event_perception.io import open_recording


def test_highpass_reads_most_tags_of_the_bundled_recording(recordings):
    score = tag_score(open_recording(recordings / 'apriltags'), 'highpass')
    assert score.count.size == 98
    assert score.best >= 10
    assert score.mean >= 2.9
    assert score.first_s is not None
    assert score.first_s < 0.2
    assert score.seen_ids == tuple(range(12))
