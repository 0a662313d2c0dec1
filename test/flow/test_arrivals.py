# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A cell of the image is judged by what is in it at the reference time, and neighbours pull less where motion is long."""

import numpy as np
import pytest

from event_perception.flow.arrival_kernels import score_arrivals, sort_into_cells
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.joint import strength_of_coupling, weighted_median
from event_perception.flow.selection import select_at_edges
from event_perception.flow.tiles_config import TilesConfig

HEIGHT, WIDTH, HALF_S, SPACING = 40, 56, 0.025, 8
CENTRES = np.array([[19.5, 19.5], [3.5, 35.5], [51.5, 3.5]])


def some_events(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x, y, s = rng.uniform((-2, -2, -HALF_S), (WIDTH + 2, HEIGHT + 2, HALF_S), (n, 3)).T.astype(np.float32)
    return x, y, s


def scores_of(events, candidates, few=0, by_gradient=True):
    rows, columns = HEIGHT // SPACING, WIDTH // SPACING
    begin, out = np.zeros(rows * columns + 1, np.int64), np.empty((3, len(events[0])), np.float32)
    sort_into_cells(*events, float(SPACING), rows, columns, *out, begin)
    scores = np.empty(candidates.shape[:2])
    score_arrivals(
        *out, begin, float(SPACING), rows, columns, HALF_S, *np.ascontiguousarray(CENTRES.T), candidates,
        1.5, 9.0, few, by_gradient, scores,
    )  # fmt: skip
    return scores


def plain_score(events, centre, q):
    """Bilinear votes of all events into 6x6 bins around a centre and the bins beside them, by the formula."""
    x, y, s = (np.asarray(a, np.float64) for a in events)
    u, v = ((x - s * q[0] - centre[0]) / 1.5, (y - s * q[1] - centre[1]) / 1.5)
    places = np.arange(-3.5, 4.0)
    image = np.array(
        [
            [np.sum(np.maximum(1 - abs(u - a), 0) * np.maximum(1 - abs(v - b), 0)) for a in places]
            for b in places
        ]
    )
    gx, gy = image[1:-1, 2:] - image[1:-1, :-2], image[2:, 1:-1] - image[:-2, 1:-1]
    return np.sum(gx**2 + gy**2)


def test_scores_are_those_of_the_formula_wherever_the_events_come_from():
    events = some_events()
    candidates = np.array([[[0.0, 0.0], [300.0, -90.0], [-40.0, 410.0]]] * 3)
    expected = [[plain_score(events, centre, q) for q in each] for centre, each in zip(CENTRES, candidates)]
    np.testing.assert_allclose(scores_of(events, candidates), expected, rtol=1e-3)


def test_cells_hold_all_events_once_also_those_beyond_the_border():
    x, y, s = some_events(50)
    begin, out = np.zeros(36, np.int64), np.empty((3, 50), np.float32)
    sort_into_cells(x, y, s, 8.0, 5, 7, *out, begin)
    assert begin[0] == 0 and begin[-1] == 50 and (np.diff(begin) >= 0).all()
    assert sorted(zip(*out.tolist())) == sorted(zip(x.tolist(), y.tolist(), s.tolist()))
    last = out[:, begin[34] :]
    assert (last[0] >= 47.5).all() and (last[1] >= 31.5).all()


def test_a_motion_that_brings_too_few_events_scores_nothing():
    events = tuple(np.full(3, value, np.float32) for value in (19.5, 19.5, 0.0))
    still = np.zeros((3, 1, 2))
    assert scores_of(events, still, few=3)[0, 0] > 0
    assert not scores_of(events, still, few=4).any()


def test_ground_beside_a_denser_object_keeps_its_motion_and_the_object_its_own():
    """An object at x = 0 to 16 at the reference time left events at x = 16 to 32: from there it moves on to the left."""
    rng = np.random.default_rng(3)
    q_object, q_ground = np.array([-640.0, 0.0]), np.array([60.0, 0.0])
    parts = []
    for low, high, q, dots in ((0.0, 16.0, q_object, 300), (16.0, 56.0, q_ground, 80)):
        place = rng.uniform((low, 0.0), (high, HEIGHT), (dots, 2))
        s = np.linspace(-HALF_S, HALF_S, 12)
        parts.append(np.concatenate([np.column_stack([place + t * q, np.full(dots, t)]) for t in s]))
    x, y, s = np.concatenate(parts).T.astype(np.float32)
    events = FlowEvents(x, y, s, HALF_S, HEIGHT, WIDTH)
    grid = NodeGrid(HEIGHT, WIDTH, 16)
    q = np.where(_columns(grid) < 16, q_object, q_ground)
    fine, chosen = select_at_edges(events, grid, q, TilesConfig())
    field = chosen.reshape(fine.rows, fine.columns, 2)
    np.testing.assert_allclose(field[1:-1, 0], np.broadcast_to(q_object, (3, 2)), atol=1)
    np.testing.assert_allclose(field[1:-1, 3:5], np.broadcast_to(q_ground, (3, 2, 2)), atol=1)


def _columns(grid):
    return np.tile(grid.centres[0], grid.rows)[:, None]


@pytest.mark.parametrize(('speed', 'strength'), [(160.0, 1.0), (320.0, 0.5), (1e5, 0.1), (10.0, 1.5)])
def test_neighbours_pull_less_where_the_image_moves_farther(speed, strength):
    q = np.array([[speed, 0.0]] * 5)
    assert strength_of_coupling(q, np.ones(5), 0.05, 8.0) == pytest.approx(strength)
    assert strength_of_coupling(q, np.zeros(5), 0.05, 8.0) == 1.0


def test_the_median_is_that_of_the_weights():
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([5.0, 1.0, 1.0])) == 3.0
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])) == 2.0
    assert weighted_median(np.array([3.0]), np.array([0.0])) is None
