# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from spikes by matching reconstructed images."""

import cv2
import numpy as np
import pytest

from event_perception import flow
from event_perception.errors import PluginError
from event_perception.evaluation.spike_flow_study import measure, true_flow
from event_perception.evaluation.spike_sweep import sweep_cell
from event_perception.events import SpikeStream
from event_perception.flow.field import FlowField
from event_perception.flow.spikes import SpikeFlow, SpikeFlowConfig, texture
from event_perception.pipeline import Pipeline, PipelineConfig
from event_perception.pipeline_config import FlowStageConfig

H, W = 64, 80
CONFIG = SpikeFlowConfig(period_s=0.002)


@pytest.fixture(scope='module')
def cell():
    return sweep_cell(0.6, 'typical', 'translation', 0.08, seed=1, height=H, width=W, n_planes=601)


def test_a_sliding_picture_has_the_flow_it_was_moved_with(cell):
    row = measure(cell, CONFIG)
    assert row['displacement_px'] == pytest.approx(3.2, abs=0.01)
    assert row['epe_px'] < 0.1
    assert row['valid_share'] > 0.8
    np.testing.assert_allclose(true_flow(cell)[:, 0, 0], [-0.0752, -0.0272])


def test_fields_come_at_the_multiples_of_the_period_whatever_the_cuts(cell):
    whole = list(SpikeFlow(CONFIG, height=H, width=W).push(cell.stream))
    pieces, estimator = [], SpikeFlow(CONFIG, height=H, width=W)
    for start, stop in ((0, 100), (100, 101), (101, 431), (431, 601)):
        pieces += estimator.push(cell.stream[start:stop])
    assert [f.t_ref_ns for f in whole] == [2_000_000, 4_000_000, 6_000_000, 8_000_000]
    assert [f.t_ref_ns for f in pieces] == [f.t_ref_ns for f in whole]
    np.testing.assert_allclose(pieces[1].flow_px_s, whole[1].flow_px_s, atol=1e-3)
    assert estimator.restarts == 0


def test_noise_without_a_picture_has_little_valid_flow():
    planes = (np.random.default_rng(2).random((600, H, W)) < 0.3).astype(np.uint8)
    stream = SpikeStream(planes, height=H, width=W, plane_period_ns=25_000)
    fields = list(SpikeFlow(CONFIG, height=H, width=W).push(stream))
    assert len(fields) == 4
    assert max(field.valid.mean() for field in fields) < 0.2
    assert all(not field.flow_px_s[:, ~field.valid].any() for field in fields)


def test_darkness_has_no_flow():
    stream = SpikeStream(np.zeros((600, H, W), np.uint8), height=H, width=W, plane_period_ns=25_000)
    for field in SpikeFlow(CONFIG, height=H, width=W).push(stream):
        assert not field.valid.any() and not field.flow_px_s.any()


def test_a_gap_between_planes_begins_anew(cell):
    estimator = SpikeFlow(CONFIG, height=H, width=W)
    list(estimator.push(cell.stream[:300]))
    list(estimator.push(cell.stream[400:]))
    assert estimator.restarts == 1


def test_texture_is_zero_on_a_straight_edge_and_not_at_a_corner():
    image = np.zeros((32, 32), np.float32)
    image[:, 16:] = 1.0
    assert texture(image, 2.0)[16, 16] == pytest.approx(0.0, abs=1e-4)
    image[16:] = 0.0
    assert texture(image, 2.0)[16, 16] > 0.1


def test_spikes_through_the_pipeline_give_flow(cell):
    config = PipelineConfig(stages=('flow',), flow=FlowStageConfig(matching=CONFIG))
    outputs = Pipeline(config).push(cell.stream)
    assert [type(output) for output in outputs] == [FlowField] * 4
    expected = 40_000 * true_flow(cell)[:, 0, 0]
    found = np.median(outputs[2].flow_px_s[:, outputs[2].valid], axis=1)
    np.testing.assert_allclose(found, expected, atol=0.03 * 3200)


def test_an_unknown_method_is_refused():
    with pytest.raises(PluginError, match='no_such'):
        flow.create_from_spikes('no_such', height=H, width=W)


def test_images_that_share_their_spikes_give_no_valid_flow():
    rng = np.random.default_rng(4)
    scene = cv2.GaussianBlur(rng.random((80, 96)).astype(np.float32), (0, 0), 2.0)
    scene = 0.05 * (scene - scene.min()) / np.ptp(scene) + 0.005
    stream = SpikeStream(np.zeros((1, 64, 80), np.uint8), height=64, width=80, plane_period_ns=25_000)
    estimator = SpikeFlow(height=64, width=80)
    list(estimator.push(stream))
    first, second = scene[8:72, 8:88].copy(), scene[8:72, 6:86].copy()
    near, far = (estimator.match(first, second, 0, gap_s) for gap_s in (1e-4, 2e-3))
    assert not near.valid.any()  # 4 planes at a spike in 20 planes or fewer
    assert far.valid.mean() > 0.5
