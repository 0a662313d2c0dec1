# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Designs: they get better, stay allowed, go on where they stopped, and refuse what cannot be."""

import json
import math

import pytest
import torch
import yaml

from event_perception.cli import main
from event_perception.errors import ConfigError, DataError
from event_perception.optics import first_order, read_lens
from event_perception.optics.design.lens import LensDesign, LensDesignConfig
from event_perception.optics.design.mount import MountDesign, MountDesignConfig
from event_perception.optics.design.run import design_config, run_design

QUICK_LENS = ('lens.fields=2', 'lens.rays=16', 'loop.steps=40', 'loop.checkpoint_every=5')
QUICK_MOUNT = (
    'mount.samples=3', 'mount.height=48', 'mount.width=64', 'mount.information.directions=2', 'loop.steps=12',
)  # fmt: skip


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A lens design from start to end, and its figures."""
    folder = tmp_path_factory.mktemp('lens') / 'whole'
    return folder, run_design('lens', folder, design_config('lens', None, QUICK_LENS))


def test_a_lens_design_sharpens_the_spots_and_writes_the_lens(whole):
    folder, metrics = whole
    spot = 'rms spot, mean over the field, um'
    assert metrics['result'][spot] < 0.6 * metrics['start'][spot]
    lens = read_lens(folder / 'lens.yaml')
    assert float(first_order(lens).efl_mm) == pytest.approx(metrics['result']['focal length, mm'], rel=1e-6)
    page = (folder / 'report.html').read_text()
    assert page.count('<svg') >= 8 and 'start: spots' in page and 'curvature, change since the start' in page
    assert json.loads((folder / 'metrics.json').read_text())['steps'] == 40


def test_a_design_that_was_stopped_goes_on_as_if_it_had_not_been(whole, tmp_path):
    asked = iter([False] * 7 + [True] * 100)
    config = design_config('lens', None, QUICK_LENS)
    half = run_design('lens', tmp_path / 'half', config, stop=lambda: next(asked))
    assert not half['finished'] and half['steps'] == 7
    assert run_design('lens', tmp_path / 'half', config)['finished']
    histories = [(folder / 'history.csv').read_text() for folder in (whole[0], tmp_path / 'half')]
    assert histories[0] == histories[1]


def test_a_folder_of_another_design_is_refused(whole, tmp_path):
    with pytest.raises(DataError, match='another configuration'):
        run_design('lens', whole[0], design_config('lens', None, (*QUICK_LENS, 'lens.seed=3')))
    (tmp_path / 'mine.txt').write_text('keep')
    with pytest.raises(DataError, match='holds no checkpoint'):
        run_design('lens', tmp_path, design_config('lens', None, QUICK_LENS))


def test_a_step_into_the_impossible_is_halved_and_counted(tmp_path):
    config = design_config(
        'lens', None, (*QUICK_LENS, 'lens.curvature_rate=1.0', 'loop.learning_rate=20', 'loop.steps=3')
    )
    metrics = run_design('lens', tmp_path / 'd', config)
    assert metrics['steps taken back'] > 0
    assert math.isfinite(metrics['loss'])


def test_a_mount_design_lowers_the_error_and_stays_within_bounds(tmp_path):
    config = design_config('mount', None, (*QUICK_MOUNT, 'mount.max_pitch_deg=5', 'loop.steps=30'))
    metrics = run_design('mount', tmp_path / 'd', config)
    error = 'error of the scaled motion'
    assert metrics['result'][error] < 0.8 * metrics['start'][error]
    assert metrics['result']['pitch below the horizon, degrees'] <= 5 + 1e-6
    pose = yaml.safe_load((tmp_path / 'd' / 'mount.yaml').read_text())['T_base_cam']
    rotation = torch.tensor(pose, dtype=torch.float64)[:3, :3]
    torch.testing.assert_close(rotation.T @ rotation, torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-9)
    position = torch.tensor([row[3] for row in pose[:3]], dtype=torch.float64)
    MountDesign(config.mount).body.check(position)


def test_a_rolled_camera_is_brought_back_to_the_bound_of_its_pitch():
    problem = MountDesign(MountDesignConfig(max_pitch_deg=20.0, samples=2))
    values = {
        'rotation': torch.tensor([-0.9, 0.2, 0.7], dtype=torch.float64),
        'shift': torch.zeros(3).double(),
    }
    pitch = problem.mount(problem.project(values)).pitch_rad
    assert math.degrees(float(problem.mount(values).pitch_rad)) > 25
    assert math.degrees(float(pitch)) == pytest.approx(20, abs=0.1)


def test_a_mount_inside_the_body_is_an_error_before_anything_is_written(tmp_path):
    config = design_config('mount', None, (*QUICK_MOUNT, 'mount.start_position_m=[0.0, 0.0, 0.1]'))
    with pytest.raises(DataError, match='inside the body'):
        run_design('mount', tmp_path / 'd', config)
    assert not (tmp_path / 'd').exists()


def test_a_recorded_trajectory_gives_the_velocities_it_was_driven_with(tmp_path):
    rows = [
        f'{t:.3f} {0.5 * t:.9f} 0 0.1 0 0 {math.sin(0.1 * t):.12f} {math.cos(0.1 * t):.12f}'
        for t in (0.0, 0.01, 0.02)
    ]
    (tmp_path / 'drive.tum').write_text('\n'.join(rows) + '\n')
    motion = MountDesign(MountDesignConfig(trajectory=str(tmp_path / 'drive.tum'))).motion
    assert motion.v_m_s[0].tolist() == pytest.approx([0.5, 0.0, 0.0], abs=1e-6)
    assert motion.omega_rad_s[1].tolist() == pytest.approx([0.0, 0.0, 0.2], abs=1e-6)


def test_the_command_line_runs_a_design_from_its_own_configuration(tmp_path, capsys):
    settings = [part for text in (*QUICK_MOUNT, 'loop.steps=2') for part in ('--set', text)]
    assert main(['design', 'mount', '-o', str(tmp_path / 'a'), *settings]) == 0
    assert (
        main(['design', 'mount', '-o', str(tmp_path / 'b'), '--config', str(tmp_path / 'a' / 'config.yaml')])
        == 0
    )
    first, second = ((tmp_path / n / 'history.csv').read_text() for n in 'ab')
    assert first == second
    assert (
        main(['design', 'lens', '-o', str(tmp_path / 'c'), '--config', str(tmp_path / 'a' / 'config.yaml')])
        == 1
    )
    assert "is of the design 'mount'" in capsys.readouterr().err


@pytest.mark.parametrize(
    'problem', [LensDesign(LensDesignConfig()), MountDesign(MountDesignConfig(samples=2))]
)
def test_the_start_is_allowed(problem):
    start = problem.start()
    for name, value in problem.project(start).items():
        torch.testing.assert_close(value, start[name], rtol=0, atol=1e-9)


def test_what_cannot_be_free_is_an_error():
    with pytest.raises(ConfigError, match='choose from'):
        LensDesign(LensDesignConfig(free=('glass',)))
    with pytest.raises(ConfigError, match='choose from'):
        MountDesign(MountDesignConfig(free=('speed',)))
    with pytest.raises(ConfigError, match='three numbers'):
        MountDesign(MountDesignConfig(room_m=(1.0, 2.0)))
