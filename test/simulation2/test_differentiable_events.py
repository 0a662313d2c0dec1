# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The torch sensor fires when the compiled one does, and its times have the derivatives that differences show."""

import numpy as np
import pytest
import torch

from event_perception.errors import ConfigError, DataError
from event_perception.events import concatenate
from event_perception.simulation import DifferentiableDvs, DvsEmulator, diff_events, dvs_preset, soft_events
from event_perception.simulation.sigmoid_events import soft_counts

MS = 1_000_000
START = 1_700_000_000_000_000_000
SIZE = {'height': 16, 'width': 20}
VARIANTS = {
    'ideal': {},
    'mismatch': {'threshold_sigma': 0.03},
    'filter_and_leak': {'cutoff_hz': 300.0, 'leak_rate_hz': 3.0, 'threshold_sigma': 0.03},
}


def log_light(shift):
    """A texture, displaced by ``shift`` px: ln of dn, from about 2 to 5."""
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing='ij')
    x = x.double() + shift
    return 3.6 + 0.7 * (
        torch.sin(0.4 * x + 0.2 * y) + torch.sin(0.23 * x * y / 9) + torch.sin(0.9 * y - 0.3 * x)
    )


def clip(velocity_px_s=400.0, frames=40):
    """Frames (F, H, W) of a texture that drifts, 1 ms apart; attached to the velocity if that is a tensor."""
    return torch.stack([log_light(velocity_px_s * k * 1e-3) for k in range(frames)])


def stamps(frames=40):
    return START + np.arange(frames) * MS


def by_pixel(events):
    """Order by pixel, then by time within it: the same for any small change of the times."""
    return np.lexsort((np.arange(len(events)), events.x, events.y))


@pytest.mark.parametrize('variant', VARIANTS)
def test_counts_pixels_and_times_are_those_of_the_compiled_sensor(variant):
    frames = clip().float()
    config = dvs_preset('ideal', input_transfer='log', time_resolution_ns=1, seed=4, **VARIANTS[variant])
    compiled = DvsEmulator(**SIZE, config=config)
    expected = concatenate([compiled.push(f.numpy(), int(t)) for f, t in zip(frames, stamps())])
    events = diff_events(frames, stamps(), config=config).detached()
    assert len(events) == len(expected) > 1000 and events.is_sorted()
    a, b = by_pixel(events), by_pixel(expected)
    for name in ('x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(events, name)[a], getattr(expected, name)[b])
    errors_ns = np.abs(events.t_ns[a] - expected.t_ns[b])
    assert np.median(errors_ns) <= 2 and errors_ns.max() < 1000  # the compiled filter is float32


@pytest.mark.parametrize(('transfer', 'code'), [
    ('dn', lambda dn: dn), ('linear', lambda dn: dn / 255),
    ('srgb', lambda dn: 255 * (1.055 * (dn / 255) ** (1 / 2.4) - 0.055)), ('log', np.log),
])  # fmt: skip
def test_light_may_be_coded_in_any_way_that_the_compiled_sensor_knows(transfer, code):
    frames = torch.tensor([30.0, 60.0, 25.0, 200.0], dtype=torch.float64)[:, None, None].numpy()
    config = dvs_preset('ideal', input_transfer=transfer)
    events = diff_events(torch.as_tensor(code(frames)), np.arange(4) * MS, config=config)
    assert events.p.tolist() == [1] * 3 + [-1] * 3 + [1] * 9


def test_one_pixel_from_100_to_200_dn_fires_at_the_crossings_and_their_derivatives_are_those_of_the_formula():
    frames = torch.tensor([100.0, 200.0], dtype=torch.float64, requires_grad=True)
    threshold = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    events = diff_events(frames[:, None, None], [0, 10 * MS], threshold_on=threshold)
    np.testing.assert_allclose(events.t_s.detach(), [2.885390e-3, 5.770780e-3, 8.656170e-3], atol=1e-9)
    slope = np.log(2.0) / 0.01
    by_threshold = torch.autograd.grad(events.t_s.sum(), threshold, retain_graph=True)[0]
    assert by_threshold.item() == pytest.approx((1 + 2 + 3) / slope)
    by_light = torch.autograd.grad(events.t_s[2], frames)[0]
    assert by_light[1].item() == pytest.approx(-8.656170e-3 / np.log(2.0) / 200.0, rel=1e-6)


def difference(function, at, step):
    """Central difference of event times by pixel, for a scalar argument."""
    up, down = function(at + step), function(at - step)
    assert len(up) == len(down)
    return (up.t_s[by_pixel(up)] - down.t_s[by_pixel(down)]) / (2 * step)


@pytest.mark.parametrize('variant', VARIANTS)
def test_times_follow_the_motion_of_the_scene_as_their_differences_do(variant):
    """Through frames: the chain that a pose or a lens would take."""
    config = dvs_preset('ideal', input_transfer='log', **VARIANTS[variant])

    def times(velocity):
        return diff_events(clip(velocity), stamps(), config=config)

    velocity = torch.tensor(400.0, dtype=torch.float64, requires_grad=True)
    events = times(velocity)
    weights = torch.as_tensor(np.random.default_rng(0).standard_normal(len(events)))
    (weights * events.t_s[by_pixel(events)]).sum().backward()
    expected = (weights * difference(times, velocity.detach(), 1e-6)).sum()
    assert velocity.grad.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize('which', ['threshold_on', 'threshold_off', 'frames'])
def test_times_follow_thresholds_and_frames_as_their_differences_do(which):
    rng = np.random.default_rng(1)
    shape = (40, 16, 20) if which == 'frames' else (16, 20)
    direction = torch.as_tensor(rng.standard_normal(shape))
    base = {
        'frames': clip(),
        'threshold_on': torch.full((16, 20), 0.2, dtype=torch.float64),
        'threshold_off': torch.full((16, 20), 0.17, dtype=torch.float64),
    }

    def times(amount):
        values = {**base, which: base[which] + amount * direction}
        frames = values.pop('frames')
        return diff_events(frames, stamps(), config=dvs_preset('ideal', input_transfer='log'), **values)

    amount = torch.zeros((), dtype=torch.float64, requires_grad=True)
    events = times(amount)
    weights = torch.as_tensor(rng.standard_normal(len(events)))
    (weights * events.t_s[by_pixel(events)]).sum().backward()
    expected = (weights * difference(times, 0.0, 1e-9)).sum()
    assert abs(expected) > 1e-4 and amount.grad.item() == pytest.approx(expected.item(), rel=1e-3)


def test_a_stream_that_is_cut_keeps_its_events_and_drops_older_gradients():
    frames = clip().requires_grad_()
    sensor = DifferentiableDvs(**SIZE, config=dvs_preset('ideal', input_transfer='log'))
    parts = []
    for k, (frame, t) in enumerate(zip(frames, stamps())):
        if k == 20:
            sensor.detach()
        parts.append(sensor.push(frame, int(t)))
    whole = diff_events(frames.detach(), stamps(), config=sensor.config)
    assert torch.equal(torch.cat([part.t_s for part in parts]).detach(), whole.t_s)
    torch.cat([part.t_s for part in parts[20:]]).sum().backward()
    assert not frames.grad[:20].any() and frames.grad[20:].any()


def test_soft_events_is_the_formula_of_the_co_design_study():
    rng = np.random.default_rng(2)
    light = torch.as_tensor(rng.uniform(0, 1, (5, 6, 7)))
    light[0, 0, 0] = 0.0
    log_light = torch.log(light.clamp_min(1e-6))
    change = log_light[1:] - log_light[:-1]
    on, off = soft_events(light)
    torch.testing.assert_close(on, torch.sigmoid(50.0 * (change - 0.1)), rtol=0, atol=1e-12)
    torch.testing.assert_close(off, torch.sigmoid(50.0 * (-change - 0.1)), rtol=0, atol=1e-12)
    other = soft_events(light, thr=0.3, sharpness=10.0, eps=1e-2)[0]
    expected = torch.sigmoid(10.0 * (light.clamp_min(1e-2).log().diff(dim=0) - 0.3))
    torch.testing.assert_close(other, expected, rtol=0, atol=1e-12)


def test_soft_counts_of_a_still_scene_are_phantom_events_of_the_size_that_the_formula_says():
    on, off = soft_events(torch.full((2, 260, 346), 0.5))
    assert (on + off).sum().item() == pytest.approx(1204, abs=1)


def test_sharp_soft_counts_with_memory_and_levels_are_the_events_of_the_hard_sensor():
    log_frames = clip()
    on, off = soft_counts(
        log_frames.exp(), threshold_on=0.2, threshold_off=0.2, sharpness=1e7, levels=8, memory=True
    )
    events = diff_events(log_frames, stamps(), config=dvs_preset('ideal', input_transfer='log'))
    assert on.sum().item() == pytest.approx((events.p > 0).sum().item(), abs=0.5)
    assert off.sum().item() == pytest.approx((events.p < 0).sum().item(), abs=0.5)


@pytest.mark.parametrize(
    ('changes', 'name'),
    [
        ({'refractory_s': 1e-3}, 'refractory_s'),
        ({'shot_noise_rate_hz': 1.0}, 'shot_noise'),
        ({'model': 'naive'}, 'naive'),
        ({'cutoff_hz': 10.0, 'filter': 'euler'}, 'euler'),
    ],
)
def test_what_has_no_derivative_is_refused(changes, name):
    with pytest.raises(ConfigError, match=name):
        DifferentiableDvs(**SIZE, config=dvs_preset('ideal', **changes))


def test_frames_and_thresholds_that_cannot_be_are_refused():
    with pytest.raises(DataError, match='threshold'):
        DifferentiableDvs(**SIZE, threshold_on=torch.ones(3, 3))
    with pytest.raises(DataError, match='threshold'):
        DifferentiableDvs(**SIZE, threshold_on=torch.tensor(-0.1))
    sensor = DifferentiableDvs(**SIZE)
    for wrong in (torch.ones(3, 3), torch.full((16, 20), float('nan'))):
        with pytest.raises(DataError, match='frame'):
            sensor.push(wrong, 0)
    sensor.push(torch.ones(16, 20), 5)
    with pytest.raises(DataError, match='not after'):
        sensor.push(torch.ones(16, 20), 5)
    with pytest.raises(DataError, match='frames'):
        soft_events(torch.ones(1, 2, 2))
