# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Packets of the recordings, read without the readers of this package, and comparisons."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from rosbags.rosbag1 import Reader as Rosbag1Reader
from rosbags.rosbag2 import Reader as Rosbag2Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from event_perception.events import concatenate
from event_perception.io.decode import decode_event_packet

EVENT_PACKET = """std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
"""
TYPE = 'event_camera_msgs/msg/EventPacket'


def _typestore(which):
    store = get_typestore(which)
    store.register(get_types_from_msg(EVENT_PACKET, TYPE))
    return store


@pytest.fixture(scope='session')
def walking_ros2(test_data):
    """EventPacket messages of walking_evt3, ROS 2."""
    store = _typestore(Stores.ROS2_KILTED)
    with Rosbag2Reader(test_data / 'walking_evt3') as reader:
        return [store.deserialize_cdr(raw, TYPE) for _, _, raw in reader.messages()]


@pytest.fixture(scope='session')
def walking_ros1(test_data):
    """EventPacket messages of walking_evt3, ROS 1."""
    store = _typestore(Stores.ROS1_NOETIC)
    with Rosbag1Reader(test_data / 'walking_evt3.bag') as reader:
        return [store.deserialize_ros1(raw, TYPE) for _, _, raw in reader.messages()]


@pytest.fixture(scope='session')
def apriltags(recordings, tmp_path_factory):
    """EventPacket messages of the apriltags recording, whose metadata does not name its storage."""
    folder = tmp_path_factory.mktemp('bag') / 'apriltags'
    shutil.copytree(recordings / 'apriltags', folder)
    metadata = folder / 'metadata.yaml'
    metadata.chmod(0o644)
    metadata.write_text(metadata.read_text().replace('storage_identifier: ""', 'storage_identifier: mcap'))
    store = _typestore(Stores.ROS2_KILTED)
    with Rosbag2Reader(folder) as reader:
        return [store.deserialize_cdr(raw, TYPE) for c, _, raw in reader.messages() if c.msgtype == TYPE]


@pytest.fixture(scope='session')
def exp_evt3_words(shared_data):
    """The binary part of exp_evt3.raw; the licence keeps it out of the repository."""
    path = shared_data / 'prophesee_raw_samples' / 'exp_evt3.raw'
    if not path.is_file():
        pytest.skip('no exp_evt3.raw')
    return path.read_bytes()[166:]


@pytest.fixture(scope='session')
def decode_stream():
    """(encoding, payloads, height, width, ...) -> events, triggers and last state of a whole stream."""

    def decode(encoding, payloads, height, width, *, time_bases=None, backend='auto', state=None):
        events, triggers = [], []
        for payload, time_base in zip(payloads, time_bases or [0] * len(payloads)):
            batch, edges, state = decode_event_packet(
                encoding, payload, time_base, height=height, width=width, state=state, backend=backend
            )
            events.append(batch)
            triggers.append(edges)
        joined = (np.concatenate([getattr(t, name) for t in triggers]) for name in ('t_ns', 'id', 'edge'))
        return concatenate(events), SimpleNamespace(**dict(zip(('t_ns', 'id', 'edge'), joined))), state

    return decode


@pytest.fixture(scope='session')
def assert_same():
    """Fails unless two results, (events, triggers[, state]), agree in every value and type."""

    def check(a, b):
        for mine, other, names in (
            (a[0], b[0], ('t_ns', 'x', 'y', 'p')),
            (a[1], b[1], ('t_ns', 'id', 'edge')),
        ):
            for name in names:
                u, v = getattr(mine, name), getattr(other, name)
                assert u.dtype == v.dtype, name
                np.testing.assert_array_equal(u, v, err_msg=name)
        if len(a) > 2:
            assert a[2].counts == b[2].counts
            np.testing.assert_array_equal(a[2].memory, b[2].memory)

    return check
