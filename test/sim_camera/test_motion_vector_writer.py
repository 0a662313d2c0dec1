# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the Replicator writer in docs/replicator; the rest runs only inside Isaac Sim."""

import importlib.util

import numpy as np
import pytest


@pytest.fixture(scope='module')
def writer(repository):
    path = repository / 'docs' / 'replicator' / 'motion_vector_writer.py'
    spec = importlib.util.spec_from_file_location('motion_vector_writer', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def moving_pattern(dx):
    y, x = np.mgrid[:60, :80]
    return 100 + 50 * np.sin(0.3 * (x - dx)) + 30 * np.cos(0.4 * y + 0.1 * (x - dx))


def vectors(dx, dy=0.0):
    return np.broadcast_to(np.float32([dx, dy, 0, 0]), (60, 80, 4)).copy()


def test_vectors_back_to_where_pixels_were_are_recognised_by_the_pictures(writer):
    before, now = moving_pattern(0), moving_pattern(3)  # everything moves 3 px to the right
    assert writer.sign_of_motion_vectors(before, now, vectors(-3)) == -1
    assert writer.sign_of_motion_vectors(before, now, vectors(3)) == 1


def test_too_little_motion_decides_nothing_and_nonsense_is_refused(writer):
    before, now = moving_pattern(0), moving_pattern(3)
    assert writer.sign_of_motion_vectors(before, now, vectors(0.1)) == 0
    with pytest.raises(ValueError, match='neither direction'):
        writer.sign_of_motion_vectors(before, now, vectors(0.0, 8.0))


def test_flow_is_pixels_a_second_and_valid_where_the_pixel_was_in_the_picture(writer):
    mv = vectors(-3.0, 1.0)
    mv[10, 10] = np.nan
    flow, valid = writer.flow_of_motion_vectors(mv, sign=-1, frame_interval_s=1 / 60)
    assert flow.shape == (2, 60, 80) and flow.dtype == np.float32
    np.testing.assert_allclose(flow[:, 30, 40], [180.0, -60.0], rtol=1e-6)
    assert not valid[10, 10] and not valid[:, :3].any() and not valid[59].any()
    assert valid[:59, 3:].sum() == 59 * 77 - 1
    assert (flow[:, ~valid] == 0).all()
