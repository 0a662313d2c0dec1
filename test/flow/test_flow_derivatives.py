# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Raw and weak derivatives of one objective of flow, as the study of them compares them."""

import numpy as np
import pytest
import torch

from event_perception.evaluation.flow_derivatives import (
    FIELDS,
    OPTIMISERS,
    CoupledLoss,
    RawField,
    distance_energy,
)
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.torch_flow import TorchField, coupling_energy

GRID = NodeGrid(64, 80, 16)
DRIFT, AWAY = np.array([60.0, -30.0]), np.array([25.0, 15.0])


def moved_dots(count=60, per_dot=40, half_s=0.025):
    """Events of dots that drift, at whole pixels."""
    rng = np.random.default_rng(4)
    place = rng.uniform((8, 8), (72, 56), (count, 2))
    s = rng.uniform(-half_s, half_s, (count, per_dot))
    seen = np.rint(place[:, None] + s[..., None] * DRIFT).reshape(-1, 2).astype(np.float32)
    return FlowEvents(
        *(np.ascontiguousarray(c) for c in (seen[:, 0], seen[:, 1], s.ravel().astype(np.float32))),
        half_s, 64, 80,
    )  # fmt: skip


@pytest.mark.parametrize(('kind', 'reconstruction'), [('raw', None), ('weak', 'linear')])
def test_each_kind_has_the_value_and_gradient_that_torch_has_with_it(kind, reconstruction):
    events = moved_dots()
    q = np.random.default_rng(0).normal(0, 60, (len(GRID), 2))
    value, gradient, _ = FIELDS[kind](events, GRID, bin_px=1.5, reach_px=6.0).evaluate(q, second=False)
    focus = TorchField(
        events, GRID, bin_px=1.5, reach_px=6.0, dtype=torch.float64, reconstruction=reconstruction
    )
    point = torch.tensor(q, requires_grad=True)
    expected_value = focus(point)
    expected = torch.autograd.grad(expected_value, point)[0].numpy()
    assert value == pytest.approx(expected_value.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, expected, rtol=2e-3, atol=1e-4 * np.abs(expected).max())


def test_raw_votes_refuse_to_tell_a_second_derivative():
    with pytest.raises(ValueError, match='second=True'):
        RawField(moved_dots(), GRID, bin_px=1.5, reach_px=6.0).evaluate(np.zeros((len(GRID), 2)), second=True)


def test_the_coupling_is_that_of_the_torch_version():
    q = np.random.default_rng(1).normal(0, 40, (len(GRID), 2))
    energy, gradient = distance_energy(q, GRID, 30.0)
    point = torch.tensor(q, requires_grad=True)
    expected = coupling_energy(point, GRID, 30.0)
    assert energy == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, torch.autograd.grad(expected, point)[0].numpy(), rtol=1e-9)


@pytest.mark.parametrize('optimiser', sorted(OPTIMISERS))
@pytest.mark.parametrize('kind', ['raw', 'weak'])
def test_either_optimiser_sharpens_the_image_with_either_derivative(kind, optimiser):
    events, start = moved_dots(), np.tile(DRIFT + AWAY, (len(GRID), 1))
    loss = CoupledLoss(FIELDS[kind](events, GRID, bin_px=1.5, reach_px=10.0), 1e-3, start)
    found = OPTIMISERS[optimiser](loss, start, 30, bin_speed=1.5 / events.half_s)
    assert loss.evaluations >= 10
    assert loss(found)[0] < loss(start)[0]
    inner = found.reshape(GRID.rows, GRID.columns, 2)[1:-1, 1:-1].reshape(-1, 2)
    assert np.median(np.linalg.norm(inner - DRIFT, axis=1)) < 15.0 < np.linalg.norm(AWAY)
