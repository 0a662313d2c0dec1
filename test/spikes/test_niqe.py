# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""NIQE orders pictures by naturalness, its parts recover what they estimate; LPIPS is there only if installed."""

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from event_perception.errors import DataError, PluginError
from event_perception.evaluation import lpips_distance
from event_perception.evaluation import niqe as metric
from event_perception.evaluation.niqe_fit import fit
from event_perception.learning.pictures import own_pictures
from event_perception.simulation.moving_picture import noise_picture


def test_blur_and_noise_make_a_picture_less_natural():
    picture = noise_picture(99, height=192, width=288)
    noise = np.random.default_rng(0).standard_normal(picture.shape).astype(np.float32)
    clean = metric.niqe(picture)
    blurred = [metric.niqe(cv2.GaussianBlur(picture, (0, 0), s)) for s in (1, 2)]
    noisy = [metric.niqe(picture + s * noise) for s in (0.03, 0.1)]
    assert clean < 3
    assert 2 * clean < blurred[0] < blurred[1] and clean + 1 < noisy[0] < noisy[1]


def test_the_asymmetric_gaussian_recovers_its_shape_and_widths():
    rng = np.random.default_rng(1)
    magnitude = rng.gamma(1 / 1.5, size=(1, 500, 500)) ** (1 / 1.5)  # |x| of shape 1.5 and width 1
    right = rng.random(magnitude.shape) < 0.5 / 0.8  # sides have mass in proportion to their widths
    x = np.where(right, 0.5 * magnitude, -0.3 * magnitude)
    shape, left_width, right_width = metric.asymmetric_gaussian(x)
    assert (shape[0], left_width[0], right_width[0]) == pytest.approx((1.5, 0.3, 0.5), rel=0.02)


def test_a_picture_has_36_features_for_each_whole_patch():
    features, sharpness = metric.patch_features(noise_picture(3, height=200, width=300))
    assert features.shape == (6, 36) and sharpness.shape == (6,)
    assert np.isfinite(features).all() and (sharpness > 0).all()


def test_normalised_brightness_does_not_depend_on_brightness_nor_much_on_contrast():
    picture = noise_picture(4, height=96, width=96).astype(np.float64)
    whole, _ = metric.normalise(picture)
    dim, _ = metric.normalise(0.5 * picture + 0.2)
    assert np.corrcoef(whole.ravel(), dim.ravel())[0, 1] > 0.99


def test_the_model_of_the_package_is_a_gaussian():
    model = metric.own_model()
    assert model.mean.shape == (36,)
    np.testing.assert_allclose(model.covariance, model.covariance.T)
    assert np.linalg.eigvalsh(model.covariance).min() > 0


def test_a_fit_to_pictures_finds_such_pictures_natural():
    model = fit(own_pictures(11, 12, 288))
    assert metric.niqe(own_pictures(12, 2, 288)[1], model) < 10
    with pytest.raises(DataError, match='too few'):
        fit(own_pictures(11, 1, 192))


@pytest.mark.parametrize(
    'picture', [np.zeros((95, 300)), np.zeros((96, 96)), np.zeros((3, 96, 192)), np.zeros((96, 192), int)]
)
def test_a_picture_that_cannot_be_judged_is_refused(picture):
    with pytest.raises(DataError):
        metric.niqe(picture)


def test_a_flat_picture_has_a_finite_score():
    assert np.isfinite(metric.niqe(np.full((96, 192), 0.5)))


def test_lpips_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'lpips', None)
    lpips_distance._network.cache_clear()
    with pytest.raises(PluginError, match='torchvision'):
        lpips_distance.lpips(np.zeros((8, 8)), np.zeros((8, 8)))


def test_lpips_is_given_three_channels_from_minus_one_to_one(monkeypatch):
    class Network(torch.nn.Module):
        def forward(self, x, y):
            assert x.shape == y.shape == (1, 3, 8, 9)
            return (x - y).abs().max().reshape(1, 1, 1, 1)

    package = SimpleNamespace(LPIPS=lambda net, verbose: Network())
    monkeypatch.setitem(sys.modules, 'lpips', package)
    lpips_distance._network.cache_clear()
    assert lpips_distance.lpips(np.ones((8, 9)), np.zeros((8, 9))) == 2
    lpips_distance._network.cache_clear()
