# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the command line, on the bundled recording."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from event_perception.cli import main

COLUMNS = 't_s,wx_rad_s,wy_rad_s,wz_rad_s,vx_m_s,vy_m_s,vz_m_s,n_events,n_evaluations,converged,solve_ms'


@pytest.fixture(scope='module')
def run_folder(tmp_path_factory, recordings, repository):
    """A run over a part of the recording, with all stages."""
    folder = tmp_path_factory.mktemp('runs') / 'run'
    arguments = [
        'run',
        str(recordings / 'apriltags'),
        '--camera',
        str(repository / 'config' / 'davis346.yaml'),
    ]
    arguments += ['--start', '0.6', '--duration', '0.2', '--set', 'images.save_float=true', '-o', str(folder)]
    assert main(arguments) == 0
    return folder


def test_help_lists_the_commands():
    done = subprocess.run(
        [sys.executable, '-m', 'event_perception', '--help'], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert all(name in done.stdout for name in ('info', 'run', 'eval', 'params', 'bench', 'demo'))


def test_usage_errors_have_exit_code_2(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(['run', 'x'])
    assert exit_.value.code == 2
    assert '--output' in capsys.readouterr().err


def test_info_tells_what_a_recording_holds(recordings, capsys):
    assert main(['info', str(recordings / 'apriltags'), '--json']) == 0
    info = json.loads(capsys.readouterr().out)
    assert (info['sensor'], info['n_events'], info['kind']) == ('346x260', 571266, 'rosbag2 mcap')


def test_a_run_leaves_the_files_of_the_contract(run_folder):
    names = {path.name for path in run_folder.iterdir()}
    contract = {'config.yaml', 'environment.json', 'metrics.json', 'log.txt', 'report.html'}
    assert contract | {'egomotion.csv', 'flow', 'images', 'trajectory.tum'} <= names


def test_egomotion_has_one_row_a_window(run_folder):
    lines = (run_folder / 'egomotion.csv').read_text().splitlines()
    assert lines[0] == COLUMNS
    rows = list(csv.DictReader(lines))
    assert len(rows) in (10, 11)
    assert re.fullmatch(r'1744227145\.\d{9}', rows[0]['t_s'])
    assert {row['vx_m_s'] for row in rows} == {'nan'}
    assert all(float(row['solve_ms']) > 0 for row in rows)


def test_flow_and_images_are_named_after_their_instant(run_folder):
    flow = sorted((run_folder / 'flow').glob('*.npz'))
    with np.load(flow[0]) as content:
        assert content['flow_px_s'].shape == (2, 260, 346) and content['flow_px_s'].dtype == np.float32
        assert content['valid'].shape == (260, 346) and content['valid'].dtype == bool
    image = np.load(next((run_folder / 'images').glob('*.npy')))
    assert image.dtype == np.float32 and 0 <= image.min() < image.max() <= 1
    assert len(list((run_folder / 'images').glob('*.png'))) == len(
        list((run_folder / 'images').glob('*.npy'))
    )


def test_the_trajectory_has_unit_quaternions(run_folder):
    poses = np.loadtxt(run_folder / 'trajectory.tum')
    np.testing.assert_allclose(np.linalg.norm(poses[:, 4:], axis=1), 1, atol=1e-6)


def test_metrics_account_for_every_event(run_folder):
    metrics = json.loads((run_folder / 'metrics.json').read_text())
    counts = metrics['events']
    assert counts['received'] == metrics['recording']['events'] > 100_000
    lost = ('late', 'over_limit', 'discarded_by_reset')
    assert counts['received'] == counts['windowed'] + sum(counts[name] for name in lost)


def test_the_report_stands_alone(run_folder):
    page = (run_folder / 'report.html').read_text()
    assert page.count('<svg') >= 3 and page.count('data:image/png;base64,') >= 6
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_results_are_never_overwritten(run_folder, recordings, capsys):
    arguments = ['run', str(recordings / 'apriltags'), '--stages', 'images', '-o', str(run_folder)]
    assert main(arguments) == 1
    assert 'not empty' in capsys.readouterr().err


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['info', 'no_such_file'], 'no_such_file'),
        (['run', '{tags}', '-o', '{tmp}/a'], 'holds no calibration'),
        (['run', '{tags}', '--stages', 'images,slam', '-o', '{tmp}/b'], 'choose at least one of'),
        (['run', '{tags}', '--set', 'window.duration_s=7', '-o', '{tmp}/c'], r'allowed [0.0001, 1]'),
        (['run', '{tags}', '--camera', '{tmp}/none.yaml', '-o', '{tmp}/d'], 'none.yaml'),
        (['run', '{tags}', '--topic', '/other', '--stages', 'images', '-o', '{tmp}/e'], '/other'),
        (['params', 'nothing'], "no parameters under 'nothing'"),
        (['bench', 'nothing'], 'unknown benchmarks'),
        (['eval', '{tmp}', '--reference', '{tmp}/none'], 'no such file or folder'),
    ],
)
def test_known_errors_are_one_line_and_exit_code_1(arguments, message, recordings, tmp_path, capsys):
    filled = [a.format(tags=recordings / 'apriltags', tmp=tmp_path) for a in arguments]
    assert main(filled) == 1
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_a_run_compared_with_itself_has_no_error(run_folder, capsys):
    assert main(['eval', str(run_folder), '--reference', str(run_folder), '--json']) == 0
    errors = json.loads(capsys.readouterr().out)
    assert errors['angular_velocity']['rms_deg_s'] == 0
    assert errors['flow']['epe_px_s'] == 0
    assert errors['trajectory']['orientation_rmse_deg'] == pytest.approx(0, abs=1e-4)
    assert errors['trajectory']['ate_rmse_m'] is None  # a camera that only turns has no positions to judge


def test_params_prints_a_branch_as_table_and_as_yaml(capsys):
    assert main(['params', 'window']) == 0
    assert '`window.duration_s`' in capsys.readouterr().out
    assert main(['params', 'window', '--yaml', 'ros']) == 0
    assert 'ros__parameters' in capsys.readouterr().out
