# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How good spike images are: the published order of methods, and the adaptive window ahead of all others."""

import cv2
import numpy as np
import pytest

from event_perception import images
from event_perception.evaluation.image_quality import psnr, ssim
from event_perception.evaluation.spike_sweep import OTHERS, compare, reconstruct, sweep, sweep_cell
from event_perception.events import SpikeStream
from event_perception.images.ati_noise import charge_weights, grid_variance
from event_perception.simulation.moving_picture import moving_picture, noise_picture

SAME_DB = 0.03  # less than a hundredth of the error: equally good


@pytest.mark.parametrize(
    'gain, sensor, motion, speed',
    [
        (0.6, 'clean', 'translation', 0.08),
        (0.6, 'typical', 'rotation', 0.3),
        (0.2, 'clean', 'zoom', 0.3),
        (0.2, 'typical', 'translation', 0.08),
        (0.05, 'clean', 'rotation', 0.08),
        (0.05, 'typical', 'zoom', 0.08),
    ],
)
def test_the_adaptive_window_is_at_least_as_good_as_the_best_other_method(gain, sensor, motion, speed):
    cell = sweep_cell(gain, sensor, motion, speed, seed=7, height=80, width=96)
    result = compare(cell)
    assert len(result['others_db']) == len(OTHERS)
    assert result['ahead_db'] > -SAME_DB, result


def test_at_full_light_the_methods_rank_as_known():
    cell = sweep_cell(0.6, 'clean', 'translation', 0.1, seed=3)
    quality = {
        name: psnr(reconstruct(cell, method, params), cell.truth)
        for name, method, params in (
            ('tfi', 'tfi', {}),
            ('tfp21', 'tfp', {'window_planes': 21}),
            ('fixed', 'ati', {'window': 'fixed', 'search_planes': 20, 'max_intervals': 6}),
            ('ati', 'ati', {}),
        )
    }
    assert quality['tfi'] < quality['fixed'] and quality['tfp21'] < quality['fixed']
    assert quality['fixed'] - 0.3 < quality['ati']
    assert quality['ati'] > quality['tfp21'] + 3


def test_in_the_dark_the_adaptive_window_beats_a_long_exposure_by_far():
    cell = sweep_cell(0.1, 'clean', 'translation', 0.1, seed=4)
    exposure = psnr(reconstruct(cell, 'tfp', {'window_planes': 41}), cell.truth)
    assert psnr(reconstruct(cell, 'ati', {}), cell.truth) > exposure + 3.5


def test_in_a_still_scene_the_adaptive_window_becomes_long():
    cell = sweep_cell(0.6, 'clean', 'translation', 0.0, seed=5, height=64, width=64)
    assert psnr(reconstruct(cell, 'ati', {}), cell.truth) > 40


def test_the_sweep_is_reproducible_and_covers_all_conditions():
    cells = [cell.conditions() for cell in sweep(height=8, width=8, n_planes=3)]
    assert len({tuple(c.values()) for c in cells}) == 36
    a, b = (sweep_cell(0.2, 'typical', 'zoom', 0.3, seed=1, height=20, width=20, n_planes=9) for _ in '12')
    np.testing.assert_array_equal(a.stream.planes, b.stream.planes)


@pytest.mark.parametrize('motion', ['translation', 'rotation', 'zoom'])
def test_moving_pictures_move_at_the_speed_that_is_asked_for(motion):
    picture = noise_picture(2, height=240, width=240)
    frames = list(moving_picture(picture, motion, speed_px_plane=0.5, n_planes=5, height=200, width=200))
    np.testing.assert_allclose(frames[2], picture[20:220, 20:220], atol=1e-6)
    y, x = np.mgrid[:200, :200] - 99.5
    shift = {'translation': (0.94, 0.34), 'rotation': (-y / 60, x / 60), 'zoom': (x / 60, y / 60)}[motion]
    map_x = (x + 119.5 + 1.0 * shift[0]).astype(np.float32)
    map_y = (y + 119.5 + 1.0 * shift[1]).astype(np.float32)
    expected = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR)
    inner = (slice(40, 160), slice(40, 160))
    # one plane pair is 1 px at the arm; small-angle shift is exact to a hundredth of a pixel there
    assert np.abs(frames[4] - expected)[inner].mean() < 0.1 * np.abs(frames[4] - frames[2])[inner].mean()


def test_the_noise_that_is_reckoned_with_is_the_noise_of_a_steady_pixel():
    grid, charge = grid_variance(6), charge_weights(6)
    # one interval of many planes: two ends of 1/12 each; the triangle over two: 4 ends of 1/12 over 4^2
    np.testing.assert_allclose(grid[3, 1, 0], 1 / 6, rtol=1e-6)
    np.testing.assert_allclose(grid[3, 2, 0], 4 / 12 / 16, rtol=1e-6)
    np.testing.assert_allclose(charge[2, 0], (1 + 4 + 1) / 16, rtol=1e-6)
    rng = np.random.default_rng(0)
    rate = rng.uniform(0.70, 0.703, 4000)  # inside one bin of the table
    crossings = np.floor(np.cumsum(np.broadcast_to(rate, (401, 4000)), axis=0) + rng.random(4000))
    bits = np.diff(crossings, axis=0) > 0
    stream = SpikeStream(bits.reshape(400, 50, 80), height=50, width=80, plane_period_ns=1000)
    for n in (1, 2, 4):
        reconstructor = images.create(
            'ati',
            height=50,
            width=80,
            window='fixed',
            max_intervals=max(n, 2),
            fixed_planes=200.0 if n > 1 else 1.0,
        )
        reconstructor.push(stream)
        error = reconstructor.rate(200_000).reshape(-1) - rate
        predicted = 0.7015**4 * grid[int(0.7015 * 128), n, 0]
        np.testing.assert_allclose(np.mean(error**2), predicted, rtol=0.1)


BARS = {  # method, parameters: PSNR dB and SSIM that two clips must reach on average
    'tfp 21': ('tfp', {'window_planes': 21}, 27.3, 0.67),
    'tfi': ('tfi', {}, 23.1, 0.60),
    'tfi_k 3': ('tfi_k', {}, 29.4, 0.81),
    'tfi_k 5': ('tfi_k', {'intervals': 5}, 29.7, 0.83),
    'tfi_k 3 causal': ('tfi_k', {'mode': 'causal'}, 25.1, 0.67),
    'tfi_adaptive': ('tfi_adaptive', {}, 26.2, 0.71),
    'stp': ('stp', {}, 25.7, 0.70),
    'tvs': ('tvs', {}, 27.2, 0.75),
    'ati fixed': ('ati', {'window': 'fixed', 'search_planes': 20, 'max_intervals': 6}, 32.2, 0.895),
    'ati': ('ati', {}, 33.0, 0.92),
}


@pytest.mark.parametrize('label', BARS)
def test_the_public_clips_come_out_as_well_as_they_should(label, shared_data):
    folder = shared_data / 'spike_reds_gt'
    if not folder.is_dir():
        pytest.skip('no spike_reds_gt')
    name, params, psnr_bar, ssim_bar = BARS[label]
    scores = []
    for path in sorted(folder.glob('*.dat')):
        truth = cv2.imread(str(path.with_name(path.stem + '_gt.png')), cv2.IMREAD_GRAYSCALE) / 255.0
        stream = SpikeStream.from_dat(path, height=250, width=400, plane_period_ns=25_000)
        reconstructor = images.create(
            name, height=250, width=400, **{'output.full_scale_rate': 0.6}, **params
        )
        reconstructor.push(stream)
        image = reconstructor.image(150 * 25_000)
        scores.append((psnr(image, truth), ssim(image.astype(float), truth)))
    mean_psnr, mean_ssim = np.mean(scores, axis=0)
    assert len(scores) == 2
    assert mean_psnr >= psnr_bar and mean_ssim >= ssim_bar
