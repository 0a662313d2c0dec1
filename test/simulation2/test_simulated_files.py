# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""HDF5 in the layout of DSEC, spike planes and AEDAT4: what is written is what was simulated."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from event_perception.errors import ConfigError, DataError, PluginError
from event_perception.events import EventArray, SpikeStream, concatenate
from event_perception.io import open_recording
from event_perception.motion.camera import CameraModel
from event_perception.runs.configuration import load_config
from event_perception.runs.simulate import WRITERS, simulate
from event_perception.simulation import room_sequence
from event_perception.simulation.export import ExportConfig
from event_perception.simulation.spikes import SpikeSensorConfig
from event_perception.simulation.write_aedat4 import write_aedat4
from event_perception.simulation.write_dsec import rectify_map, write_dsec
from event_perception.simulation.write_spikes import SpikeExportConfig, plane_light, write_spikes

LENS = CameraModel(
    fx=40.0, fy=41.0, cx=23.5, cy=17.5, height=36, width=48,
    distortion_model='radtan', distortion=(-0.1, 0.02, 0.0, 0.0),
)  # fmt: skip
CONFIG = ExportConfig(pose_rate_hz=20.0)


@pytest.fixture(scope='module')
def sequence():
    made = room_sequence(seed=2, duration_s=0.3, camera=LENS, texel_m=0.05)
    return replace(made, start_ns=5_000_000_000)


@pytest.fixture(scope='module')
def dsec(sequence, tmp_path_factory):
    pytest.importorskip('h5py')
    folder = tmp_path_factory.mktemp('dsec') / 'room'
    return folder, write_dsec(sequence, folder, CONFIG)


def test_dsec_events_are_the_events_of_the_sequence(sequence, dsec):
    import h5py

    folder, n = dsec
    events = sequence.events()
    assert n == len(events) > 1000
    with h5py.File(folder / 'events.h5') as file:
        assert file['t_offset'][()] == 5_000_000
        np.testing.assert_array_equal(file['events/t'][:] + 5_000_000, events.t_ns // 1000)
        for name in ('x', 'y'):
            np.testing.assert_array_equal(file[f'events/{name}'][:], getattr(events, name))
        np.testing.assert_array_equal(file['events/p'][:], events.p > 0)
        kinds = [file[f'events/{c}'].dtype for c in ('p', 't', 'x', 'y')]
    assert kinds == [np.uint8, np.uint32, np.uint16, np.uint16]


def test_ms_to_idx_is_the_first_event_at_or_after_every_millisecond(dsec):
    import h5py

    with h5py.File(dsec[0] / 'events.h5') as file:
        t_us, index = file['events/t'][:].astype(np.int64), file['ms_to_idx'][:].astype(np.int64)
    assert index.size == 301 and index[0] == 0
    for ms, first in enumerate(index):
        assert first == t_us.size or t_us[first] >= ms * 1000
        assert first == 0 or t_us[first - 1] < ms * 1000


def test_the_rectification_of_dsec_takes_pixels_to_their_undistorted_places(dsec):
    import cv2
    import h5py

    with h5py.File(dsec[0] / 'rectify_map.h5') as file:
        stored = file['rectify_map'][:]
    K = np.array([[40.0, 0, 23.5], [0, 41.0, 17.5], [0, 0, 1]])
    pixels = np.stack(np.meshgrid(np.arange(48.0), np.arange(36.0)), axis=-1).reshape(-1, 1, 2)
    expected = cv2.undistortPoints(pixels, K, np.array(LENS.distortion), P=K).reshape(36, 48, 2)
    np.testing.assert_allclose(stored, expected, atol=2e-3)
    straight = rectify_map(CameraModel(fx=40.0, fy=41.0, cx=23.5, cy=17.5, height=36, width=48))
    np.testing.assert_allclose(straight[20, 30], (30, 20), atol=1e-5)


def test_dsec_files_of_the_same_sequence_are_the_same_bytes(sequence, dsec, tmp_path):
    write_dsec(sequence, tmp_path / 'again', CONFIG)
    for name in ('events.h5', 'rectify_map.h5', 'groundtruth.txt', 'egomotion.csv'):
        assert (tmp_path / 'again' / name).read_bytes() == (dsec[0] / name).read_bytes()


@pytest.fixture(scope='module')
def spikes(sequence, tmp_path_factory):
    folder = tmp_path_factory.mktemp('spikes') / 'room'
    still = replace(sequence, duration_s=0.1)
    config = SpikeExportConfig(sensor=SpikeSensorConfig(plane_period_ns=50_000))
    return folder, write_spikes(still, folder, CONFIG, config), still, config


def test_spike_planes_read_back_and_integrate_to_the_light(spikes):
    folder, n, sequence, config = spikes
    stream = SpikeStream.from_dat(folder / 'spikes.dat', height=36, width=48, plane_period_ns=50_000)
    assert n == len(stream) == 2000
    mean_light = np.mean(list(plane_light(sequence, config)), axis=0)
    counted = stream.unpack().sum(axis=0) / n / config.sensor.gain
    assert np.abs(counted - mean_light).max() < 1.1 / n / config.sensor.gain


def test_light_of_a_plane_is_that_of_the_middle_of_its_exposure(spikes):
    _, _, sequence, config = spikes
    light = list(plane_light(sequence, config))
    exact = [sequence.image(sequence.start_ns + k * 50_000 - 25_000).value for k in (500, 1500)]
    change = np.abs(exact[1] - exact[0]).mean()
    assert change > 0.005
    assert np.abs(light[500] - exact[0]).mean() < 0.05 * change
    assert np.abs(light[1500] - exact[1]).mean() < 0.05 * change


def test_a_spike_file_opens_with_the_configuration_beside_it(spikes):
    folder, n, *_ = spikes
    config = load_config(folder / 'spikes.yaml', [], None)
    recording = open_recording(folder / 'spikes.dat', spikes=config.spikes)
    parts = [sample for sample in recording.samples() if isinstance(sample, SpikeStream)]
    assert sum(len(part) for part in parts) == n and parts[0].width == 48


def test_an_aedat4_file_reads_back_as_the_sequence(sequence, tmp_path):
    pytest.importorskip('dv_processing')
    pytest.importorskip('aedat')
    n = write_aedat4(sequence, tmp_path / 'room', CONFIG)
    samples = open_recording(tmp_path / 'room' / 'events.aedat4').samples()
    events = concatenate([sample for sample in samples if isinstance(sample, EventArray)])
    expected = sequence.events()
    assert n == len(events) == len(expected)
    np.testing.assert_array_equal(events.t_ns, expected.t_ns // 1000 * 1000)
    for name in ('x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(events, name), getattr(expected, name))


@pytest.mark.parametrize(
    ('module', 'write', 'remedy'),
    [('h5py', write_dsec, r'event_perception\[hdf5\]'), ('dv_processing', write_aedat4, r'\[aedat-write\]')],
)
def test_a_missing_package_is_named_before_anything_is_written(
    sequence, tmp_path, monkeypatch, module, write, remedy
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PluginError, match=remedy):
        write(sequence, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize('write', [write_dsec, write_spikes, write_aedat4])
def test_nothing_is_overwritten(sequence, tmp_path, write):
    if write is write_dsec:
        pytest.importorskip('h5py')
    if write is write_aedat4:
        pytest.importorskip('dv_processing')
    with pytest.raises(DataError, match='exists'):
        write(sequence, tmp_path)


def test_a_recording_too_long_for_dsec_is_refused(sequence, tmp_path):
    pytest.importorskip('h5py')
    with pytest.raises(DataError, match='32 bits'):
        write_dsec(replace(sequence, duration_s=4300.0), tmp_path / 'long')


@pytest.mark.parametrize('form', ['dsec', 'spikes'])
def test_the_command_writes_every_form(tmp_path, form):
    if form == 'dsec':
        pytest.importorskip('h5py')
    written = simulate('slider', tmp_path / form, seed=3, duration_s=0.01, form=form)
    file = {'dsec': 'events.h5', 'spikes': 'spikes.dat'}[form]
    assert (tmp_path / form / file).stat().st_size > 1000
    assert (tmp_path / form / 'groundtruth.txt').is_file() and written['seed'] == 3


def test_an_unknown_form_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='dsec'):
        simulate('slider', tmp_path / 'x', form='avi')
    assert sorted(WRITERS) == ['aedat4', 'bag', 'dsec', 'ecd', 'spikes']
