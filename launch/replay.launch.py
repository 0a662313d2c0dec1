# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Replays a recording into perception, on the time of the recording; ends when the recording does."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory('event_perception'))

ARGUMENTS = {
    'recording': (None, 'Recording to replay: a bag, folder or file.'),
    'events_topic': ('', 'Topic of the events, where a bag holds several.'),
    'rate': ('1.0', 'Speed against the recording.'),
    'loop': ('false', 'Whether to begin again at the end.'),
    'start_s': ('0.0', 'How much of the recording to skip, seconds.'),
    'camera_file': ('', 'Calibration, if the recording holds none.'),
    'node': ('perception_node', 'Perception node to start.'),
    'rviz': ('false', 'Whether to show the results in rviz.'),
}
EVENTS, CAMERA_INFO = '/event_camera/events', '/event_camera/camera_info'


def generate_launch_description() -> LaunchDescription:
    """The replay node and, from its own launch file, perception."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    source = PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'perception.launch.py'))
    forwarded = {name: LaunchConfiguration(name) for name in ('camera_file', 'node', 'rviz')}
    perception = IncludeLaunchDescription(
        source,
        launch_arguments={
            **forwarded,
            'events': EVENTS,
            'camera_info': CAMERA_INFO,
            'use_sim_time': 'true',
        }.items(),
    )
    return LaunchDescription([*arguments, perception, replay()])


def replay() -> Node:
    """The replay node; when it has played everything, all is shut down."""
    kinds = {
        'recording': str,
        'events_topic': str,
        'rate': float,
        'loop': bool,
        'start_s': float,
        'camera_file': str,
    }
    return Node(
        package='event_perception',
        executable='replay_node',
        parameters=[
            {n: ParameterValue(LaunchConfiguration(n), value_type=kind) for n, kind in kinds.items()}
        ],
        remappings=[('events', EVENTS), ('camera_info', CAMERA_INFO)],
        output='screen',
        on_exit=Shutdown(),
    )
