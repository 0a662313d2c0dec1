# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Value, gradient and Hessian of the fused rotation against torch, differentiated twice."""

import numpy as np
import pytest
import torch

from event_perception.binning import bin_events, leave_one_out_variance
from event_perception.errors import ConfigError
from event_perception.events import EventWindow
from event_perception.motion import BinGrid
from event_perception.motion.rotation_variance import BearingEvents, RotationVariance
from event_perception.motion.warped_image import bearing_events

OMEGA, CHANGE, WINDOW_S = np.array([1.0, -2.0, 0.5]), np.array([0.5, 0.3, -0.4]), 0.2
PAIRS = [('bilinear', 2.0), ('gaussian', 1.0), ('rect', 2.0)]


@pytest.fixture(scope='module')
def scattered() -> BearingEvents:
    """2000 events of different weights anywhere in the image, turning by up to 0.2 rad."""
    rng = np.random.default_rng(0)
    low_high = [(-0.5, 0.5), (-0.4, 0.4), (-0.5 * WINDOW_S, 0.5 * WINDOW_S), (0.5, 1.5)]
    return BearingEvents(*(rng.uniform(*limits, 2000).astype(np.float32) for limits in low_high))


def in_torch(events, grid, kernel, own_votes):
    """Value, gradient (6,) and Hessian (6, 6), by (omega, change), in float64."""
    x, y, d, w = (torch.tensor(a.astype(np.float64)) for a in (events.x, events.y, events.d, events.w))
    sizes = (grid.height, grid.width)

    def objective(parameters):
        angle = d[:, None] * (parameters[:3] + 0.5 * d[:, None] / WINDOW_S * parameters[3:])
        axes = torch.eye(3, dtype=x.dtype).expand(len(x), 3, 3)
        generator = torch.linalg.cross(angle[:, None, :].expand(-1, 3, 3), axes, dim=2).mT
        X = torch.linalg.matrix_exp(generator) @ torch.stack([x, y, torch.ones_like(x)], 1)[..., None]
        u, v = X[:, 0, 0] / X[:, 2, 0], X[:, 1, 0] / X[:, 2, 0]
        points = torch.stack([u * grid.scale_x + grid.offset_x, v * grid.scale_y + grid.offset_y], 1)
        if own_votes == 'removed':
            variance = leave_one_out_variance(points, w, sizes=sizes, kernel=kernel)
        else:
            image = bin_events(points, w, height=grid.height, width=grid.width, kernel=kernel)
            variance = image.var(correction=0)
        return -variance * (grid.height * grid.width) / w.sum()

    at = torch.tensor(np.concatenate([OMEGA, CHANGE]), requires_grad=True)
    value = objective(at)
    (gradient,) = torch.autograd.grad(value, at, create_graph=True)
    rows = [torch.autograd.grad(g, at, retain_graph=True)[0] for g in gradient]
    return float(value.detach()), gradient.detach().numpy(), torch.stack(rows).numpy()


@pytest.mark.parametrize(('kernel', 'size'), PAIRS)
@pytest.mark.parametrize(('own_votes', 'tolerance'), [('kept', 1e-5), ('removed', 4e-5)])
def test_compiled_derivatives_are_those_of_torch(camera, scattered, kernel, size, own_votes, tolerance):
    grid = BinGrid.covering(camera, size, 0.3)
    value, gradient, hessian = in_torch(scattered, grid, kernel, own_votes)
    fused = RotationVariance(grid, kernel, hessian='exact', own_votes=own_votes)
    fused.set_events(scattered, WINDOW_S)
    both = fused.evaluate(OMEGA, CHANGE, by_change=True)
    assert both.value == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(both.gradient, gradient, atol=1e-5 * np.abs(gradient).max())
    np.testing.assert_allclose(both.hessian, hessian, atol=tolerance * np.abs(hessian).max())


def test_without_acceleration_the_derivatives_are_the_first_of_those(camera, scattered):
    fused = RotationVariance(BinGrid.covering(camera, 2.0, 0.3), hessian='exact')
    fused.set_events(scattered, WINDOW_S)
    both, rate = fused.evaluate(OMEGA, CHANGE, by_change=True), fused.evaluate(OMEGA, CHANGE)
    np.testing.assert_allclose(rate.gradient, both.gradient[:3], rtol=1e-5)
    np.testing.assert_allclose(
        rate.hessian, both.hessian[:3, :3], atol=1e-6 * np.abs(both.hessian[:3, :3]).max()
    )


@pytest.mark.parametrize('own_votes', ['kept', 'removed'])
def test_the_approximate_hessian_is_close_where_it_matters(camera, turning, own_votes):
    """At the motion itself, on a scene; its block of the change of rate is the weakest."""
    events = bearing_events(EventWindow.from_events(turning(camera, OMEGA, n=3000)), camera)[0]
    there = []
    for hessian in ('exact', 'approximate'):
        fused = RotationVariance(BinGrid.covering(camera, 1.5, 0.1), hessian=hessian, own_votes=own_votes)
        fused.set_events(events, 0.04)
        there.append(fused.evaluate(OMEGA, np.zeros(3), by_change=True))
    exact, approximate = there
    np.testing.assert_allclose(approximate.gradient, exact.gradient, rtol=1e-4)
    # with own votes kept in the approximate one, it is larger by their share
    tolerance = 0.06 if own_votes == 'kept' else 0.25
    scale = np.abs(exact.hessian).max()
    np.testing.assert_allclose(approximate.hessian, exact.hessian, atol=tolerance * scale)


def test_one_event_has_no_variance_once_its_own_vote_is_removed(camera):
    one = BearingEvents(*(np.array([a], np.float32) for a in (0.123, -0.07, 0.05, 2.0)))
    fused = RotationVariance(BinGrid.covering(camera, 1.5, 0.1), hessian='exact', own_votes='removed')
    fused.set_events(one, WINDOW_S)
    there = fused.evaluate(OMEGA, CHANGE, by_change=True)
    assert there.value == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(there.gradient, np.zeros(6), atol=1e-5)
    np.testing.assert_allclose(there.hessian, np.zeros((6, 6)), atol=1e-4)


@pytest.mark.parametrize('name', ['hessian', 'own_votes'])
def test_an_unknown_way_to_differentiate_is_refused(camera, name):
    with pytest.raises(ConfigError, match=f"{name}='some': choose one of"):
        RotationVariance(BinGrid.covering(camera, 8.0, 0.1), **{name: 'some'})
