# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The values that nodes put into messages, and parameters as ROS sees them, without a running node."""

from typing import Literal

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from event_perception.config import parameters
from event_perception.flow.field import FlowField
from event_perception.nodes.outputs import flow_pixels, observed_covariance, quantised
from event_perception.nodes.parameters import descriptor, from_ros, to_ros
from event_perception.nodes.statistics import Statistics, diagnostic_array
from event_perception.pipeline_config import PipelineConfig

DECLARED = {p.name: p for p in parameters(PipelineConfig)}


def test_what_is_not_estimated_gets_the_large_variance_and_no_correlation():
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = [[4.0, 1, 0], [1, 5, 0], [0, 0, 6]]
    told = observed_covariance(covariance, 1000.0)
    assert np.diag(told).tolist() == [1000, 1000, 1000, 4, 5, 6]
    assert told[3, 4] == 1 and not told[:3, 3:].any() and told[0, 1] == 0


def test_a_covariance_that_is_known_stays():
    rng = np.random.default_rng(0).normal(size=(6, 6))
    assert np.array_equal(observed_covariance(rng @ rng.T, 1000.0), rng @ rng.T)


def test_flow_goes_out_as_pixels_with_nan_where_it_is_not_valid():
    field = FlowField(
        0, np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.array([[True, False], [True, True]])
    )
    pixels = flow_pixels(field)
    assert pixels[0, 0].tolist() == [0, 4] and pixels[1, 1].tolist() == [3, 7]
    assert np.isnan(pixels[0, 1]).all()
    assert field.flow_px_s[0, 0, 1] == 1


@pytest.mark.parametrize(
    ('encoding', 'dtype', 'numbers'),
    [
        ('mono8', np.uint8, [0, 128, 255]),
        ('mono16', np.uint16, [0, 32768, 65535]),
        ('32FC1', np.float32, [-1, 0.5, 2]),
    ],
)
def test_intensity_in_the_numbers_of_each_encoding(encoding, dtype, numbers):
    told = quantised(np.array([[-1.0, 0.5, 2.0]], np.float32), encoding)
    assert told.dtype == dtype and told[0].tolist() == numbers


def test_a_descriptor_holds_doc_range_and_whether_it_is_live():
    message = descriptor(DECLARED['window.duration_s'])
    assert message.read_only and message.description == DECLARED['window.duration_s'].doc
    assert (message.floating_point_range[0].from_value, message.floating_point_range[0].to_value) == (
        1e-4,
        1.0,
    )
    live = descriptor(DECLARED['egomotion.health.min_events'])
    assert not live.read_only and live.integer_range[0].to_value == 2**63 - 1


def test_a_choice_is_told_in_words():
    assert descriptor(DECLARED['window.kind']).additional_constraints == 'one of time, count'
    assert DECLARED['window.kind'].type == Literal['time', 'count']


def test_lists_go_to_ros_and_back():
    stages = DECLARED['stages']
    assert to_ros(('flow', 'images')) == ['flow', 'images']
    assert from_ros(stages, ['flow', 'images']) == ('flow', 'images')


def test_every_parameter_can_be_described():
    for parameter in DECLARED.values():
        assert descriptor(parameter).description


def test_statistics_count_and_time():
    statistics = Statistics()
    statistics.count('windows', 3)
    statistics.count('windows')
    for milliseconds in range(1, 102):
        statistics.time('solve', milliseconds * 1e-3)
    assert statistics.counts() == {'windows': 4}
    table = statistics.percentiles_ms()
    assert table['solve p50 (ms)'] == pytest.approx(51.0) and table['solve p95 (ms)'] == pytest.approx(96.0)


def test_diagnostics_are_ok_or_a_warning_with_words():
    fine = diagnostic_array(
        5_000_000_001, name='n', hardware_id='eye', problems=[], values={'windows': 3, 'rate': 0.5}
    )
    assert (fine.header.stamp.sec, fine.header.stamp.nanosec) == (5, 1)
    assert fine.status[0].level == DiagnosticStatus.OK and fine.status[0].message == 'running'
    assert [(v.key, v.value) for v in fine.status[0].values] == [('windows', '3'), ('rate', '0.5')]
    bad = diagnostic_array(0, name='n', hardware_id='', problems=['no events', 'no tf'], values={})
    assert bad.status[0].level == DiagnosticStatus.WARN and bad.status[0].message == 'no events; no tf'
