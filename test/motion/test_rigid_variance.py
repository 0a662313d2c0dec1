# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The fused rigid objective against the general one, and which depth belongs to an event."""

import numpy as np
import pytest

from event_perception.events import DepthImage
from event_perception.motion import BinGrid, CameraModel
from event_perception.motion.contrast_problem import ContrastProblem
from event_perception.motion.depth_warp import DepthViews
from event_perception.motion.objectives.variance import Variance
from event_perception.motion.rigid_variance import RigidVariance
from event_perception.motion.scene_depth import refined
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.rigid import Rigid

AT = np.array([1.0, -0.5, 0.5, 0.4, -0.3, 0.6])


@pytest.fixture(scope='module')
def events() -> SceneEvents:
    """4000 events of any weight and inverse depth 0.1 to 1 per metre; numbers that float32 holds."""
    rng = np.random.default_rng(3)
    limits = [(-0.5, 0.5), (-0.4, 0.4), (-0.1, 0.1), (0.5, 1.5), (0.1, 1.0)]
    return SceneEvents(*(rng.uniform(*pair, 4000).astype(np.float32).astype(float) for pair in limits))


@pytest.mark.parametrize(('kernel', 'size'), [('bilinear', 2.0), ('rect', 2.0)])
def test_the_fused_rigid_objective_agrees_with_the_general_one(camera, events, kernel, size):
    grid = BinGrid.covering(camera, size, 0.3)
    general = ContrastProblem(events, Rigid(), Variance(), grid, kernel=kernel).evaluate(AT)
    fused = RigidVariance(grid, kernel)
    fused.set_events(events)
    there = fused.evaluate(AT)
    assert there.value == pytest.approx(general.value, rel=1e-5)
    np.testing.assert_allclose(there.gradient, general.gradient, atol=1e-5 * np.abs(general.gradient).max())
    np.testing.assert_allclose(there.hessian, general.hessian, atol=1e-5 * np.abs(general.hessian).max())
    np.testing.assert_array_equal(there.hessian, there.hessian.T)
    np.testing.assert_allclose(fused.evaluate(AT, 1).gradient, there.gradient, rtol=1e-5)
    assert fused.evaluate(AT, 0).value == there.value


def test_depth_is_that_of_the_point_and_not_of_the_pixel():
    """A step in depth, 1 m left and 4 m right, seen by a camera that moves right: the near side comes to the left."""
    camera = CameraModel(fx=100.0, fy=100.0, cx=50.0, cy=50.0, height=101, width=101)
    depth_m = np.full((101, 101), 4.0, np.float32)
    depth_m[:, :50] = 1.0
    # seen 0.1 s early at column 52, moving at -1 m/s past 1 m: 10 px left of that at the reference time
    x, zero, one = np.array([0.02]), np.zeros(1), np.ones(1)
    seen = SceneEvents(x, zero, np.array([-0.1]), one, one)
    twist, view = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0]), DepthViews(camera).of(DepthImage(0, depth_m))
    known = refined(seen, twist, view)
    assert known.q[0] == pytest.approx(1.0)
    at_its_pixel = SceneEvents(x, zero, zero, one, one)
    assert refined(at_its_pixel, twist, view).q[0] == pytest.approx(0.25)
    beside = SceneEvents(x - 0.01, zero, zero, one, one)  # two columns from the edge: part of its outline
    assert refined(beside, twist, view).q[0] == pytest.approx(1.0)


def test_depth_changes_with_the_way_towards_the_camera():
    """Forward at 1 m/s, wall at 2 m at the reference time: it was at 2.1 m 0.1 s before."""
    camera = CameraModel(fx=100.0, fy=100.0, cx=50.0, cy=50.0, height=101, width=101)
    view = DepthViews(camera).of(DepthImage(0, np.full((101, 101), 2.0, np.float32)))
    one = np.ones(1)
    early = SceneEvents(0.1 * one, 0 * one, -0.1 * one, one, one / 2.1)
    twist = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    assert refined(early, twist, view).q[0] == pytest.approx(1 / 2.1, rel=1e-6)


def test_no_motion_and_no_depth_change_nothing(camera, events):
    nothing = DepthViews(camera).of(DepthImage(0, np.full((120, 160), np.nan, np.float32)))
    same = refined(events, np.zeros(6), nothing)
    for name in ('x', 'y', 'd', 'w', 'q'):
        np.testing.assert_array_equal(getattr(same, name), getattr(events, name))
