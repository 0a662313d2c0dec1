# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images from a spike camera, live or replayed from a bag or a raw file. Parameters are in the YAML files."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory('event_perception'))

ARGUMENTS = {
    'namespace': ('', 'Namespace of everything that is started.'),
    'spikes': ('/spike_camera/spikes', 'Topic of the spike planes.'),
    'camera_info': ('/spike_camera/camera_info', 'Topic of the calibration.'),
    'camera_file': ('', 'Calibration file; then nothing is taken from the topic.'),
    'camera_frame': ('', 'Optical frame; empty for the frame_id of the packets.'),
    'use_sim_time': ('false', 'Whether time comes from /clock.'),
    'parameters': (str(SHARE / 'config' / 'perception.yaml'), 'Parameters of the pipeline.'),
    'node_parameters': (str(SHARE / 'config' / 'nodes.yaml'), 'Parameters of the nodes beside the pipeline.'),
    'camera_parameters': (str(SHARE / 'config' / 'vidar.yaml'), 'What is particular to the camera.'),
    'recording': ('', 'Bag or raw file to replay; empty for a live camera.'),
    'loop': ('false', 'Whether the replay begins again at the end.'),
    'transport': (
        'LARGE_DATA',
        'Transport of Fast DDS; its default loses packets of planes on best-effort topics.',
    ),
}


def generate_launch_description() -> LaunchDescription:
    """The reconstruction node, and the replay node if there is a recording."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    transport = SetEnvironmentVariable('FASTDDS_BUILTIN_TRANSPORTS', LaunchConfiguration('transport'))
    return LaunchDescription([*arguments, transport, reconstruction(), replay()])


def reconstruction() -> Node:
    """The node that makes images."""
    files = [LaunchConfiguration(name) for name in ('parameters', 'node_parameters', 'camera_parameters')]
    chosen = {name: _typed(name, str) for name in ('camera_file', 'camera_frame')}
    chosen |= {'use_sim_time': _typed('use_sim_time', bool), 'stages': ['images']}
    return Node(
        package='event_perception',
        executable='reconstruction_node',
        name='reconstruction_node',
        namespace=LaunchConfiguration('namespace'),
        parameters=[*files, chosen],
        remappings=[(name, LaunchConfiguration(name)) for name in ('spikes', 'camera_info')],
        output='screen',
    )


def replay() -> Node:
    """The node that plays the recording."""
    chosen = {'recording': _typed('recording', str), 'loop': _typed('loop', bool)}
    return Node(
        package='event_perception',
        executable='replay_node',
        name='replay_node',
        namespace=LaunchConfiguration('namespace'),
        parameters=[LaunchConfiguration('camera_parameters'), chosen],
        remappings=[(name, LaunchConfiguration(name)) for name in ('spikes', 'camera_info')],
        condition=IfCondition(PythonExpression(["'", LaunchConfiguration('recording'), "' != ''"])),
        output='screen',
    )


def _typed(name: str, kind: type) -> ParameterValue:
    return ParameterValue(LaunchConfiguration(name), value_type=kind)
