# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay publishes of each kind of recording, without publishing it."""

import array

import numpy as np
import pytest
from event_camera_msgs.msg import EventPacket
from rclpy.serialization import deserialize_message

from event_perception.events import SpikeStream
from event_perception.io import BagWriter, EventPacketStream, open_recording
from event_perception.io.codecs.spike_planes import packets
from event_perception.io.event_packets import SpikePacketStream
from event_perception.io.spike_dat import write_dat
from event_perception.io.stamps import header_ns
from event_perception.nodes.config import ReplayConfig
from event_perception.nodes.replay_source import PACKET_EVENTS, open_source
from event_perception.pipeline_config import SpikesConfig

ECD = """0.000100000 10 20 1
0.001000000 11 20 0
0.004500000 12 21 1
0.030000000 13 22 0
"""


def source(path, **parameters):
    return open_source(open_recording(path), ReplayConfig(**parameters))


def events_of(items, kinds):
    stream = EventPacketStream()
    for item in items:
        if item.topic == 'events':
            message = item.message
            if isinstance(message, bytes):
                message = deserialize_message(message, kinds['events'])
            yield stream.push(message)


@pytest.mark.parametrize('name', ['walking_evt3', 'walking_evt3.bag'])
def test_a_bag_of_ros_1_gives_the_same_packets_as_one_of_ros_2(test_data, name):
    played = source(test_data / name, duration_s=0.5)
    items = list(played.messages())
    assert [item.topic for item in items] == ['events'] * len(items)
    events = list(events_of(items, played.topics()))
    reference = list(
        events_of(source(test_data / 'walking_evt3', duration_s=0.5).messages(), played.topics())
    )
    assert sum(map(len, events)) == sum(map(len, reference)) > 30_000
    assert np.array_equal(events[10].t_ns, reference[10].t_ns)


def test_a_ros_2_bag_is_republished_byte_for_byte(recordings):
    from event_perception.io.bag_storage import Bag

    played = source(recordings / 'apriltags')
    recorded = Bag(recordings / 'apriltags').messages(['/event_camera/events'])
    assert all(item.message == bytes(raw.data) for item, raw in zip(played.messages(), recorded, strict=True))


def test_names_are_kept_if_asked_for(recordings):
    assert list(source(recordings / 'apriltags', keep_names=True).topics()) == ['/event_camera/events']
    assert list(source(recordings / 'apriltags').topics()) == ['events']


def test_start_and_duration_cut_a_bag(recordings):
    times = [item.t_ns for item in source(recordings / 'apriltags').messages()]
    cut = [item.t_ns for item in source(recordings / 'apriltags', start_s=0.3, duration_s=0.2).messages()]
    assert cut == [t for t in times if 300_000_000 <= t - times[0] < 500_000_000]
    assert 15 <= len(cut) <= 25


def test_a_text_recording_becomes_packets_of_the_configured_span(tmp_path):
    (tmp_path / 'events.txt').write_text(ECD)
    played = source(tmp_path, packet_duration_s=0.004, camera_frame='eye')
    messages = [item.message for item in played.messages()]
    assert [len(message.events) // 8 for message in messages] == [2, 1, 1]
    assert [header_ns(message) for message in messages] == [100_000, 4_500_000, 30_000_000]
    assert {(m.encoding, m.header.frame_id, m.height, m.width) for m in messages} == {
        ('mono', 'eye', 180, 240)
    }
    assert [message.seq for message in messages] == [0, 1, 2]
    assert all(isinstance(message.events, array.array) for message in messages)
    (first, *_) = events_of(played.messages(), played.topics())
    assert (first.x.tolist(), first.y.tolist(), first.p.tolist()) == ([10, 11], [20, 20], [1, -1])
    assert first.t_ns.tolist() == [100_000, 1_000_000]


def test_packets_of_our_own_stay_small(tmp_path):
    lines = '\n'.join(f'{1 + i * 1e-9:.9f} {i % 240} {i % 180} {i % 2}' for i in range(100_000))
    (tmp_path / 'events.txt').write_text(lines + '\n')
    sizes = [len(item.message.events) // 8 for item in source(tmp_path).messages()]
    assert sum(sizes) == 100_000 and max(sizes) <= PACKET_EVENTS
    assert PACKET_EVENTS * 8 < 300_000


def test_an_imu_without_a_frame_gets_the_configured_one(tmp_path):
    (tmp_path / 'events.txt').write_text(ECD)
    (tmp_path / 'imu.txt').write_text('0.002 0.1 9.8 0.2 0.01 0.02 0.03\n')
    items = [item for item in source(tmp_path, imu_frame='imu').messages() if item.topic == 'imu']
    assert len(items) == 1
    message = items[0].message
    assert (message.header.frame_id, header_ns(message)) == ('imu', 2_000_000)
    assert (message.angular_velocity.x, message.linear_acceleration.y) == (0.01, 9.8)


def planes_of(n):
    bits = np.random.default_rng(0).random((n, 16, 24)) < 0.3
    return SpikeStream(bits, height=16, width=24, plane_period_ns=50_000, gain=0.5, first_plane_index=0)


def received(items):
    stream = SpikePacketStream()
    return [stream.push(item.message) for item in items], stream.counts


def test_a_raw_spike_file_becomes_packets_and_goes_on_where_it_is_looped(tmp_path):
    write_dat(tmp_path / 'planes.dat', planes_of(500))
    size = SpikesConfig(height=16, width=24, gain=0.5)
    played = open_source(
        open_recording(tmp_path / 'planes.dat', spikes=size), ReplayConfig(spikes=size, packet_mb=0.003)
    )
    assert (played.stream, played.goes_on, list(played.topics())) == ('spikes', True, ['spikes'])
    items = [*played.messages(), *played.messages()]
    assert max(len(item.message.events) for item in items) <= 3000
    assert [item.message.seq for item in items] == list(range(len(items)))
    streams, counts = received(items)
    assert (counts.planes, counts.gaps, counts.restarts, counts.rejected) == (1000, 0, 0, 0)
    got = np.concatenate([stream.unpack() for stream in streams])
    np.testing.assert_array_equal(got, np.tile(planes_of(500).unpack(), (2, 1, 1)))
    assert {stream.gain for stream in streams} == {0.5}
    due_ns = [item.t_ns for item in items]
    assert due_ns == [stream.next_ns - 50_000 for stream in streams] and due_ns[-1] == 999 * 50_000


def test_a_bag_of_spikes_is_replayed_on_their_topic(tmp_path):
    stream = planes_of(100)
    with BagWriter(tmp_path / 'bag') as bag:
        for time_base_ns, payload in packets(stream, planes=40):
            bag.write_event_packet(
                '/eye/planes', payload, 'spike_planes_v1', height=16, width=24, stamp_ns=time_base_ns,
                time_base_ns=time_base_ns,
            )  # fmt: skip
    played = source(tmp_path / 'bag')
    assert (played.stream, played.goes_on, list(played.topics())) == ('spikes', False, ['spikes'])
    messages = [deserialize_message(item.message, EventPacket) for item in played.messages()]
    assert [len(planes) for planes in map(SpikePacketStream().push, messages)] == [40, 40, 20]
