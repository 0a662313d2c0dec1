# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of egomotion from tiles and of flow with residual tiles."""

import numpy as np
import pytest

from event_perception import flow
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, EventWindow, TwistPrior
from event_perception.flow.linear_egomotion import fit_egomotion
from event_perception.flow.motion_field import MotionField
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult

HEIGHT, WIDTH = 96, 128
CAMERA = CameraModel(100.0, 100.0, 63.5, 47.5, height=HEIGHT, width=WIDTH)
OMEGA, V = np.array([0.1, -0.5, 0.2]), np.array([0.5, 0.1, 0.3])


def egomotion(t_ns, omega, v=None, converged=True):
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = 1e-4 * np.eye(3)
    v = np.full(3, np.nan) if v is None else v
    return EgomotionResult(t_ns, t_ns, t_ns, omega, v, covariance, converged, 'made up', 1, 1, 1.0)


@pytest.fixture(scope='module')
def tiles_with_depth():
    """Exact flow of a grid of places, its basis, and the places."""
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(8, WIDTH, 16), np.arange(8, HEIGHT, 16))
    place = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
    field = MotionField(None, CAMERA)
    rotation, translation = field.basis_at(y.ravel(), x.ravel())
    inverse = rng.uniform(0.3, 1.0, len(place))
    basis = np.concatenate([rotation, translation * inverse[:, None, None]], axis=2)
    return basis @ np.concatenate([OMEGA, V]), basis, place


def test_exact_flow_and_depth_give_the_exact_motion(tiles_with_depth):
    flow_px_s, basis, place = tiles_with_depth
    fit = fit_egomotion(flow_px_s, np.tile([1.0, 0.0, 1.0], (len(place), 1)), basis, place)
    np.testing.assert_allclose(fit.omega, OMEGA, atol=1e-4)
    np.testing.assert_allclose(fit.v, V, atol=1e-4)


def test_a_third_of_the_image_that_moves_on_its_own_does_not_bend_it(tiles_with_depth):
    flow_px_s, basis, place = tiles_with_depth
    own = (place[:, 0] < 64) & (place[:, 1] < 64)
    moved = flow_px_s + np.where(own[:, None], [250.0, 40.0], 0.0)
    fit = fit_egomotion(moved, np.tile([1.0, 0.0, 1.0], (len(place), 1)), basis, place)
    assert np.linalg.norm(fit.omega - OMEGA) < 0.05
    assert np.linalg.norm(fit.v - V) < 0.15
    assert fit.inlier[own].max() < 0.2 < 0.8 < np.median(fit.inlier[~own])


def test_a_gyroscope_holds_what_flow_alone_cannot(tiles_with_depth):
    _, basis, place = tiles_with_depth
    one_plane = basis.copy()
    one_plane[:, :, 3:] = one_plane[:, :, 3:].mean(axis=0)  # translation looks the same everywhere
    noisy = one_plane @ np.concatenate([OMEGA, V]) + np.random.default_rng(1).normal(0, 8, (len(place), 2))
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = 1e-6 * np.eye(3)
    prior = TwistPrior(0, np.full(3, np.nan), OMEGA, covariance)
    curvature = np.tile([1.0, 0.0, 1.0], (len(place), 1))
    with_prior, without = (fit_egomotion(noisy, curvature, one_plane, place, p) for p in (prior, None))
    assert np.linalg.norm(with_prior.omega - OMEGA) < 0.01
    assert np.linalg.norm(without.omega - OMEGA) > 3 * np.linalg.norm(with_prior.omega - OMEGA)


def test_too_few_tiles_give_no_motion(tiles_with_depth):
    flow_px_s, basis, place = tiles_with_depth
    curvature = np.zeros((len(place), 3))
    curvature[:5] = [1.0, 0.0, 1.0]
    assert fit_egomotion(flow_px_s, curvature, basis, place) is None


def test_an_object_of_its_own_shows_on_top_of_the_turning_camera(dots, as_window):
    turning = np.array([0.0, 1.0, 0.0])
    base = MotionField(None, CAMERA).rotational(turning)
    around = dots(lambda p: _at(base, p), where=lambda p: ~_inside(p), density=0.04)
    own = dots(lambda p: _at(base, p) + np.array([0.0, 200.0]), where=_inside, seed=1, density=0.06)
    window = as_window(_joined(around, own))
    field = flow.create('residual', CAMERA).update(window, egomotion(window.t_ref_ns, turning))
    rest = field.flow_px_s - base
    assert np.median(rest[1, 36:60, 50:78]) == pytest.approx(200.0, abs=15.0)
    far = np.s_[:, 8:88, 100:120]
    assert np.median(np.linalg.norm(rest[far], axis=0)) < 5.0


def test_holes_in_the_depth_are_valid_only_where_events_tell_the_flow(dots, as_window):
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    depth[:48] = np.nan
    events = dots(np.array([50.0, 0.0]), where=lambda p: p[:, 1] > 24, density=0.04)
    window = as_window(events)
    field = flow.create('residual', CAMERA).update(
        window,
        egomotion(window.t_ref_ns, np.zeros(3), np.array([-1.0, 0.0, 0.0])),
        DepthImage(window.t_ref_ns, depth),
    )
    assert field.valid[48:].all() and not field.valid[:8].any()
    assert np.isfinite(field.flow_px_s).all()
    np.testing.assert_allclose(np.median(field.flow_px_s[0, 60:]), 50.0, atol=3.0)


def test_noise_on_known_depth_gives_no_motion_to_the_camera():
    rng, n = np.random.default_rng(0), 8000
    t_ns = np.sort(rng.integers(0, 50_000_000, n))
    x, y, p = rng.integers(0, WIDTH, n), rng.integers(0, HEIGHT, n), rng.choice([-1, 1], n)
    window = EventWindow.from_events(
        EventArray(t_ns, x, y, p, height=HEIGHT, width=WIDTH), t0_ns=0, t1_ns=50_000_000
    )
    depth = DepthImage(25_000_000, np.full((HEIGHT, WIDTH), 2.0, np.float32))
    field = flow.create('residual', CAMERA).update(window, None, depth)
    assert np.isfinite(field.flow_px_s).all()
    assert field.valid.mean() < 0.1


def test_depth_of_another_size_is_refused(dots, as_window):
    window = as_window(dots(np.array([50.0, 0.0])))
    with pytest.raises(DataError, match='register'):
        flow.create('residual', CAMERA).update(
            window, None, DepthImage(window.t_ref_ns, np.ones((4, 4), np.float32))
        )


def _inside(p):
    return (np.abs(p - [64, 48]) < [24, 22]).all(axis=1)


def _at(field, p):
    x, y = np.clip(np.rint(p).astype(int), 0, [WIDTH - 1, HEIGHT - 1]).T
    return field[:, y, x].T.astype(float)


def _joined(*parts):
    from event_perception.events import EventArray

    columns = (np.concatenate([getattr(e, n) for e in parts]) for n in ('t_ns', 'x', 'y', 'p'))
    return EventArray(*columns, height=HEIGHT, width=WIDTH).sorted()
