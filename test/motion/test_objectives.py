# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every objective promises."""

import numpy as np
import pytest

from event_perception.errors import ConfigError
from event_perception.motion.objectives import OBJECTIVES
from event_perception.motion.objectives.negative_binomial import NegativeBinomial

H = 1e-5


@pytest.fixture(params=OBJECTIVES.names())
def objective(request):
    return OBJECTIVES.load(request.param)()


@pytest.fixture
def image():
    return np.random.default_rng(5).uniform(0.2, 4.0, (7, 9))


@pytest.fixture
def directions():
    return np.random.default_rng(6).normal(size=(3, 7, 9))


def test_the_cotangent_is_the_derivative_of_the_value(objective, image, directions):
    v = objective.cotangent(image, 50.0)
    for e in directions:
        numeric = (objective.value(image + H * e, 50.0) - objective.value(image - H * e, 50.0)) / (2 * H)
        assert (v * e).sum() == pytest.approx(numeric, rel=1e-6)


def test_the_curvature_is_the_derivative_of_the_cotangent(objective, image, directions):
    C = objective.curvature(image, directions, 50.0)
    for k, e in enumerate(directions):
        change = objective.cotangent(image + H * e, 50.0) - objective.cotangent(image - H * e, 50.0)
        numeric = [(change * other).sum() / (2 * H) for other in directions]
        np.testing.assert_allclose(C[k], numeric, rtol=1e-5, atol=1e-8)


def test_a_sharp_image_is_better_than_a_flat_one(objective):
    flat, sharp = np.full((8, 8), 1.0), np.zeros((8, 8))
    sharp[2:4, 2:4] = 16.0
    assert objective.value(sharp, 64.0) < objective.value(flat, 64.0)


def test_variance_counts_the_neighbours_of_an_event():
    # 20 events in each of 5 of 1000 bins: an event has 20 neighbours, less the mean of 0.1
    image = np.zeros((10, 100))
    image[0, :5] = 20.0
    assert OBJECTIVES.load('variance')().value(image, 100.0) == pytest.approx(-(20.0 - 0.1))


def test_the_negative_binomial_is_that_of_scipy():
    from scipy.stats import nbinom

    counts = np.array([[0.0, 3.0], [1.0, 7.0]])
    q = (11 / 4) / (11 / 4 + 0.5)
    expected = -nbinom.logpmf(counts, 0.5, 1 - q).sum() / 11
    assert NegativeBinomial(0.5).value(counts, 11.0) == pytest.approx(expected, rel=1e-12)


def test_a_shape_that_is_not_positive_is_refused():
    with pytest.raises(ConfigError, match='shape=0'):
        NegativeBinomial(0.0)
