# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the spike emulator."""

import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError
from event_perception.simulation.spikes import SpikeEmulator, SpikeSensorConfig, spike_sensor


def bits_under(light, n, config=None, shape=(20, 30)):
    emulator = SpikeEmulator(config, height=shape[0], width=shape[1])
    return emulator.emulate(np.broadcast_to(np.float64(light), shape) for _ in range(n)).unpack()


def test_without_noise_the_spikes_are_exactly_the_thresholds_that_the_light_crosses():
    rng = np.random.default_rng(1)
    frames = rng.random((300, 12, 11))
    bits = SpikeEmulator(SpikeSensorConfig(gain=0.7, seed=5), height=12, width=11).emulate(frames).unpack()
    start = np.random.default_rng(5).random((12, 11))
    crossed = np.floor(start + np.cumsum(0.7 * frames, axis=0) + 1e-9)
    np.testing.assert_array_equal(np.cumsum(bits, axis=0), crossed)


@pytest.mark.parametrize('light', [0.05, 0.31, 0.9])
def test_the_rate_is_gain_times_light(light):
    assert bits_under(light, 2000).mean() == pytest.approx(0.6 * light, rel=0.01)


def test_the_rate_saturates_at_one_and_recovers_at_once():
    emulator = SpikeEmulator(SpikeSensorConfig(gain=0.6), height=5, width=5)
    assert emulator.emulate(np.full((40, 5, 5), 9.0)).unpack()[2:].all()
    assert emulator.emulate(np.zeros((5, 5, 5))).unpack()[2:].sum() == 0


def test_pixels_start_anywhere_in_their_cycle():
    first = bits_under(0.1, 1, SpikeSensorConfig(gain=1.0), (100, 100))
    assert first.mean() == pytest.approx(0.1, abs=0.01)


def interval_spread(config, light=0.1, n=4000):
    bits = bits_under(light, n, config, (20, 20))
    intervals = np.concatenate([np.diff(np.flatnonzero(s)) for s in bits.reshape(n, -1).T])
    return intervals.std() / intervals.mean()


@pytest.mark.parametrize('electrons', [100.0, 400.0])
def test_shot_noise_spreads_the_intervals_as_theory_says(electrons):
    # one interval: sqrt(1/Ne) of shot noise, and the plane grid, whose ends cost 1/6 plane^2 together
    config = SpikeSensorConfig(gain=0.5, electrons_per_threshold=electrons)
    expected = np.hypot(1 / np.sqrt(electrons), np.sqrt(1 / 6) / 20)
    assert interval_spread(config) == pytest.approx(expected, rel=0.1)


def test_reset_and_threshold_noise_spread_the_intervals():
    quiet = interval_spread(SpikeSensorConfig(gain=0.5))
    reset = interval_spread(SpikeSensorConfig(gain=0.5, reset_sd=0.1))
    assert reset == pytest.approx(np.hypot(0.1, np.sqrt(1 / 6) / 20), rel=0.1)
    assert interval_spread(SpikeSensorConfig(gain=0.5, threshold_sd=0.05)) > 1.5 * quiet


def test_dark_current_and_fixed_pattern_have_the_mean_and_spread_that_are_asked_for():
    dark = bits_under(0.0, 3000, SpikeSensorConfig(dark_current=0.02), (30, 30))
    assert dark.mean() == pytest.approx(0.02, rel=0.05)
    pattern = bits_under(0.5, 3000, SpikeSensorConfig(response_sd=0.05), (40, 40)).mean(axis=0)
    assert pattern.std() / pattern.mean() == pytest.approx(0.05, rel=0.1)


def test_the_stream_is_reproducible_by_seed_and_does_not_depend_on_the_calls():
    frames = np.random.default_rng(0).random((30, 6, 7))
    config = spike_sensor('harsh', seed=3)
    whole = SpikeEmulator(config, height=6, width=7, start_ns=100).emulate(frames)
    emulator = SpikeEmulator(config, height=6, width=7, start_ns=100)
    parts = [emulator.emulate(frames[:11]), emulator.emulate(frames[11:])]
    np.testing.assert_array_equal(np.concatenate([p.planes for p in parts]), whole.planes)
    assert (parts[1].start_ns, parts[1].first_plane_index) == (100 + 11 * 25_000, 11)
    other = SpikeEmulator(spike_sensor('harsh', seed=4), height=6, width=7).emulate(frames)
    assert not np.array_equal(other.planes, whole.planes)


@pytest.mark.parametrize(
    'frame, message',
    [
        (np.zeros((3, 4)), r'expected floating point \(4, 5\)'),
        (np.zeros((4, 5), np.uint8), 'divide 8-bit'),
        (np.full((4, 5), -0.1), 'negative'),
        (np.full((4, 5), np.inf), 'finite'),
    ],
)
def test_frames_that_are_no_light_are_errors(frame, message):
    with pytest.raises(DataError, match=message):
        SpikeEmulator(height=4, width=5).emulate([frame])


def test_an_unknown_sensor_or_parameter_is_an_error():
    with pytest.raises(ConfigError, match='choose one of'):
        spike_sensor('vidar')
    with pytest.raises(ConfigError, match='unknown'):
        spike_sensor('clean', electrons=3.0)
