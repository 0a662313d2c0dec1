# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the simulator writes is what the readers of this package read."""

from dataclasses import replace

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, FrameImage, ImuSample, concatenate
from event_perception.io import open_recording
from event_perception.io.egomotion_csv import read_egomotion
from event_perception.motion.camera import CameraModel
from event_perception.simulation import room_sequence
from event_perception.simulation.export import ExportConfig, packets
from event_perception.simulation.write_bag import write_bag
from event_perception.simulation.write_ecd import write_ecd

CAMERA = CameraModel(
    fx=40.0, fy=41.0, cx=23.5, cy=17.5, height=36, width=48,
    distortion_model='radtan', distortion=(-0.1, 0.02, 0.0, 0.0, 0.0),
)  # fmt: skip
CONFIG = ExportConfig(flow_rate_hz=20.0, packet_s=0.01)


@pytest.fixture(scope='module')
def sequence():
    made = room_sequence(seed=2, duration_s=0.3, camera=CAMERA, texel_m=0.05)
    return replace(made, start_ns=5_000_000_000)


def read(path):
    recording = open_recording(path)
    kinds = {EventArray: [], ImuSample: [], FrameImage: [], DepthImage: []}
    for sample in recording.samples():
        kinds.setdefault(type(sample), []).append(sample)
    assert recording.warnings() == {}
    return recording.camera(), kinds


def assert_same_events(parts, expected):
    events = concatenate(parts)
    for name in ('t_ns', 'x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(events, name), getattr(expected, name))


def test_an_ecd_folder_reads_back_as_the_sequence(sequence, tmp_path):
    n = write_ecd(sequence, tmp_path / 'room', CONFIG)
    events = sequence.events()
    camera, kinds = read(tmp_path / 'room')
    assert n == len(events) > 1000
    assert_same_events(kinds[EventArray], events)
    assert camera == CAMERA
    assert len(kinds[ImuSample]) == 301 and len(kinds[FrameImage]) == 8
    accel = kinds[ImuSample][100].linear_acceleration_m_s2
    np.testing.assert_allclose(accel, sequence.imu().accel_m_s2[100], rtol=1e-8)
    difference = kinds[FrameImage][3].value - sequence.image(kinds[FrameImage][3].t_ns).value
    assert np.abs(difference).max() <= 0.5 / 255 + 1e-6
    table = read_egomotion(tmp_path / 'room' / 'egomotion.csv')
    np.testing.assert_allclose(table.omega_rad_s, sequence.omega(table.t_ns), atol=1e-8)
    with np.load(tmp_path / 'room' / 'flow' / '5050000000.npz') as flow:
        np.testing.assert_array_equal(flow['flow_px_s'], sequence.flow(5_050_000_000).flow_px_s)


def test_a_bag_reads_back_as_the_sequence(sequence, tmp_path):
    write_bag(sequence, tmp_path / 'bag', CONFIG)
    camera, kinds = read(tmp_path / 'bag')
    assert_same_events(kinds[EventArray], sequence.events())
    assert replace(camera, frame_id='') == CAMERA
    assert len(kinds[ImuSample]) == 301 and len(kinds[FrameImage]) == 8 and len(kinds[DepthImage]) == 7
    depth = kinds[DepthImage][4]
    np.testing.assert_array_equal(depth.depth_m, sequence.depth(depth.t_ns).depth_m)


def test_recordings_are_never_overwritten(sequence, tmp_path):
    for write in (write_ecd, write_bag):
        with pytest.raises(DataError, match='never overwritten'):
            write(sequence, tmp_path)


def test_a_fisheye_does_not_fit_an_ecd_folder(sequence, tmp_path):
    fisheye = replace(CAMERA, distortion_model='equidistant', distortion=(0.01, 0.0, 0.0, 0.0))
    with pytest.raises(DataError, match='write a bag'):
        write_ecd(replace(sequence, camera=fisheye), tmp_path / 'room')
    assert not (tmp_path / 'room').exists()


def test_packets_keep_every_event_and_stay_within_their_length(sequence):
    events = sequence.events()
    parts = list(packets(events, 0.01))
    assert_same_events(parts, events)
    assert all(len(part) and part.t_ns[-1] - part.t_ns[0] < 10_000_000 for part in parts)
