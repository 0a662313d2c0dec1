# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the taps: they are the convolution, its derivatives, and they reproduce straight lines."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import sici

from event_perception.binning.kernels import (
    GAUSSIAN_MASS,
    LANCZOS_MASS,
    RECONSTRUCTION_REACH,
    RECONSTRUCTIONS,
    VOTES,
    reconstruction_kernel,
    vote_kernel,
)
from event_perception.binning.taps import taps
from event_perception.errors import ConfigError

PAIRS = list(itertools.product(VOTES, RECONSTRUCTIONS))
LINEAR_PAIRS = [pair for pair in PAIRS if pair[1] != 'lanczos2']  # whose reconstruction reproduces lines
R = np.linspace(0.0, 1.0, 41)[:-1] + 0.0077

# At r = 1/4, from the lowest offset: kappa, kappa', kappa''. Derived separately from the code.
CHECK_VALUES = {
    ('rect', 'linear'): (
        [0.28125, 0.6875, 0.03125],
        [-0.75, 0.5, 0.25],
        [1.0, -2.0, 1.0],
    ),
    ('bilinear', 'linear'): (
        [0.0703125, 0.6119791666667, 0.3151041666667, 0.0026041666667],
        [-0.28125, -0.40625, 0.65625, 0.03125],
        [0.75, -1.25, 0.25, 0.25],
    ),
    ('gaussian', 'linear'): (
        [0.059736361, 0.330817891, 0.414439472, 0.189721938, 0.005284338],
        [-0.184467691, -0.244993480, 0.088222926, 0.296405352, 0.044832893],
        [0.347578991, -0.248857724, -0.334204212, 0.024665629, 0.210817315],
    ),
    ('rect', 'cubic'): (
        [-0.030761719, 0.292317708, 0.755533854, -0.014973958, -0.002115885],
        [0.0703125, -0.9375, 0.640625, 0.25, -0.0234375],
        [0.09375, 0.875, -2.1875, 1.375, -0.15625],
    ),
    ('rect', 'lanczos2'): (
        [-0.031343475, 0.296652293, 0.762991170, -0.017042528, -0.001467620],
        [0.084724804, -0.962078875, 0.642007394, 0.253251863, -0.017905185],
        [0.075485353, 0.859922843, -2.149235556, 1.358441947, -0.144614587],
    ),
}


def _convolution(kernel, reconstruction, x):
    """(l * k)(x) by Gauss-Legendre between all knots: an independent way to the same number."""
    reach = VOTES[kernel].reach
    knots = [-reach, 0.0, reach, *(x + np.arange(-2.0, 3.0))]
    nodes, weights = np.polynomial.legendre.leggauss(40)
    total = 0.0
    for a, b in itertools.pairwise(sorted(k for k in knots if -reach <= k <= reach)):
        t = 0.5 * (a + b) + 0.5 * (b - a) * nodes
        total += (
            0.5
            * (b - a)
            * np.sum(weights * vote_kernel(kernel, t) * reconstruction_kernel(reconstruction, x - t))
        )
    return total


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_kappa_is_the_convolution_of_vote_and_reconstruction(pair):
    side = taps(*pair)
    values = side.evaluate(R[::6])[0]
    expected = [[_convolution(*pair, r - side.shift - o) for o in side.offsets] for r in R[::6]]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_the_taps_cover_the_whole_support(pair):
    reach = VOTES[pair[0]].reach + RECONSTRUCTION_REACH[pair[1]]
    assert taps(*pair).n_taps == 2 * reach
    edges = taps(*pair).evaluate(np.array([0.0, 1.0]))[:2]
    np.testing.assert_allclose([edges[:, 0, -1], edges[:, 1, 0]], 0.0, rtol=0, atol=1e-14)


@pytest.mark.parametrize('pair', CHECK_VALUES, ids='/'.join)
def test_values_at_a_quarter(pair):
    values = taps(*pair).evaluate(np.array([0.25]))[:, 0]
    np.testing.assert_allclose(values, CHECK_VALUES[pair], rtol=0, atol=6e-10)


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_derivatives_agree_with_differences_of_kappa(pair):
    side, h = taps(*pair), 1e-4
    lower, value, upper = side.evaluate(R - h), side.evaluate(R), side.evaluate(R + h)
    fine_lower, fine_upper = side.evaluate(R - h / 2), side.evaluate(R + h / 2)
    difference = (4 * (fine_upper - fine_lower) / h - (upper - lower) / (2 * h)) / 3  # Richardson
    np.testing.assert_allclose(difference[:2], value[1:], rtol=0, atol=1e-8)


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_kappa_and_its_slope_are_continuous_across_cells(pair):
    ends = taps(*pair).evaluate(np.array([0.0, 1.0]))
    np.testing.assert_allclose(ends[:2, 1, 1:], ends[:2, 0, :-1], rtol=0, atol=2e-14)


@pytest.mark.parametrize('pair', LINEAR_PAIRS, ids='/'.join)
def test_a_linear_cotangent_is_reproduced_exactly(pair):
    side = taps(*pair)
    value, slope, curvature = side.evaluate(R)
    np.testing.assert_allclose(value.sum(1), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(slope.sum(1), 0.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curvature.sum(1), 0.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(slope @ np.array(side.offsets), 1.0, rtol=0, atol=1e-12)


def test_lanczos_does_not_reproduce_lines_and_by_how_much():
    rect, bilinear, gaussian = (taps(kernel, 'lanczos2') for kernel in VOTES)
    r = np.linspace(0, 1, 1001)
    for side in (rect, bilinear):
        np.testing.assert_allclose(side.evaluate(r)[1].sum(1), 0.0, rtol=0, atol=1e-12)
    assert np.abs(gaussian.evaluate(r)[1].sum(1)).max() == pytest.approx(6.8e-4, rel=0.01)
    first_moment = rect.evaluate(r)[1] @ np.array(rect.offsets)
    assert first_moment.min() == pytest.approx(1.0, abs=1e-12)
    assert first_moment.max() == pytest.approx(1.01895, abs=1e-5)
    np.testing.assert_allclose(rect.evaluate(r)[0].sum(1), LANCZOS_MASS, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        bilinear.evaluate(r)[1] @ np.array(bilinear.offsets), LANCZOS_MASS, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize('reconstruction', RECONSTRUCTIONS)
def test_rect_slope_is_the_central_difference_of_the_reconstruction_over_one_bin(reconstruction):
    side = taps('rect', reconstruction)
    x = R[:, None] - 0.5 - np.array(side.offsets)
    expected = reconstruction_kernel(reconstruction, x + 0.5) - reconstruction_kernel(reconstruction, x - 0.5)
    np.testing.assert_allclose(side.evaluate(R)[1], expected, rtol=0, atol=1e-12)


def test_rect_linear_and_bilinear_linear_are_the_quadratic_and_cubic_b_splines():
    third = 1 / 3
    np.testing.assert_array_equal(
        taps('rect', 'linear').table[0], [[0.5, 0.5, 0.0], [-1.0, 1.0, 0.0], [0.5, -1.0, 0.5]]
    )
    np.testing.assert_array_equal(
        taps('bilinear', 'linear').table[0],
        [
            [third / 2, 2 * third, third / 2, 0.0],
            [-0.5, 0.0, 0.5, 0.0],
            [0.5, -1.0, 0.5, 0.0],
            [-third / 2, 0.5, -0.5, third / 2],
        ],
    )


def test_rect_cubic_is_the_published_polynomial_with_the_corrected_middle_tap():
    expected = np.array(
        [
            [-1, 0, 6, -8, 3],
            [13, -24, -6, 28, -12],
            [13, 24, -6, -36, 18],
            [-1, 0, 6, 20, -12],
            [0, 0, 0, -4, 3],
        ]
    )
    rational = [[float(Fraction(int(c), 24)) for c in row] for row in expected.T]
    np.testing.assert_array_equal(taps('rect', 'cubic').table[0], rational)


def _integrals_of_the_cut_gaussian(x):
    """Its mass left of x, and the antiderivative of that."""
    x = np.asarray(x, float)
    erf = np.vectorize(math.erf)(x / math.sqrt(2))
    phi, tail = np.exp(-x * x / 2) / math.sqrt(2 * math.pi), math.exp(-1.125) / math.sqrt(2 * math.pi)
    single = 0.5 + erf / (2 * GAUSSIAN_MASS)
    double = (x * erf / 2 + phi - tail) / GAUSSIAN_MASS + x / 2
    low, high = x <= -1.5, x >= 1.5
    return np.where(low, 0.0, np.where(high, 1.0, single)), np.where(low, 0.0, np.where(high, x, double))


def test_gaussian_linear_equals_its_closed_form_in_erf():
    side = taps('gaussian', 'linear')
    x = R[:, None] - 0.5 - np.array(side.offsets)
    single, double = zip(*(_integrals_of_the_cut_gaussian(x + shift) for shift in (1, 0, -1)))
    np.testing.assert_allclose(side.evaluate(R)[0], double[0] - 2 * double[1] + double[2], rtol=0, atol=1e-14)
    np.testing.assert_allclose(side.evaluate(R)[1], single[0] - 2 * single[1] + single[2], rtol=0, atol=1e-14)


def test_gaussian_cubic_curvature_equals_its_closed_form_in_erf():
    side = taps('gaussian', 'cubic')
    x = R[:, None] - 0.5 - np.array(side.offsets)
    # Jumps of l'' and of l''' of the Keys kernel at -2 .. 2.
    jumps = [(-2, -1, 3), (-1, 2, -12), (0, 0, 18), (1, -2, -12), (2, 1, 3)]
    expected = 0.0
    for knot, step, ramp in jumps:
        single, double = _integrals_of_the_cut_gaussian(x - knot)
        expected = expected + step * single + ramp * double
    np.testing.assert_allclose(side.evaluate(R)[2], expected, rtol=0, atol=1e-12)


def test_rect_lanczos_equals_its_closed_form_in_the_sine_integral():
    side = taps('rect', 'lanczos2')

    def integral(x):
        x = np.clip(x, -2, 2)
        a, b = 1.5 * np.pi * x, 0.5 * np.pi * x
        return (np.cos(a) - np.cos(b)) / (np.pi**2 * x) + (3 * sici(a)[0] - sici(b)[0]) / (2 * np.pi)

    o = np.array(side.offsets)
    expected = integral(R[:, None] - o) - integral(R[:, None] - 1 - o)
    np.testing.assert_allclose(side.evaluate(R)[0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize('kernel', VOTES)
def test_raw_taps_are_the_vote_kernel_and_its_derivative_inside_the_cells(kernel):
    side = taps(kernel, None)
    x = R[:, None] - side.shift - np.array(side.offsets)
    h = 1e-6
    slope = (vote_kernel(kernel, x + h) - vote_kernel(kernel, x - h)) / (2 * h)
    np.testing.assert_allclose(side.evaluate(R)[0], vote_kernel(kernel, x), rtol=0, atol=1e-14)
    np.testing.assert_allclose(side.evaluate(R)[1], slope, rtol=0, atol=1e-8)


def test_straight_through_is_the_hat_and_the_sigmoid_a_difference_of_logistic_steps():
    hat = taps('rect', 'straight_through')
    np.testing.assert_array_equal(hat.evaluate(np.array([0.3]))[1, 0], [-1.0, 1.0])
    soft = taps('rect', 'sigmoid')
    x = R[:, None] - 0.5 - np.array(soft.offsets)
    logistic = lambda y: 1 / (1 + np.exp(-y))  # noqa: E731
    np.testing.assert_allclose(
        soft.evaluate(R)[0], logistic(4 * (x + 0.5)) - logistic(4 * (x - 0.5)), rtol=0, atol=1e-6
    )


def test_third_derivatives_are_those_of_the_polynomials():
    np.testing.assert_array_equal(taps('bilinear', 'linear').derivative(3)[0], [-1.0, 3.0, -3.0, 1.0])
    assert not taps('bilinear', 'linear').derivative(3)[1:].any()
    assert not taps('rect', 'linear').derivative(3).any()


def test_unknown_names_say_what_is_allowed():
    with pytest.raises(ConfigError, match=r"kernel='hat': choose one of \['rect', 'bilinear', 'gaussian'\]"):
        taps('hat', 'linear')
    with pytest.raises(ConfigError, match="reconstruction='spline': choose one of"):
        taps('rect', 'spline')
