# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the image: plain binning to the bit, whatever its derivatives are."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.binning import bin_coordinates, bin_events, bin_points, classic_bilinear, voxel_grid
from event_perception.binning.kernels import VOTES, vote_kernel
from event_perception.errors import ConfigError, DataError

HEIGHT, WIDTH = 7, 9
EVERY_RECONSTRUCTION = ('linear', 'cubic', 'lanczos2', None, 'straight_through', 'sigmoid')


def _image(points, weights=None, **options):
    return bin_events(points, weights, height=HEIGHT, width=WIDTH, **options)


def _points(n=300, dtype=torch.float64, seed=3):
    """Points all over the image and up to four bins outside."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor([WIDTH + 8.0, HEIGHT + 8.0], dtype=torch.float64)
    return (torch.rand((n, 2), generator=generator, dtype=torch.float64) * size - 4.5).to(dtype)


def _weights(n=300, dtype=torch.float64, seed=4):
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('kernel', VOTES)
def test_the_image_is_the_same_to_the_bit_for_every_reconstruction(kernel, dtype):
    points, weights = _points(dtype=dtype), _weights(dtype=dtype)
    images = [_image(points, weights, kernel=kernel, reconstruction=name) for name in EVERY_RECONSTRUCTION]
    assert images[0].dtype == dtype
    assert all(torch.equal(image, images[0]) for image in images)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_rect_is_the_histogram_of_numpy_to_the_bit(dtype):
    points, weights = _points(dtype=dtype), _weights(dtype=dtype)
    edges = [np.arange(HEIGHT + 1) - 0.5, np.arange(WIDTH + 1) - 0.5]
    counts, _ = np.histogramdd(points.flip(-1).numpy(), edges)
    np.testing.assert_array_equal(_image(points, kernel='rect').numpy(), counts)
    if dtype == torch.float64:
        sums, _ = np.histogramdd(points.flip(-1).numpy(), edges, weights=weights.numpy())
        np.testing.assert_array_equal(_image(points, weights, kernel='rect').numpy(), sums)


def test_bins_are_half_open_also_where_adding_a_half_rounds_up():
    x = [-0.5, np.nextafter(0.5, 0), 0.5, np.nextafter(8.5, 0), 8.5, np.nextafter(-0.5, -1)]
    points = torch.tensor([[v, 2.0] for v in x], dtype=torch.float64)
    row = _image(points, kernel='rect')[2]
    assert row.tolist() == [2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    single = torch.tensor([[np.nextafter(np.float32(0.5), np.float32(0)), 2.0]], dtype=torch.float32)
    assert _image(single, kernel='rect')[2, 0] == 1.0


def test_bilinear_is_its_definition_to_the_bit():
    points, weights = _points(), _weights()
    expected = np.zeros((HEIGHT, WIDTH))
    corner = torch.floor(points)
    rest = (points - corner).numpy()
    for (i, j), (rx, ry), w in zip(corner.long().tolist(), rest, weights.tolist()):
        for row, ky in ((j, 1 - ry), (j + 1, ry)):
            for column, kx in ((i, 1 - rx), (i + 1, rx)):
                if 0 <= row < HEIGHT and 0 <= column < WIDTH:
                    expected[row, column] += w * ky * kx
    np.testing.assert_allclose(_image(points, weights).numpy(), expected, rtol=0, atol=1e-15)
    # Bins fill up tap by tap, here event by event; with one event there is no order left.
    x, y, w = 3.7312345678, 2.1412345678, -1.2345678901
    one = _image(torch.tensor([[x, y]], dtype=torch.float64), torch.tensor([w], dtype=torch.float64))
    rx, ry = x - 3, y - 2
    corners = [[w * (1 - ry) * (1 - rx), w * (1 - ry) * rx], [w * ry * (1 - rx), w * ry * rx]]
    assert one[2:4, 3:5].tolist() == corners
    assert one.count_nonzero() == 4


def test_bilinear_agrees_with_plain_torch():
    points, weights = _points(), _weights()
    classic = classic_bilinear(points, weights, height=HEIGHT, width=WIDTH)
    torch.testing.assert_close(_image(points, weights), classic, rtol=0, atol=1e-14)


@pytest.mark.parametrize('kernel', VOTES)
def test_every_vote_is_the_kernel_at_the_distance(kernel):
    points, weights = _points(40), _weights(40)
    ky = vote_kernel(kernel, points[:, 1:].numpy() - np.arange(HEIGHT))
    kx = vote_kernel(kernel, points[:, :1].numpy() - np.arange(WIDTH))
    expected = np.einsum('n,ny,nx->yx', weights.numpy(), ky, kx)
    np.testing.assert_allclose(_image(points, weights, kernel=kernel).numpy(), expected, rtol=0, atol=1e-14)


def test_three_axes_are_a_product_too():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand((50, 3), generator=generator, dtype=torch.float64) * 9 - 2
    axes = [
        vote_kernel('bilinear', points[:, a, None].numpy() - np.arange(n)) for a, n in enumerate((6, 5, 4))
    ]
    grid = bin_points(points, sizes=(4, 5, 6))
    np.testing.assert_allclose(grid.numpy(), np.einsum('nx,ny,nt->tyx', *axes), rtol=0, atol=1e-14)


def test_a_voxel_grid_slices_time_half_open():
    points = torch.tensor([[1.0, 2.0, 0.0], [1.0, 2.0, 0.024], [1.0, 2.0, 0.026], [1.0, 2.0, 0.1]])
    grid = voxel_grid(points, start_s=0.0, end_s=0.1, depth=4, height=3, width=4, kernel='rect')
    assert grid.shape == (4, 3, 4)
    assert grid[:, 2, 1].tolist() == [2.0, 1.0, 0.0, 0.0]
    assert grid.sum() == 3.0


def test_bin_coordinates_put_bin_centres_on_integers():
    points = torch.tensor([[-0.5, -0.5], [0.5, 7.5], [399.5, 299.5]], dtype=torch.float64)
    in_bins = bin_coordinates(points, -0.5, (399.5, 299.5), (200, 150))
    assert in_bins.tolist() == [[-0.5, -0.5], [0.0, 3.5], [199.5, 149.5]]
    with pytest.raises(DataError, match='every range needs lo < hi'):
        bin_coordinates(points, 3.0, 3.0, 4)


finite = st.floats(-6, 12, allow_nan=False, width=32)


@given(
    points=st.lists(st.tuples(finite, finite), max_size=30),
    kernel=st.sampled_from(sorted(VOTES)),
    shift=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
)
@settings(max_examples=60, deadline=None)
def test_mass_symmetry_and_order(points, kernel, shift):
    """Mass stays, a shift by whole bins shifts the image, the order of events does not matter."""
    points = torch.tensor(points, dtype=torch.float64).reshape(-1, 2)
    n_bins = 30  # room for every point: no mass is lost
    large = lambda p: bin_events(p + 10, None, height=n_bins, width=n_bins, kernel=kernel)  # noqa: E731
    image = large(points)
    least, most = (0.9622**2, 1.0191**2) if kernel == 'gaussian' else (1 - 1e-12, 1 + 1e-12)
    assert least * len(points) <= image.sum() <= most * len(points)
    moved = large(points + torch.tensor(shift, dtype=torch.float64))
    torch.testing.assert_close(moved, image.roll(shift[::-1], (0, 1)), rtol=0, atol=1e-9)
    torch.testing.assert_close(large(points.flip(0)), image, rtol=0, atol=1e-12)


@pytest.mark.parametrize('kernel', VOTES)
def test_degenerate_inputs_have_defined_results(kernel):
    none = torch.zeros((0, 2), dtype=torch.float64, requires_grad=True)
    image = _image(none, kernel=kernel)
    assert image.shape == (HEIGHT, WIDTH)
    assert not image.any()
    (gradient,) = torch.autograd.grad(image.sum(), none)
    assert gradient.shape == (0, 2)
    together = torch.full((1000, 2), 3.0, dtype=torch.float64)
    assert _image(together, kernel=kernel)[3, 3] == pytest.approx(
        {'rect': 1000.0, 'bilinear': 1000.0, 'gaussian': 1000.0 * 0.460467**2}[kernel], rel=1e-5
    )
    single = bin_events(torch.zeros((2, 2), dtype=torch.float64), None, height=1, width=1, kernel=kernel)
    assert single.shape == (1, 1)


@pytest.mark.parametrize('reconstruction', EVERY_RECONSTRUCTION)
@pytest.mark.parametrize('kernel', VOTES)
def test_points_that_are_not_finite_or_far_away_add_nothing_and_have_no_gradient(kernel, reconstruction):
    bad = [[math.nan, 2.0], [2.0, math.inf], [-math.inf, 2.0], [1e30, 2.0], [2.0, -1e30], [2.0, 1e6]]
    points = torch.tensor([[3.2, 2.6], *bad], dtype=torch.float64, requires_grad=True)
    image = _image(points, kernel=kernel, reconstruction=reconstruction)
    alone = _image(points[:1], kernel=kernel, reconstruction=reconstruction)
    assert torch.equal(image, alone)
    (gradient,) = torch.autograd.grad((image**2).sum() + image[3, 3], points)
    assert torch.isfinite(gradient).all()
    assert not gradient[1:].any()


def test_batches_are_separate_images():
    points, weights = _points(40).reshape(2, 2, 10, 2), _weights(40).reshape(2, 2, 10)
    images = _image(points, weights, kernel='gaussian')
    assert images.shape == (2, 2, HEIGHT, WIDTH)
    assert torch.equal(images[1, 0], _image(points[1, 0], weights[1, 0], kernel='gaussian'))


def test_wrong_input_is_named():
    points = _points(5)
    with pytest.raises(DataError, match=r'points are torch.int64: give float32 or float64'):
        _image(points.long())
    with pytest.raises(DataError, match=r'weights of shape \(4,\) for points of shape \(5, 2\): give \(5,\)'):
        _image(points, torch.ones(4))
    with pytest.raises(DataError, match=r'do not fit sizes \(7, 9\): give \(..., N, 2\)'):
        _image(points[:, :1])
    with pytest.raises(DataError, match='every axis needs at least one bin'):
        bin_events(points, None, height=0, width=3)
    with pytest.raises(ConfigError, match="kernel='box'"):
        _image(points, kernel='box')
    with pytest.raises(ConfigError, match="reconstruction='none'"):
        _image(points, reconstruction='none')


def test_inputs_are_not_modified():
    points, weights = _points(), _weights()
    before = points.clone(), weights.clone()
    _image(points, weights)
    assert torch.equal(points, before[0])
    assert torch.equal(weights, before[1])


def test_importing_the_package_loads_neither_torch_nor_numba():
    code = 'import sys, event_perception.binning as b; dir(b); print({"torch", "numba"} & set(sys.modules))'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == 'set()'


@pytest.mark.gpu
@pytest.mark.parametrize('kernel', VOTES)
def test_the_gpu_gives_the_same_image_and_gradient(kernel):
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    points, weights = _points(), _weights()

    def gradient(p, w):
        return torch.func.grad(lambda q: (_image(q, w, kernel=kernel) ** 2).sum())(p)

    on_gpu = _image(points.cuda(), weights.cuda(), kernel=kernel).cpu()
    torch.testing.assert_close(on_gpu, _image(points, weights, kernel=kernel), rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient(points.cuda(), weights.cuda()).cpu(), gradient(points, weights))
