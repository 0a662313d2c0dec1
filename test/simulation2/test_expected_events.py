# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Expected event images have the derivative that differences of the expectation show, births and deaths included."""

import math

import numpy as np
import pytest
import torch

from event_perception.errors import ConfigError, DataError
from event_perception.events import concatenate
from event_perception.simulation import DvsEmulator, dvs_preset
from event_perception.simulation.event_image import TimeBins, event_image
from event_perception.simulation.expected_events import expected_events
from event_perception.simulation.sigmoid_events import soft_events
from event_perception.simulation.threshold_spread import ThresholdSpread

F64 = torch.float64
KINDS = {
    'common': {'mismatch': 'common'},
    'independent': {'mismatch': 'independent'},
    'phase': {'mismatch': 'independent', 'random_phase': True},
}


def spread(mean=0.15, sigma=0.015, kind='common'):
    mean = torch.as_tensor(mean, dtype=F64)
    return ThresholdSpread(mean, mean, torch.as_tensor(sigma, dtype=F64), **KINDS[kind])


def waves(scale, pixels=24, frames=81):
    """Signals (F, 1, pixels) of four waves, two of them scaled: turning points move with the scale."""
    rng = np.random.default_rng(3)
    amplitude = torch.as_tensor(rng.uniform(0.1, 0.4, (4, pixels)))
    frequency, phase = rng.uniform(1, 4, (4, pixels)), rng.uniform(0, 6.28, (4, pixels))
    t = torch.linspace(0, 1, frames, dtype=F64)
    scale = scale.expand(pixels)
    size = torch.stack([scale, scale, torch.ones_like(scale), torch.ones_like(scale)])
    angle = 2 * np.pi * torch.as_tensor(frequency) * t[:, None, None] + torch.as_tensor(phase)
    return (amplitude * size * torch.sin(angle)).sum(1)[:, None], t


def test_a_ramp_has_the_expected_count_and_its_derivative_in_closed_form():
    # C ~ N(.15, .015): P(E >= k C) events of number k; d/dE = sum over k of density(E / k) / k.
    end = torch.tensor(0.31, dtype=F64, requires_grad=True)
    ramp = torch.linspace(0, 1, 11, dtype=F64)[:, None, None] * end
    events = expected_events(ramp, np.arange(11) * 0.1, spread(), samples=4096)
    count = events.weight.sum()
    expected = sum(0.5 * math.erfc((0.15 - 0.31 / k) / (0.015 * 2**0.5)) for k in (1, 2, 3))
    assert count.item() == pytest.approx(expected, abs=1e-3)
    z = [(0.31 / k - 0.15) / 0.015 for k in (2, 3)]
    slope = sum(
        math.exp(-0.5 * v * v) / (0.015 * math.sqrt(2 * math.pi)) / k
        for v, k in zip(z, (2, 3))
        if abs(v) < 4.5
    )
    assert torch.autograd.grad(count, end)[0].item() == pytest.approx(slope, rel=1e-6)
    held = expected_events(ramp, np.arange(11) * 0.1, spread(), births=False)
    assert held.n_ghosts == 0 and not held.weight.requires_grad


@pytest.mark.parametrize(
    ('kind', 'inside'), [('common', True), ('common', False), ('independent', False), ('phase', True)]
)
def test_the_gradient_is_that_of_the_expectation_for_light_and_threshold(kind, inside):
    bins = (
        TimeBins.inside(1.0, 6, reconstruction=None) if inside else TimeBins(0.0, 1.0, 6, reconstruction=None)
    )
    cotangent = torch.as_tensor(np.random.default_rng(5).normal(size=(6, 1, 24)))

    def values(scale, mean, method, samples):  # one number a pixel, a function of parameters of that pixel
        signal, t = waves(scale)
        image = event_image(signal, t, spread(mean, kind=kind), bins, method=method, samples=samples, lines=8)
        return (image * cotangent).sum((0, 1))

    def at(shift=(0.0, 0.0)):
        return [torch.full((24,), 1.0 + shift[0], dtype=F64), torch.full((1, 24), 0.15 + shift[1], dtype=F64)]

    found = {}
    for method in ('expected', 'implicit'):
        x = [v.requires_grad_() for v in at()]
        found[method] = torch.autograd.grad(values(*x, method, 128).sum(), x)
    far = 3 if kind == 'phase' else 1  # uniform numbers: fewer sensors within a short step
    for k, step in enumerate(((0.01 * far, 0.0), (0.0, 0.002 * far))):
        high, low = (
            values(*at((sign * step[0], sign * step[1])), 'implicit', 1536 if kind == 'phase' else 256)
            for sign in (1, -1)
        )
        fd = (high - low) / (2 * max(step))
        g, held = found['expected'][k].flatten(), found['implicit'][k].flatten()
        assert g @ fd / (g.norm() * fd.norm()) > 0.97
        assert 0.9 < g.norm() / fd.norm() < 1.1
        assert (held - fd).norm() > 2 * (g - fd).norm()


def test_ghosts_change_no_value_and_the_end_of_the_window_counts_only_when_asked():
    signal, t = waves(torch.tensor(1.0, dtype=F64, requires_grad=True))
    whole = expected_events(signal, t, spread(), samples=4)
    image = event_image(signal, t, spread(), TimeBins(0, 1, 5), samples=4)
    held = event_image(signal, t, spread(), TimeBins(0, 1, 5), samples=4, method='implicit')
    torch.testing.assert_close(image, held, rtol=0, atol=0)
    assert whole.n_ghosts > 0 and not whole.weight[-whole.n_ghosts :].detach().any()
    without = expected_events(signal, t, spread(), samples=4, window_end=False)
    assert 0 < without.n_ghosts < whole.n_ghosts


def test_sampled_sensors_fire_as_the_compiled_emulator():
    signal, t = waves(torch.tensor(1.0, dtype=F64))
    s = spread(0.2, 1e-9)
    events = expected_events(signal, t, s, samples=1, births=False)
    emulator = DvsEmulator(
        height=1, width=24, config=dvs_preset('ideal', input_transfer='log', time_resolution_ns=1)
    )
    stamps = np.round(t.numpy() * 1e9).astype(np.int64)
    hard = concatenate([emulator.push(f.float().numpy(), int(k)) for f, k in zip(signal, stamps)])
    assert len(hard) == len(events) > 200
    order = np.lexsort((events.t_s.numpy(), events.pixel.numpy()))
    other = np.lexsort((hard.t_ns, hard.x))
    np.testing.assert_array_equal(events.p.numpy()[order], hard.p[other])
    assert np.abs(events.t_s.numpy()[order] * 1e9 - hard.t_ns[other]).max() < 2e5


def test_split_images_hold_each_polarity_and_their_difference_is_the_signed_one():
    signal, t = waves(torch.tensor(1.0, dtype=F64))
    signed = event_image(signal, t, spread(), TimeBins(0, 1, 5), samples=3)
    both = event_image(signal, t, spread(), TimeBins(0, 1, 5, split=True), samples=3)
    torch.testing.assert_close(both[:5] - both[5:], signed)
    assert (both > -1e-12).all()


def test_baselines_answer_the_same_call():
    signal, t = waves(torch.tensor(1.0, dtype=F64), frames=13)
    bins = TimeBins(0.0, 1.0, 12, kernel='rect')
    on, off = soft_events(signal.exp(), 0.15, 50.0)
    soft = event_image(signal, t - 1e-9, spread(), bins, method='soft')  # each frame ends its own slice
    torch.testing.assert_close(soft, on - off)
    one = event_image(signal, t - 1e-9, spread(), bins, method='one_event')
    torch.testing.assert_close(one, one.round())
    assert 1 > one.abs().mean() > 0.2 and one.abs().max() < 1.5


def test_gradients_stay_finite_where_the_light_does_not_change():
    signal = torch.zeros(5, 2, 2, dtype=F64, requires_grad=True)
    mean = torch.tensor(0.2, dtype=F64, requires_grad=True)
    image = event_image(signal, np.arange(5.0), spread(mean, 0.02, 'phase'), TimeBins(0, 4, 3))
    gradients = torch.autograd.grad(image.sum(), (signal, mean), allow_unused=True)
    assert all(g is None or bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize(
    ('mean', 'sigma', 'kind', 'message'),
    [
        (0.0, 0.01, 'common', 'zero or negative'),
        (-0.1, 0.0, 'phase', 'zero or negative'),
        (0.1, 0.05, 'independent', 'zero or negative'),
        (0.2, float('nan'), 'common', 'zero or negative'),
        (0.2, 0.0, 'common', 'nothing to take an expectation over'),
    ],
)
def test_thresholds_that_are_not_positive_are_refused(mean, sigma, kind, message):
    with pytest.raises(DataError, match=message):
        spread(mean, sigma, kind)


def test_bad_clips_are_refused_with_what_is_wrong():
    signal, t = waves(torch.tensor(1.0, dtype=F64), pixels=2, frames=5)
    with pytest.raises(DataError, match='not finite'):
        expected_events(torch.full_like(signal, torch.nan), t, spread())
    with pytest.raises(DataError, match='must increase'):
        expected_events(signal, t.flip(0), spread())
    with pytest.raises(DataError, match='instants'):
        expected_events(signal, t[:3], spread())
    with pytest.raises(DataError, match='samples=0'):
        expected_events(signal, t, spread(), samples=0)
    with pytest.raises(ConfigError, match='choose one of'):
        event_image(signal, t, spread(), TimeBins(0, 1, 2), method='hard')
