# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the derivatives of binning: exact calculus with kappa in place of k, to any order."""

import itertools

import pytest
import torch

from event_perception.binning import bin_events, bin_points, classic_bilinear
from event_perception.binning.autograd import Gather, Scatter
from event_perception.binning.kernels import RECONSTRUCTIONS, VOTES
from event_perception.binning.stencil import Stencil

PAIRS = list(itertools.product(VOTES, RECONSTRUCTIONS))
HEIGHT, WIDTH = 5, 6

# Torch itself calls torch.jit.script when forward mode is first used.
pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit.script.*:DeprecationWarning')


def _random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _inputs(n=6):
    """Points in and around the image, borders included; weights of both signs; a cotangent."""
    points = _random(n, 2) * torch.tensor([WIDTH + 3.0, HEIGHT + 3.0]) - 2
    return points, _random(n, seed=1) - 0.3, _random(HEIGHT, WIDTH, seed=2) - 0.5


def _smooth_binning(kernel, reconstruction):
    """Binning with kappa itself as the vote: an ordinary smooth function, which differences can check."""
    stencil = Stencil((HEIGHT, WIDTH), kernel, reconstruction)
    return lambda p, w: Scatter.apply(p[None], w[None, None], stencil, ((0, 0),))[0]


def _image(points, weights, pair):
    return bin_events(points, weights, height=HEIGHT, width=WIDTH, kernel=pair[0], reconstruction=pair[1])


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_with_kappa_as_the_vote_ordinary_differences_agree(pair):
    points, weights, _ = _inputs()
    points.requires_grad_()
    weights.requires_grad_()
    smooth = _smooth_binning(*pair)
    assert torch.autograd.gradcheck(smooth, (points, weights), check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(smooth, (points, weights), fast_mode=True)


@pytest.mark.parametrize('pair', [('rect', 'cubic'), ('bilinear', 'linear')], ids='/'.join)
def test_every_column_of_the_jacobian_agrees_with_differences(pair):
    points, weights, _ = _inputs(4)
    points.requires_grad_()
    smooth = _smooth_binning(*pair)
    assert torch.autograd.gradcheck(smooth, (points, weights), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(smooth, (points, weights))


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_the_derivative_of_the_image_is_that_of_the_smooth_one(pair):
    points, weights, v = _inputs(20)
    smooth = _smooth_binning(*pair)
    hard_gradient = torch.func.grad(lambda p: (v * _image(p, weights, pair)).sum())(points)
    soft_gradient = torch.func.grad(lambda p: (v * smooth(p, weights)).sum())(points)
    torch.testing.assert_close(hard_gradient, soft_gradient, rtol=0, atol=1e-14)
    assert hard_gradient.abs().max() > 0.01


@pytest.mark.parametrize('kernel', VOTES)
def test_the_derivative_in_the_weights_is_exact_and_uses_the_vote_itself(kernel):
    points, weights, _ = _inputs()
    weights.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w: _image(points, w, (kernel, 'linear')), weights, check_forward_ad=True
    )


@pytest.mark.parametrize('reconstruction', [*RECONSTRUCTIONS, None, 'straight_through', 'sigmoid'])
@pytest.mark.parametrize('kernel', VOTES)
def test_forward_and_reverse_derivatives_are_adjoint(kernel, reconstruction):
    points, weights, v = _inputs(30)
    d_points, d_weights = _random(30, 2, seed=5), _random(30, seed=6)
    image = lambda p, w: _image(p, w, (kernel, reconstruction))  # noqa: E731
    _, forward = torch.func.jvp(image, (points, weights), (d_points, d_weights))
    _, pull = torch.func.vjp(image, points, weights)
    by_points, by_weights = pull(v)
    torch.testing.assert_close(
        (v * forward).sum(), (by_points * d_points).sum() + (by_weights * d_weights).sum(), rtol=0, atol=1e-13
    )


def test_adjointness_in_three_axes():
    points, v = _random(40, 3) * 8 - 2, _random(3, 4, 5, seed=1)
    d_points = _random(40, 3, seed=2)
    grid = lambda p: bin_points(p, sizes=(3, 4, 5), kernel='gaussian', reconstruction='cubic')  # noqa: E731
    _, forward = torch.func.jvp(grid, (points,), (d_points,))
    (back,) = torch.func.vjp(grid, points)[1](v)
    torch.testing.assert_close((v * forward).sum(), (back * d_points).sum(), rtol=0, atol=1e-13)


def test_all_ways_to_a_second_derivative_agree():
    points, weights, v = _inputs(30)

    def loss(p, w):
        return ((_image(p, w, ('bilinear', 'linear')) - v) ** 2).sum()

    direction = (_random(30, 2, seed=7) - 0.5, _random(30, seed=8) - 0.5)

    def along(p, w):
        """First derivative along the direction, in reverse."""
        gradient = torch.func.grad(loss, (0, 1))(p, w)
        return sum((g * d).sum() for g, d in zip(gradient, direction))

    reverse_reverse = sum(
        (g * d).sum() for g, d in zip(torch.func.grad(along, (0, 1))(points, weights), direction)
    )
    forward_reverse = torch.func.jvp(along, (points, weights), direction)[1]
    forward_forward = torch.func.jvp(
        lambda p, w: torch.func.jvp(loss, (p, w), direction)[1], (points, weights), direction
    )[1]
    p, w = points.clone().requires_grad_(), weights.clone().requires_grad_()
    gradient = torch.autograd.grad(loss(p, w), (p, w), create_graph=True)
    second = torch.autograd.grad(sum((g * d).sum() for g, d in zip(gradient, direction)), (p, w))
    plain = sum((g * d).sum() for g, d in zip(second, direction))
    for value in (forward_reverse, forward_forward, plain):
        torch.testing.assert_close(value, reverse_reverse, rtol=1e-12, atol=0)


def test_hessian_of_a_motion_parameter_by_all_means_of_torch():
    points, weights, _ = _inputs(30)

    def loss(velocity):
        return (_image(points + velocity * points.flip(-1) / 10, weights, ('bilinear', 'linear')) ** 2).sum()

    velocity = torch.tensor([0.1, 0.2], dtype=torch.float64)
    hessian = torch.func.hessian(loss)(velocity)
    assert hessian[0, 1] == pytest.approx(hessian[1, 0].item(), rel=1e-12)
    assert hessian.abs().min() > 0.01
    for other in (
        torch.func.jacrev(torch.func.jacrev(loss))(velocity),
        torch.func.jacfwd(torch.func.jacfwd(loss))(velocity),
        torch.autograd.functional.hessian(loss, velocity),
    ):
        torch.testing.assert_close(other, hessian, rtol=1e-12, atol=1e-13)


def test_mapping_over_points_weights_or_both_equals_a_loop():
    points = _random(3, 8, 2) * 5
    weights = _random(3, 8, seed=1)
    one = lambda p, w: _image(p, w, ('rect', 'linear'))  # noqa: E731
    loop = torch.stack([one(points[i], weights[i]) for i in range(3)])
    assert torch.equal(torch.func.vmap(one)(points, weights), loop)
    assert torch.equal(
        torch.func.vmap(one, in_dims=(1, 1))(points.movedim(0, 1), weights.movedim(0, 1)), loop
    )
    same_points = torch.func.vmap(one, in_dims=(None, 0))(points[0], weights)
    assert torch.equal(same_points, torch.stack([one(points[0], weights[i]) for i in range(3)]))
    square = lambda p, w: (one(p, w) ** 2).sum()  # noqa: E731
    per_sample = torch.func.vmap(torch.func.grad(square))(points, weights)
    expected = torch.stack([torch.func.grad(square)(points[i], weights[i]) for i in range(3)])
    torch.testing.assert_close(per_sample, expected, rtol=0, atol=1e-15)


def test_single_precision_follows_double():
    points, weights, v = _inputs(50)
    for pair in PAIRS:
        gradient = lambda p, w, t: torch.func.grad(lambda q: ((_image(q, w, pair) - t) ** 2).sum())(p)  # noqa: B023, E731
        double, single = gradient(points, weights, v), gradient(points.float(), weights.float(), v.float())
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), double, rtol=0, atol=2e-5)


def test_without_reconstruction_the_gradient_is_the_raw_one():
    points, weights, v = _inputs(50)
    loss = lambda binning: lambda p: ((binning(p) - v) ** 2).sum()  # noqa: E731
    raw = torch.func.grad(loss(lambda p: _image(p, weights, ('bilinear', None))))(points)
    classic = torch.func.grad(loss(lambda p: classic_bilinear(p, weights, height=HEIGHT, width=WIDTH)))(
        points
    )
    torch.testing.assert_close(raw, classic, rtol=0, atol=1e-13)
    assert raw.abs().max() > 0.1
    assert not torch.func.grad(loss(lambda p: _image(p, weights, ('rect', None))))(points).any()


def test_raw_bilinear_has_no_curvature_along_an_axis_but_functional_backpropagation_has():
    point = torch.tensor([[2.3, 1.6]], dtype=torch.float64)
    v = _random(HEIGHT, WIDTH)
    curvature = lambda r: torch.func.hessian(lambda p: (v * _image(p, None, ('bilinear', r))).sum())(point)  # noqa: E731
    raw, weak = curvature(None)[0, :, 0, :], curvature('linear')[0, :, 0, :]
    assert raw[0, 0] == 0
    assert raw[1, 1] == 0
    assert raw[0, 1] != 0
    assert weak[0, 0].abs() > 0.01


def test_an_event_just_outside_still_feels_the_image():
    v = torch.zeros((HEIGHT, WIDTH), dtype=torch.float64)
    v[2, 0] = 1.0
    for x, expected in ((-0.8, 0.7), (-1.2, 0.3), (-1.51, 0.0)):
        p = torch.tensor([[x, 2.0]], dtype=torch.float64, requires_grad=True)
        image = _image(p, None, ('rect', 'linear'))
        assert not image.any()
        (gradient,) = torch.autograd.grad((v * image).sum(), p)
        assert gradient[0, 0].item() == pytest.approx(expected * 0.75, abs=1e-12)


def test_third_derivatives_exist():
    points, smooth = _random(5, 2) * 3 + 1, _smooth_binning('bilinear', 'cubic')

    def scaled(s):
        return (smooth(points * s, torch.ones(5, dtype=torch.float64)) ** 2).sum()

    one, h = torch.tensor(1.03, dtype=torch.float64), 1e-5
    second = torch.func.grad(torch.func.grad(scaled))
    third = torch.func.grad(second)(one)
    assert third.item() == pytest.approx(((second(one + h) - second(one - h)) / (2 * h)).item(), rel=1e-6)


def test_gather_is_the_adjoint_of_scatter_for_several_orders_at_once():
    stencil = Stencil((HEIGHT, WIDTH), 'gaussian', 'linear')
    orders = ((1, 0), None, (0, 2), (1, 0))
    points, amounts, v = (
        _random(1, 30, 2) * 8 - 2,
        _random(4, 1, 30, seed=1),
        _random(1, HEIGHT, WIDTH, seed=2),
    )
    scattered, gathered = (
        Scatter.apply(points, amounts, stencil, orders),
        Gather.apply(points, v, stencil, orders),
    )
    torch.testing.assert_close((scattered * v).sum(), (amounts * gathered).sum(), rtol=1e-13, atol=0)
