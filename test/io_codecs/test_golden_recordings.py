# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Known sums of real recordings: three independent decoders agree on these numbers."""

import numpy as np
import pytest

WALKING_TRIGGER_SUM_US = 2885601049874 - 2851601611994


@pytest.fixture(scope='module', params=['numba', 'numpy'])
def backend(request):
    if request.param == 'numba':
        pytest.importorskip('numba')
    return request.param


@pytest.mark.parametrize('recording', ['walking_ros2', 'walking_ros1'])
def test_walking_evt3_has_its_golden_sums(request, recording, backend, decode_stream):
    messages = request.getfixturevalue(recording)
    assert [messages[0].seq, messages[-1].seq, len(messages)] == [5590, 6106, 517]
    payloads = [message.events for message in messages]
    events, triggers, state = decode_stream('evt3', payloads, 480, 640, backend=backend)
    assert state.backend == backend
    assert [int(np.sum(events.p == sign)) for sign in (-1, 1)] == [218291, 125183]
    assert int(events.t_ns[0]) == 7139845_000
    assert int(events.t_ns.sum()) == 2851601611994_000
    assert int(events.x.sum(dtype=np.int64)) == 116731888
    assert int(events.y.sum(dtype=np.int64)) == 80879209
    assert [int(np.sum(triggers.edge == bit)) for bit in (0, 1)] == [2078, 2079]
    assert (int(triggers.t_ns[0]), int(triggers.id[0]), int(triggers.edge[0])) == (7139840_000, 6, 1)
    assert int(triggers.t_ns.sum()) == WALKING_TRIGGER_SUM_US * 1000
    assert state.counts == (343474, 4157, 0, 0, 0, 519 + 243 + 1038, 0, 0)


def test_apriltags_libcaer_cmp_has_its_golden_sums(apriltags, backend, decode_stream):
    assert [len(apriltags), apriltags[0].seq] == [100, 101]
    payloads, bases = [m.events for m in apriltags], [m.time_base for m in apriltags]
    events, triggers, state = decode_stream(
        'libcaer_cmp', payloads, 260, 346, time_bases=bases, backend=backend
    )
    assert [int(np.sum(events.p == sign)) for sign in (-1, 1)] == [360223, 211043]
    assert int(events.t_ns[0]) == 1744227144732712_000
    relative_us = (events.t_ns - events.t_ns[0]) // 1000
    assert [int(relative_us.sum()), int(relative_us[-1])] == [335555680277, 999996]
    assert int(events.x.sum(dtype=np.int64)) == 118469679
    assert int(events.y.sum(dtype=np.int64)) == 78763572
    assert triggers.t_ns.size == 0
    assert state.counts == (571266, 0, 0, 0, 0, 0, 0, 0)


def test_a_gen4_file_with_vectors_has_its_golden_sums(exp_evt3_words, backend, decode_stream):
    events, triggers, _ = decode_stream('evt3', [exp_evt3_words], 720, 1280, backend=backend)
    assert [int(np.sum(events.p == sign)) for sign in (-1, 1)] == [104064, 115532]
    assert [int(events.t_ns[0]), int(events.t_ns[-1])] == [11718656_000, 11727457_000]
    assert int(events.t_ns.sum()) == 2574324900467_000
    assert int(events.x.sum(dtype=np.int64)) == 159113225
    assert int(events.y.sum(dtype=np.int64)) == 85638051
    assert triggers.t_ns.size == 0


def test_a_smaller_sensor_counts_what_lies_outside(walking_ros2, backend, decode_stream):
    payloads = [message.events for message in walking_ros2]
    events, _, state = decode_stream('evt3', payloads, 240, 320, backend=backend)
    assert events.x.max() < 320 and events.y.max() < 240
    assert state.counts.outside > 0
    assert state.counts.events + state.counts.outside == 343474
