# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of flow networks: losses that mean what they say, both kinds of supervision, weights that load."""

import numpy as np
import pytest
import torch

from event_perception import flow
from event_perception.errors import ConfigError, DataError
from event_perception.events import EventArray, EventWindow
from event_perception.flow.network_flow import load_flow_network
from event_perception.flow.networks.correlation import CorrelationFlow
from event_perception.learning.checkpoints import save_weights
from event_perception.learning.flow_clips import FlowClipConfig, FlowClipMaker
from event_perception.learning.flow_losses import end_point_loss, focus, focus_loss, roughness
from event_perception.learning.plan import make_plan
from event_perception.learning.training import train
from event_perception.motion import CameraModel

SIZE = 48
SMALL = [
    'task.clips.height=48',
    'task.clips.width=48',
    'task.clips.pictures=2',
    'task.clips.clips=2',
    'task.clips.max_events=800',
    'task.validation_clips=1',
    'task.batch=2',
    'training.steps=3',
    'training.curve_every=1',
    'training.batches_ahead=0',
]
NETWORKS = {
    'recurrent': ['task.width=4', 'task.slices=2'],
    'hybrid': ['task.width=4', 'task.slices=2'],
    'correlation': ['task.bins=3', 'task.iterations=2'],
}


@pytest.fixture(scope='module')
def moving_edges():
    """Events of vertical lines that move by 6 px over the window."""
    generator = torch.Generator().manual_seed(0)
    fraction, y = torch.rand(1, 600, generator=generator), torch.rand(1, 600, generator=generator)
    start = torch.randint(1, 5, (1, 600), generator=generator) * 9.0
    x = (start + 6 * fraction).round()
    return torch.stack([x, (y * (SIZE - 1)).round(), fraction], dim=-1), torch.ones(1, 600)


def constant(value_px):
    return torch.tensor([value_px, 0.0])[None, :, None, None].expand(1, 2, SIZE, SIZE).clone()


def test_the_true_motion_is_sharpest_at_every_instant(moving_edges):
    for at in (0.0, 0.5, 1.0):
        sharpness = [
            float(focus(*moving_edges, constant(v), at=at, bin_px=1.5)) for v in (0.0, 3.0, 6.0, 9.0)
        ]
        assert int(np.argmax(sharpness)) == 2


def test_the_loss_without_truth_is_minus_one_at_rest_and_falls_along_its_weak_derivative(moving_edges):
    settings = {'bin_px': 1.5, 'reconstruction': 'linear'}
    assert focus_loss(*moving_edges, constant(0.0), **settings) == pytest.approx(-1, abs=1e-6)
    field = constant(4.5).requires_grad_()
    (gradient,) = torch.autograd.grad(focus_loss(*moving_edges, field, **settings), field)
    assert gradient[:, 0].sum() < 0  # a larger velocity is better


def test_errors_off_events_weigh_less():
    truth, seen = constant(0.0), torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    seen[:, :24] = True
    wrong = constant(0.0)
    wrong[:, 0, 24:] = 3.0
    assert end_point_loss(wrong, truth, seen, 0.1) == pytest.approx(0.1 / 1.1 * 3 + 0.01 / 1.1, rel=1e-2)


def test_roughness_is_the_mean_step_between_neighbours():
    ramp = torch.zeros(1, 2, SIZE, SIZE)
    ramp[:, 0] = 0.5 * torch.arange(SIZE)
    assert roughness(constant(7.0)) == pytest.approx(0, abs=1e-6)
    assert roughness(ramp) == pytest.approx(0.49, abs=0.01)


@pytest.mark.parametrize('method', sorted(NETWORKS))
@pytest.mark.parametrize('supervision', ['truth', 'contrast'])
def test_every_network_trains_with_either_supervision_and_its_weights_estimate_flow(
    tmp_path, method, supervision
):
    settings = [*SMALL, *NETWORKS[method], f'task.supervision={supervision}']
    result = train(make_plan(f'flow.{method}', assignments=settings), tmp_path / 'run')
    assert result.end == 'done' and np.isfinite(result.metrics['epe_px'])
    camera = CameraModel(fx=40.0, fy=40.0, cx=23.5, cy=19.5, height=40, width=48)
    estimator = flow.create(
        'network', camera, weights=str(tmp_path / 'run' / 'weights.safetensors'), reach_px=2
    )
    field = estimator.update(window_of(900))
    assert field.flow_px_s.shape == (2, 40, 48) and np.isfinite(field.flow_px_s).all()
    assert field.valid.any() and not field.valid.all() and not field.flow_px_s[:, ~field.valid].any()


def window_of(n, height=40, width=48):
    rng = np.random.default_rng(n)
    x, y = rng.integers(0, width // 2, n), rng.integers(0, height // 2, n)
    t_ns = np.sort(rng.integers(0, 50_000_000, n))
    events = EventArray(t_ns, x, y, rng.choice([-1, 1], n), height=height, width=width)
    return EventWindow.from_events(events, t0_ns=0, t1_ns=50_000_000)


def test_weights_that_are_not_there_or_of_another_kind_are_refused_with_what_to_do(tmp_path):
    camera = CameraModel(fx=40.0, fy=40.0, cx=23.5, cy=19.5, height=40, width=48)
    save_weights(tmp_path / 'other.safetensors', torch.nn.Linear(1, 1), {'task': 'spikes.compact'})
    with pytest.raises(ConfigError, match='train flow'):
        flow.create('network', camera, weights=str(tmp_path / 'other.safetensors'))
    with pytest.raises(DataError, match='no such file'):
        flow.create('network', camera, weights=str(tmp_path / 'none.safetensors'))


def test_the_network_of_the_package_follows_moving_pictures():
    clips = FlowClipMaker(FlowClipConfig(seed=77, pictures=3, object_share=0.0))
    camera = CameraModel(fx=80.0, fy=80.0, cx=47.5, cy=47.5, height=96, width=96)
    estimator, errors, motions = flow.create('network', camera), [], []
    for number in range(6):
        window, truth = first_window(clips.clip(number))
        estimator.reset()
        field = estimator.update(window)
        error = np.linalg.norm(0.05 * field.flow_px_s - truth, axis=0)
        errors.append(error[window.y, window.x].mean())
        motions.append(np.linalg.norm(truth, axis=0)[window.y, window.x].mean())
    assert np.mean(errors) < 0.5 * np.mean(motions)


def first_window(clip):
    """Events and displacement of the first 50 ms of a clip."""
    some = clip.polarity[0] != 0
    x, y = clip.points[0, some, :2].astype(int).T
    t_ns = (clip.points[0, some, 2] * 50e6).astype(np.int64)
    events = EventArray(t_ns, x, y, clip.polarity[0, some].astype(np.int8), height=96, width=96)
    return EventWindow.from_events(events, t0_ns=0, t1_ns=50_000_000), clip.flow[0]


def test_weights_in_the_layout_of_e_raft_load_and_others_are_refused(tmp_path):
    theirs = {'module.' + name: value for name, value in CorrelationFlow().state_dict().items()}
    twice = {n.replace('.downsample.1.', '.norm3.'): v for n, v in theirs.items() if '.downsample.1.' in n}
    torch.save({'model': theirs | twice}, tmp_path / 'dsec.tar')
    network = load_flow_network(tmp_path / 'dsec.tar')
    torch.testing.assert_close(network.fnet.conv1.weight, theirs['module.fnet.conv1.weight'])
    torch.save({'weight': torch.zeros(3)}, tmp_path / 'other.pth')
    with pytest.raises(DataError, match='does not fit'):
        load_flow_network(tmp_path / 'other.pth')


def test_a_window_of_another_sensor_is_an_error(tmp_path):
    settings = [*SMALL, *NETWORKS['recurrent'], 'training.steps=1']
    train(make_plan('flow.recurrent', assignments=settings), tmp_path / 'run')
    camera = CameraModel(fx=40.0, fy=40.0, cx=23.5, cy=19.5, height=30, width=48)
    estimator = flow.create('network', camera, weights=str(tmp_path / 'run' / 'weights.safetensors'))
    with pytest.raises(DataError, match='camera model'):
        estimator.update(window_of(900))
