# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow networks: sizes as published, fields of the right shape, spikes and memory that do what they say."""

import pytest
import torch

from event_perception.flow.networks.correlation import CorrelationFlow, voxels
from event_perception.flow.networks.recurrent import RecurrentFlow, warp_to_middle
from event_perception.flow.networks.spiking import HybridFlow, integrate_and_fire

HEIGHT, WIDTH = 70, 90


@pytest.fixture(scope='module')
def events():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 400, 3, generator=generator) * torch.tensor([WIDTH - 1.0, HEIGHT - 1.0, 1.0])
    points[..., :2] = points[..., :2].round()
    polarity = torch.where(torch.rand(2, 400, generator=generator) < 0.5, -1.0, 1.0)
    return points, polarity


def weights(network):
    return sum(p.numel() for p in network.parameters())


def test_the_networks_have_as_many_weights_as_published():
    assert weights(HybridFlow()) == 13_039_232  # 13.04 M
    assert weights(CorrelationFlow()) == 5_332_800  # RAFT's 5.26 M with 15 channels for 3
    assert weights(RecurrentFlow(width=24)) < 500_000  # 2 MB


@pytest.mark.parametrize(
    'network', [RecurrentFlow(width=8, slices=2), HybridFlow(width=4, slices=2), CorrelationFlow(5, 2)]
)
def test_every_network_gives_fields_of_the_size_of_the_sensor_and_goes_on_from_its_state(network, events):
    points, polarity = events
    fields, state = network(points, polarity, height=HEIGHT, width=WIDTH)
    fields, state = network(points, polarity, height=HEIGHT, width=WIDTH, state=state)
    assert all(field.shape == (2, 2, HEIGHT, WIDTH) for field in fields)
    assert torch.isfinite(fields[-1]).all()


def test_padded_events_change_nothing(events):
    network = HybridFlow(width=4, slices=2)
    points, polarity = events
    shorter = polarity * (torch.arange(400) < 300)
    some, _ = network(points, shorter, height=HEIGHT, width=WIDTH)
    cut, _ = network(points[:, :300], polarity[:, :300], height=HEIGHT, width=WIDTH)
    torch.testing.assert_close(some[-1], cut[-1])


def test_a_neuron_fires_when_its_input_has_added_up_and_starts_again_at_zero():
    membrane, sent = torch.zeros(1), []
    for _ in range(6):
        spikes, membrane = integrate_and_fire(membrane, torch.tensor([0.3]), 0.75)
        sent.append(spikes.item())
    assert sent == [0, 0, 1, 0, 0, 1]


def test_a_spike_passes_the_inverse_threshold_backward_and_a_silent_neuron_nothing():
    current = torch.tensor([0.9, 0.2], requires_grad=True)
    spikes, _ = integrate_and_fire(torch.zeros(2), current, 0.8)
    spikes.sum().backward()
    assert current.grad.tolist() == pytest.approx([1.25, 0.0])


def test_events_of_a_moving_point_meet_at_the_middle_of_the_window():
    fraction = torch.linspace(0, 1, 5)
    points = torch.stack([10 + 8 * fraction, 20 - 4 * fraction, fraction], dim=-1)[None]
    flow = torch.tensor([8.0, -4.0])[None, :, None, None].expand(1, 2, 32, 32)
    middle = warp_to_middle(points, flow)
    torch.testing.assert_close(middle[0], torch.tensor([14.0, 18.0]).expand(5, 2))
    torch.testing.assert_close(warp_to_middle(points, flow, 0.0)[0], torch.tensor([10.0, 20.0]).expand(5, 2))


def test_a_new_recurrent_network_leaves_the_start_as_it_is(events):
    points, polarity = events
    start = torch.full((2, 2, HEIGHT, WIDTH), 3.0)
    fields, _ = RecurrentFlow(width=8, slices=2)(points, polarity, height=HEIGHT, width=WIDTH, start=start)
    torch.testing.assert_close(fields[-1], start)


def test_gradients_lead_through_the_second_look_back_to_the_first(events):
    points, polarity = events
    network = RecurrentFlow(width=8, slices=2)
    torch.nn.init.normal_(network.correction.weight, std=0.01, generator=torch.Generator().manual_seed(1))
    fields, _ = network(points, polarity, height=HEIGHT, width=WIDTH)
    (first,) = torch.autograd.grad(fields[1].sum(), fields[0], allow_unused=True) or (None,)
    assert first is None  # the first field is told, not used: its coarse form is what is warped along
    gradient = torch.autograd.grad(fields[1].square().sum(), network.correction.weight)[0]
    assert gradient.abs().sum() > 0


def test_voxels_are_standardised_where_events_are(events):
    grid = voxels(*events, height=HEIGHT, width=WIDTH, bins=5)
    filled = grid[0][grid[0] != 0]
    assert filled.mean().abs() < 1e-4 and filled.std() == pytest.approx(1, abs=0.01)
