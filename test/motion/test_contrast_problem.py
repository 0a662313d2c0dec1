# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The fused rotation against the general problem, and that against torch."""

import numpy as np
import pytest
import torch

from event_perception.binning import bin_events
from event_perception.errors import ConfigError
from event_perception.events import EventWindow
from event_perception.motion import BinGrid, CameraModel
from event_perception.motion.contrast_problem import ContrastProblem, multi_reference, normalised
from event_perception.motion.objectives.variance import Variance
from event_perception.motion.rotation_variance import RotationVariance
from event_perception.motion.warped_image import bearing_events, image_of_warped_events, newest
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.rotation import AngularAcceleration, Rotation

OMEGA = np.array([1.0, -2.0, 0.5])
PAIRS = [('bilinear', 1.5), ('rect', 2.0), ('gaussian', 1.0)]


@pytest.fixture(scope='module')
def bearings(camera, turning):
    return bearing_events(EventWindow.from_events(turning(camera, OMEGA, n=3000)), camera)[0]


def scene_events(bearings):
    arrays = [np.asarray(a, np.float64) for a in (bearings.x, bearings.y, bearings.d, bearings.w)]
    return SceneEvents(*arrays, np.zeros(len(bearings)))


def problem(camera, bearings, warp, kernel='bilinear', size=1.5):
    return ContrastProblem(
        scene_events(bearings), warp, Variance(), BinGrid.covering(camera, size, 0.1), kernel=kernel
    )


def fused(camera, bearings, kernel='bilinear', size=1.5, window_s=0.04):
    objective = RotationVariance(BinGrid.covering(camera, size, 0.1), kernel)
    objective.set_events(bearings, window_s)
    return objective


@pytest.mark.parametrize(('kernel', 'size'), PAIRS)
def test_the_fused_rotation_agrees_with_the_general_one(camera, bearings, kernel, size):
    at = OMEGA + 0.1
    general = problem(camera, bearings, Rotation(), kernel, size).evaluate(at)
    fast = fused(camera, bearings, kernel, size).evaluate(at)
    # rect votes jump: in float32 a few events fall on the other side of a bin's edge
    assert fast.value == pytest.approx(general.value, rel=1e-5 if kernel != 'rect' else 1e-3)
    scale = np.abs(general.gradient).max()
    tolerance = 1e-5 if kernel != 'rect' else 2e-2
    np.testing.assert_allclose(fast.gradient, general.gradient, atol=tolerance * scale)
    # the Hessian's image part is taken from a difference image
    np.testing.assert_allclose(fast.hessian, general.hessian, atol=0.06 * np.abs(general.hessian).max())


def test_the_fused_acceleration_agrees_with_the_general_one(camera, bearings):
    change, units = np.array([0.5, 0.3, -0.4]), np.repeat([1.0, 0.04], 3)
    general = problem(camera, bearings, AngularAcceleration()).evaluate(
        np.concatenate([OMEGA, change / 0.04])
    )
    fast = fused(camera, bearings).evaluate(OMEGA, change, by_change=True)
    assert fast.value == pytest.approx(general.value, rel=1e-5)
    expected = general.gradient / units
    np.testing.assert_allclose(fast.gradient, expected, atol=2e-5 * np.abs(expected).max())
    expected = general.hessian / np.outer(units, units)
    np.testing.assert_allclose(fast.hessian[:3, :3], expected[:3, :3], atol=0.06 * np.abs(expected).max())
    np.testing.assert_allclose(fast.hessian[3:], expected[3:], atol=0.03 * np.abs(expected).max())


@pytest.mark.parametrize(('kernel', 'size'), [('bilinear', 1.5), ('gaussian', 1.0)])
def test_the_general_problem_agrees_with_automatic_differentiation(camera, bearings, kernel, size):
    p = problem(camera, bearings, Rotation(), kernel, size)
    there = p.evaluate(OMEGA)

    def objective(omega):
        x, y, d = (torch.tensor(np.asarray(a, np.float64)) for a in (bearings.x, bearings.y, bearings.d))
        one = torch.ones_like(x)
        zero = torch.zeros_like(x)
        generator = torch.stack(
            [
                torch.stack([zero, -omega[2] * one, omega[1] * one]),
                torch.stack([omega[2] * one, zero, -omega[0] * one]),
                torch.stack([-omega[1] * one, omega[0] * one, zero]),
            ]
        ).permute(2, 0, 1)
        X = torch.linalg.matrix_exp(d[:, None, None] * generator) @ torch.stack([x, y, one], dim=1)[..., None]
        u, v = X[:, 0, 0] / X[:, 2, 0], X[:, 1, 0] / X[:, 2, 0]
        g = p.grid
        points = torch.stack([u * g.scale_x + g.offset_x, v * g.scale_y + g.offset_y], dim=1)
        image = bin_events(points, None, height=g.height, width=g.width, kernel=kernel)
        return -((image - image.mean()) ** 2).sum() / len(x)

    omega = torch.tensor(OMEGA, requires_grad=True)
    value = objective(omega)
    (gradient,) = torch.autograd.grad(value, omega, create_graph=True)
    hessian = torch.stack([torch.autograd.grad(g, omega, retain_graph=True)[0] for g in gradient])
    assert there.value == pytest.approx(float(value.detach()), rel=1e-10)
    np.testing.assert_allclose(there.gradient, gradient.detach().numpy(), rtol=1e-8)
    np.testing.assert_allclose(there.hessian, hessian.numpy(), rtol=1e-8)


def test_the_weak_gradient_sees_far(camera, bearings):
    """Its path integral gives the change of the value over bins, where the raw one gives noise."""
    p = fused(camera, bearings)
    path = OMEGA + np.linspace(0.3, 1.2, 31)[:, None] * np.array([0.6, -0.6, 0.5])
    work = np.mean([p.evaluate(x, order=1).gradient for x in path], axis=0) @ (path[-1] - path[0])
    change = p.evaluate(path[-1], order=0).value - p.evaluate(path[0], order=0).value
    assert work == pytest.approx(change, rel=0.35)


def test_events_that_leave_the_image_are_masked_not_clamped(camera):
    far = np.array([0.0, 30.0, -30.0, 0.2], np.float32)
    from event_perception.motion.rotation_variance import BearingEvents

    events = BearingEvents(far, np.zeros(4, np.float32), np.full(4, 0.01, np.float32), np.ones(4, np.float32))
    inside = BearingEvents(
        *(np.ascontiguousarray(a[[0, 3]]) for a in (events.x, events.y, events.d, events.w))
    )
    a, b = fused(camera, events).evaluate(OMEGA), fused(camera, inside).evaluate(OMEGA)
    np.testing.assert_allclose(4 * a.gradient, 2 * b.gradient, rtol=1e-5)
    np.testing.assert_allclose(4 * a.hessian, 2 * b.hessian, rtol=1e-4, atol=1e-9)


def test_normalised_is_minus_one_at_rest_and_references_average(camera, bearings):
    events = scene_events(bearings)
    grid = BinGrid.covering(camera, 2.0, 0.1)
    problems = [
        ContrastProblem(events.referred_to(s), Rotation(), Variance(), grid) for s in (-0.02, 0.0, 0.02)
    ]
    evaluate = normalised(multi_reference(problems), 3)
    assert evaluate(np.zeros(3), 0).value == pytest.approx(-1.0)
    at_truth = evaluate(OMEGA, 2)
    assert at_truth.value < -1.15
    expected = np.mean([p.evaluate(OMEGA).gradient for p in problems], axis=0)
    scale = np.mean([p.evaluate(np.zeros(3), 0).value for p in problems])
    np.testing.assert_allclose(at_truth.gradient, expected / -scale, rtol=1e-9)


def test_the_image_of_warped_events_holds_every_event_inside(camera, turning):
    window = EventWindow.from_events(turning(camera, OMEGA, n=500))
    still = image_of_warped_events(window, camera, np.zeros(3))
    assert still.shape == (120, 160)
    assert still.dtype == np.float32
    assert still.sum() == pytest.approx(500, abs=1e-2)
    counts = np.zeros((120, 160), np.float32)
    np.add.at(counts, (window.y, window.x), 1)
    np.testing.assert_allclose(still, counts, atol=2e-3)


def test_the_newest_part_of_a_window_refers_to_its_own_middle(camera, turning):
    window = EventWindow.from_events(turning(camera, OMEGA, n=2000), t0_ns=0, t1_ns=40_000_000)
    part = newest(window, 10_000_000)
    assert (part.t0_ns, part.t1_ns, part.t_ref_ns) == (30_000_000, 40_000_000, 35_000_000)
    assert np.abs(part.dt_s).max() <= 0.005 + 1e-6
    assert len(part) == np.count_nonzero(window.dt_s >= 0.01)


def test_bins_of_one_pixel_are_the_pixels():
    camera = CameraModel(50.0, 60.0, 3.25, 2.5, 6, 8)
    grid = BinGrid.of_image(camera)
    assert (grid.height, grid.width) == (6, 8)
    np.testing.assert_allclose(
        grid.to_bins(camera.undistort([[0.0, 5.0], [7.0, 0.0]])), [[0, 5], [7, 0]], atol=1e-12
    )
    coarse = BinGrid.of_image(camera, 2.0)
    np.testing.assert_allclose(coarse.to_bins(camera.undistort([[0.5, 0.5]])), [[0, 0]], atol=1e-12)
    with pytest.raises(ConfigError, match='bin_size_px=0'):
        BinGrid.of_image(camera, 0.0)
