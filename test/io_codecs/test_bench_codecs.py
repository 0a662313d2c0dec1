# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says; its figures are judged by its readers, not here."""

import pytest

from event_perception.evaluation import bench_codecs as module


@pytest.mark.filterwarnings('ignore:module .sre_.* is deprecated:DeprecationWarning')  # lark, under rclpy
def test_rates_and_ratios_belong_together(monkeypatch):
    pytest.importorskip('numba')
    monkeypatch.setattr(module, 'REPEATS', 1)
    monkeypatch.setattr(module, 'SLOW_REPEATS', 1)
    result = module.bench_codecs()
    assert result['evt3']['packets_of'] == 'walking_evt3'
    assert result['evt3']['mean_packet_bytes'] == pytest.approx(1125154 * 2 / 517)
    for name in ('evt3', 'libcaer_cmp'):
        rates = result[name]
        assert rates['numba_over_numpy'] == pytest.approx(rates['numba_mev_s'] / rates['numpy_mev_s'])
    array = result['event_array']
    assert array['raw_mev_s'] > 0
    assert (array['rclpy_mev_s'] is None) == (array['raw_over_rclpy'] is None)
    assert all(rate > 0 for rate in result['encode'].values())
