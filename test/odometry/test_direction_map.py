# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The map of directions, alignment on it, and finding a view again."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from event_perception.motion import BinGrid
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.odometry.direction_map import DirectionMap, DirectionMapConfig
from event_perception.odometry.map_alignment import AlignmentConfig, MapAligner
from event_perception.odometry.relocalisation import RelocalisationConfig, Relocaliser

TURNED = np.array([0.1, -0.2, 0.15])
# looking at the middle of a face, at an edge, at a corner, at a pole, and somewhere
VIEWS = [
    Rotation.identity(),
    Rotation.from_euler('y', 45, degrees=True),
    Rotation.from_euler('yx', [45, 35.3], degrees=True),
    Rotation.from_euler('x', 90, degrees=True),
    Rotation.from_rotvec([1.0, -2.0, 0.5]),
]


@pytest.fixture
def grid(small_camera) -> BinGrid:
    return BinGrid.covering(small_camera, 1.0, 0.1)


@pytest.fixture
def directions(small_camera, grid) -> DirectionMap:
    return DirectionMap(small_camera, grid, DirectionMapConfig())


def strokes(n=6000, seed=0):
    """Sharpened events on 40 short strokes, normalised coordinates, float32 (2, n)."""
    rng = np.random.default_rng(seed)
    centre, along = rng.uniform(-0.5, 0.5, (40, 2)), rng.normal(0, 0.05, (40, 2))
    which = rng.integers(40, size=n)
    return (centre[which] + rng.uniform(-1, 1, (n, 1)) * along[which]).T.astype(np.float32)


@pytest.mark.parametrize('view', VIEWS)
def test_what_is_voted_is_seen_where_it_was_anywhere_on_the_sphere(directions, grid, view):
    point = np.array([[0.20], [-0.10]], np.float32)
    directions.add(np.repeat(point, 100, axis=1), view.as_matrix(), TURNED, 0.0, 0.0)
    image = directions.render(view.as_matrix()).image
    row, column = np.unravel_index(image.argmax(), image.shape)
    expected = grid.to_bins(point.T)[0]
    assert abs(column - expected[0]) <= 1
    assert abs(row - expected[1]) <= 1


@pytest.mark.parametrize('view', VIEWS)
def test_density_does_not_depend_on_where_on_the_cube_it_lies(directions, view):
    points = strokes()
    directions.add(points, view.as_matrix(), TURNED, 0.0, 0.0)
    middle = directions.votes.copy()
    total = float(middle[:, 2:-2, 2:-2].sum())
    flat = DirectionMap(type('C', (), {'fx': 100.0, 'fy': 101.0})(), directions.grid, DirectionMapConfig())
    flat.add(points, np.eye(3), TURNED, 0.0, 0.0)
    x, y = points
    weights = (1 + x**2 + y**2) ** 1.5
    assert flat.votes[:, 2:-2, 2:-2].sum() == pytest.approx(weights.sum(), rel=1e-4)
    assert total > 0.98 * len(x)


def test_twice_the_motion_gives_twice_the_events_and_the_same_map(small_camera, grid):
    points, maps = strokes(), []
    for factor in (1, 2):
        made = DirectionMap(small_camera, grid, DirectionMapConfig(prior_motion_px=0.0))
        made.add(np.tile(points, factor), np.eye(3), factor * TURNED, 0.0, 0.0)
        maps.append(made.render(np.eye(3)).image)
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-4 * maps[0].max())


def test_unknown_parts_are_zero_and_counted(directions):
    directions.add(strokes(), np.eye(3), TURNED, 4e-6, 2.5)
    behind = directions.render(so3_exp([0, np.pi, 0]))
    assert behind.known == 0.0
    assert not behind.image.any()
    here = directions.render(np.eye(3))
    assert here.known > 0.9
    assert here.variance == pytest.approx(4e-6, rel=1e-4)
    assert here.t_s == pytest.approx(2.5, rel=1e-4)
    assert 0 < directions.render(so3_exp([0, 0.6, 0])).known < here.known


def test_the_panorama_shows_the_first_view_in_its_middle(directions):
    centre = 0.01 * np.random.default_rng(0).normal(size=(2, 2000)).astype(np.float32)
    directions.add(centre, np.eye(3), TURNED, 0.0, 0.0)
    image = directions.panorama()
    assert image.shape == (512, 1024)
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert abs(column - 511.5) < 10
    assert abs(row - 255.5) < 10


@pytest.mark.parametrize('view', VIEWS)
def test_a_small_turn_is_found_on_the_map(directions, grid, view):
    points, theta = strokes(), np.array([0.01, -0.015, 0.02])
    directions.add(points, view.as_matrix(), TURNED, 0.0, 0.0)
    predicted = view.as_matrix() @ so3_exp(-theta)
    found = MapAligner(grid, AlignmentConfig()).align(points, directions.render(predicted))
    assert found.converged
    np.testing.assert_allclose(found.theta, theta, atol=1e-3)
    assert found.agreement > 0.5
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 4000)).astype(np.float32)
    assert MapAligner(grid, AlignmentConfig()).align(noise, directions.render(predicted)).agreement < 0.2


def test_a_prior_holds_the_prediction_as_strongly_as_it_is_certain(directions, grid):
    points, theta = strokes(), np.array([0.004, -0.006, 0.005])
    directions.add(points, np.eye(3), TURNED, 0.0, 0.0)
    view = directions.render(so3_exp(-theta))
    aligner = MapAligner(grid, AlignmentConfig())
    free = aligner.align(points, view)
    held = aligner.align(points, view, 1e-10 * np.eye(3))
    even = aligner.align(points, view, free.covariance)
    assert np.linalg.norm(held.theta) < 0.1 * np.linalg.norm(theta)
    assert 0.2 < np.linalg.norm(even.theta) / np.linalg.norm(free.theta) < 0.8


@pytest.mark.parametrize('angle', [0.0, 0.3, 2.0])
def test_a_view_is_found_again_from_far_away(small_camera, directions, grid, angle):
    points = strokes()
    directions.add(points, np.eye(3), TURNED, 0.0, 0.0)
    config = RelocalisationConfig(per_window=400)
    relocaliser = Relocaliser(small_camera, directions, MapAligner(grid, AlignmentConfig()), config)
    predicted = so3_exp(angle * np.array([0.6, 0.64, 0.48]))
    place = None
    for _ in range(20):
        place = place or relocaliser.search(points, predicted)
    assert place is not None
    assert np.linalg.norm(so3_log(place.R)) < 2e-3


def test_another_view_is_not_found(small_camera, directions, grid):
    directions.add(strokes(), np.eye(3), TURNED, 0.0, 0.0)
    relocaliser = Relocaliser(
        small_camera, directions, MapAligner(grid, AlignmentConfig()), RelocalisationConfig(per_window=300)
    )
    assert all(relocaliser.search(strokes(seed=5), np.eye(3)) is None for _ in range(3))
