# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of trajectory errors, with figures that another tool computed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.evaluation.trajectory import (
    align,
    consistency,
    errors_of_trajectories,
    trajectory_errors,
)
from event_perception.evaluation.trajectory_instants import associate
from event_perception.io.trajectory import Trajectory
from event_perception.motion.lie import se3_exp


def moving(n=200, step_s=0.05):
    """A curve with turns, standing for any real trajectory."""
    t_s = np.arange(n) * step_s
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, 3] = np.stack([np.cos(t_s), np.sin(1.3 * t_s), 0.2 * t_s], axis=1)
    T[:, :3, :3] = Rotation.from_rotvec(
        np.stack([0.3 * np.sin(t_s), 0.1 * t_s, t_s * 0.2], axis=1)
    ).as_matrix()
    return Trajectory(np.round(t_s * 1e9).astype(np.int64), T)


@pytest.mark.parametrize(
    ('sequence', 'pairs', 'rmse', 'mean', 'median', 'largest', 'scaled'),
    [
        ('rpg_bin', 1573, 0.022695, 0.021120, 0.020622, 0.056328, 0.019940),
        ('tumvie_1d', 3513, 0.033342, 0.031091, 0.026997, 0.063691, 0.033196),
    ],
)
def test_published_trajectories_get_the_figures_of_evo(
    shared_data, sequence, pairs, rmse, mean, median, largest, scaled
):
    folder = shared_data / 'trajectories_esvo2'
    errors = trajectory_errors(folder / f'{sequence}_groundtruth.txt', folder / f'{sequence}_estimate.txt')
    assert errors['pairs'] == pairs
    figures = [errors[f'ate_{name}_m'] for name in ('rmse', 'mean', 'median', 'max', 'scaled_rmse')]
    np.testing.assert_allclose(figures, [rmse, mean, median, largest, scaled], atol=1.5e-6)


def test_another_choice_of_world_frame_is_no_error():
    truth = moving()
    elsewhere = Trajectory(truth.t_ns, se3_exp([1, -2, 3, 0.5, 0.4, -1.0]) @ truth.T_world_body)
    errors = errors_of_trajectories(truth, elsewhere)
    for name in ('ate_max_m', 'rpe_rmse_m', 'orientation_rmse_deg', 'orientation_end_deg', 'rpe_rmse_deg'):
        assert errors[name] < 1e-5
    assert errors['scale'] == pytest.approx(1.0)


def test_a_wrong_scale_is_found_by_the_similarity_only():
    truth = moving()
    T = truth.T_world_body.copy()
    T[:, :3, 3] *= 0.5
    errors = errors_of_trajectories(truth, Trajectory(truth.t_ns, T))
    assert errors['scale'] == pytest.approx(2.0)
    assert errors['ate_scaled_rmse_m'] < 1e-9
    assert errors['ate_rmse_m'] > 0.2


def test_a_slow_turn_shows_as_end_and_relative_orientation_error():
    truth = moving(n=201)
    T = truth.T_world_body.copy()
    drift = Rotation.from_rotvec(np.deg2rad(0.5) * truth.t_ns[:, None] * 1e-9 * [0, 0, 1]).as_matrix()
    T[:, :3, :3] = drift @ T[:, :3, :3]
    errors = errors_of_trajectories(truth, Trajectory(truth.t_ns, T))
    assert errors['orientation_end_deg'] == pytest.approx(5.0)
    assert errors['rpe_rmse_deg'] == pytest.approx(0.5)
    assert errors['orientation_rmse_deg'] == pytest.approx(5 / np.sqrt(12), rel=0.02)


def test_positions_of_rotation_odometry_are_not_judged():
    truth = moving()
    T = truth.T_world_body.copy()
    T[:, :3, 3] = 0
    errors = errors_of_trajectories(truth, Trajectory(truth.t_ns, T))
    assert np.isnan([errors['ate_rmse_m'], errors['rpe_rmse_m'], errors['scale']]).all()
    assert errors['orientation_rmse_deg'] < 1e-5


def test_trajectories_of_different_time_bases_are_refused():
    truth = moving()
    later = Trajectory(truth.t_ns + 10**12, truth.T_world_body)
    with pytest.raises(DataError, match='same time base'):
        errors_of_trajectories(truth, later)


@settings(max_examples=50, deadline=None)
@given(
    first=st.lists(st.integers(0, 1000), min_size=1, max_size=20, unique=True).map(sorted),
    second=st.lists(st.integers(0, 1000), min_size=1, max_size=20, unique=True).map(sorted),
)
def test_each_instant_of_the_shorter_series_gets_its_nearest_of_the_longer(first, second):
    a, b = np.array(first), np.array(second)
    of_a, of_b = associate(a, b, 50)
    short, long = (a, b) if len(b) > len(a) else (b, a)
    distance = np.abs(short[:, None] - long).min(axis=1)
    assert np.abs(a[of_a] - b[of_b]).tolist() == distance[distance <= 50].tolist()


@pytest.mark.parametrize('keep', [1, 4], ids=['as dense as the reference', 'sparser'])
def test_poses_between_those_of_the_reference_and_beyond_its_end_are_no_error(keep):
    truth, dense = moving(step_s=0.01), moving(n=4 * 210, step_s=0.0025)
    part = slice(1, None, keep)
    errors = errors_of_trajectories(truth, Trajectory(dense.t_ns[part], dense.T_world_body[part]))
    assert errors['orientation_rmse_deg'] < 0.01
    assert errors['orientation_end_deg'] < 0.01
    assert errors['drift_deg_min'] < 0.3


def test_turns_between_poses_seconds_apart_are_not_guessed():
    truth, ours = moving(n=20, step_s=1.0), moving(n=20, step_s=1.0)
    errors = errors_of_trajectories(truth, Trajectory(ours.t_ns + 10_000_000, ours.T_world_body))
    assert errors['pairs'] == 20
    assert np.isnan([errors['orientation_rmse_deg'], errors['drift_m_m'], errors['rpe_rmse_deg']]).all()


def test_mirrored_points_are_aligned_by_a_rotation_all_the_same():
    points = np.random.default_rng(0).normal(size=(50, 3))
    assert np.linalg.det(align(points * [1, 1, -1], points).rotation) == pytest.approx(1.0)


def test_drift_is_the_end_against_the_beginning_per_minute_and_per_metre():
    t_ns = np.arange(0, 31) * 1_000_000_000
    truth, ours = np.tile(np.eye(4), (2, 31, 1, 1))
    truth[:, 0, 3] = ours[:, 0, 3] = np.arange(31) / 3  # 10 m
    for k in range(31):
        ours[k, :3, :3] = Rotation.from_euler('z', 0.1 * k, degrees=True).as_matrix()
    ours[-1, 1, 3] = 0.5
    errors = errors_of_trajectories(Trajectory(t_ns, truth), Trajectory(t_ns, ours))
    assert errors['drift_deg_min'] == pytest.approx(6.0)
    assert errors['drift_m_m'] == pytest.approx(0.05)


def test_covariances_that_fit_the_errors_have_a_consistency_of_one():
    rng = np.random.default_rng(0)
    sigma = np.array([0.1, 2.0, 30.0])
    errors = sigma * rng.normal(size=(20_000, 3))
    covariances = np.tile(np.diag(sigma**2), (20_000, 1, 1))
    fits = consistency(errors, covariances)
    assert fits['nees_mean'] == pytest.approx(1.0, abs=0.03)
    assert fits['nees_median'] == pytest.approx(0.79, abs=0.03)
    assert consistency(errors, covariances / 4)['nees_mean'] == pytest.approx(4 * fits['nees_mean'])
