# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Gradient information on a canvas that moves with the scene."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_perception.events import EventArray
from event_perception.flow.field import FlowField
from event_perception.images.canvas import Canvas, Fading
from event_perception.images.canvas_kernels import carry_map, splat_signed

H, W, MARGIN = 20, 24, 8
KEEP = Fading(kept=1.0, lost=0.5, per_px=0.0)


def uniform(vx, vy, valid=True):
    flow = np.empty((2, H, W), np.float32)
    flow[0], flow[1] = vx, vy
    return FlowField(0, flow, np.full((H, W), valid))


def one_event(x, y, p, t_ns=0):
    return EventArray([t_ns], [x], [y], [p], height=H, width=W)


def test_a_uniform_flow_moves_the_view_by_whole_pixels_exactly():
    canvas = Canvas(H, W, MARGIN)
    canvas.step(None, 1.0, uniform(200.0, -100.0), 0, 0.01, KEEP)
    columns, rows = np.meshgrid(np.arange(W), np.arange(H))
    np.testing.assert_allclose(canvas.on_canvas[0], columns + MARGIN - 2, atol=1e-5)
    np.testing.assert_allclose(canvas.on_canvas[1], rows + MARGIN + 1, atol=1e-5)
    np.testing.assert_allclose(canvas.on_sensor[0, 0, :3], [-6, -5, -4])


def test_the_two_maps_are_inverse_to_each_other():
    canvas = Canvas(H, W, MARGIN)
    y, x = np.mgrid[:H, :W].astype(np.float32)
    swirl = FlowField(0, np.stack([30 - 3 * (y - 10), 3 * (x - 12)]), np.ones((H, W), bool))
    for k in range(10):
        canvas.step(None, 1.0, swirl, k * 10_000_000, 0.01, KEEP)
    column, row = canvas.on_canvas[:, 10, 12]
    there = canvas.on_sensor[:, round(float(row)), round(float(column))]
    expected = np.array([12 + round(float(column)) - column, 10 + round(float(row)) - row])
    np.testing.assert_allclose(there, expected, atol=0.15)


@given(st.integers(0, 10_000), st.floats(-200, 200), st.floats(-200, 200))
@settings(max_examples=20, deadline=None)
def test_a_splat_keeps_the_sum_of_the_contrasts(seed, vx, vy):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, W, 50).astype(np.uint16), rng.integers(0, H, 50).astype(np.uint16)
    p, share = rng.choice([-1, 1], 50).astype(np.int8), rng.random(50).astype(np.float32)
    canvas = Canvas(H, W, MARGIN)
    after, moved = np.empty_like(canvas.on_canvas), np.empty_like(canvas.on_canvas)
    carry_map(canvas.on_canvas, uniform(vx, vy).flow_px_s, np.float32(0.01), after, moved)
    E = np.zeros((H + 2 * MARGIN, W + 2 * MARGIN), np.float32)
    outside = splat_signed(x, y, p, share, np.float32(0.6), canvas.on_canvas, moved, E)
    assert outside == 0
    assert E.sum(dtype=np.float64) == pytest.approx((p > 0).sum() - 0.6 * (p < 0).sum(), abs=1e-4)


def test_a_moved_and_silent_pixel_is_known_to_be_flat():
    canvas = Canvas(H, W, MARGIN)
    canvas.step(None, 1.0, uniform(300.0, 0.0), 0, 0.01, KEEP)
    inner = np.s_[MARGIN + 4 : MARGIN + H - 4, MARGIN + 4 : MARGIN + W - 4]
    np.testing.assert_allclose(canvas.A[0][inner], 9.0, rtol=1e-5)
    np.testing.assert_allclose(canvas.A[1:], 0.0, atol=1e-4)
    assert not canvas.B.any()
    assert not canvas.A[:, 0, 0].any()  # the margin is out of view


def test_an_event_is_a_change_along_the_path_of_its_pixel():
    canvas = Canvas(H, W, MARGIN)
    canvas.step(one_event(10, 9, -1), 0.5, uniform(100.0, 0.0), 0, 0.01, KEEP)
    # The line of sight moves by -1 px, the light falls by half a threshold: the gradient is +0.5 along x.
    assert canvas.B[0, MARGIN + 9, MARGIN + 10] == pytest.approx(0.5)
    assert canvas.A[0, MARGIN + 9, MARGIN + 10] == pytest.approx(1.0)
    assert canvas.B.sum(dtype=np.float64) == pytest.approx(0.5)


def test_unknown_flow_adds_nothing_and_lets_the_past_fade_faster():
    canvas = Canvas(H, W, MARGIN)
    canvas.step(None, 1.0, uniform(100.0, 0.0), 0, 0.01, KEEP)
    canvas.step(one_event(10, 9, 1), 1.0, uniform(0.0, 0.0, valid=False), 0, 0.01, KEEP)
    assert canvas.A[0, MARGIN + 9, MARGIN + 10] == pytest.approx(0.5)
    assert not canvas.B.any()


def test_motion_makes_forget():
    canvas = Canvas(H, W, MARGIN)
    canvas.A[:] = 1.0
    canvas.step(None, 1.0, uniform(0.0, 400.0), 0, 0.01, Fading(kept=1.0, lost=1.0, per_px=0.25))
    assert canvas.A[0, MARGIN + 9, MARGIN + 10] == pytest.approx(1 / 2.5)  # 1 + s + s^2 / 2 at s = 1


def test_laying_the_canvas_anew_moves_what_is_known_with_the_scene():
    canvas = Canvas(H, W, MARGIN)
    canvas.B[0, MARGIN + 9, MARGIN + 10] = 2.0
    for k in range(7):
        canvas.step(None, 1.0, uniform(100.0, 0.0), 10_000_000 * k, 0.01, KEEP)
    assert canvas.laid == 1
    assert canvas.B[0, MARGIN + 9, MARGIN + 17] == pytest.approx(2.0, rel=1e-5)
    np.testing.assert_array_equal(canvas.on_canvas[0, 0, :3], [MARGIN, MARGIN + 1, MARGIN + 2])


def prior_of(value):
    return np.full((H, W), value, np.float32)


def test_the_prior_is_a_mean_over_images_that_fades_and_needs_evidence():
    canvas = Canvas(H, W, MARGIN)
    canvas.A[0] = 1e6
    canvas.A[:, MARGIN + 3, MARGIN + 4] = 0.0
    canvas.follow_prior(prior_of(4.0), 0.5, 0.1)
    canvas.follow_prior(prior_of(1.0), 0.5, 0.1)
    inside = canvas.H[MARGIN + 5, MARGIN + 5]
    assert inside == pytest.approx((0.5 * 4 + 1) / 1.5, rel=1e-5)
    assert canvas.H[MARGIN + 3, MARGIN + 4] == 1.0
    canvas.follow_prior(prior_of(7.0), 0.0, 0.1)
    np.testing.assert_array_equal(canvas.H, 7.0)


def test_the_mean_of_the_prior_moves_with_the_scene_onto_other_pixels():
    canvas = Canvas(H, W, MARGIN)
    first = prior_of(0.0)
    first[9, 10] = 6.0
    canvas.follow_prior(first, 1.0, 0.0)
    canvas.step(None, 1.0, uniform(300.0, 0.0), 0, 0.01, KEEP)
    second = prior_of(0.0)
    second[9, 13] = 2.0
    canvas.follow_prior(second, 1.0, 0.0)
    assert canvas.H[MARGIN + 9, MARGIN + 10] == pytest.approx(4.0, rel=1e-4)
    assert canvas.H[MARGIN + 9, MARGIN + 13] == pytest.approx(0.0, abs=1e-4)


def test_beyond_the_view_the_prior_is_continued_but_yields_to_what_was_seen():
    canvas = Canvas(H, W, MARGIN)
    canvas.follow_prior(prior_of(3.0), 1.0, 0.0)
    assert canvas.H[0, 0] == 3.0
    canvas.step(None, 1.0, uniform(-1000.0, 0.0), 0, 0.005, KEEP)
    canvas.follow_prior(prior_of(9.0), 1.0, 0.0)
    assert canvas.H[MARGIN + 9, MARGIN + 1] == pytest.approx(3.0, abs=0.01)  # left the view by 5 px
    assert canvas.H[MARGIN + 9, MARGIN + W + 2] == pytest.approx(9.0, abs=0.01)  # came into it
