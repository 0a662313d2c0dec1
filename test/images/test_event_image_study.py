# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How images from events are compared with exact ones."""

import numpy as np
import pytest

from event_perception.evaluation.event_image_study import score


def test_gain_and_offset_of_a_log_image_do_not_count_and_noise_does():
    rng = np.random.default_rng(0)
    truth = np.log(rng.uniform(0.2, 1.0, (40, 48)))
    dB, similarity, detail = score((3 * truth - 2).astype(np.float32), truth)
    assert dB > 90 and similarity == pytest.approx(1.0, abs=1e-6) and detail == pytest.approx(1.0, abs=1e-6)
    noisy = score((truth + rng.normal(0, 0.3, truth.shape)).astype(np.float32), truth)
    assert noisy[0] < 25 and noisy[1] < 0.95 and noisy[2] < 0.95
