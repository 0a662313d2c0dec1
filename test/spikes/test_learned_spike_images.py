# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Learned spike methods: weights are checked, the light they were trained on is kept to, ati steps in and is counted."""

import logging

import numpy as np
import pytest
import torch

from event_perception import images
from event_perception.config import update
from event_perception.errors import ConfigError, DataError
from event_perception.events import PlaneLayout, SpikeStream
from event_perception.images.networks.simple import SimpleNetwork
from event_perception.learning.checkpoints import save_weights
from event_perception.learning.plan import make_plan
from event_perception.learning.training import train
from event_perception.learning.training_folder import description
from event_perception.pipeline import Pipeline
from event_perception.pipeline_config import PipelineConfig

pytestmark = pytest.mark.usefixtures('one_thread')
PERIOD = 25_000
HEIGHT, WIDTH = 18, 22
SMALL = {
    'ssml': ['task.network.width=3', 'task.clips.height=16', 'task.clips.width=16', 'task.batch=2'],
    'stir': ['task.width=8', 'task.clips.height=32', 'task.clips.width=32', 'task.batch=2'],
}


def small_plan(method, *more):
    pictures = ['task.clips.own_pictures=2', 'task.clips.picture_side_px=64', 'task.validation_clips=2']
    return make_plan(f'spikes.{method}', assignments=[*SMALL[method], *pictures, *more])


def write_weights(path, method, rates=(0.1, 0.5)):
    torch.manual_seed(3)
    plan = small_plan(method)
    network = plan.task.build()
    for rate in rates:
        network.light.see((torch.rand(1, 41, 30, 30) < rate).float())
    save_weights(path, network, description(plan))
    return network


def stream(rate, n=200, **layout):
    rng = np.random.default_rng(4)
    bits = (rng.random((n, HEIGHT, WIDTH)) < rate).astype(np.uint8)
    return bits, SpikeStream(bits, height=HEIGHT, width=WIDTH, plane_period_ns=PERIOD, **layout)


def make(method, path, **params):
    return images.create(method, height=HEIGHT, width=WIDTH, weights=str(path), **params)


@pytest.mark.parametrize('method', ['ssml', 'stir'])
def test_without_weights_the_error_says_how_to_train_them(method):
    with pytest.raises(ConfigError, match=f'train spikes --method {method}'):
        images.create(method, height=HEIGHT, width=WIDTH)


@pytest.mark.parametrize('method', ['ssml', 'stir'])
def test_the_rate_is_what_the_network_says_of_the_planes_around_the_instant(method, tmp_path):
    network = write_weights(tmp_path / 'w.safetensors', method).eval()
    bits, spikes = stream(0.3)
    reconstructor = make(method, tmp_path / 'w.safetensors')
    reconstructor.push(spikes)
    half = network.reader.planes // 2
    with torch.no_grad():
        window = torch.from_numpy(bits[100 - half : 101 + half]).float()[None]
        expected = network.reader(window)[0, 0].numpy()
    np.testing.assert_allclose(reconstructor.rate(100 * PERIOD), expected, rtol=1e-5, atol=1e-6)
    assert (reconstructor.images.by_network, reconstructor.images.outside_light) == (1, 0)


def test_an_image_is_the_same_where_the_bottom_row_is_stored_first(tmp_path):
    write_weights(tmp_path / 'w.safetensors', 'ssml')
    results = []
    for layout in (PlaneLayout(), PlaneLayout(flipped_rows=True)):
        reconstructor = make('ssml', tmp_path / 'w.safetensors')
        reconstructor.push(stream(0.3, layout=layout)[1])
        results.append(reconstructor.rate(100 * PERIOD))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ('rate', 'plane', 'reason'), [(0.02, 100, 'outside_light'), (0.3, 10, 'too_few_planes')]
)
def test_ati_steps_in_outside_the_light_and_at_the_ends_and_is_counted(rate, plane, reason, tmp_path, caplog):
    write_weights(tmp_path / 'w.safetensors', 'ssml')
    learned = make('ssml', tmp_path / 'w.safetensors')
    ati = images.create('ati', height=HEIGHT, width=WIDTH)
    with caplog.at_level(logging.WARNING, 'event_perception'):
        for reconstructor in (learned, ati):
            reconstructor.push(stream(rate)[1])
        for _ in range(2):
            np.testing.assert_array_equal(learned.rate(plane * PERIOD), ati.rate(plane * PERIOD))
    assert getattr(learned.images, reason) == 2 and learned.images.by_network == 0
    assert [reason in r.message for r in caplog.records] == [True]  # said once


def test_the_range_of_light_can_be_set_and_must_not_be_empty(tmp_path):
    write_weights(tmp_path / 'w.safetensors', 'ssml')
    wide = make('ssml', tmp_path / 'w.safetensors', **{'guard.least_rate': 0.001})
    wide.push(stream(0.02)[1])
    wide.rate(100 * PERIOD)
    assert wide.images.by_network == 1
    write_weights(tmp_path / 'unlit.safetensors', 'ssml', rates=())
    with pytest.raises(ConfigError, match='least_rate'):
        make('ssml', tmp_path / 'unlit.safetensors')


def test_published_weights_are_read_under_their_names_and_only_if_all_fit(tmp_path):
    torch.manual_seed(1)
    own = SimpleNetwork().state_dict()
    side = {'encode': 'enc', 'decode': 'dec'}
    published = {}
    for name, value in own.items():
        _, block, layer, *rest = name.split('.')
        published[f'{side[block[:-1]]}{block[-1]}.conv{int(layer) + 1}.{".".join(rest)}'] = value
    torch.save(published, tmp_path / 'simple.pth')
    bits, spikes = stream(0.05)
    reconstructor = make('ssml', tmp_path / 'simple.pth')
    reconstructor.push(spikes)
    network = SimpleNetwork()
    network.load_state_dict(own)
    with torch.no_grad():
        expected = network(torch.from_numpy(bits[80:121]).float()[None])[0, 0].numpy()
    np.testing.assert_allclose(reconstructor.rate(100 * PERIOD), expected, rtol=1e-4, atol=1e-6)
    assert reconstructor.images.by_network == 1  # 0.05 lies where those weights hold
    published.pop('dec1.conv4.conv.weight')
    torch.save(published, tmp_path / 'partial.pth')
    with pytest.raises(DataError, match='missing'):
        make('ssml', tmp_path / 'partial.pth')


def test_weights_of_another_method_are_refused(tmp_path):
    write_weights(tmp_path / 'w.safetensors', 'ssml')
    with pytest.raises(DataError, match='holds weights of'):
        make('stir', tmp_path / 'w.safetensors')


def test_ssml_learns_without_seeing_any_truth():
    task = small_plan('ssml').task
    assert set(task.batch(np.random.default_rng(0))) == {'planes'}


def test_clips_with_too_few_planes_or_odd_sides_are_refused():
    with pytest.raises(ConfigError, match='95 planes'):
        small_plan('ssml', 'task.clips.n_planes=41')
    with pytest.raises(ConfigError, match='multiples of 16'):
        small_plan('stir', 'task.clips.width=40')


def test_in_the_first_stage_only_the_blind_network_learns():
    task = small_plan('ssml', 'task.blind_steps=1').task
    network = task.build()
    batch = {'planes': torch.from_numpy(task.batch(np.random.default_rng(0))['planes'])}
    for step, learns in ((0, False), (1, True)):
        network.zero_grad(set_to_none=True)
        task.loss(network, batch, step).backward()
        assert all((p.grad is not None) for p in network.blind.parameters())
        assert any((p.grad is not None) for p in network.reader.parameters()) == learns


@pytest.mark.parametrize('method', ['ssml', 'stir'])
def test_training_lowers_the_loss_and_its_weights_make_images(method, tmp_path):
    often = [
        'training.steps=24',
        'training.curve_every=6',
        'training.validate_every=0',
        'training.batches_ahead=0',
    ]
    plan = small_plan(method, *often, 'training.learning_rate=0.003', 'training.schedule=constant')
    result = train(plan, tmp_path / 'run')
    rows = (tmp_path / 'run' / 'curve.csv').read_text().splitlines()[1:]
    losses = [float(row.split(',')[1]) for row in rows]
    assert len(losses) == 4 and losses[-1] < 0.8 * losses[0]
    assert {'reader_db', 'label_db', 'ati_db', 'margin_db'} <= set(result.metrics)
    reconstructor = make(method, tmp_path / 'run' / 'weights.safetensors')
    reconstructor.push(stream(0.3)[1])
    reconstructor.image(100 * PERIOD)
    assert reconstructor.images.by_network == 1


def test_a_pipeline_counts_how_images_came_about(tmp_path):
    write_weights(tmp_path / 'w.safetensors', 'ssml')
    settings = {
        'stages': ('images',),
        'images.spike_method': 'ssml',
        'images.ssml.weights': str(tmp_path / 'w.safetensors'),
        'images.period_s': 0.001,
    }
    pipeline = Pipeline(update(PipelineConfig(), settings))
    outputs = [*pipeline.push(stream(0.3)[1]), *pipeline.finish()]
    assert [image.t_ns for image in outputs] == [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000]
    # 40 planes apart, of 200; 47 are needed to either side.
    assert pipeline.counts.image_sources == {'by_network': 2, 'outside_light': 0, 'too_few_planes': 3}


def test_ssml_learns_from_pieces_of_a_recording(tmp_path):
    bits = (np.random.default_rng(8).random((100, 24, 32)) < 0.3).astype(np.uint8)
    (tmp_path / 'clip.dat').write_bytes(
        np.packbits(bits.reshape(100, -1), axis=1, bitorder='little').tobytes()
    )
    recorded = [f'task.recording.path={tmp_path / "clip.dat"}', 'task.recording.kind=plain']
    size = ['task.recording.height=24', 'task.recording.width=32']
    task = small_plan('ssml', *recorded, *size).task
    planes, again = (task.batch(np.random.default_rng(3))['planes'] for _ in range(2))
    np.testing.assert_array_equal(planes, again)
    assert planes.shape == (2, 95, 16, 16)
    # Each piece lies somewhere in the recording, if mirrored.
    mirrored = [bits[::t, ::y, ::x] for t in (-1, 1) for y in (-1, 1) for x in (-1, 1)]
    windows = [np.lib.stride_tricks.sliding_window_view(m[:, :, :], planes.shape[1:]) for m in mirrored]
    assert all(any((w == piece).all(axis=(3, 4, 5)).any() for w in windows) for piece in planes)
    with pytest.raises(ConfigError, match='do not fit'):
        small_plan('ssml', *recorded, 'task.recording.height=8', 'task.recording.width=32')
    with pytest.raises(DataError, match='no such recording'):
        small_plan('ssml', 'task.recording.path=nowhere.dat')
