# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The loops of the adaptive triangular interval beside plain ones, and the noise that it measures."""

import numpy as np
import pytest

from event_perception import images
from event_perception.events import SpikeStream
from event_perception.events.plane_layout import PlaneLayout
from event_perception.images.ati_estimate import AtiConfig, AtiEstimator
from event_perception.images.ati_noise import WindowNoise
from event_perception.images.ati_smoothing import gaussian_weights, smooth_noise
from event_perception.images.ati_windows import block_statistics, least_risk, rates_within, window_estimates
from event_perception.images.charge_noise import charge_noise
from event_perception.images.spike_history import SpikeHistory
from event_perception.images.spike_kernels import MISSING, nearest_spikes
from event_perception.images.spike_search import search_spikes
from event_perception.simulation.moving_picture import noise_picture
from event_perception.simulation.spikes import SpikeEmulator, spike_sensor

WINDOWS = np.array([1, 9, 25, 60], np.float32)
HEIGHT, WIDTH = 9, 15


def found(bits, centre, spikes):
    """Distances in tiles, from planes of 0 and 1 (n, pixels)."""
    n_words = -(-bits.shape[1] // 64)
    padded = np.zeros((len(bits), 64 * n_words), np.uint8)
    padded[:, : bits.shape[1]] = bits
    words = np.packbits(padded, axis=1, bitorder='little').view('<u8').astype(np.uint64)
    left, right = (np.empty((n_words, spikes, 64), np.uint16) for _ in range(2))
    search_spikes(words, centre, left, right, 0, n_words)
    return words, left, right


def by_pixel(tiles):
    return tiles.transpose(0, 2, 1).reshape(-1, tiles.shape[1])


@pytest.mark.parametrize(
    ('share', 'n_planes', 'n_words', 'centre'),
    [
        (0.3, 301, 3, 150),
        (0.02, 301, 9, 150),
        (0.02, 301, 2, 0),
        (0.9, 37, 17, 36),
        (0.1, 5, 1, 2),
        (0.5, 127, 8, 63),
    ],
)
def test_spikes_are_those_that_walking_outwards_finds(share, n_planes, n_words, centre):
    bits = np.random.default_rng(1).random((n_planes, 64 * n_words)) < share
    words, left, right = found(bits, centre, 14)
    expected = nearest_spikes(words, centre, 64 * n_words, 14, 14)
    np.testing.assert_array_equal(by_pixel(left), expected[0])
    np.testing.assert_array_equal(by_pixel(right), expected[1])


@pytest.fixture(scope='module')
def distances():
    """Spikes of pixels of all rates, some without any, in tiles."""
    rng = np.random.default_rng(2)
    rates = rng.uniform(0.0, 0.7, HEIGHT * WIDTH)
    rates[::17] = 0
    bits = np.diff(np.floor(np.arange(162)[:, None] * rates + rng.random(HEIGHT * WIDTH)), axis=0) > 0
    return found(bits, 80, 6)[1:]


def plain_estimate(left, right, window):
    if left[0] == MISSING or right[0] == MISSING:
        return 0.0, 0
    spans = [int(a) + int(b) for a, b in zip(left, right) if MISSING not in (a, b)]
    n = 1 + sum(span <= window for span in spans[1:])
    return n * n / sum(spans[:n]), n


def plain_estimates(distances, windows):
    left, right = (by_pixel(side)[: HEIGHT * WIDTH] for side in distances)
    return np.array([[plain_estimate(a, b, w) for a, b in zip(left, right)] for w in windows])


def all_estimates(distances):
    estimates = np.empty((len(WINDOWS), 64 * len(distances[0])), np.float32)
    window_estimates(*distances, WINDOWS, estimates, 0, len(distances[0]))
    return estimates


def test_estimates_of_all_windows_are_those_of_a_plain_loop(distances):
    expected = plain_estimates(distances, WINDOWS)
    np.testing.assert_allclose(all_estimates(distances)[:, : HEIGHT * WIDTH], expected[..., 0], rtol=1e-6)
    assert expected[..., 1].max() == 6 and (expected[0, :, 0] == 0).sum() >= 8


def test_rates_within_own_windows_know_their_noise(distances):
    own = np.resize(WINDOWS, 64 * len(distances[0]))
    fallback = np.full(own.size, 0.125, np.float32)
    grid, charge = np.full((128, 7), 0.5, np.float32), np.arange(7, dtype=np.float32)
    rates, variances = np.empty((2, own.size), np.float32)
    rates_within(
        *distances, own, fallback, grid, charge, np.float32(3.0), rates, variances, 0, len(distances[0])
    )
    both = plain_estimates(distances, WINDOWS)[np.arange(HEIGHT * WIDTH) % 4, np.arange(HEIGHT * WIDTH)]
    known = both[:, 1] > 0
    np.testing.assert_allclose(rates[: HEIGHT * WIDTH], np.where(known, both[:, 0], 0.125), rtol=1e-6)
    noise = both[:, 0] ** 2 * (0.5 * both[:, 0] ** 2 + both[:, 1])
    np.testing.assert_allclose(variances[: HEIGHT * WIDTH], np.where(known, noise, 3.0), rtol=1e-5)


@pytest.mark.parametrize('flipped', [False, True])
def test_statistics_of_blocks_are_those_of_a_plain_loop(distances, flipped):
    block, estimates = 4, all_estimates(distances)
    noise = WindowNoise(tuple(WINDOWS), 6).table(0.01)
    statistics = np.empty((3, 4, 16), np.float32)
    block_statistics(estimates, noise, HEIGHT, WIDTH, block, flipped, statistics, 0, 3)
    image = estimates[:, : HEIGHT * WIDTH].reshape(4, HEIGHT, WIDTH).astype(float)
    image = image[:, ::-1] if flipped else image
    for by in range(3):
        for bx in range(4):
            part = image[:, by * block : (by + 1) * block, bx * block : (bx + 1) * block]
            y, x = np.mgrid[: part.shape[1], : part.shape[2]]
            known = part[2] > 0
            squared = [((part[i] - part[j]) ** 2).sum() / known.sum() for i in range(4) for j in range(i)]
            looked_at = known & ((x + y) % 2 == 0)
            expected = noise[np.ceil(part[2][looked_at] * 512 - 1e-3).astype(int)].mean(axis=0)
            np.testing.assert_allclose(statistics[by, bx, :6], squared, rtol=1e-4, atol=1e-9)
            np.testing.assert_allclose(statistics[by, bx, 6:], expected, rtol=1e-4, atol=1e-9)


def test_the_window_is_the_longest_that_does_not_smear():
    # windows 0, 1, 2; differences 1-0, 2-0, 2-1, their noise, and the noise of each window
    statistics = np.array([[[2.0, 9.0, 8.0, 2.0, 2.0, 1.0, 3.0, 1.0, 0.5]]], np.float32)
    chosen, smear = least_risk(statistics, statistics[0, 0], np.float32(0.5), np.float32(1.4), 3)
    assert chosen[0, 0] == 1 and smear[0, 0] == pytest.approx(7.0)


def test_noise_of_windows_is_that_of_steady_pixels():
    rng = np.random.default_rng(3)
    rate = rng.uniform(0.098, 0.102, 6000)
    charge = 1 + 0.05 * rng.standard_normal((60, rate.size))
    times = np.ceil((np.cumsum(charge, axis=0) + rng.random(rate.size)) / rate).astype(int)
    bits = np.zeros((401, rate.size), np.uint8)
    np.put_along_axis(bits, np.minimum(times, 400), 1, 0)
    bits[400] = 0
    _, left, right = found(bits, 200, 14)
    estimates = np.empty((4, left.size // 14), np.float32)
    window_estimates(left, right, WINDOWS, estimates, 0, len(left))
    estimates = estimates[:, : rate.size].astype(float)
    told = WindowNoise(tuple(WINDOWS), 14).table(0.05**2)[52]  # rates up to 52 / 512 = 0.1016
    measured = [((estimates[i] - estimates[j]) ** 2).mean() for i in range(4) for j in range(i)]
    np.testing.assert_allclose(told[1:6], measured[1:], rtol=0.15)
    np.testing.assert_allclose(told[6:], ((estimates - rate) ** 2).mean(axis=1), rtol=0.15)


def stream_of(light, n_planes=401, **sensor):
    emulator = SpikeEmulator(spike_sensor(**sensor), height=light[0].shape[0], width=light[0].shape[1])
    return emulator.emulate(light if len(light) > 1 else list(light) * n_planes)


def estimate_of(stream, plane=200, **params):
    history = SpikeHistory(height=stream.height, width=stream.width, keep_planes=1024)
    history.push(stream)
    config = AtiConfig(threads=1, **params)
    return AtiEstimator(config, height=stream.height, width=stream.width).estimate(history, plane)


@pytest.mark.parametrize(('kind', 'noise'), [('clean', 0.005), ('typical', 0.035)])
def test_charge_noise_is_measured_where_the_scene_keeps_still(kind, noise):
    light = [noise_picture(1, height=64, width=64)]
    estimate = estimate_of(stream_of(light, preset=kind, gain=0.3, seed=1))
    measured = charge_noise(estimate.left, estimate.right, expected=0.02, least=0.005, most=0.04)
    assert measured == pytest.approx(noise, rel=0.1)
    assert charge_noise(estimate.left, estimate.right, expected=0.02, least=0.04, most=0.04) == 0.02


def test_where_everything_moves_charge_noise_is_what_the_user_expects():
    wide = noise_picture(1, height=64, width=64 + 81)
    light = [wide[:, k // 5 : k // 5 + 64] for k in range(401)]
    estimate = estimate_of(stream_of(light, preset='clean', gain=0.3, seed=1))
    assert charge_noise(estimate.left, estimate.right, expected=0.02, least=0.005, most=0.04) == 0.02


def test_in_a_still_clean_scene_ati_knows_how_good_it_is():
    light = [noise_picture(1, height=64, width=64)]
    estimate = estimate_of(stream_of(light, preset='clean', gain=0.1, seed=1))
    error = estimate.rates - 0.1 * light[0]
    told = np.sqrt(estimate.variance + estimate.smear)
    assert 0.3 < np.sqrt((error**2).mean()) / np.sqrt((told**2).mean()) < 1.5


def test_rows_that_are_stored_upside_down_and_threads_change_nothing():
    stream = stream_of([noise_picture(1, height=30, width=42)], preset='typical', gain=0.3, seed=1)
    flipped = PlaneLayout(flipped_rows=True)
    other = SpikeStream(
        flipped.pack(stream.unpack()),
        height=30,
        width=42,
        layout=flipped,
        plane_period_ns=stream.plane_period_ns,
    )
    pictures = []
    for planes, threads in ((stream, 1), (other, 1), (stream, 3)):
        reconstructor = images.create('ati', height=30, width=42, threads=threads)
        reconstructor.push(planes)
        pictures.append(reconstructor.image(200 * stream.plane_period_ns))
    np.testing.assert_array_equal(pictures[1], pictures[0])
    np.testing.assert_array_equal(pictures[2], pictures[0])


def test_smoothing_takes_the_like_neighbours_only():
    image = np.array([[0, 1, 0, 50, 0]], np.float32)
    padded = np.pad(image, 1, constant_values=1e9)
    weights = gaussian_weights(0.5)
    smooth = smooth_noise(padded, np.full((1, 5), 1.0, np.float32), weights, np.float32(2.0))
    beside, alike = weights[1, 2], (1 - 1 / 4) ** 2
    expected = [
        beside * alike / (1 + beside * alike),
        1 / (1 + 2 * beside * alike),
        beside * alike / (1 + beside * alike),
    ]
    np.testing.assert_allclose(smooth[0, :3], expected, rtol=1e-6)
    assert smooth[0, 3] == 50 and smooth[0, 4] == 0
