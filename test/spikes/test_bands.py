# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bands of rows: they cover everything once, and threads change no bit of an image."""

import numpy as np
import pytest

from event_perception import images
from event_perception.events import SpikeStream
from event_perception.images.bands import Bands


@pytest.mark.parametrize(
    ('n_rows', 'step', 'threads', 'borders'),
    [
        (250, 8, 2, [(0, 128), (128, 250)]),
        (250, 1, 3, [(0, 83), (83, 166), (166, 250)]),
        (10, 8, 4, [(0, 8), (8, 10)]),
        (5, 8, 4, [(0, 5)]),
        (7, 1, 1, [(0, 7)]),
    ],
)
def test_borders_are_whole_steps_and_cover_all_rows(n_rows, step, threads, borders):
    bands = Bands(n_rows, step=step, threads=threads)
    assert bands.borders == borders
    assert bands.map(lambda first, end: end - first) == [end - first for first, end in borders]


@pytest.mark.parametrize(('height', 'width', 'window'), [(61, 67, 'adaptive'), (48, 64, 'fixed')])
def test_any_number_of_threads_gives_the_same_image(height, width, window):
    rng = np.random.default_rng(2)
    planes = rng.random((300, height, width)) < rng.uniform(0.02, 0.6, (height, width))
    stream = SpikeStream(planes, height=height, width=width, plane_period_ns=1000)
    pictures = []
    for threads in (1, 2, 5):
        reconstructor = images.create('ati', height=height, width=width, threads=threads, window=window)
        reconstructor.push(stream)
        pictures.append(reconstructor.image(150_000))
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[2])
