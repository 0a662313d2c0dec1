# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of the packets of one topic as one stream."""

from types import SimpleNamespace

import numpy as np
import pytest

from event_perception.clock import EVT3_WRAP_NS, SensorClock
from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.bag_storage import Bag
from event_perception.io.codecs.encoders import encode_evt3, encode_libcaer_cmp
from event_perception.io.codecs.spike_planes import ENCODING, encode_spike_planes
from event_perception.io.event_packets import EventPacketStream, SpikePacketStream

EPOCH_NS = 1_700_000_000_000_000_000
S = 1_000_000_000


def packet(payload, *, seq, t_ns=0, encoding='evt3', time_base=0, height=48, width=64, is_bigendian=False):
    stamp_ns = EPOCH_NS + t_ns
    stamp = SimpleNamespace(sec=stamp_ns // S, nanosec=stamp_ns % S)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id='cam'),
        events=payload,
        seq=seq,
        encoding=encoding,
        time_base=time_base,
        height=height,
        width=width,
        is_bigendian=is_bigendian,
    )


def events_at(t_ns, n=100):
    rng = np.random.default_rng(1)
    return EventArray(
        t_ns + np.arange(n) * 1000,
        rng.integers(0, 64, n),
        rng.integers(0, 48, n),
        rng.choice([-1, 1], n),
        height=48,
        width=64,
    )


def evt3_packets(times_ns):
    previous = None
    for seq, t_ns in enumerate(times_ns):
        events = events_at(t_ns)
        yield packet(encode_evt3(events, previous_t_ns=previous), seq=seq, t_ns=t_ns)
        previous = int(events.t_ns[-1])


def test_all_events_of_a_real_topic_arrive(test_data):
    bag = Bag(test_data / 'walking_evt3')
    stream = EventPacketStream()
    parts = [stream.push(bag.deserialize(raw)) for raw in bag.messages(bag.topics())]
    t_us = np.concatenate([part.t_ns for part in parts]) // 1000
    assert (t_us.size, int(t_us[0]), int(t_us.sum())) == (343474, 7139845, 2851601611994)
    assert sum(int(part.x.sum()) for part in parts) == 116731888
    assert stream.counts.packets == 517
    assert stream.counts.events == 343474
    assert (stream.counts.lost_packets, stream.counts.restarts, stream.counts.outside) == (0, 0, 0)


def test_lost_packets_are_counted_and_what_follows_is_right_again(test_data):
    bag = Bag(test_data / 'walking_evt3')
    messages = [bag.deserialize(raw) for raw in bag.messages(bag.topics())]
    whole = EventPacketStream()
    expected = [whole.push(message) for message in messages]
    stream = EventPacketStream()
    got = [stream.push(message) for i, message in enumerate(messages) if not 200 <= i < 260]
    assert (stream.counts.lost_packets, stream.counts.gaps) == (60, 1)
    lost = len(expected[260]) - len(got[200])
    assert lost == stream.counts.before_time > 0
    np.testing.assert_array_equal(got[200].t_ns, expected[260].t_ns[lost:])
    np.testing.assert_array_equal(got[200].y, expected[260].y[lost:])
    np.testing.assert_array_equal(got[-1].t_ns, expected[-1].t_ns)


def test_time_goes_on_when_packets_are_lost_after_the_sensor_clock_has_wrapped():
    times = [15 * S, 16 * S, 17 * S, 18 * S, 40 * S, 41 * S]
    messages = list(evt3_packets(times))
    stream = EventPacketStream()
    starts = [int(stream.push(message).t_ns[0]) for i, message in enumerate(messages) if i != 3]
    assert starts == [15 * S, 16 * S, 17 * S, 40 * S, 41 * S]
    assert 17 * S > EVT3_WRAP_NS


def test_a_loop_begins_a_new_stream_and_is_counted():
    messages = list(evt3_packets([15 * S, 16 * S, 17 * S]))
    stream = EventPacketStream()
    starts = [int(stream.push(message).t_ns[0]) for message in messages * 2]
    assert starts == [15 * S, 16 * S, 17 * S] * 2
    assert stream.counts.restarts == 1
    assert stream.counts.lost_packets == 0
    assert stream.counts.events == 600


def test_packets_that_nobody_numbers_are_not_taken_for_a_loop():
    messages = list(evt3_packets([S, 2 * S, 3 * S]))
    stream = EventPacketStream()
    for message in messages:
        message.seq = 0
        assert len(stream.push(message)) == 100
    assert (stream.counts.restarts, stream.counts.lost_packets) == (0, 0)


def test_another_encoding_begins_a_new_stream_and_keeps_the_counts():
    stream = EventPacketStream()
    first = next(evt3_packets([S]))
    stream.push(first)
    payload, time_base = encode_libcaer_cmp(events_at(EPOCH_NS))
    events = stream.push(packet(payload, seq=1, encoding='libcaer_cmp', time_base=time_base))
    assert int(events.t_ns[0]) == EPOCH_NS
    assert (stream.counts.restarts, stream.counts.events, stream.encoding) == (1, 200, 'libcaer_cmp')


def test_with_a_clock_the_times_are_of_ros():
    stream = EventPacketStream(SensorClock())
    starts = [int(stream.push(message).t_ns[0]) for message in evt3_packets([S, 2 * S, 3 * S])]
    assert starts == [EPOCH_NS + S, EPOCH_NS + 2 * S, EPOCH_NS + 3 * S]
    assert stream.frame_id == 'cam'


def test_big_endian_packets_are_refused_with_a_remedy():
    message = next(evt3_packets([S]))
    message.is_bigendian = True
    with pytest.raises(DataError, match=r'is_bigendian=true.*convert the packets'):
        EventPacketStream().push(message)
    with pytest.raises(DataError, match='is_bigendian=true'):
        SpikePacketStream().push(message)


def test_an_unknown_encoding_is_named():
    with pytest.raises(DataError, match="'evt9'"):
        EventPacketStream().push(packet(b'', seq=0, encoding='evt9'))


def test_spike_packets_are_decoded_and_mapped():
    planes = np.random.default_rng(0).integers(0, 2, (4, 48, 64)).astype(np.uint8)
    spikes = SpikeStream(planes, height=48, width=64, plane_period_ns=50_000, start_ns=S, first_plane_index=0)
    message = packet(encode_spike_planes(spikes), seq=0, t_ns=S, encoding=ENCODING, time_base=S)
    stream = SpikePacketStream(SensorClock())
    read = stream.push(message)
    np.testing.assert_array_equal(read.unpack(), planes)
    assert (read.start_ns, read.plane_period_ns) == (EPOCH_NS + S, 50_000)
    message.events = b'nonsense'
    assert stream.push(message) is None
    assert stream.counts.rejected == 1
    with pytest.raises(DataError, match='evt3'):
        stream.push(packet(b'', seq=2))


def test_triggers_are_handed_over_in_the_same_clock(test_data):
    bag = Bag(test_data / 'walking_evt3')
    stream, mapped = EventPacketStream(), EventPacketStream(SensorClock())
    n = 0
    for raw in bag.messages(bag.topics()):
        message = bag.deserialize(raw)
        events, shifted = stream.push(message), mapped.push(message)
        n += len(stream.triggers)
        if len(events) and len(stream.triggers):
            np.testing.assert_array_equal(
                mapped.triggers.t_ns - stream.triggers.t_ns, int(shifted.t_ns[0]) - int(events.t_ns[0])
            )
    assert n == 4157
