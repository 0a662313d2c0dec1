# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose graphs: both solvers find the same optimum, and what they say of their certainty is so."""

import sys
from itertools import pairwise

import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError
from event_perception.motion.lie import se3_exp, se3_inverse, se3_log
from event_perception.odometry import pose_graph
from event_perception.odometry.pose_graph import RelativePose, create_pose_graph

ROUND = 24  # nodes of a round
STD = np.array([0.01, 0.01, 0.01, 0.004, 0.004, 0.004])
GAUGE = 1e-8 * np.eye(6)


@pytest.fixture(params=['sparse', 'gtsam'])
def solver(request):
    if request.param == 'gtsam':
        pytest.importorskip('gtsam')
    return request.param


def round_trip(n=ROUND):
    """True poses on a circle, looking outwards; the last is the first again."""
    angle = np.linspace(0, 2 * np.pi, n + 1)
    turn = [np.array([0, 0, 0, 0, a, 0.0]) for a in angle]
    return [se3_exp(t) @ se3_exp([0, 0, 1.5, 0.05 * np.sin(3 * a), 0, 0]) for t, a in zip(turn, angle)]


def built(solver, rng, scale=1.0, closing=()):
    """A graph of a noisy round, with closures of node pairs, noisy too."""
    truth, graph = round_trip(), create_pose_graph(solver)
    graph.begin(truth[0], GAUGE)
    for k, (a, b) in enumerate(pairwise(truth)):
        graph.extend(k, measured(a, b, rng, scale))
    for i, j in closing:
        graph.close(i, j, measured(truth[i], truth[j], rng, 0.5 * scale))
    return graph, truth


def measured(a, b, rng, scale=1.0):
    error = scale * STD * rng.standard_normal(6)
    return RelativePose(se3_inverse(a) @ b @ se3_exp(error), np.diag((max(scale, 1e-3) * STD) ** 2))


def test_without_closures_poses_are_chained(solver):
    graph, truth = built(solver, np.random.default_rng(0), scale=0.0)
    np.testing.assert_allclose(graph.poses(), truth, atol=1e-9)


def test_a_closure_takes_the_drift_of_a_round_away(solver):
    rng = np.random.default_rng(3)
    alone, truth = built(solver, rng, scale=3.0)
    closed, _ = built(solver, np.random.default_rng(3), scale=3.0, closing=[(0, ROUND), (1, ROUND - 1)])
    error = [np.linalg.norm(g.poses()[-1][:3, 3] - truth[-1][:3, 3]) for g in (alone, closed)]
    assert error[0] > 0.15 and error[1] < 0.05
    half = [np.linalg.norm(g.poses()[ROUND // 2][:3, 3] - truth[ROUND // 2][:3, 3]) for g in (alone, closed)]
    assert half[1] < half[0]


def test_both_solvers_find_the_same_poses_and_covariances():
    pytest.importorskip('gtsam')
    closing = [(0, ROUND), (2, ROUND - 1), (1, 9)]
    graphs = [built(s, np.random.default_rng(7), 2.0, closing)[0] for s in ('sparse', 'gtsam')]
    sparse, isam = (g.poses() for g in graphs)
    np.testing.assert_allclose(sparse, isam, atol=2e-5)
    for node in (0, 5, ROUND):
        np.testing.assert_allclose(
            graphs[0].covariance(node), graphs[1].covariance(node), rtol=2e-3, atol=1e-7
        )


def test_covariances_are_those_of_many_trials(solver):
    node, errors = ROUND // 2, []
    trials = 200 if solver == 'gtsam' else 60
    rng = np.random.default_rng(1)
    for _ in range(trials):
        graph, truth = built(solver, rng, closing=[(0, ROUND)])
        errors.append(se3_log(se3_inverse(truth[node]) @ graph.poses()[node]))
    told = graph.covariance(node)
    worth = np.einsum('ni,ij,nj->n', errors, np.linalg.inv(told), errors)
    assert np.mean(worth) == pytest.approx(6.0, abs=5 * np.sqrt(12 / trials))
    assert np.trace(np.cov(np.array(errors).T)) == pytest.approx(np.trace(told), rel=0.25)


def test_nodes_that_come_after_a_closure_are_chained_on(solver):
    graph, _ = built(solver, np.random.default_rng(3), 1.0, closing=[(0, ROUND)])
    end = graph.poses()[-1]
    node = graph.extend(ROUND, RelativePose(se3_exp([0.1, 0, 0, 0, 0, 0]), 1e-6 * np.eye(6)))
    np.testing.assert_allclose(graph.poses()[node], end @ se3_exp([0.1, 0, 0, 0, 0, 0]), atol=1e-6)


def test_rounding_does_not_grow_along_a_chain_of_inverses(solver):
    graph, T = create_pose_graph(solver), se3_exp([1.0, 2.0, 3.0, 0.3, -1.0, 0.4])
    graph.begin(T, GAUGE)
    for k in range(120):
        T = T @ se3_exp([0.1, 0, 0, 0.1, 0.02, 0.05])
        back = se3_inverse(graph.poses()[k])
        graph.extend(k, RelativePose(back @ T, np.diag(STD**2)))
    np.testing.assert_allclose(graph.poses()[-1], T, atol=1e-9)


def test_a_relative_pose_composed_with_its_reverse_is_nothing():
    relative = RelativePose(se3_exp([0.3, -0.1, 0.2, 0.2, 0.4, -0.3]), np.diag(STD**2))
    np.testing.assert_allclose(relative.then(relative.reversed()).T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(relative.reversed().reversed().covariance, relative.covariance, atol=1e-15)


def test_a_covariance_that_is_none_is_an_error(solver):
    graph = create_pose_graph(solver)
    graph.begin(np.eye(4), GAUGE)
    for wrong in (np.zeros((6, 6)), np.full((6, 6), np.nan), np.eye(3), -np.eye(6)):
        with pytest.raises(DataError, match='positive definite'):
            graph.extend(0, RelativePose(np.eye(4), wrong))
    with pytest.raises(DataError, match='node 4 of a pose graph with 1 nodes'):
        graph.close(0, 4, RelativePose(np.eye(4), np.eye(6)))
    with pytest.raises(DataError, match='begins'):
        graph.begin(np.eye(4), GAUGE)


def test_a_solver_that_throws_is_built_anew():
    pytest.importorskip('gtsam')
    graph, _ = built('gtsam', np.random.default_rng(3), 1.0, closing=[(0, ROUND)])
    before = graph.poses()

    class Broken:
        def update(self, *new):
            raise RuntimeError('Indeterminate linear system detected')

    graph._isam = Broken()
    node = graph.extend(3, RelativePose(np.eye(4), 1e-4 * np.eye(6)))
    np.testing.assert_allclose(graph.poses()[:node], before, atol=1e-6)
    np.testing.assert_allclose(graph.poses()[node], before[3], atol=1e-6)


def test_without_gtsam_the_reduced_form_says_so_once_and_asking_for_it_is_an_error(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, 'gtsam', None)
    monkeypatch.setattr(pose_graph, 'gtsam_is_there', lambda: False)
    pose_graph._say_reduced.cache_clear()
    for _ in range(2):
        assert type(create_pose_graph('auto')).__name__ == 'SparsePoseGraph'
    assert [r.message for r in caplog.records if 'GTSAM is not installed' in r.message] == [
        caplog.records[0].message
    ]
    with pytest.raises(ConfigError, match=r'event_perception\[slam\]'):
        create_pose_graph('gtsam')
