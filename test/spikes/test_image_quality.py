# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image metrics against values of other programs and against what follows from their definitions."""

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.evaluation.image_quality import (
    flicker,
    gmsd,
    ms_ssim,
    psnr,
    psnr_gain_fitted,
    ssim,
)


@pytest.fixture(scope='module')
def pair():
    y, x = np.mgrid[:192, :200].astype(float)
    reference = 0.5 + 0.25 * np.sin(x / 7) * np.cos(y / 11) + 0.2 * ((x // 25 + y // 25) % 2)
    image = np.clip(reference + 0.08 * np.sin(1.7 * x + 2.3 * y) - 0.02 * np.cos(x * y / 300), 0, 1)
    return image, reference


def test_psnr_and_ssim_equal_those_of_scikit_image(pair):
    # scikit-image 0.26: gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
    assert psnr(*pair) == pytest.approx(24.69130399181725, abs=1e-9)
    assert ssim(*pair) == pytest.approx(0.5821814137133445, abs=1e-9)


def test_ms_ssim_and_gmsd_equal_a_plain_convolution_of_their_formulas(pair):
    # computed apart with scipy.signal.convolve2d
    assert ms_ssim(*pair) == pytest.approx(0.9641938446319789, abs=1e-9)
    assert gmsd(*pair) == pytest.approx(0.02732161287802443, abs=1e-9)


def test_equal_pictures_are_perfect(pair):
    _, reference = pair
    assert psnr(reference, reference) == float('inf')
    assert ssim(reference, reference) == pytest.approx(1)
    assert ms_ssim(reference, reference) == pytest.approx(1)
    assert gmsd(reference, reference) == pytest.approx(0, abs=1e-12)


def test_psnr_of_a_constant_error_of_a_tenth_is_twenty():
    reference = np.full((4, 4), 0.5)
    assert psnr(reference + 0.1, reference) == pytest.approx(20)
    assert psnr(np.full((4, 4), 7.0), np.ones((4, 4))) == float('inf')  # cut to [0, 1] first


def test_a_wrong_gain_costs_nothing_once_it_is_fitted(pair):
    _, reference = pair
    assert psnr(0.5 * reference, reference) < 12
    assert psnr_gain_fitted(0.5 * reference, reference) > 200


def test_flicker_counts_only_where_the_truth_stays():
    truth = np.zeros((3, 2, 2))
    truth[1:, 0, 0] = 0.5
    images = truth.copy()
    images[1, 1, 1] = 0.2
    # 7 pixel pairs stay; two of them change by 0.2
    assert flicker(images, truth) == pytest.approx(0.4 / 7)
    assert np.isnan(flicker(np.arange(2.0)[:, None, None], np.arange(2.0)[:, None, None]))


@pytest.mark.parametrize(
    'image, reference, message',
    [
        (np.zeros((4, 4)), np.zeros((4, 5)), 'cannot be compared'),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4)), 'dtype uint8'),
        (np.full((4, 4), np.nan), np.zeros((4, 4)), 'not finite'),
        (np.zeros((0, 4)), np.zeros((0, 4)), 'cannot be compared'),
    ],
)
def test_pictures_that_cannot_be_compared_are_errors(image, reference, message):
    with pytest.raises(DataError, match=message):
        psnr(image, reference)


def test_pictures_too_small_for_a_metric_are_errors():
    small = np.zeros((100, 170))
    with pytest.raises(DataError, match='at least 176 px'):
        ms_ssim(small, small)
    with pytest.raises(DataError, match='at least 11 px'):
        ssim(small[:10], small[:10])
