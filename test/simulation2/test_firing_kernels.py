# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The fast ways of firing give what the general one gives; blocks and growing buffers leave no trace."""

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import concatenate
from event_perception.simulation import DvsEmulator, dvs_preset
from event_perception.simulation.firing_kernels import fire, fire_freely, fire_held

MS = 1_000_000
N, DT_NS = 5000, 1e6
NO_NOISE = (np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int8))


def pixels(seed):
    """Residuals, changes and thresholds of pixels of which about half fire, up to ten times."""
    rng = np.random.default_rng(seed)
    on, off = rng.uniform(0.1, 0.3, (2, N)).astype(np.float32)
    residual = rng.uniform(-0.999 * off, 0.999 * on)
    change = rng.normal(0, 0.4, N)
    change[:100] = 0.0
    return residual, change, on, off


def result(n, buffers, *state):
    tau, pixel, polarity = (b[:n] for b in buffers)
    return (pixel.copy(), polarity.copy(), tau.copy(), *(s.copy() for s in state))


def general(residual, change, on, off, *, dead_ns=0.0, last_ns=None):
    buffers = np.empty(200_000), np.empty(200_000, np.int32), np.empty(200_000, np.int8)
    residual, last = residual.copy(), np.full(N, -(1 << 62)) if last_ns is None else last_ns.copy()
    n = fire(
        np.arange(N), 7, change, residual, on, off, DT_NS, 0, last, dead_ns, False, *NO_NOISE, 0, *buffers
    )
    return result(n, buffers, residual, last)


def assert_same(fast, slow):
    for a, b in zip(fast[:2], slow[:2]):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(fast[2:], slow[2:]):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)  # ns, and ln units times a lot


@pytest.mark.parametrize('seed', [0, 1])
def test_the_closed_form_is_the_general_way_without_dead_time(seed):
    residual, change, on, off = pixels(seed)
    buffers = np.empty(200_000), np.empty(200_000, np.int32), np.empty(200_000, np.int8)
    own = residual.copy()
    n = fire_freely(np.arange(N), 7, change, own, on, off, DT_NS, 0, *buffers)
    slow = general(residual, change, on, off)
    assert n > N and np.bincount(slow[0]).max() > 4
    assert_same(result(n, buffers, own), slow[:4])


@pytest.mark.parametrize('dead_ns', [0.0, 2e5, 3e6])
def test_held_events_are_those_of_the_general_way(dead_ns):
    """Also of pixels that are still dead, and that are held beyond a threshold while the light has turned."""
    residual, change, on, off = pixels(3)
    rng = np.random.default_rng(4)
    residual *= np.where(rng.random(N) < 0.2, 3.0, 1.0)
    last = np.where(rng.random(N) < 0.5, -rng.integers(0, 1_000_000, N), -(1 << 62))
    buffers = np.empty(200_000), np.empty(200_000, np.int32), np.empty(200_000, np.int8)
    own, own_last = residual.copy(), last.copy()
    n = fire_held(np.arange(N), 7, change, own, on, off, DT_NS, 0, own_last, dead_ns, 0, *buffers)
    slow = general(residual, change, on, off, dead_ns=dead_ns, last_ns=last)
    assert n > 1500
    if dead_ns == 0.0:  # the general way keeps no times then
        slow = (*slow[:4], own_last)
    assert_same(result(n, buffers, own, own_last), slow)


def frames(height, width):
    rng = np.random.default_rng(5)
    return rng.uniform(1, 250, (4, height, width)).astype(np.float32)


@pytest.mark.parametrize(
    'changes', [{}, {'refractory_s': 5e-4}, {'refractory_s': 5e-4, 'refractory_mode': 'dead'}]
)
def test_a_sensor_of_several_blocks_is_its_parts_side_by_side(changes):
    """9800 pixels are three blocks; the same pixels as sensors of 1400."""
    light, on = frames(70, 140), np.random.default_rng(6).uniform(0.1, 0.3, (70, 140))
    config = dvs_preset('ideal', cutoff_hz=200.0, **changes)

    def events(rows):
        maps = {'threshold_on': on[rows], 'threshold_off': on[rows]}
        sensor = DvsEmulator(height=on[rows].shape[0], width=140, config=config, **maps)
        return concatenate([sensor.push(frame[rows], k * MS) for k, frame in enumerate(light)])

    whole = events(slice(None))
    parts = [events(slice(k, k + 10)) for k in range(0, 70, 10)]
    assert len(whole) == sum(len(part) for part in parts) > 15_000
    for k, part in enumerate(parts):
        mine = whole[(whole.y >= 10 * k) & (whole.y < 10 * k + 10)]
        for name, offset in (('t_ns', 0), ('x', 0), ('y', 10 * k), ('p', 0)):
            np.testing.assert_array_equal(getattr(mine, name), getattr(part, name) + offset)


@pytest.mark.parametrize('seed', [0, 1])
def test_noise_touches_only_its_own_pixels(seed):
    """Blocks with noise take the general way; the events of other pixels stay the same."""
    light = frames(70, 140)
    quiet, noisy = (
        DvsEmulator(height=70, width=140, config=dvs_preset('ideal', shot_noise_rate_hz=rate, seed=seed))
        for rate in (0.0, 0.5)
    )
    pushed = [[s.push(f, k * MS) for k, f in enumerate(light)] for s in (quiet, noisy)]
    a, b = (concatenate(parts) for parts in pushed)
    counts = [np.bincount(e.y.astype(int) * 140 + e.x, minlength=9800) for e in (a, b)]
    touched = np.count_nonzero(counts[0] != counts[1])
    assert 0 < touched < 40


def test_a_frame_that_is_not_finite_leaves_the_sensor_as_it_was():
    light = frames(70, 140)
    bad = light[2].copy()
    bad[60, 3] = np.inf
    first, second = (DvsEmulator(height=70, width=140) for _ in range(2))
    for k in (0, 1):
        first.push(light[k], k * MS), second.push(light[k], k * MS)
    with pytest.raises(DataError, match='not finite'):
        first.push(bad, 2 * MS)
    a, b = (sensor.push(light[3], 3 * MS) for sensor in (first, second))
    assert len(a) > 1000 and a.t_ns.tobytes() == b.t_ns.tobytes() and a.x.tobytes() == b.x.tobytes()
