# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated time, pauses and loops of a replay; events as dvs_msgs through a raw subscription."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from event_perception.events import EventArray
from event_perception.io.codecs.dvs_event_array import encode_event_array_cdr
from event_perception.io.stamps import header_ns, stamp_ns

START_NS = 1_650_000_000_000_000_000
RECORDED_NS = (1_650_000_000_000_000_000, 1_900_000_000_000_000_000)


@pytest.fixture(scope='module')
def looping(new_session, test_data):
    """A replay that loops on simulated time into a node that makes images."""
    with new_session() as (probe, start):
        probe.subscribe(Clock, '/clock')
        probe.subscribe(Image, '/reconstruction_node/image')
        probe.subscribe(DiagnosticArray, '/diagnostics')
        node = start('reconstruction_node', use_sim_time=True)
        replay = start(
            'replay_node', recording=str(test_data / 'walking_evt3'), loop=True, rate=2.0, duration_s=0.8
        )
        assert probe.wait(lambda: len(probe.received['/reconstruction_node/image']) > 5, 120.0), node.output()
        yield probe, node, replay


def clock_ns(probe):
    return [stamp_ns(message.clock) for message in probe.received['/clock']]


def steps_back(times):
    return np.flatnonzero(np.diff(times) < -500_000_000)


def test_a_loop_starts_the_clock_and_the_images_again(looping):
    probe, node, _ = looping
    assert probe.wait(lambda: len(steps_back(clock_ns(probe))) >= 2)
    images = probe.received['/reconstruction_node/image']
    assert probe.wait(lambda: len(steps_back([header_ns(message) for message in images])) >= 1), node.output()
    assert node.running(), node.output()


def test_a_pause_stops_the_clock_until_it_is_lifted(looping):
    probe, _, _ = looping
    assert probe.call(SetBool, '/replay_node/pause', SetBool.Request(data=True)).message == 'paused'
    told = len(probe.received['/diagnostics'])
    quiet_from = len(probe.received['/clock'])
    assert probe.wait(lambda: len(probe.received['/diagnostics']) >= told + 2)
    assert len(probe.received['/clock']) - quiet_from <= 2  # what was on its way
    assert probe.call(SetBool, '/replay_node/pause', SetBool.Request(data=False)).message == 'playing'
    assert probe.wait(lambda: len(probe.received['/clock']) > quiet_from + 20)


def test_diagnostics_go_on_and_carry_simulated_time(looping):
    probe, _, _ = looping
    assert probe.wait(lambda: probe.received['/diagnostics'])
    latest = header_ns(probe.received['/diagnostics'][-1])
    first, last = min(clock_ns(probe)), max(clock_ns(probe))
    assert first <= latest <= last
    assert RECORDED_NS[0] < first < RECORDED_NS[1]


def test_both_end_with_0(looping):
    _, node, replay = looping
    assert (replay.end(), node.end()) == (0, 0), replay.output() + node.output()


def test_dvs_messages_enter_through_a_raw_subscription(ros):
    probe, start = ros
    dvs_msgs = pytest.importorskip('dvs_msgs.msg', reason='`make setup` builds the message packages')
    probe.subscribe(Image, '/reconstruction_node/image')
    probe.subscribe(DiagnosticArray, '/diagnostics')
    publisher = probe.node.create_publisher(dvs_msgs.EventArray, '/arrays', 1000)
    node = start(
        'reconstruction_node',
        events_type='dvs_msgs/msg/EventArray',
        output__image_encoding='32FC1',
        remaps={'events': '/arrays'},
    )
    rng, sent = np.random.default_rng(0), iter(range(10**6))

    def send():
        t_ns = START_NS + next(sent) * 10_000_000 + np.arange(2000) * 5000
        x, y, p = rng.integers(0, 64, 2000), rng.integers(0, 48, 2000), rng.choice([-1, 1], 2000)
        events = EventArray(t_ns, x, y, p, height=48, width=64)
        publisher.publish(encode_event_array_cdr(events, stamp_ns=int(t_ns[0]), frame_id='eye'))

    image = '/reconstruction_node/image'
    assert probe.wait(lambda: send() or len(probe.received[image]) >= 3, 120.0), node.output()
    assert node.end() == 0
    message = probe.received[image][0]
    assert (message.encoding, message.height, message.width, message.header.frame_id) == (
        '32FC1',
        48,
        64,
        'eye',
    )
    assert START_NS < header_ns(message) < START_NS + 60_000_000_000
