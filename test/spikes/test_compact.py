# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The compact network: what it sees, what it may change, where it stays out, and that it is worth its time."""

import logging

import cv2
import numpy as np
import pytest
import torch

from event_perception import images
from event_perception.errors import DataError
from event_perception.evaluation.compact_study import LightCell, compare_cell, streams, unseen_pictures
from event_perception.evaluation.image_quality import psnr, ssim
from event_perception.events import SpikeStream
from event_perception.images.aligned_estimates import NEAR_INTERVALS, AlignedEstimates, rates_at
from event_perception.images.ati_estimate import AtiEstimate
from event_perception.images.compact import SHIPPED_WEIGHTS
from event_perception.images.compact_features import N_FEATURES, compact_features
from event_perception.images.learned import LearnedCounts
from event_perception.images.networks.compact import (
    CompactNetwork,
    CompactNetworkConfig,
    begin_with,
    load_compact,
)
from event_perception.images.spike_kernels import MISSING
from event_perception.learning.checkpoints import read, save_weights
from event_perception.learning.plan import make_plan
from event_perception.learning.training import train

HEIGHT, WIDTH = 30, 42


@pytest.fixture(scope='module')
def moving():
    """A stream of a picture that moves fast, its truth at the middle, and its gain."""
    return streams(LightCell(0.25, 0.45, 'clean'), unseen_pictures(1)[0], seed=5)


def make(stream, **params):
    reconstructor = images.create('compact', height=stream.height, width=stream.width, **params)
    reconstructor.push(stream)
    return reconstructor


def steady(rate, n_planes=500, height=HEIGHT, width=WIDTH, start_ns=0, period_ns=1000):
    rng = np.random.default_rng(1)
    rates = rate * rng.uniform(0.5, 1.5, (height, width))
    charge = np.arange(1, n_planes + 1)[:, None, None] * rates + rng.random((height, width))
    bits = np.diff(np.floor(charge), axis=0, prepend=0) > 0
    return SpikeStream(bits, height=height, width=width, plane_period_ns=period_ns, start_ns=start_ns)


def test_the_shipped_network_is_small():
    tensors, about = read(SHIPPED_WEIGHTS)
    assert about['task'] == 'spikes.compact'
    assert sum(t.numel() for t in tensors.values()) == 130_564
    assert SHIPPED_WEIGHTS.stat().st_size < 600_000


def test_an_untrained_network_is_ati(tmp_path, moving):
    save_weights(
        tmp_path / 'w.safetensors',
        CompactNetwork(CompactNetworkConfig(8)),
        {'task': 'spikes.compact', 'config': {'network.channels': 8}},
    )
    stream = steady(0.2)
    plain = images.create('ati', height=HEIGHT, width=WIDTH)
    plain.push(stream)
    untrained = make(stream, weights=str(tmp_path / 'w.safetensors'))
    np.testing.assert_allclose(untrained.image(250_000), plain.image(250_000), rtol=1e-5)
    assert untrained.images == LearnedCounts(by_network=1)
    fast, _, _ = moving
    t_ns = 200 * fast.plane_period_ns
    plain = images.create('ati', height=fast.height, width=fast.width)
    plain.push(fast)
    assert not np.allclose(make(fast).image(t_ns), plain.image(t_ns), rtol=1e-2)


def test_features_are_estimates_over_the_scale():
    left, right = (np.full((1, 14, 64), MISSING, np.uint16) for _ in range(2))
    left[0, :8, 0], right[0, :5, 0] = (0, 4, 8, 12, 16, 20, 24, 28), (3, 6, 9, 12, 15)
    values = {'rates': 0.3, 'raw': 0.2, 'variance': 0.0009, 'smear': 0.0016, 'single': 1 / 3}
    estimate = AtiEstimate(
        **{name: np.full((1, 1), value, np.float32) for name, value in values.items()},
        left=left,
        right=right,
        flipped=False,
    )
    features = compact_features(estimate, 0.5, AlignedEstimates(1, 1))
    # 3 intervals over 4 + 6, 5 over 8 + 9; to the left 3 over 12, then 4 over 16; to the right 3 over 9, then unknown
    here = [0.3, 0.05, 0.2, 0.03, 1 / 3, 3 / 10, 5 / 17, 3 / 12, 3 / 9, 4 / 16, 0.3, 4 / 15, 11 / 41]
    # 6.67, 5, 3.33 and 1.67 planes ago and from now: intervals of 4 to the left, of 3 around and to the right
    near = [1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 3, 1 / 3, 1 / 3, 1 / 3]
    # 13.33 planes away: between spikes at 12 and 16 with two more spans around it; two spikes behind 12, none behind 15
    far = [9 / (4 + 12 + 20), 1 / 3]
    np.testing.assert_allclose(features.reshape(-1), np.array(here + near + far) / 0.5, rtol=1e-5)
    assert features.shape == (N_FEATURES, 1, 1)


def plain_rate_at(left, right, away, spans, otherwise):
    times = sorted([-int(d) for d in left if d != MISSING] + [int(d) for d in right if d != MISSING])
    before, after = [t for t in times if t <= away][::-1], [t for t in times if t > away]
    n = min(spans, len(before), len(after))
    return n * n / sum(after[k] - before[k] for k in range(n)) if n else otherwise


@pytest.mark.parametrize('away', [-20.0, -7.3, -7.0, -0.5, 0.5, 1.0, 2.5, 13.0, 29.0])
def test_rates_at_other_instants_are_those_of_a_plain_search(away):
    rng = np.random.default_rng(0)
    left, right = (np.full((2, 5, 64), MISSING, np.uint16) for _ in range(2))
    for word in range(2):
        for i in range(64):
            for side, first in ((left, 0), (right, 1)):
                n = rng.integers(0, 6)
                side[word, :n, i] = first + np.sort(rng.choice(30, n, replace=False))
    other = rng.random(128).astype(np.float32)
    for spans in (1, 2, 3):
        expected = [
            plain_rate_at(left[k // 64, :, k % 64], right[k // 64, :, k % 64], away, spans, other[k])
            for k in range(128)
        ]
        np.testing.assert_allclose(
            rates_at(left, right, other, away, spans, 0, 2), expected, rtol=1e-5, atol=1e-7
        )


def test_other_instants_are_moved_along_with_the_light(moving):
    stream, truth, gain = moving
    ati = images.create('ati', height=stream.height, width=stream.width)
    ati.push(stream)
    estimate = ati._estimator.estimate(ati._history, 200)
    align = AlignedEstimates(stream.height, stream.width)
    flow = align.flow(estimate, 4.0, gain)[20:-20, 20:-20]
    # the view goes over the picture at 0.45 px a plane along (0.94, 0.34): the light the other way
    np.testing.assert_allclose(np.median(flow, axis=(0, 1)), [-0.94 * 1.8, -0.34 * 1.8], atol=0.1)
    inner = np.s_[20:-20, 20:-20]
    later = align(estimate, gain)[NEAR_INTERVALS.index(2.0)] / gain
    single = estimate.from_stored(
        rates_at(
            estimate.left, estimate.right, estimate.to_stored(estimate.rates), 8.0, 1, 0, len(estimate.left)
        )
    )
    assert psnr(later[inner], truth[inner]) > psnr(single[inner] / gain, truth[inner]) + 5


@pytest.mark.parametrize('rate', [0.004, 0.8])
def test_at_light_that_the_network_does_not_know_the_image_is_that_of_ati_and_it_is_said(rate, caplog):
    stream = steady(rate, n_planes=900)
    plain = images.create('ati', height=HEIGHT, width=WIDTH)
    plain.push(stream)
    reconstructor = make(stream)
    with caplog.at_level(logging.WARNING, logger='event_perception'):
        first, second = reconstructor.image(450_000), reconstructor.image(460_000)
    np.testing.assert_array_equal(first, plain.image(450_000))
    np.testing.assert_array_equal(second, plain.image(460_000))
    assert reconstructor.images == LearnedCounts(outside_light=2)
    assert len(caplog.records) == 1 and 'outside_light' in caplog.text


def test_a_stream_without_a_spike_is_black():
    dark = SpikeStream(
        np.zeros((450, HEIGHT, WIDTH), np.uint8), height=HEIGHT, width=WIDTH, plane_period_ns=1000
    )
    reconstructor = make(dark)
    assert reconstructor.image(200_000).max() == 0 and reconstructor.images.outside_light == 1


def test_the_scale_is_that_of_the_first_planes_and_a_new_stream_has_its_own():
    reconstructor = images.create('compact', height=HEIGHT, width=WIDTH)
    with pytest.raises(DataError, match='push a stream'):
        _ = reconstructor.scale
    bright, dark = steady(0.4), steady(0.1, start_ns=500_000)
    reconstructor.push(bright)
    held = reconstructor.scale
    assert held == pytest.approx(0.6, rel=0.02)  # 0.4 * 1.5 at the 99.5 % quantile
    reconstructor.push(dark)
    assert reconstructor.scale == held
    reconstructor.push(steady(0.1, start_ns=0))
    assert reconstructor.counts.restarts == 1
    assert reconstructor.scale == pytest.approx(0.15, rel=0.05)


def test_a_bottom_row_that_is_stored_first_changes_nothing(moving):
    from event_perception.events.plane_layout import PlaneLayout

    stream, _, _ = moving
    flipped = PlaneLayout(flipped_rows=True)
    other = SpikeStream(
        flipped.pack(stream.unpack()), height=stream.height, width=stream.width, layout=flipped,
        plane_period_ns=stream.plane_period_ns,
    )  # fmt: skip
    t_ns = 200 * stream.plane_period_ns
    np.testing.assert_array_equal(make(other).image(t_ns), make(stream).image(t_ns))


def test_weights_of_other_networks_are_refused(tmp_path):
    save_weights(tmp_path / 'w.safetensors', torch.nn.Linear(2, 2), {'task': 'spikes.other'})
    with pytest.raises(DataError, match=r'spikes\.other'):
        load_compact(tmp_path / 'w.safetensors')
    with pytest.raises(DataError, match='no such file'):
        images.create('compact', height=8, width=8, weights=str(tmp_path / 'none.safetensors'))


def test_in_fast_motion_it_is_two_decibels_better_than_ati_on_shapes_it_has_not_seen():
    shapes = unseen_pictures(1)
    for sensor in ('clean', 'typical'):
        result = compare_cell(LightCell(0.25, 0.45, sensor), shapes, (1,))
        assert result['least_ahead_db'] > 2.0, result


@pytest.mark.parametrize(('rate', 'speed', 'least_db'), [(0.02, 0.1, 0.3), (0.05, 0.45, 0.5)])
def test_it_is_better_than_ati_in_the_dark_as_well(rate, speed, least_db):
    result = compare_cell(LightCell(rate, speed, 'clean'), unseen_pictures(1), (3,))
    assert result['least_ahead_db'] > least_db, result


@pytest.mark.parametrize('rate', [0.02, 0.05, 0.4])
def test_in_a_still_scene_without_noise_it_leaves_ati_as_it_is(rate):
    result = compare_cell(LightCell(rate, 0.0, 'clean'), unseen_pictures(2)[1:], (3,))
    assert result['ati_db'] > 45 and result['least_ahead_db'] > -0.01, result


def test_weights_to_begin_with_may_know_fewer_inputs(tmp_path):
    small = CompactNetwork(CompactNetworkConfig(8))
    torch.nn.init.normal_(small.tail.weight)
    small.head.weight = torch.nn.Parameter(small.head.weight[:, :56].clone())
    save_weights(
        tmp_path / 'w.safetensors', small, {'task': 'spikes.compact', 'config': {'network.channels': 8}}
    )
    network = CompactNetwork(CompactNetworkConfig(8))
    begin_with(network, tmp_path / 'w.safetensors')
    torch.testing.assert_close(network.head.weight[:, :56], small.head.weight)
    assert not network.head.weight[:, 56:].any() and torch.equal(network.tail.weight, small.tail.weight)


TINY = (
    'task.pool=3', 'task.batch=2', 'task.patch_px=16', 'task.validation_clips=2', 'task.network.channels=4',
    'task.clips.n_planes=41', 'task.clips.height=24', 'task.clips.width=24', 'task.clips.own_pictures=2',
    'task.clips.picture_side_px=64', 'training.precision=float32', 'training.checkpoint_every=2', 'training.curve_every=2',
)  # fmt: skip


def test_its_training_goes_on_bit_by_bit_after_an_interruption(tmp_path):
    plan = make_plan('spikes.compact', None, [*TINY, 'training.steps=6'])
    whole = train(plan, tmp_path / 'whole')
    assert whole.metrics.keys() >= {'ati_db', 'compact_db', 'gain_db', 'gain_least_db'}
    asked = iter([False, False, True])
    train(plan, tmp_path / 'cut', stop=lambda: next(asked))
    train(make_plan('spikes.compact', None, [*TINY, 'training.steps=6']), tmp_path / 'cut', resume=True)
    a, b = (read(tmp_path / name / 'weights.safetensors')[0] for name in ('whole', 'cut'))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert (tmp_path / 'whole' / 'validation' / '0000006_ati_compact_truth.png').exists()


def test_the_loss_is_the_log_of_what_is_left_of_the_error_of_ati():
    plan = make_plan('spikes.compact', None, [*TINY])
    batch = {k: torch.from_numpy(v) for k, v in plan.task.batch(np.random.default_rng(0)).items()}
    assert batch['features'].shape == (2, N_FEATURES, 16, 16) and batch['light'].shape == (2, 16, 16)
    network = plan.task.build()
    assert plan.task.loss(network, batch, 0) == 0
    perfect = lambda features: batch['light'][:, None]  # noqa: E731
    before = ((batch['features'][:, 0] - batch['light']) ** 2).mean(dim=(1, 2))
    expected = (1e-5 / (before + 1e-5)).log().mean()
    torch.testing.assert_close(plan.task.loss(perfect, batch, 0), expected)


def test_the_public_clips_come_out_as_well_as_they_should(shared_data):
    folder = shared_data / 'spike_reds_gt'
    if not folder.is_dir():
        pytest.skip('no spike_reds_gt')
    scores = []
    for path in sorted(folder.glob('*.dat')):
        truth = cv2.imread(str(path.with_name(path.stem + '_gt.png')), cv2.IMREAD_GRAYSCALE) / 255.0
        stream = SpikeStream.from_dat(path, height=250, width=400, plane_period_ns=25_000)
        image = make(stream, **{'output.full_scale_rate': 0.6}).image(150 * 25_000)
        scores.append((psnr(image, truth), ssim(image.astype(float), truth)))
    mean_psnr, mean_ssim = np.mean(scores, axis=0)
    assert len(scores) == 2
    assert mean_psnr >= 34.5 and mean_ssim >= 0.94
