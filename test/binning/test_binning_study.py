# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What functional backpropagation buys: derivatives that agree with differences over long steps."""

import numpy as np
import pytest

from event_perception.evaluation.binning_study import (
    long_range_errors,
    main,
    path_integral_errors,
    translation_accuracy,
)
from event_perception.evaluation.binning_study_scene import Translation, Variance


def _long_range(kernel, reconstruction, correction='none', n_scenes=1):
    return long_range_errors((kernel, reconstruction), correction, (0.7,), bin_px=2.0, n_scenes=n_scenes)[0]


@pytest.mark.parametrize(('kernel', 'largest'), [('rect', 0.06), ('bilinear', 0.005), ('gaussian', 0.04)])
def test_the_path_integral_of_the_derivative_is_the_difference_of_values(kernel, largest):
    errors = path_integral_errors((kernel, 'linear'), period=32.0)
    assert np.sqrt(np.mean(errors**2)) <= largest
    assert abs(errors.mean()) <= 0.01


def test_long_range_differences_of_the_variance_agree_with_weak_derivatives_not_with_raw_ones():
    raw, weak = _long_range('bilinear', None), _long_range('bilinear', 'linear')
    assert weak <= 0.2
    assert weak <= raw / 3
    assert _long_range('gaussian', 'linear') <= 0.1


def test_short_range_differences_agree_with_the_raw_derivative():
    """So a classic gradient check of the variance must fail, by design, for weak derivatives."""
    near = lambda reconstruction: long_range_errors(('bilinear', reconstruction), 'none', (0.01,), 2.0, 1)[0]  # noqa: E731
    assert near(None) <= 0.03
    assert near('linear') >= 0.2


def test_without_own_votes_the_rect_gradient_comes_closer_to_long_range_differences():
    plain, corrected = (_long_range('rect', 'linear', c, n_scenes=4) for c in ('none', 'own vote'))
    assert corrected <= 0.85 * plain


def test_own_votes_are_what_makes_the_estimate_depend_on_the_pixel_grid():
    plain, _ = translation_accuracy(('bilinear', 'linear'), 'none', 1.0, 20_000, 4)
    corrected, _ = translation_accuracy(('bilinear', 'linear'), 'own vote', 1.0, 20_000, 4)
    assert corrected <= 0.7 * plain


@pytest.mark.parametrize('correction', ['none', 'own vote'])
def test_at_the_truth_the_hessian_is_symmetric_and_negative(correction):
    scene = Translation(0, n_events=3000)
    objective = Variance(scene, ('bilinear', 'linear'), 2.0, correction)
    gradient, hessian = objective.derivatives(scene.velocity_px_s)
    np.testing.assert_allclose(gradient, objective.gradient(scene.velocity_px_s), rtol=1e-12)
    assert hessian[0, 1] == pytest.approx(hessian[1, 0], rel=1e-10)
    assert np.linalg.eigvalsh(hessian).max() < 0  # at the truth the variance is near its maximum


def test_the_command_writes_the_table_that_is_asked_for(capsys):
    assert main(['sine']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == 'sine'
    assert lines[3] == '| pair | L=4 | L=8 | L=16 | L=32 |'
    assert len(lines) == 5 + 13
    with pytest.raises(SystemExit):
        main(['cosine'])
