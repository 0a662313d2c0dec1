# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The message packages in interfaces/ are the types that robots already speak."""

import json
from pathlib import Path

import pytest
from ament_index_python import get_package_share_directory

HASHES = {
    'event_camera_msgs/msg/EventPacket': 'RIHS01_d6fa176260b1f37e5a40845305315e150a0f18191241eb64f407442aa29844aa',
    'tf2_msgs/msg/TFMessage': 'RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087',
}
"""Type hashes of the released packages, as recordings of robots hold them."""


def described(name):
    """What the build says of a type: its own name and hash."""
    package, _, kind = name.split('/')
    tree = json.loads((Path(get_package_share_directory(package)) / 'msg' / f'{kind}.json').read_text())
    return {entry['type_name']: entry['hash_string'] for entry in tree['type_hashes']}


@pytest.mark.parametrize('name', sorted(HASHES))
def test_the_type_hash_is_that_of_the_released_package(name):
    assert described(name)[name] == HASHES[name]


@pytest.mark.parametrize(
    ('name', 'fields'),
    [
        (
            'EventArray',
            {
                'header': 'std_msgs/Header',
                'height': 'uint32',
                'width': 'uint32',
                'events': 'sequence<dvs_msgs/Event>',
            },
        ),
        ('Event', {'x': 'uint16', 'y': 'uint16', 'ts': 'builtin_interfaces/Time', 'polarity': 'boolean'}),
    ],
)
def test_dvs_messages_have_the_fields_of_ros_1(name, fields):
    import dvs_msgs.msg

    assert getattr(dvs_msgs.msg, name).get_fields_and_field_types() == fields


def test_every_message_package_is_built_into_the_environment(repository):
    for folder in (repository / 'interfaces').glob('*/msg'):
        share = Path(get_package_share_directory(folder.parent.name))
        assert {p.stem for p in folder.glob('*.msg')} <= {p.stem for p in (share / 'msg').glob('*.msg')}


def test_field_checks_are_on():
    """Off by default, and then wrong values are sent as nonsense; every test here runs with them."""
    from event_camera_msgs.msg import EventPacket

    with pytest.raises(AssertionError):
        EventPacket(height=2**40)
