# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of a trajectory judged pose by pose, and of the page that shows it: for folders and for bags."""

import json
import re

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.cli import main
from event_perception.errors import DataError
from event_perception.evaluation.trajectory_series import claims_kept, relative_errors, series_of
from event_perception.io.odometry_csv import OdometryCsvWriter, read_odometry
from event_perception.io.trajectory import Trajectory, write_trajectory
from event_perception.io.writer import BagWriter
from event_perception.motion.lie import se3_exp

STEP_NS = 20_000_000


def wandering(t_ns, position=True):
    """A curve that turns and walks."""
    t_s = np.asarray(t_ns) * 1e-9
    T = np.tile(np.eye(4), (len(t_s), 1, 1))
    T[:, :3, :3] = Rotation.from_rotvec(
        np.stack([0.3 * np.sin(t_s), 2.0 * t_s, 0.1 * t_s], axis=1)
    ).as_matrix()
    if position:
        T[:, :3, 3] = np.stack([np.cos(t_s), 0.1 * t_s, np.sin(1.3 * t_s)], axis=1)
    return Trajectory(np.asarray(t_ns, np.int64), T)


def with_errors(truth, seed=1, std_rad=0.01, std_m=0.02):
    """Errors about the fixed axes and along them, none in the first pose."""
    rng, T = np.random.default_rng(seed), truth.T_world_body.copy()
    n = len(truth)
    turns = std_rad * rng.standard_normal((n, 3)) * (np.arange(n) > 0)[:, None]
    T[:, :3, :3] = Rotation.from_rotvec(turns).as_matrix() @ T[:, :3, :3]
    T[1:, :3, 3] += std_m * rng.standard_normal((n - 1, 3))
    return Trajectory(truth.t_ns, T)


def covariances(n, std_rad=0.01, std_m=0.02):
    return np.tile(np.diag([std_m**2] * 3 + [std_rad**2] * 3), (n, 1, 1))


def test_the_reference_is_interpolated_to_the_estimate():
    truth = wandering(np.arange(0, 2_000_000_000, 10_000_000))
    between = wandering(np.arange(4_000_000, 1_900_000_000, STEP_NS))
    moved = se3_exp([1, 2, 3, 0.4, 0.5, -0.6]) @ between.T_world_body
    series = series_of(truth, Trajectory(between.t_ns, moved))
    assert len(series.t_ns) == len(between)
    assert np.abs(series.turn_error_rad).max() < 1e-4  # the nearest pose would be 0.008 rad away
    assert np.abs(series.position_error_m).max() < 1e-4


def test_outside_the_reference_and_in_its_gaps_nothing_is_compared():
    whole = wandering(np.arange(0, 3_000_000_000, STEP_NS))
    there = (whole.t_ns < 1_000_000_000) | (whole.t_ns >= 2_000_000_000)
    truth = Trajectory(whole.t_ns[there], whole.T_world_body[there])
    longer = wandering(np.arange(0, 4_000_000_000, STEP_NS))
    t_s = series_of(truth, longer).t_s
    assert t_s.max() == pytest.approx(2.98)
    assert not ((t_s > 0.99) & (t_s < 1.99)).any()
    with pytest.raises(DataError, match='0 poses of the estimate lie inside the reference'):
        series_of(truth, wandering(np.arange(5_000_000_000, 6_000_000_000, STEP_NS)))


def test_claims_that_fit_are_kept_and_claims_half_as_large_are_not():
    truth = wandering(np.arange(2000) * STEP_NS)
    series = series_of(truth, with_errors(truth))
    for part in claims_kept(series, covariances(2000)).values():
        assert part['nees_mean'] == pytest.approx(1.0, abs=0.1)
        assert part['inside_3_sigma'] == pytest.approx(0.9973, abs=0.003)
        assert part['rms'] == pytest.approx(part['claimed'], rel=0.05)
    bold = claims_kept(series, covariances(2000, 0.005, 0.01))
    assert bold['position']['nees_mean'] == pytest.approx(4.0, abs=0.4)
    assert bold['orientation']['inside_3_sigma'] == pytest.approx(0.866, abs=0.02)


def test_an_estimate_without_positions_is_judged_by_its_orientation_alone():
    truth = wandering(np.arange(100) * STEP_NS)
    turning = Trajectory(truth.t_ns, wandering(truth.t_ns, position=False).T_world_body)
    series = series_of(truth, turning)
    assert series.position_error_m is None
    assert list(claims_kept(series, covariances(100))) == ['orientation']
    assert all(np.isnan(shift_m) for _, shift_m, _ in relative_errors(series, (0.5,)))


def test_relative_errors_of_an_even_drift_grow_with_the_span():
    truth = wandering(np.arange(600) * STEP_NS, position=False)
    drift = Rotation.from_rotvec(np.outer(truth.t_ns * 1e-9, [0.0, 0.0, np.deg2rad(1.0)])).as_matrix()
    T = truth.T_world_body.copy()
    T[:, :3, :3] = drift @ T[:, :3, :3]
    found = relative_errors(series_of(truth, Trajectory(truth.t_ns, T)), (1.0, 5.0, 60.0))
    assert [(span_s, round(turned, 3)) for span_s, _, turned in found] == [(1.0, 1.0), (5.0, 5.0)]


def test_state_and_covariance_of_poses_are_written_and_read(tmp_path):
    C = np.diag(np.arange(1.0, 7.0))
    C[0, 5] = C[5, 0] = -0.25
    with OdometryCsvWriter(tmp_path / 'odometry.csv') as writer:
        writer.write(1_000_000_001, 'degraded', 0.125, C)
    table = read_odometry(tmp_path / 'odometry.csv')
    assert (table.t_ns.tolist(), table.status, table.correction_rad.tolist()) == (
        [1_000_000_001], ('degraded',), [0.125],
    )  # fmt: skip
    np.testing.assert_array_equal(table.pose_covariance, [C])
    (tmp_path / 'bad.csv').write_text('t_s,status\n1.0,lost\n')
    with pytest.raises(DataError, match='are missing'):
        read_odometry(tmp_path / 'bad.csv')


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A run folder with a trajectory, its covariances, and the truth beside it."""
    folder = tmp_path_factory.mktemp('judged')
    truth = wandering(np.arange(300) * STEP_NS)
    ours = with_errors(truth)
    (folder / 'run').mkdir()
    write_trajectory(folder / 'truth.tum', zip(truth.t_ns.tolist(), truth.T_world_body))
    write_trajectory(folder / 'run' / 'trajectory.tum', zip(ours.t_ns.tolist(), ours.T_world_body))
    with OdometryCsvWriter(folder / 'run' / 'odometry.csv') as writer:
        for t_ns, C in zip(ours.t_ns.tolist(), covariances(300)):
            writer.write(t_ns, 'tracking', 0.0, C)
    with BagWriter(folder / 'bag') as bag:
        for t_ns, T, true, C in zip(
            ours.t_ns.tolist(), ours.T_world_body, truth.T_world_body, covariances(300)
        ):
            bag.write_pose('/truth', true, stamp_ns=t_ns, frame_id='world')
            bag.write_odometry(
                '/odom', T, stamp_ns=t_ns, pose_covariance=C, v_m_s=np.zeros(3), omega_rad_s=np.zeros(3),
                twist_covariance=C, frame_id='odom', child_frame_id='base_link',
            )  # fmt: skip
    return folder


def test_eval_of_a_folder_writes_a_page_with_every_plot(run, capsys):
    assert main(['eval', str(run / 'run'), '--reference', str(run / 'truth.tum')]) == 0
    page = (run / 'run' / 'evaluation.html').read_text()
    titles = re.findall('aria-label="([^"]+)"', page)
    bands = [f'{name}, {axis}' for name in ('Orientation', 'Position') for axis in 'xyz']
    assert titles == [
        'Path', 'Orientation', 'Position', 'Orientation error', 'Position error', *bands, 'Error over claim',
    ]  # fmt: skip
    assert 'Drift over time spans' in page and 'deg a minute' in page and 'm a metre' in page
    assert 'nan' not in page
    assert f'report: {run / "run" / "evaluation.html"}' in capsys.readouterr().out


def test_eval_of_a_bag_finds_what_eval_of_the_folder_finds(run, capsys):
    assert main(['eval', str(run / 'run'), '--reference', str(run / 'bag'), '--json']) == 0
    folder = json.loads(capsys.readouterr().out)
    bag = ['eval', str(run / 'bag'), '--reference', str(run / 'bag'), '--json']
    assert main([*bag, '--topic', '/odom', '--reference-topic', '/truth']) == 0
    assert (run / 'bag_evaluation.html').is_file()
    of_bag = json.loads(capsys.readouterr().out)
    for branch, name in (('trajectory', 'ate_rmse_m'), ('trajectory', 'orientation_rmse_deg')):
        assert of_bag[branch][name] == pytest.approx(folder[branch][name], rel=1e-3)
    assert of_bag['covariance']['position']['nees_mean'] == pytest.approx(1.0, abs=0.2)
    assert main([*bag, '--topic', '/nothing']) == 1
    assert "topics of poses: ['/odom', '/truth']" in capsys.readouterr().err
