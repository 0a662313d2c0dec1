# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of maps from a space sweep."""

import numpy as np
import pytest

from event_perception.motion import CameraModel
from event_perception.motion.lie import se3_exp, se3_inverse
from event_perception.odometry.monocular_config import SweepConfig
from event_perception.odometry.semi_dense_depth import SemiDenseConfig, masked_median, semi_dense_depth
from event_perception.odometry.space_sweep import sweep, vote_planes
from event_perception.odometry.sweep_mapper import PointMap, SweepMapper, TrackedWindow, poses_between

MS = 1_000_000
CAMERA = CameraModel(fx=100.0, fy=100.0, cx=59.5, cy=44.5, height=90, width=120)
SIDEWAYS = np.array([1.0, 0.3, 0.0, 0.0, 0.1, 0.0])


def strokes(depth_m, rng, n=25):
    """Points of short lines on a plane that faces the camera, (n * 40, 3)."""
    middle = rng.uniform((-0.5, -0.35), (0.5, 0.35), (n, 1, 2))
    along = rng.normal(size=(n, 1, 2))
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    flat = (middle + 0.06 * rng.uniform(-1, 1, (n, 40, 1)) * along).reshape(-1, 2)
    return np.column_stack([flat, np.ones(len(flat))]) * depth_m


def windows(points, baseline_m, rng, n_windows=40, n=600):
    """What a camera sees of points that moves sideways and ends at the identity."""
    for k in range(n_windows):
        T = se3_exp(-SIDEWAYS * baseline_m * (1 - k / (n_windows - 1)))
        seen = points[rng.integers(len(points), size=n)] @ se3_inverse(T)[:3, :3].T + se3_inverse(T)[:3, 3]
        pixels = CAMERA.project(seen) + rng.uniform(-0.5, 0.5, (n, 2))
        yield TrackedWindow(k * 10 * MS, T, pixels.T.astype(np.float32), np.zeros(n, np.float32))


def mapper(**changes):
    config = SweepConfig(new_events=100, least_events=5000, packet=600, **changes)
    return SweepMapper(CAMERA, config, SemiDenseConfig(), 2000)


def test_the_sweep_finds_the_depth_of_a_plane():
    rng = np.random.default_rng(0)
    a = mapper()
    for window in windows(strokes(2.0, rng), 0.4, rng):
        a.remember(window)
    made = a.build(a.stretch(2.5), 2.5)
    assert len(made.points) > 200
    assert np.median(made.points[:, 2]) == pytest.approx(2.0, rel=0.02)
    assert np.mean(np.abs(made.points[:, 2] - 2.0) > 0.4) < 0.15  # 12 px of parallax, events on whole pixels


def test_without_parallax_there_is_no_stretch_to_build_from():
    rng = np.random.default_rng(0)
    points = strokes(2.0, rng)
    a = mapper()
    for window in windows(points, 0.15, rng):
        a.remember(window)
    assert a.stretch(2.0) is None
    assert len(a.stretch(2.0, settled=False)) < 40  # less parallax will do
    here = PointMap(np.eye(4), points.astype(np.float32), np.ones(len(points), np.float32), 2.0)
    assert not a.wants(here, 1.0, 2.0)
    assert a.wants(here, 0.5, 2.0)
    assert a.wants(here, 1.0, 2.0, ahead_m=np.array([0.25, 0.0, 0.0]))


def test_a_stretch_reaches_back_until_the_baseline_is_a_tenth_of_the_depth():
    rng = np.random.default_rng(0)
    a = mapper()
    for window in windows(strokes(2.0, rng), 0.4, rng):
        a.remember(window)
    stretch = a.stretch(2.0)
    moved = [np.linalg.norm(w.T[:3, 3]) for w in stretch]
    assert moved[0] >= 0.2 > moved[1]
    assert moved[-1] == 0


def test_votes_are_those_of_a_plain_reference():
    rng = np.random.default_rng(1)
    poses = np.array([se3_exp(0.05 * rng.normal(size=6)) for _ in range(4)])
    T_reference = se3_exp(0.05 * rng.normal(size=6))
    pixels = rng.uniform((0, 0), (119, 89), (200, 2)).T.astype(np.float32)
    inverse_depth = np.linspace(1.0, 0.2, 7)
    votes = sweep(pixels, poses, 50, T_reference, CAMERA, inverse_depth).votes
    np.testing.assert_allclose(votes, reference(pixels, poses, T_reference, inverse_depth), atol=1e-3)
    assert votes.sum() > 500


def reference(pixels, poses, T_reference, inverse_depth):
    """Every ray cut with every plane, float64."""
    votes = np.zeros((len(inverse_depth), CAMERA.height, CAMERA.width))
    for i, pixel in enumerate(pixels.T.astype(np.float64)):
        T = se3_inverse(T_reference) @ poses[i // 50]
        ray = T[:3, :3] @ np.append((pixel - (CAMERA.cx, CAMERA.cy)) / (CAMERA.fx, CAMERA.fy), 1.0)
        for plane, q in enumerate(inverse_depth):
            x, y = CAMERA.project((T[:3, 3] + ray * (1 / q - T[2, 3]) / ray[2])[None])[0]
            if not (0 <= x < CAMERA.width - 1 and 0 <= y < CAMERA.height - 1):
                continue
            column, row, fx, fy = int(x), int(y), x % 1, y % 1
            votes[plane, row : row + 2, column : column + 2] += np.outer([1 - fy, fy], [1 - fx, fx])
    return votes


def test_a_vote_is_shared_between_the_four_pixels_around_it():
    near = np.array([[1.25], [0.5]], np.float32)
    votes = np.zeros((1, 3, 4), np.float32)
    vote_planes(near, np.array([[[1.0, 0.0, 0.0]]], np.float32), 8, votes)
    expected = [[0, 0.375, 0.125, 0], [0, 0.375, 0.125, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(votes[0], np.array(expected, np.float32))


def test_the_median_counts_only_what_is_masked():
    values = np.array([[1, 9, 2], [9, 5, 9], [4, 9, 8]], np.int32)
    mask = values != 9
    median = np.full((3, 3), -1, np.int32)
    masked_median(values, mask, 1, 10, median)
    np.testing.assert_array_equal(median, [[1, -1, 2], [-1, 4, -1], [4, -1, 5]])


def test_a_peak_between_planes_is_found_by_the_parabola():
    volume = sweep(
        np.zeros((2, 1), np.float32), np.eye(4)[None], 1, np.eye(4), CAMERA, np.linspace(1, 0.1, 10)
    )
    volume.votes[:] = 0
    volume.votes[4:7, 40, 50] = 3.0, 8.0, 7.0  # vertex at + 0.5 * 4 / 6
    found = semi_dense_depth(volume, SemiDenseConfig())
    assert (found.x.tolist(), found.y.tolist()) == ([50], [40])
    assert found.inverse_depth[0] == pytest.approx(1 - 0.1 * (5 + 1 / 3))


def test_poses_between_windows_are_interpolated_in_turn_and_place():
    step = se3_exp([0.0, 0.0, 0.0, 0.0, 0.0, 0.2])
    step[:3, 3] = 0.4, 0.0, 0.0
    empty = np.zeros((2, 0), np.float32), np.zeros(0, np.float32)
    ends = [TrackedWindow(0, np.eye(4), *empty), TrackedWindow(100 * MS, step, *empty)]
    middle = poses_between(ends, np.array([0.05]))[0]
    np.testing.assert_allclose(middle[:3, :3], se3_exp([0, 0, 0, 0, 0, 0.1])[:3, :3], atol=1e-12)
    np.testing.assert_allclose(middle[:3, 3], [0.2, 0, 0], atol=1e-12)
