# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of bags: choice of topics, order, clocks, and damage."""

import logging
from collections import Counter

import numpy as np
import pytest

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventArray, FrameImage, ImuSample
from event_perception.events.spike_stream import SpikeStream
from event_perception.io import BagWriter, PoseSample, RecordingConfig, open_recording
from event_perception.io.bag_storage import Bag
from event_perception.io.codecs.spike_planes import ENCODING, encode_spike_planes
from event_perception.motion.camera import CameraModel

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
CAMERA = CameraModel(fx=60.0, fy=60.0, cx=32.0, cy=24.0, height=48, width=64, frame_id='cam')


def events_at(t_ns, n=200, step_ns=10_000):
    rng = np.random.default_rng(t_ns % 1000)
    t = t_ns + np.arange(n) * step_ns
    return EventArray(
        t, rng.integers(0, 64, n), rng.integers(0, 48, n), rng.choice([-1, 1], n), height=48, width=64
    )


def write_events(bag, topic='/cam/events', encoding='libcaer_cmp', n=20, t0=T0, **options):
    for i in range(n):
        bag.write_events(topic, events_at(t0 + i * 10 * MS), encoding, **options)


def write_everything(bag, encoding='libcaer_cmp', event_t0=T0):
    """Ten packets of 10 ms and the other streams, as a recorder writes them: by arrival."""
    for i in range(10):
        t = T0 + i * 10 * MS
        bag.write_camera_info('/cam/camera_info', CAMERA, stamp_ns=t)
        for k in range(10):
            sample = ImuSample(t + k * MS, np.array([0.1, 0.2, 0.3]), np.array([0, 0, 9.8]), 'imu')
            bag.write_imu('/imu', sample, t_ns=t + k * MS + 500_000)
        depth = np.full((48, 64), 2.0, np.float32)
        bag.write_image('/depth/image', depth, '32FC1', stamp_ns=t)
        bag.write_image('/cam/image', np.full((48, 64, 3), 255, np.uint8), 'bgr8', stamp_ns=t)
        bag.write_pose('/truth', np.eye(4), stamp_ns=t, frame_id='world')
        stamp = t + 9 * MS if encoding == 'libcaer_cmp' else t + 2 * MS
        bag.write_events(
            '/cam/events', events_at(event_t0 + i * 10 * MS, 100, 90_000), encoding, stamp_ns=stamp
        )


def key(sample):
    return int(sample.t_ns.max()) if isinstance(sample, EventArray) else sample.t_ns


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_all_streams_come_in_time_order(tmp_path, storage):
    with BagWriter(tmp_path / 'bag', storage=storage) as bag:
        write_everything(bag)
    recording = open_recording(tmp_path / 'bag')
    samples = list(recording.samples(poses=True))
    assert Counter(type(s).__name__ for s in samples) == {
        'CameraModel': 1,
        'ImuSample': 100,
        'DepthImage': 10,
        'FrameImage': 10,
        'PoseSample': 10,
        'EventArray': 10,
    }
    times = [key(s) for s in samples if not isinstance(s, CameraModel)]
    assert times == sorted(times)
    assert recording.camera() == CAMERA
    assert recording.warnings() == {}
    info = recording.info()
    assert {s.name: s.use for s in info.streams} == {
        '/cam/events': 'events',
        '/cam/camera_info': 'camera',
        '/cam/image': 'frames',
        '/depth/image': 'depth',
        '/imu': 'imu',
        '/truth': 'poses',
    }
    assert info.event_time == 'sensor'
    assert (info.n_events, info.start_ns, info.kind) == (1000, T0, f'rosbag2 {storage}')
    depth = next(s for s in samples if isinstance(s, DepthImage))
    assert depth.depth_m[0, 0] == 2
    frame = next(s for s in samples if isinstance(s, FrameImage))
    assert frame.value[0, 0] == pytest.approx(1)


def test_events_of_another_epoch_are_put_into_ros_time_where_there_is_something_to_merge(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        write_everything(bag, 'evt3', event_t0=5_000 * MS)
    recording = open_recording(tmp_path / 'bag')
    assert recording.info().event_time == 'ros'
    samples = list(recording.samples())
    times = [key(s) for s in samples if not isinstance(s, CameraModel)]
    assert times == sorted(times)
    first = next(s for s in samples if isinstance(s, EventArray))
    assert int(first.t_ns[0]) == T0 + 2 * MS


def test_without_other_streams_the_events_keep_the_sensor_time(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(3):
            bag.write_events(
                '/events', events_at(5_000 * MS + i * 10 * MS), 'evt3', stamp_ns=T0 + i * 10 * MS
            )
    recording = open_recording(tmp_path / 'bag')
    assert recording.info().event_time == 'sensor'
    assert recording.info().start_ns == 5_000 * MS
    config = RecordingConfig(event_time='ros')
    assert open_recording(tmp_path / 'bag', config=config).info().start_ns == T0


def test_sensor_time_by_wish_leaves_the_order_of_the_bag(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        write_everything(bag, 'evt3', event_t0=5_000 * MS)
    recording = open_recording(tmp_path / 'bag', config=RecordingConfig(event_time='sensor'))
    samples = list(recording.samples())
    assert sum(len(s) for s in samples if isinstance(s, EventArray)) == 1000
    first = next(i for i, s in enumerate(samples) if isinstance(s, EventArray))
    assert sum(isinstance(s, ImuSample) for s in samples[:first]) == 2
    assert recording.warnings() == {}


def test_of_several_event_topics_the_first_by_name_is_taken_and_said(tmp_path, caplog):
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag, '/right/events', n=3)
        write_events(bag, '/left/events', n=5)
    with caplog.at_level(logging.WARNING):
        recording = open_recording(tmp_path / 'bag')
    assert recording.info().events_topic == '/left/events'
    assert 'taking /left/events' in caplog.text
    assert recording.info().n_events == 1000
    chosen = open_recording(tmp_path / 'bag', events_topic='/right/events')
    assert chosen.info().n_events == 600
    with pytest.raises(DataError, match=r"no events on topic '/up'.*'/left/events', '/right/events'"):
        open_recording(tmp_path / 'bag', events_topic='/up')


def test_streams_beside_the_chosen_events_are_preferred(tmp_path):
    other = CameraModel(fx=1.0, fy=1.0, cx=32.0, cy=24.0, height=48, width=64)
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag, '/right/events')
        bag.write_camera_info('/left/camera_info', other, stamp_ns=T0)
        bag.write_camera_info('/right/camera_info', CAMERA, stamp_ns=T0)
    assert open_recording(tmp_path / 'bag').camera() == CAMERA


def test_messages_of_unknown_types_are_skipped_and_counted(tmp_path):
    from rosbags.typesys import get_types_from_msg

    from event_perception.io.bag_types import typestore

    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag)
        store = __import__('rosbags.typesys', fromlist=['x']).get_typestore(
            __import__('rosbags.typesys', fromlist=['x']).Stores.LATEST
        )
        store.register(get_types_from_msg('uint32 a\n', 'foo_msgs/msg/Bar'))
        connection = bag._writer.add_connection('/foo', 'foo_msgs/msg/Bar', typestore=store)
        for i in range(7):
            bag._writer.write(connection, T0 + i, b'\0\1\0\0\1\0\0\0')
    assert 'foo_msgs/msg/Bar' not in typestore().fielddefs
    recording = open_recording(tmp_path / 'bag')
    assert recording.info().n_events == 4000
    assert recording.warnings() == {'messages_of_unknown_type': 7}
    assert {s.name: (s.use, s.count) for s in recording.info().streams}['/foo'] == ('', 7)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('metadata', ['missing', 'empty storage', 'broken', 'wrong names'])
def test_a_bag_reads_whatever_its_metadata(tmp_path, storage, metadata):
    folder = tmp_path / 'bag'
    with BagWriter(folder, storage=storage) as bag:
        write_events(bag)
    file = folder / 'metadata.yaml'
    text = file.read_text()
    changed = {
        'missing': None,
        'empty storage': text.replace(f'storage_identifier: {storage}', 'storage_identifier: ""'),
        'broken': '[1, 2',
        'wrong names': text.replace('bag.mcap', 'gone.mcap').replace('bag.db3', 'gone.db3'),
    }[metadata]
    assert changed != text
    file.unlink()
    if changed is not None:
        file.write_text(changed)
    assert open_recording(folder).info().n_events == 4000


def test_a_storage_file_is_recognised_without_its_suffix(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag)
    file = (tmp_path / 'bag' / 'bag.mcap').rename(tmp_path / 'recording.bin')
    assert open_recording(file).info().kind == 'rosbag2 mcap'


@pytest.mark.parametrize(
    ('name', 'share', 'packets'),
    [
        ('apriltags/test_events_2_0.mcap', 0.3, 35),
        ('apriltags/test_events_2_0.mcap', 0.6, 75),
        ('apriltags/test_events_2_0.mcap', 0.95, 95),
        ('walking_evt3/test_events_1.db3', 0.3, 204),
        ('walking_evt3/test_events_1.db3', 0.6, 326),
        ('walking_evt3/test_events_1.db3', 0.95, 481),
    ],
)
def test_a_cut_file_is_read_to_the_cut_and_counted(
    tmp_path, recordings, test_data, name, share, packets, caplog
):
    source = recordings / name if name.startswith('apriltags') else test_data / name
    data = source.read_bytes()
    (tmp_path / 'cut').write_bytes(data[: int(len(data) * share)])
    recording = open_recording(tmp_path / 'cut')
    whole = [s for s in open_recording(source).samples() if isinstance(s, EventArray)]
    read = [s for s in recording.samples() if isinstance(s, EventArray)]
    assert len(read) == packets
    for a, b in zip(read, whole):
        np.testing.assert_array_equal(a.t_ns, b.t_ns)
        np.testing.assert_array_equal(a.x, b.x)
    assert recording.warnings()['truncated_files'] == 1
    assert 'is damaged' in caplog.text


def test_a_cut_ros_1_bag_says_what_to_do(tmp_path, test_data):
    data = (test_data / 'walking_evt3.bag').read_bytes()
    (tmp_path / 'cut.bag').write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match='rosbag reindex'):
        open_recording(tmp_path / 'cut.bag')


@pytest.mark.parametrize('magic', [b'\x89MCAP0\r\n', b'SQLite format 3\x00', b'#ROSBAG V2.0\n'])
def test_a_file_with_nothing_behind_its_first_bytes_is_an_error_or_empty(tmp_path, magic):
    (tmp_path / 'x').write_bytes(magic + b'\0' * 200)
    try:
        recording = open_recording(tmp_path / 'x')
    except DataError:
        return
    assert recording.info().n_events == 0
    assert recording.info().events_topic == ''


def test_lost_packets_are_counted(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for i in (0, 1, 5, 6):
            events = events_at(T0 + i * 10 * MS)
            payload, time_base = bag._encode('/events', events, 'libcaer_cmp')
            bag.write_event_packet(
                '/events',
                payload,
                'libcaer_cmp',
                height=48,
                width=64,
                stamp_ns=T0 + i,
                time_base_ns=time_base,
                seq=i,
            )
    recording = open_recording(tmp_path / 'bag')
    assert recording.info().n_events == 800
    assert recording.warnings() == {'lost_packets': 3}


def test_one_message_that_is_no_packet_is_left_out_and_counted_but_not_all(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag, n=3)
        bag.write_serialized(
            '/cam/events', 'event_camera_msgs/msg/EventPacket', b'\0\1\0\0\0', t_ns=T0 + 10**9
        )
    recording = open_recording(tmp_path / 'bag')
    assert recording.info().n_events == 600
    assert recording.warnings() == {'refused_events_messages': 1}
    with BagWriter(tmp_path / 'unknown') as bag:
        bag.write_event_packet('/events', b'', 'evt9', height=48, width=64, stamp_ns=T0)
    with pytest.raises(DataError, match=r"/events: encoding 'evt9' is unknown"):
        list(open_recording(tmp_path / 'unknown').samples())


def test_a_camera_that_is_not_calibrated_is_no_camera(tmp_path, caplog):
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag, n=2)

        def blank(message):
            message.header.stamp.sec = T0 // 10**9
            message.height, message.width = 48, 64

        bag.write('/cam/camera_info', 'sensor_msgs/msg/CameraInfo', blank, t_ns=T0)
    recording = open_recording(tmp_path / 'bag')
    assert recording.camera() is None
    assert not any(isinstance(s, CameraModel) for s in recording.samples())
    assert recording.warnings() == {'refused_camera_messages': 1}
    assert 'not calibrated' in caplog.text


def test_dvs_event_arrays_are_read_from_their_bytes(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(5):
            bag.write_event_array('/dvs/events', events_at(T0 + i * 10 * MS), stamp_ns=T0 + i * 10 * MS)
    recording = open_recording(tmp_path / 'bag')
    info = recording.info()
    assert (info.n_events, info.height, info.width) == (1000, 48, 64)
    first = next(s for s in recording.samples() if isinstance(s, EventArray))
    np.testing.assert_array_equal(first.t_ns, events_at(T0).t_ns)
    np.testing.assert_array_equal(first.p, events_at(T0).p)


def test_spike_packets_of_a_bag_are_planes(tmp_path):
    planes = np.random.default_rng(0).integers(0, 2, (40, 48, 64)).astype(np.uint8)
    spikes = SpikeStream(
        planes, height=48, width=64, plane_period_ns=50_000, start_ns=T0, first_plane_index=0
    )
    with BagWriter(tmp_path / 'bag') as bag:
        for i in range(0, 40, 10):
            part = spikes[i : i + 10]
            bag.write_event_packet(
                '/spikes',
                encode_spike_planes(part),
                ENCODING,
                height=48,
                width=64,
                stamp_ns=part.start_ns,
                time_base_ns=part.start_ns,
            )
    recording = open_recording(tmp_path / 'bag')
    samples = list(recording.samples())
    np.testing.assert_array_equal(np.concatenate([s.unpack() for s in samples]), planes)
    assert recording.info().streams[0].use == 'spikes'


@pytest.mark.parametrize('encoding', ['evt3', 'libcaer_cmp', 'libcaer', 'mono'])
def test_what_is_written_in_any_encoding_is_read(tmp_path, encoding):
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag, '/events', encoding, t0=5_000 * MS)
    read = [s for s in open_recording(tmp_path / 'bag').samples() if isinstance(s, EventArray)]
    expected = [events_at(5_000 * MS + i * 10 * MS) for i in range(20)]
    for name in ('t_ns', 'x', 'y', 'p'):
        a, b = (np.concatenate([getattr(part, name) for part in parts]) for parts in (read, expected))
        np.testing.assert_array_equal(a, b)


def test_a_bag_that_is_played_in_a_loop_is_counted(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        for loop in range(2):
            for i in range(30):
                t = T0 + i * 10 * MS
                bag._packets['/events'] = i
                bag.write_events('/events', events_at(t), t_ns=t + loop * 1_000 * MS)
    recording = open_recording(tmp_path / 'bag')
    events = [s for s in recording.samples() if isinstance(s, EventArray)]
    assert sum(len(s) for s in events) == 12_000
    assert recording.warnings() == {'stream_restarts': 1, 'time_restarts': 1}


def test_transforms_twists_and_odometry_are_written_as_ros_knows_them(tmp_path):
    covariance = np.eye(6)
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write_transforms('/tf', [('odom', 'cam', np.eye(4)), ('cam', 'imu', np.eye(4))], stamp_ns=T0)
        bag.write_twist(
            '/twist',
            stamp_ns=T0,
            v_m_s=[1, 2, 3],
            omega_rad_s=[4, 5, 6],
            covariance=covariance,
            frame_id='cam',
        )
        bag.write_odometry(
            '/odom',
            np.eye(4),
            stamp_ns=T0,
            pose_covariance=covariance,
            v_m_s=[1, 0, 0],
            omega_rad_s=[0, 0, 1],
            twist_covariance=covariance,
            frame_id='odom',
            child_frame_id='cam',
        )
    bag = Bag(tmp_path / 'bag')
    messages = {raw.topic: bag.deserialize(raw) for raw in bag.messages(bag.topics())}
    assert [t.child_frame_id for t in messages['/tf'].transforms] == ['cam', 'imu']
    assert messages['/twist'].twist.twist.angular.z == 6.0
    assert messages['/odom'].twist.twist.linear.x == 1.0
    # Without poses, odometry stands in for them.
    poses = list(open_recording(tmp_path / 'bag').poses())
    assert [isinstance(p, PoseSample) for p in poses] == [True]


def test_bags_are_never_overwritten_and_topics_keep_their_type(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        write_events(bag, n=1)
        with pytest.raises(DataError, match='holds event_camera_msgs'):
            bag.write_image('/cam/events', np.zeros((2, 2), np.uint8), 'mono8', stamp_ns=T0)
        with pytest.raises(DataError, match='choose one of'):
            bag.write_events('/e', events_at(T0), 'evt9')
    with pytest.raises(DataError, match='never overwritten'):
        BagWriter(tmp_path / 'bag')


def test_split_bags_are_read_in_their_order(tmp_path):
    (tmp_path / 'all').mkdir()
    for i in (9, 10, 11):
        with BagWriter(tmp_path / f'part_{i}') as bag:
            write_events(bag, n=2, t0=T0 + i * 100 * MS)
        (tmp_path / f'part_{i}' / f'part_{i}.mcap').rename(tmp_path / 'all' / f'part_{i}.mcap')
    samples = [s for s in open_recording(tmp_path / 'all').samples() if isinstance(s, EventArray)]
    times = [key(s) for s in samples]
    assert len(samples) == 6
    assert times == sorted(times)


def compressed_bag(path, storage, mode, n=60):
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    from event_perception.io.bag_types import typestore
    from event_perception.io.blank_message import blank_message

    writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage])
    writer.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)
    name = 'event_camera_msgs/msg/EventPacket'
    with writer:
        connection = writer.add_connection('/events', name, typestore=typestore())
        for i in range(n):
            message = blank_message(name)
            message.encoding, message.height, message.width, message.seq = 'mono', 48, 64, i
            message.time_base, message.events = T0 + i * 10 * MS, np.zeros(200_000, np.uint8)
            message.events[:] = np.random.default_rng(i).integers(0, 256, 200_000)
            message.events[6::8] %= 2
            writer.write(connection, T0 + i * 10 * MS, typestore().serialize_cdr(message, name))


@pytest.mark.parametrize(
    ('storage', 'mode'), [('MCAP', 'STORAGE'), ('SQLITE3', 'MESSAGE'), ('SQLITE3', 'FILE'), ('MCAP', 'FILE')]
)
def test_compressed_bags_are_read(tmp_path, storage, mode):
    compressed_bag(tmp_path / 'bag', storage, mode, n=3)
    bag = Bag(tmp_path / 'bag')
    assert [raw.t_ns for raw in bag.messages(bag.topics())] == [T0, T0 + 10 * MS, T0 + 20 * MS]
    assert open_recording(tmp_path / 'bag').info().height == 48


def test_of_a_cut_compressed_file_the_whole_chunks_are_read(tmp_path):
    compressed_bag(tmp_path / 'bag', 'MCAP', 'STORAGE')
    data = (tmp_path / 'bag' / 'bag.mcap').read_bytes()
    (tmp_path / 'cut').write_bytes(data[: len(data) // 2])
    bag = Bag(tmp_path / 'cut')
    stamps = [raw.t_ns for raw in bag.messages(bag.topics())]
    # Six messages of 200 kB make a chunk.
    assert stamps == [T0 + i * 10 * MS for i in range(30)]
    assert bag.warnings == {'truncated_files': 1}


def test_a_ros_1_bag_of_a_davis_is_read_whole(tmp_path):
    from rosbags.rosbag1 import Writer

    from event_perception.io import fill_messages as fill
    from event_perception.io.bag_types import typestore
    from event_perception.io.blank_message import blank_message
    from event_perception.io.image_messages import fill_image

    store = typestore(ros1=True)
    pixels = np.full((48, 64), 51, np.uint8)
    writer = Writer(tmp_path / 'x.bag')
    writer.open()
    connections = {}

    def write(topic, name, fill_in, t_ns):
        message = blank_message(name, ros1=True)
        fill_in(message)
        if topic not in connections:
            connections[topic] = writer.add_connection(topic, name, typestore=store)
        writer.write(connections[topic], t_ns, store.serialize_ros1(message, name))

    def fill_events(events):
        def fill_in(message):
            fill.fill_header(message.header, int(events.t_ns[0]), 'cam')
            message.height, message.width = events.height, events.width
            for t, x, y, p in zip(
                events.t_ns.tolist(), events.x.tolist(), events.y.tolist(), events.p.tolist()
            ):
                event = blank_message('dvs_msgs/msg/Event', ros1=True)
                event.x, event.y, event.polarity = x, y, p > 0
                event.ts.sec, event.ts.nanosec = divmod(t, 10**9)
                message.events.append(event)

        return fill_in

    for i in range(5):
        t = T0 + i * 10 * MS
        imu = ImuSample(t, np.array([0.1, 0.2, 0.3]), np.array([0, 0, 9.8]), 'imu')
        write(
            '/dvs/camera_info',
            'sensor_msgs/msg/CameraInfo',
            lambda m, t=t: fill.fill_camera_info(m, CAMERA, t_ns=t),
            t,
        )
        write('/dvs/imu', 'sensor_msgs/msg/Imu', lambda m, imu=imu: fill.fill_imu(m, imu), t)
        write(
            '/dvs/image_raw',
            'sensor_msgs/msg/Image',
            lambda m, t=t: fill_image(m, pixels, 'mono8', t_ns=t, frame_id='cam'),
            t,
        )
        write('/dvs/events', 'dvs_msgs/msg/EventArray', fill_events(events_at(t, 20)), t + 9 * MS)
    writer.close()

    recording = open_recording(tmp_path / 'x.bag')
    samples = list(recording.samples())
    assert Counter(type(s).__name__ for s in samples) == {
        'EventArray': 5,
        'ImuSample': 5,
        'FrameImage': 5,
        'CameraModel': 1,
    }
    assert recording.camera() == CAMERA
    assert recording.warnings() == {}
    first = next(s for s in samples if isinstance(s, EventArray))
    for name in ('t_ns', 'x', 'y', 'p'):
        np.testing.assert_array_equal(getattr(first, name), getattr(events_at(T0, 20), name))
    imu = next(s for s in samples if isinstance(s, ImuSample))
    np.testing.assert_array_equal(imu.angular_velocity_rad_s, [0.1, 0.2, 0.3])
