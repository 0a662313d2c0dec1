# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A raw spike file from simulation to images, a video to look at, and a comparison with the true images."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from event_perception.cli import main
from event_perception.motion import CameraModel
from event_perception.simulation import scenes
from event_perception.simulation.export import ExportConfig
from event_perception.simulation.spikes import SpikeSensorConfig
from event_perception.simulation.write_spikes import SpikeExportConfig, write_spikes


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """A tenth of a second of a room at 20 kHz, with true images every 20 ms."""
    folder = tmp_path_factory.mktemp('spikes') / 'room'
    room = scenes.create('room', seed=0, duration_s=0.1)
    small = replace(room, camera=CameraModel(fx=60.0, fy=60.0, cx=47.5, cy=35.5, height=72, width=96))
    sensor = SpikeExportConfig(sensor=SpikeSensorConfig(plane_period_ns=50_000), motion_px=0.2)
    write_spikes(small, folder, ExportConfig(image_rate_hz=50.0), sensor)
    return folder


@pytest.fixture(scope='module')
def run_folder(recording, tmp_path_factory):
    folder = tmp_path_factory.mktemp('runs') / 'run'
    arguments = ['run', recording / 'spikes.dat', '--stages', 'images', '--config', recording / 'spikes.yaml']
    settings = ['--set', 'images.spike_method=tfi_k', '--set', 'images.period_s=0.01', '-o', folder]
    assert main([str(a) for a in (*arguments, *settings)]) == 0
    return folder


def test_a_run_over_a_raw_file_leaves_images_and_says_how_many_planes(run_folder):
    names = sorted(int(path.stem) for path in (run_folder / 'images').glob('*.png'))
    assert names == [k * 10_000_000 for k in range(10)]
    metrics = json.loads((run_folder / 'metrics.json').read_text())
    assert metrics['recording']['spike_planes'] == 2000
    assert metrics['outputs']['video_frames'] == 10
    assert 'spike planes' in (run_folder / 'report.html').read_text()


def test_the_preview_opens_and_shows_every_image_on_one_bright_scale(run_folder):
    video = cv2.VideoCapture(str(run_folder / 'preview.avi'), cv2.CAP_OPENCV_MJPEG)
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    assert len(frames) == 10 and frames[0].shape[:2] == (72, 96)
    stored = cv2.imread(str(run_folder / 'images' / '50000000.png'), cv2.IMREAD_GRAYSCALE)
    assert frames[5].mean() > stored.mean()  # gamma coded
    assert np.corrcoef(frames[5][..., 0].ravel(), stored.ravel())[0, 1] > 0.9


def test_eval_compares_images_with_true_ones_of_the_same_instants(run_folder, recording, capsys):
    assert main(['eval', str(run_folder), '--reference', str(recording), '--json']) == 0
    errors = json.loads(capsys.readouterr().out)['images']
    assert errors['instants'] == 5 and errors['only_in_run'] == 5
    assert errors['psnr'] > 25 and errors['psnr_gain_fitted'] >= errors['psnr'] - 1e-9
    assert 0.8 < errors['ssim'] <= 1 and errors['gmsd'] < 0.15 and errors['flicker'] < 0.1


def test_images_of_other_instants_are_an_error_that_names_the_remedy(run_folder, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / '123.png'), np.zeros((72, 96), np.uint8))
    assert main(['eval', str(run_folder), '--reference', str(tmp_path)]) == 1
    assert 'choose images.period_s' in capsys.readouterr().err


def test_a_bit_order_declared_wrong_ends_the_run_with_its_name(recording, tmp_path, capsys):
    arguments = ['run', recording / 'spikes.dat', '--stages', 'images', '--config', recording / 'spikes.yaml']
    wrong = ['--set', 'spikes.bit_order=big', '-o', tmp_path / 'run']
    assert main([str(a) for a in (*arguments, *wrong)]) == 1
    assert 'declare the other bit_order' in capsys.readouterr().err


def test_the_gain_declared_for_a_file_is_the_scale_of_its_images(recording, run_folder, tmp_path):
    arguments = ['run', recording / 'spikes.dat', '--stages', 'images', '--config', recording / 'spikes.yaml']
    settings = ['images.spike_method=tfi_k', 'images.period_s=0.01', 'spikes.gain=0.3', 'images.video=false']
    sets = [part for text in settings for part in ('--set', text)]
    assert main([str(a) for a in (*arguments, *sets, '-o', tmp_path / 'run')]) == 0
    at_06, at_03 = (
        cv2.imread(str(folder / 'images' / '40000000.png'), cv2.IMREAD_GRAYSCALE).astype(int)
        for folder in (run_folder, tmp_path / 'run')
    )
    np.testing.assert_allclose(at_03, np.minimum(2 * at_06, 255), atol=2)
    assert not (tmp_path / 'run' / 'preview.avi').exists()
