# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras of Isaac Sim through a simulated event sensor into perception; with stand_in:=true without Isaac Sim.

Topics follow from the layout (tutorial or nova_carter); any of them can be given instead. Isaac Sim itself is started
too where its package isaacsim_bringup is installed.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import AnyLaunchDescriptionSource, PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from event_perception.simulation.isaac_topics import LAYOUTS, CameraTopics, IsaacTopics

SHARE = Path(get_package_share_directory('event_perception'))

ARGUMENTS = {
    'namespace': ('', 'Namespace of everything of ours that is started.'),
    'layout': ('tutorial', 'Names of topics and frames: tutorial or nova_carter.'),
    'stereo': (
        'false',
        'Whether there is a right camera: both then have a sensor and perception of their own.',
    ),
    'image': ('', 'Topic of the left or only image; empty: that of the layout.'),
    'depth': ('', 'Topic of its depth; empty: that of the layout; none: there is no depth.'),
    'camera_info': ('', 'Topic of its calibration; empty: that of the layout.'),
    'right_image': ('', 'Topic of the right image; empty: that of the layout.'),
    'right_depth': ('', 'Topic of its depth; empty: that of the layout; none: there is no depth.'),
    'right_camera_info': ('', 'Topic of its calibration; empty: that of the layout.'),
    'odom': ('', 'Topic of the odometry; empty: that of the layout; none: there is no odometry.'),
    'events': ('/event_camera', 'Where events go: <events>/events, or <events>/left/events and right.'),
    'camera_frame': ('', 'Optical frame of the left or only camera; empty: frame_id of the images.'),
    'base_frame': ('', 'Frame whose odometry perception tells, through tf; empty: the optical frame.'),
    'node': ('perception_node', 'Perception node to start; empty for none.'),
    'sensor_parameters': (str(SHARE / 'config' / 'isaac_sim.yaml'), 'Parameters of sensor and stand-in.'),
    'parameters': (str(SHARE / 'config' / 'perception.yaml'), 'Parameters of the pipeline.'),
    'stand_in': ('false', 'Whether to run the stand-in camera in the place of Isaac Sim.'),
    'isaac_sim': ('auto', 'Whether to start Isaac Sim: true, false, or auto for where isaacsim_bringup is.'),
    'version': ('', 'Passed on to Isaac Sim: its version, such as 6.0.1.'),
    'install_path': ('', 'Passed on to Isaac Sim: where it is installed.'),
    'gui': ('', 'Passed on to Isaac Sim: USD file to open in its window.'),
    'standalone': ('', 'Passed on to Isaac Sim: Python file to run without its window.'),
    'play_sim_on_start': ('true', 'Passed on to Isaac Sim: whether to play at once.'),
    'headless': ('', 'Passed on to Isaac Sim: native or webrtc; empty for a window.'),
    'ros_distro': ('', 'Passed on to Isaac Sim: jazzy or humble.'),
    'custom_args': ('', 'Passed on to Isaac Sim: further arguments.'),
    'transport': ('LARGE_DATA', 'Transport of Fast DDS; its default loses images on best-effort topics.'),
    'rviz': ('false', 'Whether to show pictures and results in rviz.'),
}
BRINGUP = ('isaacsim_bringup', 'isaacsim')  # the package was called isaacsim before Isaac Sim 6
BRINGUP_FILES = ('run_isaacsim.launch.py', 'run_isaacsim.launch.xml')
SIM_TIME = {'use_sim_time': True}


def generate_launch_description() -> LaunchDescription:
    """Arguments first; what is started follows from their values."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    transport = SetEnvironmentVariable('FASTDDS_BUILTIN_TRANSPORTS', LaunchConfiguration('transport'))
    return LaunchDescription([*arguments, transport, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """Simulator, a sensor and perception for every camera, rviz."""
    topics = LAYOUTS[_value(context, 'layout')]
    stereo = _flag(context, 'stereo')
    cameras = {'left': _camera(context, topics.left, 'image', 'depth', 'camera_info')}
    if stereo:
        names = ('right_image', 'right_depth', 'right_camera_info')
        cameras['right'] = _camera(context, topics.right, *names)
    actions = [stand_in(context)] if _flag(context, 'stand_in') else isaac_sim(context)
    for side, named in cameras.items():
        where = f'{_value(context, "events")}/{side}' if stereo else _value(context, 'events')
        actions.append(sensor(context, named, topics, side if stereo else '', where))
        if _value(context, 'node'):
            actions.append(perception(context, named, side if stereo else '', where))
    return [*actions, *rviz(context)]


def stand_in(context: LaunchContext) -> Node:
    """A built-in scene with the topics of Isaac Sim."""
    chosen = {'layout': _value(context, 'layout'), 'stereo': _flag(context, 'stereo')}
    return Node(
        package='event_perception',
        executable='sim_camera_node',
        parameters=[_value(context, 'sensor_parameters'), chosen],
        output='screen',
    )


def isaac_sim(context: LaunchContext) -> list:
    """Isaac Sim by its own launch file, where it is found; somebody else may have started it as well."""
    wanted = _value(context, 'isaac_sim')
    file = None if wanted == 'false' else bringup_file()
    if file is None:
        if wanted == 'true':
            raise RuntimeError(f'isaac_sim:=true, but none of the packages {list(BRINGUP)} is installed')
        return [LogInfo(msg='Isaac Sim is not started from here: waiting for its topics')]
    passed_on = ('version', 'install_path', 'gui', 'standalone', 'play_sim_on_start')
    passed_on += ('headless', 'ros_distro', 'custom_args')
    values = {name: _value(context, name) for name in passed_on}
    given = {name: value for name, value in values.items() if value}
    return [
        IncludeLaunchDescription(AnyLaunchDescriptionSource(str(file)), launch_arguments=given.items()),
        LogInfo(msg='starting Isaac Sim: wait for "Stage loaded and simulation is playing."'),
    ]


def bringup_file() -> Path | None:
    """The launch file of Isaac Sim's own package, if that is installed."""
    for package in BRINGUP:
        try:
            folder = Path(get_package_share_directory(package)) / 'launch'
        except PackageNotFoundError:
            continue
        for name in BRINGUP_FILES:
            if (folder / name).is_file():
                return folder / name
    return None


def sensor(context: LaunchContext, camera: CameraTopics, topics: IsaacTopics, side: str, where: str) -> Node:
    """The event sensor in the place of one camera."""
    odometry = _value(context, 'odom') or f'/{topics.odometry}'
    inputs = {
        'image_topic': camera.image,
        'depth_topic': camera.depth,
        'odom_topic': '' if odometry == 'none' else odometry,
        'camera_frame': '' if side == 'right' else _value(context, 'camera_frame'),
    }
    return Node(
        package='event_perception',
        executable='simulator_node',
        namespace='/'.join(part for part in (_value(context, 'namespace'), side) if part),
        parameters=[_value(context, 'sensor_parameters'), inputs | SIM_TIME],
        remappings=[
            ('camera_info', camera.camera_info),
            ('events', f'{where}/events'),
            ('spikes', f'{where}/spikes'),
        ],
        output='screen',
    )


def perception(
    context: LaunchContext, camera: CameraTopics, side: str, where: str
) -> IncludeLaunchDescription:
    """Perception on the events of one camera, from its own launch file."""
    source = PythonLaunchDescriptionSource(str(SHARE / 'launch' / 'perception.launch.py'))
    arguments = {
        'namespace': '/'.join(part for part in (_value(context, 'namespace'), side) if part),
        'events': f'{where}/events',
        'camera_info': camera.camera_info,
        'use_sim_time': 'true',
    }
    forwarded = {name: _value(context, name) for name in ('node', 'base_frame', 'parameters', 'transport')}
    return IncludeLaunchDescription(source, launch_arguments=(arguments | forwarded).items())


def rviz(context: LaunchContext) -> list:
    """Rviz with the frames of the simulator beside what perception makes of the events."""
    if not _flag(context, 'rviz'):
        return []
    view = str(SHARE / 'config' / 'isaac_sim.rviz')
    return [Node(package='rviz2', executable='rviz2', arguments=['-d', view], parameters=[SIM_TIME])]


def _camera(
    context: LaunchContext, camera: CameraTopics, image: str, depth: str, camera_info: str
) -> CameraTopics:
    """Topics of one camera by the arguments of these names, else those of the layout; absolute."""
    chosen_depth = _value(context, depth) or f'/{camera.depth}'
    return CameraTopics(
        _value(context, image) or f'/{camera.image}',
        '' if chosen_depth == 'none' else chosen_depth,
        _value(context, camera_info) or f'/{camera.camera_info}',
        camera.frame_id,
    )


def _value(context: LaunchContext, name: str) -> str:
    return LaunchConfiguration(name).perform(context)


def _flag(context: LaunchContext, name: str) -> bool:
    return _value(context, name).lower() in ('true', '1')
