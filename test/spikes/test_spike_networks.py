# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The networks of SSML and STIR have the sizes and the properties of the papers."""

import numpy as np
import pytest
import torch

from event_perception.errors import ConfigError
from event_perception.images.networks.blind_spot import BlindSpotNetwork
from event_perception.images.networks.motion_inference import MotionInference, interval_rate
from event_perception.images.networks.mutual import (
    MutualPair,
    SsmlNetworkConfig,
    mutual_loss,
    pseudo_label,
)
from event_perception.images.networks.non_local import CrissCrossAttention, map_attention
from event_perception.images.networks.seen_light import SeenLight
from event_perception.images.networks.simple import SimpleNetwork, own_name
from event_perception.images.networks.stir import Stir
from event_perception.images.networks.stir_parts import sample_along
from event_perception.images.networks.stir_training import sobel, stir_loss
from event_perception.images.networks.two_stage import TwoStageNetwork

pytestmark = pytest.mark.usefixtures('one_thread')


def size(network):
    return sum(p.numel() for p in network.parameters())


def spikes(n_planes, height, width, batch=1, seed=0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, n_planes, height, width, generator=random) < 0.3).to(dtype)


def test_the_networks_have_the_numbers_of_parameters_of_the_papers():
    assert size(SimpleNetwork()) == 904_176
    assert size(BlindSpotNetwork(motion_inference=False)) == 1_170_672
    assert size(Stir()) == 5_107_960


def test_the_parts_of_stir_have_the_numbers_of_parameters_of_the_paper():
    stir = Stir()
    parts = [stir.embed, stir.encode, stir.attend, stir.coarsest, *stir.decoders, stir.finest]
    assert [size(part) for part in parts] == [
        3_476, 365_725, 141_014, 2_253_605, 1_442_972, 396_764, 229_676, 274_728,
    ]  # fmt: skip


@pytest.mark.parametrize('motion_inference', [False, True])
@pytest.mark.parametrize(('height', 'width'), [(16, 16), (17, 19), (22, 14)])
def test_the_blind_network_does_not_see_its_own_pixel(motion_inference, height, width):
    torch.manual_seed(1)
    network = BlindSpotNetwork(width=3, motion_inference=motion_inference).double()
    planes = spikes(41, height, width, dtype=torch.float64)
    with torch.no_grad():
        before = network(planes)
        for y, x in [(0, 0), (height // 2, width // 2), (height - 1, width - 1), (5, 0), (3, width - 2)]:
            changed = planes.clone()
            changed[0, :, y, x] = 1 - changed[0, :, y, x]
            after = network(changed)
            assert after[0, 0, y, x] == before[0, 0, y, x]
            assert (after != before).sum() > 4  # but its neighbours do


def test_the_blind_network_has_no_gradient_at_its_own_pixel():
    torch.manual_seed(2)
    network = BlindSpotNetwork(width=3).double()
    planes = spikes(41, 17, 19, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(network(planes)[0, 0, 8, 9], planes)
    assert gradient[0, :, 8, 9].abs().max() == 0
    assert all(gradient[0, :, y, x].abs().max() > 0 for y, x in [(7, 9), (9, 9), (8, 8), (8, 10)])


def test_the_reading_networks_see_their_own_pixel():
    torch.manual_seed(3)
    for network in (SimpleNetwork(width=3), TwoStageNetwork(width=6)):
        planes = spikes(network.planes, 12, 13).requires_grad_()
        (gradient,) = torch.autograd.grad(network(planes)[0, 0, 5, 5], planes)
        assert gradient[0, :, 5, 5].abs().max() > 0


def test_two_stages_see_three_windows():
    assert TwoStageNetwork(width=3).planes == 95
    assert TwoStageNetwork(27, apart_planes=7, width=3).planes == 41


@pytest.mark.parametrize(('height', 'width'), [(16, 16), (17, 30), (5, 33)])
def test_every_size_keeps_its_size(height, width):
    torch.manual_seed(4)
    planes = spikes(95, height, width, batch=2)
    networks = (Stir(width=8), TwoStageNetwork(width=6), BlindSpotNetwork(width=3), SimpleNetwork(width=3))
    for network in networks:
        assert network.eval()(planes).shape == (2, 1, height, width)


def test_the_interval_is_that_of_the_nearest_spikes_on_both_sides():
    planes = torch.zeros(1, 41, 1, 4)
    planes[0, [17, 24], 0, 0] = 1  # 3 back, 4 ahead of plane 20
    planes[0, [20, 21], 0, 1] = 1  # the middle plane counts as back
    planes[0, [9, 31], 0, 2] = 1  # 11 each
    assert interval_rate(planes).flatten().tolist() == pytest.approx([1 / 7, 1, 1 / 22, 1 / 24])


def test_motion_inference_needs_its_longest_mask():
    with pytest.raises(ConfigError, match='27'):
        MotionInference(25)


def test_criss_cross_attention_equals_a_loop_over_pixels():
    torch.manual_seed(5)
    attention = CrissCrossAttention(8)
    x = torch.randn(1, 8, 4, 5)
    with torch.no_grad():
        result = attention(x)
        query, key, value = attention.query(x), attention.key(x), attention.value(x)
        for i in range(4):
            for j in range(5):
                cross = [(r, j) for r in range(4) if r != i] + [(i, c) for c in range(5)]
                scores = torch.stack([(query[0, :, i, j] * key[0, :, r, c]).sum() for r, c in cross])
                mean = sum(w * value[0, :, r, c] for w, (r, c) in zip(scores.softmax(0), cross))
                torch.testing.assert_close(result[0, :, i, j], mean)


def test_attention_between_equal_maps_is_their_mean():
    maps = torch.randn(1, 1, 3, 4).repeat(1, 5, 1, 1)
    torch.testing.assert_close(map_attention(maps, torch.tensor(2.0)), maps)


def test_the_warp_takes_features_from_where_the_flow_points():
    features = torch.arange(20.0).reshape(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0] = 1.0
    moved = sample_along(features, flow)[0, 0]
    torch.testing.assert_close(moved[:, :4], features[0, 0, :, 1:])
    torch.testing.assert_close(moved[:, 4], features[0, 0, :, 4])  # the border stands for what is outside


def test_stir_gives_an_image_at_five_scales_and_reads_all_planes():
    torch.manual_seed(6)
    stir = Stir(width=8).eval()
    planes = spikes(61, 32, 48).requires_grad_()
    images = stir.pyramid(planes)
    assert [tuple(i.shape[-2:]) for i in images] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    (gradient,) = torch.autograd.grad(images[0].sum(), planes)
    assert (gradient.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_the_loss_of_stir_is_zero_for_the_truth_at_every_scale():
    truth = torch.rand(2, 1, 32, 32)
    scales = [truth]
    for _ in range(4):
        scales.append(torch.nn.functional.avg_pool2d(scales[-1], 2))
    assert stir_loss(scales, truth, edge_weight=0.2) == 0
    lifted = [s + 0.1 for s in scales]  # edges do not change
    assert stir_loss(lifted, truth, edge_weight=0.2) == pytest.approx(0.1 * (1 + 1.25 / 4))


def test_the_edges_of_a_ramp_are_its_slope():
    x = torch.arange(6.0).repeat(5, 1)[None, None]
    edges = sobel(0.3 * x)[0, :, 1:-1, 1:-1]
    torch.testing.assert_close(edges[0], torch.full((3, 4), 0.3))
    torch.testing.assert_close(edges[1], torch.zeros(3, 4))


def test_the_mutual_loss_is_what_the_paper_says():
    torch.manual_seed(7)
    pair = MutualPair(SsmlNetworkConfig(width=3))
    planes = spikes(95, 12, 12)
    label = pseudo_label(planes, 7)
    torch.testing.assert_close(label[:, 0], planes[:, 44:51].mean(dim=1))
    with torch.no_grad():
        blind, read = pair.blind(planes), pair.reader(planes)
        first = mutual_loss(pair, planes, window_planes=7, weight=0.01, blind_only=True)
        both = mutual_loss(pair, planes, window_planes=7, weight=0.01, blind_only=False)
    assert first == pytest.approx(float(((blind - label) ** 2).mean()))
    assert both == pytest.approx(float(first + 0.01 * ((blind - read) ** 2).mean()))


def test_the_light_that_was_seen_is_known_within_a_bin():
    light = SeenLight()
    assert light.range() == (0.0, 0.0)
    for rate in np.geomspace(0.02, 0.5, 300):
        n = round(rate * 4000)
        planes = torch.zeros(1, 40, 10, 10)
        planes.view(-1)[:n] = 1
        light.see(planes)
    least, largest = light.range()
    assert 0.017 < least < 0.022 and 0.45 < largest < 0.58


def test_names_of_the_published_weights_are_known():
    names = [
        f'{side}{level}.conv{layer}.conv.weight'
        for side, level, layers in (('enc', 1, 3), ('enc', 2, 3), ('enc', 3, 3), ('dec', 2, 4), ('dec', 1, 4))
        for layer in range(1, layers + 1)
    ]
    assert {own_name(name) for name in names} == set(SimpleNetwork(width=3).state_dict())
    assert own_name('other.weight') == 'other.weight'
