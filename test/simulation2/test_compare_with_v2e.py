# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The comparison with v2e, tested without v2e: a stand-in has its interface and its documented equations."""

import json
import math
import sys

import cv2
import numpy as np
import pytest

from event_perception.errors import DataError, PluginError
from event_perception.evaluation.compare_with_v2e import CASES, compare, main, read_frames

MS = 1_000_000


@pytest.fixture(autouse=True)
def _threads(monkeypatch):
    """Tests after these have all their threads."""
    monkeypatch.setattr('event_perception.evaluation.compare_with_v2e._one_thread', lambda: None)


class StandIn:
    """Same calls and attributes as v2e's EventEmulator; float64 NumPy, dead time at v2e's steps."""

    def __init__(self, config, factor=1.0):
        self.config, self._factor = config, factor
        self.pos_thres = self.neg_thres = 123.0  # replaced after the first frame
        self._base = None

    def generate_events(self, new_frame, t_frame):
        light = new_frame.astype(np.float64)
        log_light = np.where(light <= 20, light * math.log(20) / 20, np.log(np.maximum(light, 20)))
        if self._base is None:
            self._base, self._lp, self._t = log_light.copy(), log_light, t_frame
            self._last = np.full(light.shape, -1.0)
            return None
        on, off = (self._factor * np.asarray(t, np.float64) for t in (self.pos_thres, self.neg_thres))
        dt, self._t = t_frame - self._t, t_frame
        step = (light + 20) / 275 * dt * 2 * math.pi * self.config.cutoff_hz
        self._lp = self._lp + (np.minimum(step, 1) if step.any() else 1.0) * (log_light - self._lp)
        self._base = self._base - dt * self.config.leak_rate_hz * on
        d = self._lp - self._base
        n = np.floor(np.maximum(d, 0) / on) - np.floor(np.maximum(-d, 0) / off)
        rows = [self._emit(n, k, t_frame - dt, dt, on, off) for k in range(int(np.abs(n).max()))]
        return np.concatenate(rows) if rows else None

    def _emit(self, n, k, t_start, dt, on, off):
        t = t_start + dt * (k + 1) / np.abs(n).max()
        fires = (np.abs(n) > k) & (t - self._last > self.config.refractory_s)
        if self.config.refractory_s > 0:
            self._last[fires] = t
        self._base = self._base + fires * np.where(n > 0, on, -off)
        y, x = np.nonzero(fires)
        return np.stack([np.full(x.size, t), x, y, np.sign(n[y, x])], axis=1)


@pytest.fixture(scope='module')
def clip():
    y, x = np.mgrid[:24, :32].astype(float)
    t = np.arange(60)[:, None, None]
    wave = np.sin(0.4 * (x + 0.2 * t) + 0.2 * y) + np.sin(0.9 * (y - 0.1 * t) - 0.3 * x)
    return np.exp(3.6 + 0.6 * wave).astype(np.float32), np.arange(60) * MS


def test_equal_equations_and_maps_agree(clip):
    result = compare(*clip, make=StandIn)
    assert list(result) == list(CASES)
    for name in ('ideal', 'filter_and_leak'):
        row = result[name]
        assert row['events'] > 4000
        assert row['relative_count_difference'] <= row['relative_count_difference_bar']
        assert row['net_polarity_correlation'] > row['net_polarity_correlation_bar']
    assert (
        result['filter_leak_and_dead_time']['relative_count_difference'] < 0.03
    )  # stepped against true times


def test_another_threshold_is_noticed(clip):
    result = compare(*clip, make=lambda config: StandIn(config, factor=1.03))
    assert (
        result['ideal']['relative_count_difference'] > 10 * result['ideal']['relative_count_difference_bar']
    )


def test_a_long_start_time_does_not_matter(clip):
    frames, t_ns = clip
    late = compare(frames, t_ns + 1_700_000_000_000_000_000, make=StandIn)
    assert late['ideal']['v2e_events'] == compare(frames, t_ns, make=StandIn)['ideal']['v2e_events']


def test_without_v2e_the_error_says_so(clip, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, 'v2ecore', None)
    with pytest.raises(PluginError, match='PYTHONPATH'):
        compare(*clip)
    np.save(tmp_path / 'clip.npy', clip[0][:3])
    assert main([str(tmp_path / 'clip.npy')]) == 1
    assert 'v2e cannot be imported' in capsys.readouterr().err


def test_the_command_prints_json(clip, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr('event_perception.evaluation.compare_with_v2e._v2e', StandIn)
    names = []
    for k, frame in enumerate(clip[0][:5]):
        names.append(str(tmp_path / f'{k}.png'))
        cv2.imwrite(names[-1], np.rint(frame).astype(np.uint8))
    assert main([*names, '--rate', '500']) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(CASES)


def test_frames_that_do_not_belong_together_are_refused(tmp_path):
    for name, size in (('a.png', (4, 5)), ('b.png', (6, 5))):
        cv2.imwrite(str(tmp_path / name), np.zeros(size, np.uint8))
    with pytest.raises(DataError, match='one size'):
        read_frames([tmp_path / 'a.png', tmp_path / 'b.png'])
    (tmp_path / 'c.png').write_bytes(b'not a picture')
    with pytest.raises(DataError, match=r'c\.png'):
        read_frames([tmp_path / 'a.png', tmp_path / 'c.png'])
    with pytest.raises(DataError, match='F >= 2'):
        compare(np.ones((1, 4, 5), np.float32), np.zeros(1), make=StandIn)
