# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of binning on the CPU: the numbers of the torch operation."""

import itertools

import numpy as np
import pytest
import torch

from event_perception.binning import CpuBinning, bin_points
from event_perception.binning.kernels import RECONSTRUCTIONS, VOTES
from event_perception.errors import ConfigError, DataError

PAIRS = list(itertools.product(VOTES, RECONSTRUCTIONS))
pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit.script.*:DeprecationWarning')


def _inputs(sizes, n=200, dtype=np.float64):
    """Points in the image, around it, far away and not finite; signed weights; tangents; a cotangent."""
    rng = np.random.default_rng(5)
    n_axes = len(sizes)
    points = rng.uniform(-6, 6, (n, n_axes)) + rng.uniform(0, 1, (n, n_axes)) * np.array(sizes[::-1])
    points[:4] = [[1e30], [np.nan], [-np.inf], [-1e7]]
    arrays = (
        points,
        rng.normal(size=n),
        rng.normal(size=(n, n_axes)),
        rng.normal(size=n),
        rng.normal(size=sizes),
    )
    return tuple(a.astype(dtype) for a in arrays)


def _torch_numbers(inputs, sizes, pair):
    points, weights, d_points, d_weights, v = (torch.from_numpy(a) for a in inputs)

    def image(p, w):
        return bin_points(p, w, sizes=sizes, kernel=pair[0], reconstruction=pair[1])

    def gradient(p, w):
        return torch.func.grad(lambda p, w: (v * image(p, w)).sum(), (0, 1))(p, w)

    value, jvp = torch.func.jvp(image, (points, weights), (d_points, d_weights))
    columns = []
    for axis in range(len(sizes)):
        along = torch.zeros_like(points)
        along[:, axis] = 1
        columns.append(torch.func.jvp(lambda p: gradient(p, weights)[0], (points,), (along,))[1])
    return value, jvp, *gradient(points, weights), torch.stack(columns, -1)


def _assert_equal_to_torch(sizes, pair, dtype, tolerance):
    inputs = _inputs(sizes, dtype=dtype)
    points, weights, d_points, d_weights, v = inputs
    cpu = CpuBinning(sizes, kernel=pair[0], reconstruction=pair[1])
    ours = [
        cpu.value(points, weights),
        cpu.jvp(points, weights, d_points, d_weights),
        cpu.vjp(points, weights, v),
        cpu.vjp_weights(points, v),
        cpu.second(points, weights, v),
    ]
    for mine, theirs in zip(ours, _torch_numbers(inputs, sizes, pair)):
        assert mine.dtype == np.float64
        np.testing.assert_allclose(
            mine, theirs.numpy(), rtol=0, atol=tolerance * np.abs(theirs.numpy()).max()
        )


@pytest.mark.parametrize('pair', PAIRS, ids='/'.join)
def test_value_jvp_vjp_and_second_derivatives_equal_torch(pair):
    _assert_equal_to_torch((12, 17), pair, np.float64, 1e-12)


@pytest.mark.parametrize('pair', [('rect', 'linear'), ('gaussian', 'linear')], ids='/'.join)
def test_they_equal_torch_in_single_precision_too(pair):
    _assert_equal_to_torch((12, 17), pair, np.float32, 1e-5)


@pytest.mark.parametrize(('sizes', 'pair'), [((5, 7, 9), ('bilinear', 'linear')), ((9,), ('rect', 'cubic'))])
def test_they_equal_torch_in_three_axes_and_in_one(sizes, pair):
    _assert_equal_to_torch(sizes, pair, np.float64, 1e-12)


def test_no_events_give_an_empty_image_and_no_gradients():
    empty = np.zeros((0, 2))
    assert not CpuBinning((3, 4)).value(empty).any()
    assert CpuBinning((3, 4)).second(empty, None, np.zeros((3, 4))).shape == (0, 2, 2)


def test_inputs_are_not_modified_and_wrong_ones_are_named():
    points = np.array([[1.0, 2.0]])
    points.setflags(write=False)
    assert CpuBinning((3, 4)).value(points).sum() == 1.0
    with pytest.raises(DataError, match=r'points of shape \(1, 3\): give \(N, 2\)'):
        CpuBinning((3, 4)).value(np.array([[1.0, 2.0, 3.0]]))
    with pytest.raises(DataError, match=r'weights of shape \(2,\): give \(1,\)'):
        CpuBinning((3, 4)).value(points, np.ones(2))
    with pytest.raises(DataError, match=r'cotangent of shape \(4, 3\): give \(3, 4\)'):
        CpuBinning((3, 4)).vjp(points, None, np.zeros((4, 3)))
    with pytest.raises(DataError, match='one to three numbers of bins'):
        CpuBinning((3, 4, 5, 6))
    with pytest.raises(ConfigError, match="kernel='box'"):
        CpuBinning((3, 4), kernel='box')
