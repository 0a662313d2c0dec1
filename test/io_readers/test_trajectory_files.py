# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of trajectories and of egomotion.csv as files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.io.egomotion_csv import COLUMNS, EgomotionCsvWriter, read_egomotion
from event_perception.io.quaternion import quaternion_from_rotation, rotation_from_quaternion
from event_perception.io.trajectory import read_trajectory, write_trajectory
from event_perception.motion.result import EgomotionResult

T_NS = 1_744_227_144_732_712_345


def poses(n=50):
    rotations = Rotation.random(n, random_state=np.random.RandomState(3)).as_matrix()
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, :3] = rotations
    T[:, :3, 3] = np.random.default_rng(4).normal(size=(n, 3))
    return T


def test_poses_survive_the_file_and_times_to_the_nanosecond(tmp_path):
    T = poses()
    path = tmp_path / 'trajectory.tum'
    write_trajectory(path, ((T_NS + i, pose) for i, pose in enumerate(T)))
    read = read_trajectory(path)
    assert read.t_ns.tolist() == [T_NS + i for i in range(len(T))]
    np.testing.assert_allclose(read.T_world_body, T, atol=5e-9)


def test_a_line_is_time_position_quaternion_xyzw(tmp_path):
    T = np.eye(4)
    T[:3, 3] = 1, -2, 0.5
    T[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    path = tmp_path / 'a.tum'
    write_trajectory(path, [(1_500_000_000, T)])
    assert path.read_text() == (
        '1.500000000 1.000000000 -2.000000000 0.500000000 0.000000000 0.000000000 0.707106781 0.707106781\n'
    )


@pytest.mark.parametrize(
    'rotvec', [(0, 0, 0), (np.pi, 0, 0), (0, np.pi, 0), (0, 0, np.pi), (3.1, 0.2, -0.1), (1e-9, 0, 0)]
)
def test_quaternions_agree_with_an_independent_library_also_at_half_turns(rotvec):
    rotation = Rotation.from_rotvec(rotvec)
    q = quaternion_from_rotation(rotation.as_matrix())
    assert abs(q @ rotation.as_quat()) == pytest.approx(1, abs=1e-12)
    assert q[3] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(3 * q), rotation.as_matrix(), atol=1e-12)


def test_comments_commas_and_empty_lines_are_read_over(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('# t x y z\n\n0.5,0,0,0,0,0,0,1\n')
    assert read_trajectory(path).t_ns.tolist() == [500_000_000]


@pytest.mark.parametrize('line', ['1 2 3', '1 0 0 0 0 0 0 0', '1 0 0 nan 0 0 0 1', 'a b c d e f g h'])
def test_a_line_that_is_no_pose_is_named(tmp_path, line):
    path = tmp_path / 'a.txt'
    path.write_text(f'0 0 0 0 0 0 0 1\n{line}\n')
    with pytest.raises(DataError, match=r'a\.txt:2: expected "t x y z qx qy qz qw"'):
        read_trajectory(path)


def test_ground_truth_of_a_real_recording_is_read(shared_data):
    trajectory = read_trajectory(shared_data / 'ecd_slider_depth_chunk' / 'groundtruth.txt')
    assert len(trajectory) == 339
    assert trajectory.t_ns[0] == 22_291_582
    np.testing.assert_allclose(trajectory.T_world_body[0][:3, 3], [0.1116875, 0, 0])


def result(**changes):
    values = {
        't0_ns': 0,
        't1_ns': 20_000_000,
        't_ref_ns': T_NS,
        'omega': np.array([0.1, -2.0, 3.5]),
        'v': np.full(3, np.nan),
        'covariance': np.full((6, 6), np.nan),
        'converged': True,
        'reason': '',
        'n_events': 1234,
        'n_evaluations': 7,
        'contrast_gain': 2.0,
    }
    return EgomotionResult(**(values | changes))


def test_egomotion_survives_the_file(tmp_path):
    path = tmp_path / 'egomotion.csv'
    with EgomotionCsvWriter(path) as writer:
        writer.write(result(), 1.25)
        writer.write(result(t_ref_ns=T_NS + 1, converged=False))
    assert path.read_text().splitlines() == [
        't_s,wx_rad_s,wy_rad_s,wz_rad_s,vx_m_s,vy_m_s,vz_m_s,n_events,n_evaluations,converged,solve_ms',
        '1744227144.732712345,0.1,-2,3.5,nan,nan,nan,1234,7,1,1.25',
        '1744227144.732712346,0.1,-2,3.5,nan,nan,nan,1234,7,0,nan',
    ]
    table = read_egomotion(path)
    assert table.t_ns.tolist() == [T_NS, T_NS + 1]
    assert table.converged.tolist() == [True, False]
    np.testing.assert_array_equal(table.omega_rad_s, [[0.1, -2, 3.5]] * 2)
    assert np.isnan(table.v_m_s).all()


def test_results_are_never_overwritten(tmp_path):
    path = tmp_path / 'egomotion.csv'
    EgomotionCsvWriter(path).close()
    with pytest.raises(FileExistsError):
        EgomotionCsvWriter(path)


def test_an_empty_table_is_a_table(tmp_path):
    path = tmp_path / 'egomotion.csv'
    EgomotionCsvWriter(path).close()
    assert len(read_egomotion(path)) == 0


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / 'egomotion.csv'
    path.write_text(','.join(COLUMNS[:-1]) + '\n')
    with pytest.raises(DataError, match='solve_ms'):
        read_egomotion(path)
