# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the objective without own votes: every event sees the image without itself."""

import numpy as np
import pytest
import torch

from event_perception.binning import bin_points, leave_one_out_variance, own_mean_square, own_vote_terms
from event_perception.errors import ConfigError

SIZES = (7, 9)
PAIRS = [('rect', 'linear'), ('bilinear', 'cubic'), ('gaussian', 'lanczos2'), ('rect', 'straight_through')]


def _events(n=25):
    generator = torch.Generator().manual_seed(1)
    points = torch.rand((n, 2), generator=generator, dtype=torch.float64) * torch.tensor([13.0, 11.0]) - 2.5
    return points, torch.randn(n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_the_gradient_is_that_with_the_cotangent_of_all_other_events(pair):
    points, weights = _events()
    options = {'sizes': SIZES, 'kernel': pair[0], 'reconstruction': pair[1]}
    gradient = torch.func.grad(lambda p: leave_one_out_variance(p, weights, **options))(points)
    for n in range(len(points)):
        others = torch.arange(len(points)) != n
        image = bin_points(points[others], weights[others], **options)
        cotangent = 2 * (image - image.mean()) / image.numel()
        own = torch.func.grad(lambda p: (cotangent * bin_points(p, weights[n : n + 1], **options)).sum())  # noqa: B023
        torch.testing.assert_close(gradient[n : n + 1], own(points[n : n + 1]), rtol=0, atol=1e-15)


def test_the_value_is_the_sum_over_pairs_of_events():
    points, weights = _events(6)
    images = bin_points(points[:, None], weights[:, None], sizes=SIZES).flatten(1)
    n_bins = images.shape[1]
    pairs = 0.0
    for a in range(6):
        for b in range(6):
            if a != b:
                pairs += (images[a] * images[b]).sum() / n_bins - images[a].sum() * images[
                    b
                ].sum() / n_bins**2
    torch.testing.assert_close(
        leave_one_out_variance(points, weights, sizes=SIZES), pairs, rtol=0, atol=1e-15
    )


def test_one_event_alone_has_no_gradient_and_no_curvature():
    point = torch.tensor([[3.2, 2.9]], dtype=torch.float64)
    hessian = torch.func.hessian(lambda p: leave_one_out_variance(p, sizes=SIZES, kernel='rect'))(point)
    gradient = torch.func.grad(lambda p: leave_one_out_variance(p, sizes=SIZES, kernel='rect'))(point)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-16)
    torch.testing.assert_close(hessian, torch.zeros_like(hessian), rtol=0, atol=1e-15)


def test_terms_of_rect_linear_are_the_polynomials_derived_by_hand():
    table = own_vote_terms('rect', 'linear')
    np.testing.assert_allclose(
        table,
        [
            [0.5, 1, -1, 0, 0],
            [1, -2, 0, 0, 0],
            [-2, 0, 0, 0, 0],
            [0.5, 0, 1.5, -3, 1.5],
            [0, 1.5, -4.5, 3, 0],
            [2, -6, 6, 0, 0],
        ],
        rtol=0,
        atol=1e-15,
    )


@pytest.mark.parametrize(
    'pair', [('rect', 'cubic'), ('bilinear', 'linear'), ('gaussian', 'lanczos2')], ids='/'.join
)
def test_terms_give_gradient_and_hessian_of_the_diagonal_inside_the_image(pair):
    sizes, weight = (20, 20), 1.7
    point = torch.tensor([[9.31, 8.84]], dtype=torch.float64)
    weights = torch.tensor([weight], dtype=torch.float64)

    def own(p):
        return own_mean_square(p, weights, sizes=sizes, kernel=pair[0], reconstruction=pair[1])

    gradient = torch.func.grad(own)(point)[0].numpy()
    hessian = torch.func.hessian(own)(point)[0, :, 0].numpy()
    shift = 0.0 if pair[0] == 'bilinear' else 0.5
    r = (point[0].numpy() + shift) % 1.0
    b, a, c, p, e, q = ([np.polyval(row[::-1], v) for v in r] for row in own_vote_terms(*pair))
    scale = 2 * weight**2 / 400
    np.testing.assert_allclose(gradient, [scale * a[0] * b[1], scale * b[0] * a[1]], rtol=1e-10)
    np.testing.assert_allclose(hessian[0, 0], scale * (c[0] * b[1] + q[0] * p[1]), rtol=1e-10)
    np.testing.assert_allclose(hessian[1, 1], scale * (b[0] * c[1] + p[0] * q[1]), rtol=1e-10)
    np.testing.assert_allclose(hessian[0, 1], scale * (a[0] * a[1] + e[0] * e[1]), rtol=1e-10)


def test_terms_need_one_cell_for_votes_and_taps():
    with pytest.raises(ConfigError, match='votes and taps have different cells'):
        own_vote_terms('rect', 'straight_through')
