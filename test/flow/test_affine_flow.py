# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Affine flow of the whole image."""

import numpy as np
import pytest
import torch

from event_perception import flow
from event_perception.binning import bin_events
from event_perception.errors import DataError
from event_perception.events import EventArray, EventWindow
from event_perception.flow.affine import AffineEstimate, affine_field
from event_perception.flow.affine_variance import AffineVariance, pixel_grid
from event_perception.flow.recent_events import RecentEvents, RecentEventsConfig
from event_perception.motion import CameraModel

H, W = 96, 128
CAMERA = CameraModel(fx=100.0, fy=100.0, cx=63.5, cy=47.5, height=H, width=W)
PARAMETERS = np.array([0.6, -0.4, 0.3, -0.5, 0.6, 0.2])


def moving_points(parameters, duration_s=0.06, points=150, rate_hz=1500.0, seed=3):
    """Bright points in motion: an event wherever the nearest pixel of a point changes, sampled often."""
    rng = np.random.default_rng(seed)
    half, middle = 0.5 * W, np.array([0.5 * (W - 1), 0.5 * (H - 1)])
    q = (rng.uniform([0, 0], [W - 1, H - 1], (points, 2)) - middle) / half
    A, velocity = parameters[2:].reshape(2, 2), parameters[:2]
    t_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    rows = []
    for t in t_s:
        rows.append(
            np.column_stack([np.full(points, t), q * half + middle + rng.normal(0, 0.2, (points, 2))])
        )
        q = q + (velocity + q @ A.T) / rate_hz
    t, x, y = np.concatenate(rows).T
    x, y = np.round(x).astype(int), np.round(y).astype(int)
    keep = (x >= 0) & (x < W) & (y >= 0) & (y < H)
    t_ns = (t[keep] * 1e9).astype(np.int64)
    return EventArray(t_ns, x[keep], y[keep], np.ones(keep.sum(), int), height=H, width=W)


@pytest.fixture(scope='module')
def events():
    return moving_points(PARAMETERS)


def windows(events, length_ns=20_000_000):
    for t0_ns in range(0, int(events.t_ns[-1]), length_ns):
        a, b = np.searchsorted(events.t_ns, [t0_ns, t0_ns + length_ns])
        yield EventWindow.from_events(events[a:b], t0_ns=t0_ns, t1_ns=t0_ns + length_ns)


def test_the_flow_of_an_affine_motion_is_found(events):
    estimator = flow.create('affine', CAMERA)
    for window in windows(events):
        found = estimator.update(window)
    expected = affine_field(PARAMETERS, H, W)
    error = np.linalg.norm(found.flow_px_s - expected, axis=0)
    assert found.t_ref_ns == 50_000_000
    assert found.valid.mean() > 0.9
    assert error[found.valid].mean() < 5.0  # of 50 px/s
    assert np.linalg.norm(expected, axis=0).mean() > 40.0


def crowd(n=80):
    """A few events on a small sensor: x, y, d, and the grid they are binned on."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-0.5, 0.5, (2, n)).astype(np.float32)
    return x, y, rng.uniform(-0.3, 0.3, n).astype(np.float32), pixel_grid(24, 32, 1.5, 4.0)


def one_at_a_time(p, x, y, d, grid):
    """The image of every event alone, (n, rows, columns): torch, by the package's differentiable binning."""
    x, y, d = (torch.as_tensor(a, dtype=torch.float64) for a in (x, y, d))
    u = x - d * (p[0] + p[2] * x + p[3] * y)
    v = y - d * (p[1] + p[4] * x + p[5] * y)
    points = torch.stack([u * grid.scale_x + grid.offset_x, v * grid.scale_y + grid.offset_y], dim=-1)
    return bin_events(points[:, None], None, height=grid.height, width=grid.width)


def test_the_derivatives_are_those_of_automatic_differentiation():
    x, y, d, grid = crowd()
    n, bins = len(d), grid.height * grid.width

    def contrast(p):
        every = one_at_a_time(p, x, y, d, grid)
        h = every.sum(0)
        # What an event does by meeting itself is no contrast; the mean of the bins is not its affair.
        return -((h**2).sum() - (every**2).sum() - h.sum() ** 2 / bins) / n

    at = torch.as_tensor(PARAMETERS)
    gradient, hessian = torch.func.grad(contrast)(at), torch.func.hessian(contrast)(at)
    objective = AffineVariance(grid)
    objective.set_events(x, y, d)
    here = objective.evaluate(PARAMETERS)
    np.testing.assert_allclose(here.gradient, gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max())
    np.testing.assert_allclose(here.hessian, hessian, rtol=1e-3, atol=1e-3 * hessian.abs().max())


def test_a_kept_part_of_the_hessian_follows_the_time_of_the_events():
    x, y, d, grid = crowd()
    objective = AffineVariance(grid)
    objective.set_events(x, y, d)
    before = objective.evaluate(PARAMETERS)
    np.testing.assert_allclose(objective.evaluate(PARAMETERS, keep=True).hessian, before.hessian)
    # Twice as long and half as fast is the same image, and four times the curvature.
    objective.set_events(x, y, 2 * d)
    after = objective.evaluate(PARAMETERS / 2, keep=True)
    np.testing.assert_allclose(after.gradient, 2 * before.gradient, rtol=1e-4)
    np.testing.assert_allclose(after.hessian, 4 * before.hessian, rtol=1e-4, atol=1e-4)


def test_noise_has_no_flow():
    rng = np.random.default_rng(1)
    t_ns = np.sort(rng.integers(0, 60_000_000, 20_000))
    noise = EventArray(
        t_ns, rng.integers(0, W, 20_000), rng.integers(0, H, 20_000), np.ones(20_000, int), height=H, width=W
    )
    estimator = flow.create('affine', CAMERA)
    for window in windows(noise):
        found = estimator.update(window)
    assert not found.valid.any() and not found.flow_px_s.any()


def test_few_events_and_another_sensor():
    estimator = flow.create('affine', CAMERA)
    few = EventArray([0, 5], [1, 2], [3, 4], [1, 1], height=H, width=W)
    assert not estimator.update(EventWindow.from_events(few)).valid.any()
    other = EventArray([0], [0], [0], [1], height=4, width=4)
    with pytest.raises(DataError, match='4x4'):
        estimator.update(EventWindow.from_events(other))


def test_memory_keeps_what_was_asked_for():
    config = RecentEventsConfig(count=100, min_s=0.01, max_s=0.05)
    memory = RecentEvents(config, H, W)
    t_ns = np.arange(0, 200_000_000, 500_000)  # 2 events a millisecond
    stream = EventArray(t_ns, t_ns % W, t_ns % H, np.ones(len(t_ns), int), height=H, width=W)
    for window in windows(stream):
        assert not memory.push(window)
    x, y, d, t_ref_ns = memory.centred(200_000_000)
    assert len(x) == len(y) == len(d) == 100
    assert t_ref_ns == 175_000_000
    assert memory.push(next(windows(stream)))  # time went back


def test_the_line_through_estimates_reaches_beyond_them():
    estimator = flow.create('affine', CAMERA)
    for k in range(4):
        estimator._estimates.append(AffineEstimate(k * 10_000_000, np.array([0.1 * k, 0, 0, 0, 0, 0.0])))
    assert estimator.parameters(60_000_000)[0] == pytest.approx(0.6)
