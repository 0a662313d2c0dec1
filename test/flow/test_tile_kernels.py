# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The compiled objectives of flow against plain arithmetic and finite differences."""

import numpy as np
import pytest
import torch

from event_perception.binning.taps import taps
from event_perception.flow.coupling import couple, evenly_held
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.image_votes import floored
from event_perception.flow.joint import JointField
from event_perception.flow.pyramid import sorted_tiles
from event_perception.flow.tile_kernels import CHANNELS, evaluate_tile
from event_perception.flow.torch_flow import TorchField

SIZE, BIN_PX = 40, 1.5
Q = np.array([70.0, -40.0])
CENTRE = 0.5 * (SIZE - 1)


@pytest.fixture(scope='module')
def tile():
    rng = np.random.default_rng(2)
    place = rng.normal(0, 6, (400, 2)).astype(np.float32)
    s = rng.uniform(-0.025, 0.025, 400).astype(np.float32)
    return place, s


def evaluated(tile, q, *, by_gradient=True, order=2):
    place, s = tile
    out, work = np.zeros(6), np.zeros((2 + CHANNELS, SIZE * SIZE), np.float32)
    cells = (np.empty((4, len(s)), np.float32), np.empty(len(s), np.int32))
    x, y = np.ascontiguousarray(place[:, 0]), np.ascontiguousarray(place[:, 1])
    evaluate_tile(x, y, s, q[0], q[1], BIN_PX, SIZE, by_gradient, order, work, cells, out)
    return out


def taps_at(pair, u, order):
    """Values of the taps of a pair at coordinates u on all bins, (n, SIZE)."""
    table = taps(*pair)
    cell = np.floor(u + table.shift)
    weights = table.evaluate(u + table.shift - cell)[order]
    dense = np.zeros((len(u), SIZE))
    for column, offset in enumerate(table.offsets):
        dense[np.arange(len(u)), (cell + offset).astype(int)] = weights[:, column]
    return dense


def image(tile, q, pair, orders=(0, 0), weight=1.0):
    """sum_n weight kappa^(a)(u - x) kappa^(b)(v - y) over [y, x]."""
    place, s = tile
    u, v = (place.astype(float) - s[:, None].astype(float) * q).T / BIN_PX + CENTRE
    across, along = taps_at(pair, v, orders[1]), taps_at(pair, u, orders[0])
    return (across * np.broadcast_to(weight, len(s))[:, None]).T @ along


def K(h):
    """2 K h of central differences, by summing squares over a padded image."""
    padded = np.pad(h, 2)
    near = padded[2:-2, 4:] + padded[2:-2, :-4] + padded[4:, 2:-2] + padded[:-4, 2:-2]
    return 2 * h - 0.5 * near


def focus_of(h, by_gradient):
    if not by_gradient:
        return np.sum(h**2)
    along, across = 0.5 * (h[:, 2:] - h[:, :-2]), 0.5 * (h[2:] - h[:-2])
    return np.sum(along**2) + np.sum(across**2)


@pytest.mark.parametrize('by_gradient', [True, False])
def test_the_focus_of_a_tile_is_that_of_plain_bilinear_votes(tile, by_gradient):
    expected = focus_of(image(tile, Q, ('bilinear', None)), by_gradient)
    assert evaluated(tile, Q, by_gradient=by_gradient)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('by_gradient', [True, False])
def test_gradient_and_hessian_are_the_weak_derivatives_of_the_definition(tile, by_gradient):
    _, s = tile
    pair, w = ('bilinear', 'linear'), -s.astype(float) / BIN_PX
    h = image(tile, Q, ('bilinear', None))
    v = K(h) if by_gradient else 2 * h
    J = [image(tile, Q, pair, orders, w) for orders in ((1, 0), (0, 1))]
    KJ = [K(j) if by_gradient else 2 * j for j in J]
    second = [(0, 0, (2, 0)), (0, 1, (1, 1)), (1, 1, (0, 2))]
    hessian = [np.sum(v * image(tile, Q, pair, o, w**2)) + np.sum(J[a] * KJ[b]) for a, b, o in second]
    found = evaluated(tile, Q, by_gradient=by_gradient)
    np.testing.assert_allclose(found[1:3], [np.sum(v * j) for j in J], rtol=1e-4)
    np.testing.assert_allclose(found[3:], hessian, rtol=2e-4)


def test_with_the_backward_kernel_as_votes_the_derivatives_are_those_of_finite_differences(tile):
    _, s = tile
    pair, w, step = ('bilinear', 'linear'), -s.astype(float) / BIN_PX, 1e-2

    def value(q):
        return focus_of(image(tile, q, pair), True)

    def gradient(q):
        v = K(image(tile, q, pair))
        return np.array([np.sum(v * image(tile, q, pair, o, w)) for o in ((1, 0), (0, 1))])

    v = K(image(tile, Q, pair))
    J = [image(tile, Q, pair, o, w) for o in ((1, 0), (0, 1))]
    xx = np.sum(v * image(tile, Q, pair, (2, 0), w**2)) + np.sum(J[0] * K(J[0]))
    xy = np.sum(v * image(tile, Q, pair, (1, 1), w**2)) + np.sum(J[0] * K(J[1]))
    numeric = [(value(Q + e) - value(Q - e)) / (2 * step) for e in step * np.eye(2)]
    np.testing.assert_allclose(gradient(Q), numeric, rtol=1e-5)
    e = np.array([step, 0.0])
    np.testing.assert_allclose([xx, xy], (gradient(Q + e) - gradient(Q - e)) / (2 * step), rtol=1e-5)


def flow_events(n=2000, height=64, width=80, seed=4):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, width - 1, n), rng.uniform(0, height - 1, n)
    s = rng.uniform(-0.02, 0.02, n)
    return FlowEvents(*(a.astype(np.float32) for a in (x, y, s)), 0.02, height, width)


def test_the_joint_field_has_the_value_and_gradient_of_the_torch_version():
    events, grid = flow_events(), NodeGrid(64, 80, 16)
    q = np.random.default_rng(0).normal(0, 60, (len(grid), 2))
    value, gradient, _ = JointField(events, grid, bin_px=1.5, reach_px=6.0).evaluate(q)
    focus = TorchField(events, grid, bin_px=1.5, reach_px=6.0, dtype=torch.float64)
    point = torch.tensor(q, requires_grad=True)
    S = focus(point)
    expected = torch.autograd.grad(S, point)[0].numpy()
    assert value == pytest.approx(S.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=2e-3, atol=2e-5 * np.abs(expected).max())


def test_the_curvature_of_nodes_is_lumped_so_that_it_sums_to_that_of_one_velocity():
    events, grid = flow_events(), NodeGrid(64, 80, 16)
    objective = JointField(events, grid, bin_px=1.5, reach_px=6.0)
    step = 0.5
    moved = np.tile(Q, (len(grid), 1))
    total = objective.evaluate(moved)[1].sum(axis=0).copy()
    curvature = objective.evaluate(moved)[2].sum(axis=0).copy()
    assert np.isfinite(curvature).all()
    ahead = objective.evaluate(moved + np.array([step, 0.0]))[1].sum(axis=0)
    # Without the J^T J term the curvature is more positive than the change of the gradient.
    assert curvature[0] > -(ahead - total)[0] / step


def test_every_event_is_sorted_into_each_tile_whose_window_holds_it():
    events, grid, side = flow_events(300), NodeGrid(64, 80, 32), 40.0
    tiles = sorted_tiles(events, grid, side)
    x, y = np.meshgrid(*grid.centres)
    for k, (cx, cy) in enumerate(zip(x.ravel(), y.ravel())):
        inside = (events.x >= cx - 20) & (events.x < cx + 20) & (events.y >= cy - 20) & (events.y < cy + 20)
        part = slice(tiles.begin[k], tiles.begin[k + 1])
        np.testing.assert_array_equal(tiles.s[part], events.s[inside])
        np.testing.assert_allclose(tiles.x[part], events.x[inside] - cx, atol=1e-5)


def test_a_search_is_made_on_a_share_of_many_events_and_on_all_of_few():
    events = flow_events(1000)
    assert events.thinned(1000) is events
    few = events.thinned(400)
    assert len(few) == 334 and few.half_s == events.half_s
    np.testing.assert_array_equal(few.s, events.s[::3])


def test_evenness_brings_every_cell_towards_the_median_curvature_within_bounds():
    curvature = np.array(
        [[1.0, 0.2, 1.0], [4.0, 0.0, 4.0], [40.0, 4.0, 40.0], [3.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    )
    np.testing.assert_array_equal(evenly_held(curvature, 0.0), curvature)
    even = evenly_held(curvature, 1.0)
    np.testing.assert_allclose(
        even, [[2.0, 0.4, 2.0], [4.0, 0.0, 4.0], [8.0, 0.8, 8.0], [3.0, 0.0, 5.0], [0.0, 0.0, 0.0]]
    )


def test_coupling_settles_where_events_and_neighbours_balance_at_every_node():
    rng = np.random.default_rng(1)
    rows, columns, strength, scale, power = 3, 4, 0.4, 30.0, 0.5
    target = rng.normal(0, 50, (rows * columns, 2))
    roots = rng.normal(0, 1, (rows * columns, 2, 2))
    P = roots @ roots.transpose(0, 2, 1)
    curvature = np.stack([P[:, 0, 0], P[:, 0, 1], P[:, 1, 1]], axis=1)
    q = np.zeros((rows * columns, 2))
    couple(target, curvature, rows, columns, strength, scale, power, 300, q)
    inside = lambda r, c: 0 <= r < rows and 0 <= c < columns  # noqa: E731
    for row in range(rows):
        for column in range(columns):
            k = row * columns + column
            pull = P[k] @ (target[k] - q[k])
            for dy, dx in np.ndindex(3, 3):
                r, c = row + dy - 1, column + dx - 1
                if (dy, dx) != (1, 1) and inside(r, c):
                    difference = q[r * columns + c] - q[k]
                    a = strength * (1 + difference @ difference / scale**2) ** -power
                    a *= 0.5 if dy != 1 and dx != 1 else 1.0
                    a *= 1.0 if inside(2 * row - r, 2 * column - c) else 0.6
                    pull = pull + a * difference
            np.testing.assert_allclose(pull, 0, atol=1e-6)


def test_a_node_without_events_takes_the_velocity_of_those_around_it():
    curvature = np.tile([1.0, 0.0, 1.0], (9, 1))
    curvature[4] = 0
    target, q = np.tile([10.0, -5.0], (9, 1)), np.zeros((9, 2))
    target[4] = 1e6
    couple(target, curvature, 3, 3, 0.3, 30.0, 1.0, 200, q)
    np.testing.assert_allclose(q[4], [10.0, -5.0], rtol=1e-3)


@pytest.mark.parametrize('absolute', [True, False])
def test_floored_matrices_have_the_eigenvalues_that_newton_wants(absolute):
    rng = np.random.default_rng(3)
    for xx, xy, yy in rng.normal(0, 1, (50, 3)):
        a, b, c = floored(xx, xy, yy, 0.03, absolute)
        values, vectors = np.linalg.eigh([[xx, xy], [xy, yy]])
        wanted = np.abs(values) if absolute else values
        wanted = np.maximum(wanted, 0.03 * np.abs(values).max())
        np.testing.assert_allclose([[a, b], [b, c]], vectors * wanted @ vectors.T, atol=1e-9)
    assert floored(0.0, 0.0, 0.0, 0.03, absolute) == (0.0, 0.0, 0.0)
