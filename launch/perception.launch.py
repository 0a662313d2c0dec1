# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Starts perception on the topics of an event camera. Arguments are topology; parameters are in the YAML files."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory('event_perception'))

ARGUMENTS = {
    'namespace': ('', 'Namespace of everything that is started.'),
    'node': (
        'perception_node',
        'What to start: perception_node runs all stages; or one of the single nodes.',
    ),
    'events': ('/event_camera/events', 'Topic of the events.'),
    'spikes': ('/spike_camera/spikes', 'Topic of spike planes, which images are made of too.'),
    'events_type': ('event_camera_msgs/msg/EventPacket', 'Type of the events; or dvs_msgs/msg/EventArray.'),
    'camera_info': ('/event_camera/camera_info', 'Topic of the calibration.'),
    'camera_file': ('', 'Calibration file; then nothing is taken from the topic.'),
    'imu': ('', 'Topic of an IMU, empty for none.'),
    'depth': ('', 'Topic of depth images, empty for none.'),
    'image': ('', 'Topic of ordinary frames, empty for none.'),
    'odom_prior': ('', 'Topic of an odometry with a velocity to start from, empty for none.'),
    'camera_frame': ('', 'Optical frame; empty for the frame_id of the events.'),
    'base_frame': ('', 'Frame whose odometry is told, through tf; empty for the optical frame.'),
    'odom_frame': ('odom', 'Frame that odometry is told in.'),
    'publish_tf': ('false', 'Whether to publish odom_frame -> base_frame; a transform has one owner.'),
    'use_sim_time': ('false', 'Whether time comes from /clock.'),
    'parameters': (str(SHARE / 'config' / 'perception.yaml'), 'Parameters of the pipeline.'),
    'node_parameters': (str(SHARE / 'config' / 'nodes.yaml'), 'Parameters of the nodes beside the pipeline.'),
    'transport': (
        'LARGE_DATA',
        'Transport of Fast DDS; its default loses images of flow on best-effort topics.',
    ),
    'rviz': ('false', 'Whether to show the results in rviz.'),
}


def generate_launch_description() -> LaunchDescription:
    """One perception node, and rviz if asked for."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    transport = SetEnvironmentVariable('FASTDDS_BUILTIN_TRANSPORTS', LaunchConfiguration('transport'))
    return LaunchDescription([*arguments, transport, perception(), rviz()])


def perception() -> Node:
    """The node, with its topics and frames."""
    texts = ('events_type', 'camera_file', 'camera_frame', 'base_frame', 'odom_frame')
    topics = ('imu', 'depth', 'image', 'odom_prior')
    chosen = {name: _typed(name, str) for name in texts}
    chosen |= {f'{name}_topic': _typed(name, str) for name in topics}
    chosen |= {name: _typed(name, bool) for name in ('publish_tf', 'use_sim_time')}
    return Node(
        package='event_perception',
        executable=LaunchConfiguration('node'),
        name=LaunchConfiguration('node'),
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('parameters'), LaunchConfiguration('node_parameters'), chosen],
        remappings=[(name, LaunchConfiguration(name)) for name in ('events', 'spikes', 'camera_info')],
        output='screen',
    )


def rviz() -> Node:
    """Rviz with a picture of every result."""
    return Node(
        package='rviz2',
        executable='rviz2',
        arguments=['-d', str(SHARE / 'config' / 'perception.rviz')],
        parameters=[{'use_sim_time': _typed('use_sim_time', bool)}],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )


def _typed(name: str, kind: type) -> ParameterValue:
    return ParameterValue(LaunchConfiguration(name), value_type=kind)
