# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every plug-in of a family must do; a new one is tested here as soon as it is registered."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from event_perception import flow, images, odometry
from event_perception.config import flatten, parameters
from event_perception.errors import ConfigError, PluginError
from event_perception.events import DepthImage, EventArray, EventWindow, SpikeStream
from event_perception.learning.checkpoints import save_weights
from event_perception.learning.plan import make_plan
from event_perception.learning.training_folder import description
from event_perception.motion import CameraModel, EgomotionResult

HEIGHT, WIDTH = 24, 32
CAMERA = CameraModel(fx=30.0, fy=31.0, cx=15.5, cy=11.5, height=HEIGHT, width=WIDTH)
FAMILIES = {
    'reconstructor': images.RECONSTRUCTORS,
    'flow': flow.FLOW_ESTIMATORS,
    'odometry': odometry.ODOMETRIES,
}
SPIKE_METHODS = ('ati', 'compact', 'ssml', 'stir', 'stp', 'tfi', 'tfi_adaptive', 'tfi_k', 'tfp', 'tvs')
SIX_DOF = ('depth_slam',)
EVENT_METHODS = sorted(set(images.RECONSTRUCTORS.names()) - set(SPIKE_METHODS))


@pytest.fixture
def events():
    rng = np.random.default_rng(5)
    t_ns = np.sort(rng.integers(0, 200_000_000, 4000)) + 10**12
    x, y = rng.integers(0, WIDTH, 4000), rng.integers(0, HEIGHT, 4000)
    return EventArray(t_ns, x, y, rng.choice([-1, 1], 4000), height=HEIGHT, width=WIDTH)


@pytest.fixture
def spikes():
    rng = np.random.default_rng(5)
    rate = rng.uniform(0.05, 0.6, (HEIGHT, WIDTH))
    planes = (rng.random((900, HEIGHT, WIDTH)) < rate).astype(np.uint8)
    return SpikeStream(planes, height=HEIGHT, width=WIDTH, plane_period_ns=50_000, start_ns=10**12)


def egomotion(t_ns, omega, converged=True):
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = 1e-4 * np.eye(3)
    v = np.full(3, np.nan)
    return EgomotionResult(t_ns, t_ns + 1, t_ns, omega, v, covariance, converged, 'test', 100, 3, 1.5)


@pytest.fixture(scope='session')
def weights(tmp_path_factory):
    """Parameters of the methods that need weights: small networks, random from a seed."""
    folder = tmp_path_factory.mktemp('weights')
    return {
        method: {'weights': str(random_spike_weights(folder / f'{method}.safetensors', method))}
        for method in ('ssml', 'stir')
    }


def random_spike_weights(path, method):
    """A file as training writes it; the network is biased so that it gives rates, if wrong ones."""
    torch.manual_seed(5)
    settings = {'ssml': {'task.network.width': 3}, 'stir': {'task.width': 8}}[method]
    plan = make_plan(f'spikes.{method}', assignments=[f'{k}={v}' for k, v in settings.items()])
    network = plan.task.build().eval()
    planes = (torch.rand(1, 95, HEIGHT, WIDTH) < 0.33).float()
    network.light.see(planes)
    with torch.no_grad():
        mean = network.reader(planes).mean()
        if method == 'ssml':
            network.reader.read.weight *= 0.3 / mean
        else:
            network.reader.finest.predict.bias += 0.3 - mean
    save_weights(path, network, description(plan))
    return path


def image_after(method, stream, cuts, t_ns, params=None):
    reconstructor = images.create(method, height=HEIGHT, width=WIDTH, **(params or {}))
    bounds = [0, *cuts, len(stream)]
    for start, stop in pairwise(bounds):
        reconstructor.push(stream[start:stop])
    return reconstructor.image(t_ns)


@pytest.mark.parametrize(('family', 'name'), [(f, n) for f, r in FAMILIES.items() for n in r.names()])
def test_every_plug_in_declares_its_parameters_with_defaults_in_range(family, name):
    config = FAMILIES[family].load(name).config_type()
    known = {p.name: p for p in parameters(type(config))}
    assert all(known[key].check(value) == value for key, value in flatten(config).items())


@pytest.mark.parametrize(('family', 'name'), [(f, n) for f, r in FAMILIES.items() for n in r.names()])
def test_every_plug_in_refuses_a_parameter_that_it_does_not_have(family, name):
    make = {
        'reconstructor': lambda: images.create(name, height=HEIGHT, width=WIDTH, no_such=1),
        'flow': lambda: flow.create(name, CAMERA, no_such=1),
        'odometry': lambda: odometry.create(name, CAMERA, no_such=1),
    }[family]
    with pytest.raises(ConfigError, match='no_such'):
        make()


def test_every_family_refuses_an_unknown_name():
    with pytest.raises(PluginError):
        images.create('no_such', height=HEIGHT, width=WIDTH)
    for package in (flow, odometry):
        with pytest.raises(PluginError):
            package.create('no_such', CAMERA)


@pytest.mark.parametrize('method', EVENT_METHODS)
def test_event_images_do_not_depend_on_how_the_stream_is_cut(method, events):
    t_ns = int(events.t_ns[-1])
    whole, pieces = (image_after(method, events, cuts, t_ns) for cuts in ([], [1, 700, 701, 2500]))
    np.testing.assert_array_equal(whole, pieces)
    assert whole.shape == (HEIGHT, WIDTH) and whole.dtype == np.float32
    assert 0 <= whole.min() < whole.max() <= 1


@pytest.mark.parametrize('method', SPIKE_METHODS)
def test_spike_images_do_not_depend_on_how_the_stream_is_cut(method, spikes, weights):
    t_ns, params = spikes.start_ns + 450 * spikes.plane_period_ns, weights.get(method)
    whole, pieces = (image_after(method, spikes, cuts, t_ns, params) for cuts in ([], [1, 300, 649]))
    np.testing.assert_allclose(whole, pieces, rtol=1e-5)
    assert whole.shape == (HEIGHT, WIDTH) and whole.dtype == np.float32
    assert whole.min() >= 0 and 0.1 < whole.mean() < 0.6


@pytest.mark.parametrize('method', images.RECONSTRUCTORS.names())
def test_an_image_asked_for_twice_is_the_same_and_belongs_to_the_caller(method, events, spikes, weights):
    stream = spikes if method in SPIKE_METHODS else events
    t_ns = stream.start_ns + 450 * stream.plane_period_ns if method in SPIKE_METHODS else int(stream.t_ns[-1])
    reconstructor = images.create(method, height=HEIGHT, width=WIDTH, **weights.get(method, {}))
    reconstructor.push(stream)
    first = reconstructor.image(t_ns)
    kept = first.copy()
    first[:] = 0.25
    np.testing.assert_array_equal(reconstructor.image(t_ns), kept)


@pytest.fixture(scope='session')
def flow_weights(tmp_path_factory):
    """Parameters of the flow estimators that need weights: a small network, as training writes it."""
    path = tmp_path_factory.mktemp('flow_weights') / 'recurrent.safetensors'
    plan = make_plan('flow.recurrent', assignments=['task.width=4', 'task.slices=2'])
    save_weights(path, plan.task.build(), description(plan))
    return {'network': {'weights': str(path)}}


@pytest.mark.parametrize('name', flow.FLOW_ESTIMATORS.names())
def test_flow_is_zero_and_not_valid_where_nothing_is_known(name, flow_weights):
    none = EventArray.empty(height=HEIGHT, width=WIDTH)
    window = EventWindow.from_events(none, t0_ns=10**12, t1_ns=10**12 + 50_000_000)
    estimator = flow.create(name, CAMERA, **flow_weights.get(name, {}))
    result = estimator.update(window, egomotion(window.t_ref_ns, np.ones(3), converged=False))
    assert result.t_ref_ns == window.t_ref_ns
    assert result.flow_px_s.shape == (2, HEIGHT, WIDTH) and result.flow_px_s.dtype == np.float32
    assert not result.valid.any() and not result.flow_px_s.any()


@pytest.mark.parametrize('name', odometry.ODOMETRIES.names())
def test_odometry_gives_poses_and_covariances_that_stacks_accept(name, events):
    estimator, estimator_needs_velocity = odometry.create(name, CAMERA), name in SIX_DOF
    for k in range(5):
        window = EventWindow.from_events(events.shifted(k * 200_000_000))
        depth = DepthImage(window.t_ref_ns, np.full((HEIGHT, WIDTH), 2.0, np.float32))
        moving = egomotion(window.t_ref_ns, np.array([0.1, -0.2, 0.3]), k != 3)
        if estimator_needs_velocity:
            moving = replace(moving, v=np.array([0.01, 0.02, -0.01]), covariance=1e-4 * np.eye(6))
        estimate = estimator.update(window, moving, depth)
        assert estimate.t_ns == window.t_ref_ns and estimate.tracking == (k != 3)
        R = estimate.T_odom_camera[:3, :3]
        np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
        for covariance in (estimate.pose_covariance, estimate.twist_covariance):
            assert np.linalg.eigvalsh(covariance).min() > 0
            assert np.isfinite(covariance).all() and covariance.max() < 9999
    estimator.reset()
    first = estimator.update(window, egomotion(window.t_ref_ns, np.zeros(3)))
    np.testing.assert_allclose(first.T_odom_camera, np.eye(4), atol=1e-12)
