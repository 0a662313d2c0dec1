# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow of a known plane."""

import numpy as np
import pytest

from event_perception import flow
from event_perception.errors import ConfigError
from event_perception.events import EventArray, EventWindow
from event_perception.flow.plane import plane_depth
from event_perception.motion import CameraModel, EgomotionResult

CAMERA = CameraModel(100.0, 100.0, 32.0, 24.0, height=48, width=64)


def flow_over(depth, omega, v):
    window = EventWindow.from_events(EventArray.empty(height=48, width=64), t0_ns=0, t1_ns=20_000_000)
    motion = EgomotionResult(0, 1, 10**7, np.array(omega), np.array(v), np.eye(6), True, '', 1, 1, 1.0)
    return flow.create('motion_field', CAMERA).update(window, motion, depth)


def test_a_wall_ahead_moves_as_one_and_grows_when_approached():
    wall = plane_depth(CAMERA, [0.0, 0.0, 2.0], 4.0, t_ns=10**7)
    np.testing.assert_allclose(wall.depth_m, 4.0)
    sideways = flow_over(wall, [0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(sideways.flow_px_s[0], -25.0, rtol=1e-5)
    ahead = flow_over(wall, [0.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    np.testing.assert_allclose(ahead.flow_px_s[:, 24, 42], [10 / 4, 0.0], atol=1e-5)


def test_the_floor_is_seen_below_the_horizon_only():
    floor = plane_depth(CAMERA, [0.0, 1.0, 0.0], 1.2, t_ns=10**7)
    assert np.isnan(floor.depth_m[:25]).all()
    np.testing.assert_allclose(floor.depth_m[44], 1.2 / 0.2, rtol=1e-6)
    field = flow_over(floor, [0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(field.valid.any(axis=1), np.arange(48) > 24)


@pytest.mark.parametrize(
    ('normal', 'distance'), [([0, 0, 0], 1.0), ([1, 0], 1.0), ([0, 0, 1], -1.0), ([0, 0, np.nan], 1.0)]
)
def test_planes_that_are_none_are_refused(normal, distance):
    with pytest.raises(ConfigError):
        plane_depth(CAMERA, normal, distance, t_ns=0)
