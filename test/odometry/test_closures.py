# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Loops: only closures that agree are believed, keyframes that are not known against each other stay apart."""

from itertools import pairwise

import numpy as np
import pytest

from event_perception.motion.lie import se3_exp, se3_inverse, se3_log
from event_perception.odometry.closure_check import Closure, ClosureCheck, agree
from event_perception.odometry.keyframe_graph import image_variance
from event_perception.odometry.pose_graph import RelativePose, create_pose_graph

STEP = np.diag([4e-4] * 3 + [1e-4] * 3)  # of a link: 2 cm and 10 mrad
SEEN = np.diag([1e-4] * 3 + [2.5e-5] * 3)  # of a closure: 1 cm and 5 mrad


def chain(rng, n=40):
    """True poses round a circle, and noisy links between them."""
    truth = [
        se3_exp([0, 0, 0, 0, a, 0]) @ se3_exp([0, 0, 1.5, 0, 0, 0]) for a in np.linspace(0, 2.1 * np.pi, n)
    ]
    noise = rng.standard_normal((n, 6)) * np.sqrt(np.diag(STEP))
    links = [RelativePose(se3_inverse(a) @ b @ se3_exp(e), STEP) for (a, b), e in zip(pairwise(truth), noise)]
    return truth, links


def way_along(links):
    def way(i, j):
        relative = RelativePose(np.eye(4), np.zeros((6, 6)))
        for link in links[min(i, j) : max(i, j)]:
            relative = relative.then(link)
        return relative if i <= j else relative.reversed()

    return way


def closure(truth, rng, old, new, error=0.0):
    noise = rng.standard_normal(6) * np.sqrt(np.diag(SEEN)) + error
    return Closure(old, new, RelativePose(se3_inverse(truth[old]) @ truth[new] @ se3_exp(noise), SEEN))


def test_three_true_closures_are_believed_with_the_third():
    rng = np.random.default_rng(0)
    truth, links = chain(rng)
    check, way = ClosureCheck(3), way_along(links)
    taken = [check.add(closure(truth, rng, old, old + 38), way) for old in (0, 0, 1)]
    assert [len(believed) for believed in taken] == [0, 0, 3]


def test_one_wrong_closure_among_true_ones_is_left_out():
    rng = np.random.default_rng(1)
    truth, links = chain(rng)
    check, way = ClosureCheck(3), way_along(links)
    wrong = closure(truth, rng, 0, 38, error=np.array([0.6, 0, 0.2, 0, 0.2, 0]))
    candidates = [closure(truth, rng, 0, 37), wrong, closure(truth, rng, 0, 38), closure(truth, rng, 1, 39)]
    *nothing, believed = [check.add(c, way) for c in candidates]
    assert nothing == [[], [], []]
    assert len(believed) == 3 and wrong not in believed


def test_wrong_closures_that_do_not_agree_are_never_believed():
    rng = np.random.default_rng(2)
    truth, links = chain(rng)
    check, way = ClosureCheck(2), way_along(links)
    errors = 0.3 * rng.standard_normal((12, 6))
    assert all(check.add(closure(truth, rng, 0, 38, e), way) == [] for e in errors)


def test_what_verification_spares_a_wrong_closure_would_spoil():
    rng = np.random.default_rng(3)
    truth, links = chain(rng)
    graphs = [create_pose_graph('sparse') for _ in range(2)]
    wrong = closure(truth, rng, 5, 25, error=np.array([1.0, 0, 0.5, 0, 0.5, 0]))
    true = closure(truth, rng, 0, 38)
    for graph, closures in zip(graphs, ([true], [true, wrong])):
        graph.begin(truth[0], 1e-10 * np.eye(6))
        for k, link in enumerate(links):
            graph.extend(k, link)
        for c in closures:
            graph.close(c.old, c.new, c.relative)
    far = [np.linalg.norm(g.poses()[:, :3, 3] - np.array(truth)[:, :3, 3], axis=1).max() for g in graphs]
    assert far[1] > 3 * far[0]


def test_agreement_holds_in_the_share_of_trials_that_the_limit_says():
    rng, agreed = np.random.default_rng(4), []
    for _ in range(200):
        truth, links = chain(rng)
        way = way_along(links)
        agreed.append(agree(closure(truth, rng, 0, 36), closure(truth, rng, 2, 39), way))
    assert 0.96 < np.mean(agreed) <= 1.0


def test_uncertainty_that_cancels_in_the_image_does_not_count():
    along_x, about_y = np.zeros(6), np.zeros(6)
    along_x[0], about_y[4] = 0.02, 0.01
    alike = np.outer(along_x - about_y, along_x - about_y)  # 2 cm at 2 m are 10 mrad, the other way round
    unlike = np.outer(along_x + about_y, along_x + about_y)
    shift = image_variance(np.diag(along_x**2), 2.0, 200.0)
    assert shift == pytest.approx(0.5 * 2.0**2)  # 2 px in one direction, none in the other
    assert image_variance(alike, 2.0, 200.0) < 0.1 * shift < shift < image_variance(unlike, 2.0, 200.0)


def test_a_way_there_and_back_is_as_uncertain_as_both_together():
    rng = np.random.default_rng(5)
    _, links = chain(rng, 5)
    way = way_along(links)
    ring = way(0, 4).then(way(4, 0))
    np.testing.assert_allclose(se3_log(ring.T), 0, atol=1e-12)
    assert np.trace(ring.covariance) > np.trace(way(4, 0).covariance) > np.trace(way(4, 1).covariance)
