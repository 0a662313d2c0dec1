# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of Prophesee raw files."""

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import EventArray, concatenate
from event_perception.io import RecordingConfig, open_recording
from event_perception.io.codecs.encoders import encode_evt3
from event_perception.io.prophesee_raw import read_header


def evt2_words(events):
    """One TIME_HIGH word in front of each event: not how a camera does it, but allowed."""
    t_us = events.t_ns // 1000
    time_high = 0x8 << 28 | t_us >> 6
    sign = (events.p > 0).astype(np.int64) << 28
    cd = sign | (t_us & 63) << 22 | events.x.astype(np.int64) << 11 | events.y.astype(np.int64)
    return np.stack([time_high, cd], axis=1).reshape(-1).astype('<u4').tobytes()


def evt21_words(events, swapped=False):
    t_us = events.t_ns.astype(np.uint64) // np.uint64(1000)
    time_high = np.uint64(0x8) << np.uint64(60) | (t_us >> np.uint64(6)) << np.uint64(32)
    sign = (events.p > 0).astype(np.uint64) << np.uint64(60)
    base = events.x.astype(np.uint64) // np.uint64(32) * np.uint64(32)
    cd = sign | (t_us & np.uint64(63)) << np.uint64(54) | base << np.uint64(43)
    cd |= events.y.astype(np.uint64) << np.uint64(32) | np.uint64(1) << (events.x.astype(np.uint64) - base)
    words = np.stack([time_high, cd], axis=1).reshape(-1).astype('<u8')
    return words.view('<u4').reshape(-1, 2)[:, ::-1].tobytes() if swapped else words.tobytes()


@pytest.fixture
def events():
    rng = np.random.default_rng(5)
    n = 40_000
    t_ns = np.sort(rng.integers(10**6, 9 * 10**6, n)) * 1000
    return EventArray(
        t_ns, rng.integers(0, 320, n), rng.integers(0, 200, n), rng.choice([-1, 1], n), height=200, width=320
    )


def assert_equal(path, events, **options):
    recording = open_recording(path, **options)
    read = concatenate([s for s in recording.samples() if isinstance(s, EventArray)])
    for name in ('t_ns', 'x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(read, name), getattr(events, name))
    assert (read.height, read.width) == (200, 320)
    assert recording.warnings() == {}
    return recording.info()


@pytest.mark.parametrize(
    ('header', 'encode', 'kind'),
    [
        ('% evt 2.0\n% geometry 320x200\n% end\n', evt2_words, 'EVT2'),
        ('% format EVT2;height=200;width=320\n', evt2_words, 'EVT2'),
        ('% evt 2.1\n% geometry 320x200\n', evt21_words, 'EVT2.1'),
        ('% format EVT21;height=200;width=320\n% end\n', evt21_words, 'EVT2.1'),
        ('% format EVT21;height=200;width=320\n', lambda e: evt21_words(e, swapped=True), 'EVT2.1 legacy'),
        (
            '% format EVT21;endianness=legacy;height=200;width=320\n% end\n',
            lambda e: evt21_words(e, swapped=True),
            'EVT2.1 legacy',
        ),
        ('% camera_integrator_name x\n% format EVT3;height=200;width=320\n% end\n', encode_evt3, 'EVT3'),
        ('% evt 3.0\n% geometry 320x200\n', encode_evt3, 'EVT3'),
    ],
)
def test_every_format_by_its_header(tmp_path, events, header, encode, kind):
    path = tmp_path / 'recording'
    path.write_bytes(header.encode() + encode(events))
    info = assert_equal(path, events)
    assert (info.kind, info.streams[0].type) == (f'Prophesee {kind}', 'words')


def test_a_size_that_nobody_says_must_be_given(tmp_path, events):
    path = tmp_path / 'x.raw'
    path.write_bytes(b'% evt 3.0\n' + encode_evt3(events))
    with pytest.raises(DataError, match=r'--set recording\.height='):
        open_recording(path)
    assert_equal(path, events, config=RecordingConfig(height=200, width=320))


@pytest.mark.parametrize(
    ('plugin', 'size'),
    [
        ('hal_plugin_gen31_fx3', (480, 640)),
        ('hal_plugin_gen41_evk3', (720, 1280)),
        ('hal_plugin_imx636_evk4', (720, 1280)),
    ],
)
def test_the_plugin_says_the_size_where_nothing_else_does(tmp_path, plugin, size):
    path = tmp_path / 'x.raw'
    path.write_bytes(f'% evt 3.0\n% plugin_name {plugin}\n'.encode() + b'\0\0')
    header = read_header(path)
    assert (header.height, header.width) == size


@pytest.mark.parametrize('header', ['% evt 4.0\n', '% Date 2020\n', '% format HISTO3D;height=2;width=3\n'])
def test_other_formats_are_named(tmp_path, header):
    path = tmp_path / 'x.raw'
    path.write_bytes(header.encode() + b'\0' * 8)
    with pytest.raises(DataError, match='names no format of EVT2'):
        open_recording(path)


def test_an_incomplete_last_word_is_dropped_and_counted(tmp_path, events):
    path = tmp_path / 'x.raw'
    path.write_bytes(b'% evt 2.0\n% geometry 320x200\n% end\n' + evt2_words(events) + b'\x01\x02')
    recording = open_recording(path)
    assert recording.info().n_events == 40_000
    assert recording.warnings() == {'truncated_bytes': 2}
