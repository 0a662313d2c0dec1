# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images from events and flow."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from event_perception import images
from event_perception.errors import DataError, PluginError
from event_perception.evaluation.tags import count_tags, images_of, tag_score
from event_perception.events import EventArray
from event_perception.flow.field import FlowField
from event_perception.image_stage import ImageStage
from event_perception.images.flow_track import FlowTrack, filled
from event_perception.images.gradient import GradientConfig
from event_perception.io import open_recording
from event_perception.pipeline_config import ImagesStageConfig, PipelineConfig
from event_perception.simulation import DvsEmulator
from event_perception.simulation.dvs_config import dvs_preset

H, W = 60, 80
SPEED_PX_S = 100.0
CLEAN = dvs_preset('clean', threshold_on=0.1, threshold_off=0.1)


@pytest.fixture(scope='module')
def texture():
    """Smooth random log light of standard deviation 0.4, larger than the view."""
    rng = np.random.default_rng(7)
    picture = cv2.GaussianBlur(rng.normal(size=(H + 60, W + 60)), (0, 0), 2.0)
    return (0.4 * picture / picture.std()).astype(np.float32)


def view(texture, t_s):
    """Right for 0.2 s, then down: the scene moves, so the window moves the other way."""
    right, down = min(t_s, 0.2) * SPEED_PX_S, max(t_s - 0.2, 0.0) * SPEED_PX_S
    shift = np.float32([[1, 0, right - 30], [0, 1, down - 30]])
    return cv2.warpAffine(texture, shift, (W, H), flags=cv2.INTER_CUBIC)


@pytest.fixture(scope='module')
def clip(texture):
    emulator = DvsEmulator(height=H, width=W, config=replace(CLEAN, seed=3, input_transfer='log'))
    parts = [emulator.push(view(texture, k * 1e-3) + 4.0, k * 1_000_000) for k in range(401)]
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name in ('t_ns', 'x', 'y', 'p')]
    return EventArray(*joined, height=H, width=W)


def true_flow(t_ns, valid=True):
    flow = np.zeros((2, H, W), np.float32)
    flow[0 if t_ns < 200_000_000 else 1] = SPEED_PX_S
    return FlowField(t_ns, flow, np.full((H, W), valid))


def reconstructed(clip, end_ns, flow=true_flow, **params):
    method = images.create('gradient', height=H, width=W, flow_method='stage', iterations=100, **params)
    for start_ns in range(0, end_ns, 10_000_000):
        method.push_flow(flow(start_ns + 5_000_000))
        a, b = np.searchsorted(clip.t_ns, [start_ns, start_ns + 10_000_000])
        method.push(clip[a:b])
    return method


def correlation(image, truth):
    inner = np.s_[8:-8, 8:-8]
    return float(np.corrcoef(image[inner].ravel(), truth[inner].ravel())[0, 1])


def test_with_exact_flow_in_two_directions_the_image_is_nearly_the_scene(clip, texture):
    truth = view(texture, 0.4)
    method = reconstructed(clip, 400_000_000, memory_px=100.0)
    assert correlation(method.log_image(400_000_000), truth) > 0.96
    highpass = images.create('highpass', height=H, width=W)
    highpass.push(clip[: int(np.searchsorted(clip.t_ns, 400_000_000))])
    assert correlation(highpass.log_image(400_000_000), truth) < 0.9
    assert method.fallback_share < 0.1
    assert (method.steps, method.steps_without_flow) == (40, 0)


def test_one_direction_leaves_the_other_component_to_the_neighbours(clip, texture):
    truth, found = view(texture, 0.2), reconstructed(clip, 200_000_000).log_image(200_000_000)
    along = correlation(np.diff(found, axis=1)[:, 4:], np.diff(truth, axis=1)[:, 4:])
    across = correlation(np.diff(found, axis=0), np.diff(truth, axis=0))
    assert along > 0.85 > 0.5
    assert across > 0.5


def test_without_flow_the_image_is_that_of_the_highpass_filter_and_says_so(clip):
    method = reconstructed(clip, 100_000_000, flow=lambda t_ns: true_flow(t_ns, valid=False))
    highpass = images.create('highpass', height=H, width=W)
    highpass.push(clip[: int(np.searchsorted(clip.t_ns, 100_000_000))])
    np.testing.assert_array_equal(method.log_image(100_000_000), highpass.log_image(100_000_000))
    assert method.fallback_share == 1.0
    assert method.steps_without_flow == method.steps == 10


def test_lost_flow_fades_into_the_highpass_filter(clip):
    def lost(t_ns):
        return true_flow(t_ns, valid=t_ns < 200_000_000)

    before, after = (
        reconstructed(clip, 200_000_000),
        reconstructed(clip, 400_000_000, flow=lost, max_flow_age_s=0.05),
    )
    before.log_image(200_000_000)
    after.log_image(400_000_000)
    assert before.fallback_share < 0.15
    assert after.fallback_share > 2 * before.fallback_share + 0.1
    assert after.steps_without_flow == pytest.approx(15, abs=1)  # flow is carried on for 50 ms


def test_an_image_may_describe_an_earlier_instant(clip):
    method = reconstructed(clip, 100_000_000, latency_s=0.02)
    assert method.lookahead_s == 0.02
    late = method.log_image(80_000_000)
    now = reconstructed(clip, 80_000_000).log_image(80_000_000)
    assert correlation(late, now) > 0.98


def test_the_image_stage_waits_for_the_latency_of_the_method(clip):
    config = PipelineConfig(images=build_images(latency_s=0.015))
    stage = ImageStage(config, H, W)
    assert [image.t_ns for image in stage.push(clip[clip.t_ns < 50_000_000], True)] == [20_000_000]
    rest = clip[(clip.t_ns >= 50_000_000) & (clip.t_ns < 80_000_000)]
    assert [image.t_ns for image in stage.push(rest, True)] == [40_000_000, 60_000_000]


def build_images(**gradient):
    return ImagesStageConfig(method='gradient', gradient=GradientConfig(**gradient))


def test_a_step_back_in_time_begins_anew(clip):
    method = reconstructed(clip, 200_000_000)
    method.push(clip[:100])
    assert method.restarts == 1
    method.image(int(clip.t_ns[99]) + 1)
    assert method.fallback_share == 1.0


def test_flow_and_events_of_another_size_are_refused():
    method = images.create('gradient', height=H, width=W, flow_method='stage')
    with pytest.raises(DataError, match='flow of shape'):
        method.push_flow(FlowField(0, np.zeros((2, 4, 4), np.float32), np.ones((4, 4), bool)))
    with pytest.raises(DataError, match='sensor'):
        method.push(EventArray([0], [0], [0], [1], height=4, width=4))


def test_an_unknown_flow_estimator_is_refused():
    with pytest.raises(PluginError, match='no_such'):
        images.create('gradient', height=H, width=W, flow_method='no_such')


def test_holes_in_the_flow_are_filled_from_around_but_not_from_afar():
    flow, valid = np.zeros((2, 64, 64), np.float32), np.zeros((64, 64), bool)
    flow[:, 8:24, 8:24] = np.array([30.0, -20.0], np.float32)[:, None, None]
    valid[8:24, 8:24] = True
    valid[14:18, 14:18] = False
    result = filled(FlowField(5, flow * valid, valid), 16.0)
    np.testing.assert_allclose(result.flow_px_s[:, 16, 16], [30.0, -20.0], rtol=1e-3)
    assert result.valid[16, 16] and not result.valid[60, 60]
    np.testing.assert_array_equal(result.flow_px_s[:, ~result.valid], 0.0)
    np.testing.assert_array_equal(result.flow_px_s[:, valid], flow[:, valid])


@pytest.mark.skipif(int(cv2.__version__.split('.')[0]) < 5, reason='figures of the tag detector of OpenCV 5')
def test_gradient_reads_more_tags_of_the_bundled_recording_than_highpass(recordings):
    recording = open_recording(recordings / 'apriltags')
    gradient = tag_score(recording, 'gradient', period_s=0.04, stop_s=0.8)
    highpass = tag_score(recording, 'highpass', period_s=0.04, stop_s=0.8)
    assert gradient.mean > 2 * highpass.mean
    assert gradient.images_with(12) >= 3
    assert (gradient.count >= highpass.count - 1).all()


def test_the_image_at_half_a_second_shows_most_tags(recordings):
    recording = open_recording(recordings / 'apriltags')
    *_, (t_s, image) = images_of(recording, 'gradient', period_s=0.04, stop_s=0.28)
    assert t_s == pytest.approx(0.28)
    assert image.shape == (260, 346) and image.dtype == np.float32
    assert len(count_tags(image, ids=range(12))) >= 6


def test_dense_flow_is_carried_on_with_the_affine_part_of_its_change():
    track = FlowTrack('stage', H, W, max_age_s=0.1, fill_px=0)
    noise = np.random.default_rng(2).normal(0, 2, (3, 2, H, W)).astype(np.float32)
    x = ((2 * np.arange(W) - W) / W).astype(np.float32)
    for k in range(3):
        speed = 100 + 10 * k + 20 * k * x
        track.add(FlowField(20_000_000 * k, noise[k] + speed, np.ones((H, W), bool)))
    found = track.at(80_000_000, 90_000_000)
    expected = noise[2] + 140 + 80 * x
    np.testing.assert_allclose(found.flow_px_s, expected, atol=2.0)
    assert not track.at(150_000_000, 160_000_000).valid.any()
