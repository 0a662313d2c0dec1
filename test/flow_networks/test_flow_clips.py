# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Clips to learn flow from: seeded, and their flow is that of the light that they were made from."""

import numpy as np
import pytest

from event_perception.learning.flow_clips import FlowClipConfig, FlowClipMaker, turned
from event_perception.learning.moving_layers import MovingLayer, composed_flow, composed_light

SIZE = 48


@pytest.fixture(scope='module')
def maker():
    return FlowClipMaker(FlowClipConfig(height=SIZE, width=SIZE, pictures=3, max_events=1500))


def smooth_picture():
    y, x = np.mgrid[:200, :200]
    light = 0.5 + 0.2 * np.sin(x / 9) + 0.2 * np.cos(y / 7 + x / 15)
    return light.astype(np.float32)


def layer(cover=None, slide=(3.0, -2.0), deformation=((0.05, -0.1), (0.08, -0.03))):
    to_picture = np.array([[0.9, 0.2, 70.0], [-0.2, 0.9, 80.0]])
    middle = np.full(2, (SIZE - 1) / 2)
    return MovingLayer(smooth_picture(), cover, to_picture, middle, np.array(slide), np.array(deformation))


def test_light_is_constant_along_the_flow():
    layers, t, dt = [layer()], 0.5, 0.01
    flow = composed_flow(layers, t, SIZE, SIZE)
    before, after = (composed_light(layers, s, SIZE, SIZE) for s in (t - dt, t + dt))
    rate = (after - before) / (2 * dt)
    gradient_y, gradient_x = np.gradient(composed_light(layers, t, SIZE, SIZE))
    inner = (slice(4, -4), slice(4, -4))
    predicted = -(flow[0] * gradient_x + flow[1] * gradient_y)[inner]
    assert np.corrcoef(rate[inner].ravel(), predicted.ravel())[0, 1] > 0.995
    assert np.abs(rate[inner] - predicted).mean() < 0.06 * np.abs(predicted).mean()


def test_what_lies_before_hides_what_lies_behind():
    cover = np.zeros((SIZE, SIZE), np.float32)
    cover[10:20, 10:20] = 1
    layers = [layer(), layer(cover, slide=(-8.0, 0.0), deformation=((0, 0), (0, 0)))]
    flow = composed_flow(layers, 0.5, SIZE, SIZE)
    assert flow[:, 14, 10].tolist() == [-8, 0]  # the object has moved four pixels to the left
    np.testing.assert_allclose(flow[:, 30, 30], layers[0].velocity(0.5, SIZE, SIZE)[:, 30, 30])


def test_a_number_gives_the_same_clip_and_another_one_another(maker):
    again = FlowClipMaker(maker.config).clip(3)
    np.testing.assert_array_equal(maker.clip(3).points, again.points)
    np.testing.assert_array_equal(maker.clip(3).flow, again.flow)
    assert not np.array_equal(maker.clip(4).flow, again.flow)


def test_clips_hold_events_inside_their_windows(maker):
    clip = maker.clip(3)
    some = clip.polarity != 0
    assert clip.points.shape == (2, 1500, 3) and 100 < some[0].sum() <= 1500
    assert (clip.points[some][:, 2] >= 0).all() and (clip.points[some][:, 2] <= 1).all()
    assert clip.points[some][:, :2].max() <= SIZE - 1


def test_turned_events_still_follow_their_turned_flow(maker):
    clip = maker.clip(3)
    for seed in range(8):
        other = turned(clip, np.random.default_rng(seed))
        along, against = (bundled(other, sign) for sign in (1, -1))
        assert along == pytest.approx(bundled(clip, 1), rel=0.15)
        assert along > 1.2 * against


def bundled(clip, sign):
    """Mean square of the votes of events moved along the flow, or against it, to the middle of their window."""
    total = 0.0
    for points, polarity, flow in zip(clip.points, clip.polarity, clip.flow):
        x, y = points[:, 0].astype(int), points[:, 1].astype(int)
        moved = points[:, :2] - sign * (points[:, 2:] - 0.5) * flow[:, y, x].T
        bins = np.round(moved).astype(int) + 20
        image = np.zeros((SIZE + 40, SIZE + 40))
        np.add.at(image, (bins[:, 1], bins[:, 0]), np.abs(polarity))
        total += float((image**2).sum())
    return total
