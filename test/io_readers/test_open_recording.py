# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of recordings of every kind."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import EventArray, FrameImage, ImuSample, concatenate
from event_perception.events.spike_stream import SpikeStream
from event_perception.io import PoseSample, RecordingConfig, open_recording
from event_perception.motion.camera import CameraModel
from event_perception.pipeline_config import SpikesConfig


def events_of(recording, **options):
    return concatenate([s for s in recording.samples(**options) if isinstance(s, EventArray)])


def golden(events):
    """OFF, ON, first time, sums of times, columns and rows; us."""
    t_us = events.t_ns // 1000
    on = int((events.p > 0).sum())
    return len(events) - on, on, int(t_us[0]), int(t_us.sum()), int(events.x.sum()), int(events.y.sum())


WALKING = (218291, 125183, 7139845, 2851601611994, 116731888, 80879209)


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('walking_evt3', 'rosbag2 sqlite3'),
        ('walking_evt3/test_events_1.db3', 'rosbag2 sqlite3'),
        ('walking_evt3.bag', 'ROS 1 bag'),
    ],
)
def test_walking_in_both_bag_formats(name, kind, test_data):
    recording = open_recording(test_data / name)
    assert golden(events_of(recording)) == WALKING
    info = recording.info()
    assert (info.kind, info.height, info.width, info.n_events) == (kind, 480, 640, 343474)
    assert info.events_topic == '/event_camera/events'
    assert info.streams[0].count == 517
    assert info.streams[0].encoding == 'evt3'
    assert info.duration_s == pytest.approx(2.078178)
    assert recording.warnings() == {}


@pytest.mark.parametrize('name', ['apriltags', 'apriltags/test_events_2_0.mcap'])
def test_apriltags_whose_metadata_names_no_storage(name, recordings):
    recording = open_recording(recordings / name)
    events = events_of(recording)
    assert golden(events)[:3] == (360223, 211043, 1744227144732712)
    assert int((events.t_ns - events.t_ns[0]).sum() // 1000) == 335555680277
    assert (int(events.x.sum()), int(events.y.sum())) == (118469679, 78763572)
    info = recording.info()
    assert (info.kind, info.height, info.width) == ('rosbag2 mcap', 260, 346)
    assert (info.end_ns - info.start_ns) == 999_996_000
    assert info.camera is None


def test_a_prophesee_file(shared_data):
    recording = open_recording(shared_data / 'prophesee_raw_samples' / 'exp_evt3.raw')
    assert golden(events_of(recording)) == (104064, 115532, 11718656, 2574324900467, 159113225, 85638051)
    info = recording.info()
    assert (info.kind, info.height, info.width) == ('Prophesee EVT3', 720, 1280)


def test_an_aedat4_file_with_everything_in_order(shared_data):
    pytest.importorskip('aedat')
    path = shared_data / 'aedat4_samples' / 'event_vision_library_sample_346x260.aedat4'
    recording = open_recording(path)
    samples = list(recording.samples())
    assert Counter(type(s).__name__ for s in samples if not isinstance(s, EventArray)) == {
        'ImuSample': 160,
        'FrameImage': 4,
    }
    assert sum(len(s) for s in samples if isinstance(s, EventArray)) == 6676
    times = [int(s.t_ns.max()) if isinstance(s, EventArray) else s.t_ns for s in samples]
    assert times == sorted(times)
    imu = next(s for s in samples if isinstance(s, ImuSample))
    np.testing.assert_allclose(np.linalg.norm(imu.linear_acceleration_m_s2), 10.09, atol=0.02)
    np.testing.assert_allclose(imu.angular_velocity_rad_s, np.deg2rad([0.7782, -0.5188, -0.01526]), atol=1e-5)
    frame = next(s for s in samples if isinstance(s, FrameImage))
    assert frame.value.shape == (260, 346)
    assert frame.value[0, 0] == pytest.approx(78 / 255)


def test_another_aedat4_file(shared_data):
    pytest.importorskip('aedat')
    recording = open_recording(shared_data / 'aedat4_samples' / 'tonic_sample_320x240.aedat4')
    assert recording.info().n_events == 111954
    assert sum(isinstance(s, ImuSample) for s in recording.samples()) == 475


def test_without_the_package_aedat_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'aedat', None)
    path = tmp_path / 'x'
    path.write_bytes(b'#!AER-DAT4.0\r\n' + b'\0' * 100)
    with pytest.raises(DataError, match='pip install aedat'):
        open_recording(path)


def test_a_damaged_aedat4_file_is_an_error_not_a_crash(tmp_path):
    pytest.importorskip('aedat')
    path = tmp_path / 'x'
    path.write_bytes(b'#!AER-DAT4.0\r\n' + b'\0' * 100)
    with pytest.raises(DataError, match='AEDAT4'):
        open_recording(path)


def test_a_cut_aedat4_file_is_read_to_the_cut(shared_data, tmp_path):
    pytest.importorskip('aedat')
    whole = (shared_data / 'aedat4_samples' / 'tonic_sample_320x240.aedat4').read_bytes()
    path = tmp_path / 'cut'
    path.write_bytes(whole[: len(whole) // 2])
    recording = open_recording(path)
    assert 40_000 < len(events_of(recording)) < 111_954
    assert recording.warnings()['truncated_files'] == 1


@pytest.mark.parametrize('name', ['boxes_rotation', 'shapes_rotation'])
def test_ecd_folders(name, shared_data):
    recording = open_recording(shared_data / 'ecd_rotation_gt' / name)
    info = recording.info()
    assert info.kind == 'ECD folder'
    assert info.n_events == {'boxes_rotation': 30000, 'shapes_rotation': 20000}[name]
    assert (info.height, info.width) == (180, 240)
    assert info.camera == CameraModel(
        fx=199.092366542,
        fy=198.82882047,
        cx=132.192071378,
        cy=110.712660011,
        height=180,
        width=240,
        distortion_model='radtan',
        distortion=(-0.368436311798, 0.150947243557, -0.000296130534385, -0.000759431726241, 0.0),
    )


def test_a_spike_file_needs_its_size(shared_data):
    path = shared_data / 'spike_reds_gt' / '203_part2_key_id151.dat'
    with pytest.raises(DataError, match=r'--set spikes\.height='):
        open_recording(path)
    spikes = SpikesConfig(height=250, width=400)
    recording = open_recording(path, spikes=spikes)
    samples = list(recording.samples())
    assert all(isinstance(s, SpikeStream) for s in samples)
    assert sum(len(s) for s in samples) == 301
    assert recording.info().duration_s == pytest.approx(300 * 50e-6)
    assert recording.info().n_events is None
    part = list(recording.samples(start_s=0.001, duration_s=0.002))
    assert [(s.start_ns, len(s)) for s in part] == [(1_000_000, 40)]


@pytest.fixture
def ecd(tmp_path):
    """A small folder with everything that ECD has."""
    import cv2

    folder = tmp_path / 'ecd'
    (folder / 'images').mkdir(parents=True)
    t = 5.0 + np.arange(1000) * 1e-3
    (folder / 'events.txt').write_text(
        ''.join(f'{a:.9f} {i % 240} {i % 180} {i % 2}\n' for i, a in enumerate(t))
    )
    (folder / 'calib.txt').write_text('199.1 198.8 132.2 110.7 -0.37 0.15 0 0 0\n')
    (folder / 'imu.txt').write_text(
        ''.join(f'{5 + i * 0.01:.6f} 0 0 9.81 0.1 0.2 0.3\n' for i in range(-5, 100))
    )
    (folder / 'groundtruth.txt').write_text(
        ''.join(f'{5 + i * 0.1:.6f} {i} 0 0 0 0 0 1\n' for i in range(10))
    )
    cv2.imwrite(str(folder / 'images' / 'frame_0.png'), np.full((180, 240), 51, np.uint8))
    (folder / 'images.txt').write_text('5.25 images/frame_0.png\n5.35 images/missing.png\n')
    return folder


def test_an_ecd_folder_gives_all_streams_in_order(ecd):
    recording = open_recording(ecd, config=RecordingConfig(chunk_events=100))
    samples = list(recording.samples(poses=True))
    kinds = Counter(type(s).__name__ for s in samples)
    assert kinds == {'CameraModel': 1, 'ImuSample': 105, 'EventArray': 10, 'FrameImage': 1, 'PoseSample': 10}
    assert isinstance(samples[0], CameraModel)
    times = [int(s.t_ns.max()) if isinstance(s, EventArray) else s.t_ns for s in samples[1:]]
    assert times == sorted(times)
    assert recording.warnings() == {'unreadable_images': 1}
    frame = next(s for s in samples if isinstance(s, FrameImage))
    assert frame.value[0, 0] == pytest.approx(0.2)
    assert [p.T_world_body[0, 3] for p in recording.poses()] == list(range(10))
    assert not any(isinstance(s, PoseSample) for s in recording.samples())


def test_a_stretch_begins_at_the_first_event(ecd):
    recording = open_recording(ecd, config=RecordingConfig(chunk_events=64))
    events = events_of(recording, start_s=0.25, duration_s=0.5)
    assert (len(events), events.t_ns[0], events.t_ns[-1]) == (500, 5_250_000_000, 5_749_000_000)
    samples = list(recording.samples(start_s=0.25, duration_s=0.5))
    assert sum(isinstance(s, ImuSample) for s in samples) == 50
    assert isinstance(samples[0], CameraModel)


@pytest.mark.parametrize('options', [{'start_s': -1.0}, {'duration_s': 0.0}, {'duration_s': -2.0}])
def test_a_stretch_that_cannot_be_is_refused(ecd, options):
    with pytest.raises(DataError, match='start is >= 0'):
        list(open_recording(ecd).samples(**options))


def test_a_text_of_events_alone_is_a_recording_whatever_its_name(ecd, tmp_path):
    path = tmp_path / 'anything'
    shutil.copy(ecd / 'events.txt', path)
    recording = open_recording(path)
    assert recording.info().kind == 'text of events'
    assert recording.info().n_events == 1000
    assert recording.camera() is None


def test_a_size_in_the_first_line_counts(tmp_path):
    path = tmp_path / 'e.txt'
    path.write_text('640 480\n0.1 600 400 1\n0.2 1 1 0\n')
    recording = open_recording(path)
    info = recording.info()
    assert (info.height, info.width, info.n_events) == (480, 640, 2)
    assert recording.warnings() == {}


def test_events_of_another_sensor_than_a_davis240c_need_the_size(tmp_path):
    path = tmp_path / 'e.txt'
    path.write_text('0.1 300 40 1\n')
    with pytest.raises(DataError, match=r'the sensor has 0 to 239.*recording\.height'):
        open_recording(path).info()
    assert open_recording(path, config=RecordingConfig(height=260, width=346)).info().n_events == 1


def test_times_in_microseconds_are_recognised_as_a_mistake(tmp_path):
    path = tmp_path / 'e.txt'
    path.write_text('1589163147368868 21 16 1\n' * 3)
    with pytest.raises(DataError, match='are the times microseconds'):
        open_recording(path).info()


def test_lines_that_are_no_events_are_counted(tmp_path):
    path = tmp_path / 'e.txt'
    path.write_text('0.1 3 4 1\n' * 30 + 'broken line\n0.2 3 4 0\n')
    recording = open_recording(path)
    assert recording.info().n_events == 31
    assert recording.warnings() == {'unreadable_lines': 1}


def test_what_is_no_recording_says_what_would_be_one(tmp_path):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'empty').touch()
    (tmp_path / 'random').write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / 'text').write_text('hello world\n' * 10)
    for name, message in (
        ('nothing', 'does not exist'),
        ('folder', 'no recording; known are'),
        ('empty', 'is empty'),
        ('random', 'known are a rosbag2'),
        ('text', 'known are a rosbag2'),
    ):
        with pytest.raises(DataError, match=message):
            open_recording(tmp_path / name)


def test_a_topic_is_an_error_where_there_are_none(ecd):
    with pytest.raises(DataError, match='no topics'):
        open_recording(ecd, events_topic='/events')


def test_the_description_is_plain_and_complete(ecd, recordings):
    for path in (ecd, recordings / 'apriltags'):
        tree = open_recording(path).describe()
        assert json.loads(json.dumps(tree)) == tree
        assert set(tree) >= {'kind', 'sensor', 'duration_s', 'n_events', 'streams', 'camera', 'event_time'}


def test_events_of_large_recordings_are_counted_only_on_request(ecd):
    recording = open_recording(ecd, config=RecordingConfig(count_below_mb=0))
    assert recording.info().n_events is None
    assert recording.info(count_events=True).n_events == 1000


def test_reading_twice_gives_the_same(recordings):
    recording = open_recording(recordings / 'apriltags')
    a, b = events_of(recording), events_of(recording)
    np.testing.assert_array_equal(a.t_ns, b.t_ns)
    np.testing.assert_array_equal(a.x, b.x)
