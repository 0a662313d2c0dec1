# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What launch/isaac_sim.launch.py starts for every way to call it, with plain stand-ins for the launch modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from event_perception.config import build, flatten
from event_perception.nodes.sim_config import SIMULATOR_DEFAULTS, SimCameraConfig, SimulatorConfig

INPUTS = ('image_topic', 'depth_topic', 'odom_topic', 'camera_frame')


class PackageNotFoundError(LookupError):
    pass


def recorder(kind):
    """A class that keeps what it is made with."""

    def make(*args, **kwargs):
        return SimpleNamespace(kind=kind, args=args, **kwargs)

    return make


class LaunchConfiguration:
    def __init__(self, name):
        self.name = name

    def perform(self, context):
        return context[self.name]


def modules(shares):
    """The launch modules as far as the file uses them; `shares` are the packages that are installed."""

    def share(package):
        if package not in shares:
            raise PackageNotFoundError(package)
        return str(shares[package])

    actions = ('DeclareLaunchArgument', 'IncludeLaunchDescription', 'LogInfo', 'OpaqueFunction')
    contents = {
        'ament_index_python': {},
        'ament_index_python.packages': {
            'PackageNotFoundError': PackageNotFoundError,
            'get_package_share_directory': share,
        },
        'launch': {'LaunchContext': dict, 'LaunchDescription': list},
        'launch.actions': {name: recorder(name) for name in (*actions, 'SetEnvironmentVariable')},
        'launch.launch_description_sources': {
            name: lambda path: path
            for name in ('AnyLaunchDescriptionSource', 'PythonLaunchDescriptionSource')
        },
        'launch.substitutions': {'LaunchConfiguration': LaunchConfiguration},
        'launch_ros': {},
        'launch_ros.actions': {'Node': recorder('Node')},
    }
    made = {}
    for name, values in contents.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(values)
    return made


@pytest.fixture
def launched(monkeypatch, repository):
    """Call it with arguments for the list of actions."""

    def run(shares=(), **arguments):
        installed = {'event_perception': repository} | dict(shares)
        for name, module in modules(installed).items():
            monkeypatch.setitem(sys.modules, name, module)
        path = repository / 'launch' / 'isaac_sim.launch.py'
        spec = importlib.util.spec_from_file_location('isaac_sim_launch', path)
        file = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(file)
        *declared, transport, opaque = file.generate_launch_description()
        defaults = {action.args[0]: action.default_value for action in declared}
        assert transport.args[0] == 'FASTDDS_BUILTIN_TRANSPORTS'
        assert set(arguments) <= set(defaults)
        return opaque.function(defaults | arguments)

    return run


def nodes(actions):
    return [action for action in actions if action.kind == 'Node']


def includes(actions):
    return {
        Path(action.args[0]).name: dict(action.launch_arguments)
        for action in actions
        if action.kind == 'IncludeLaunchDescription'
    }


def test_the_tutorial_camera_becomes_one_sensor_and_one_perception(launched):
    actions = launched()
    (sensor,) = nodes(actions)
    assert (sensor.package, sensor.executable) == ('event_perception', 'simulator_node')
    assert sensor.parameters[1] == {
        'image_topic': '/rgb',
        'depth_topic': '/depth',
        'odom_topic': '/odom',
        'camera_frame': '',
        'use_sim_time': True,
    }
    assert ('camera_info', '/camera_info') in sensor.remappings
    assert ('events', '/event_camera/events') in sensor.remappings
    assert includes(actions)['perception.launch.py'] | {'parameters': ''} == {
        'namespace': '',
        'events': '/event_camera/events',
        'camera_info': '/camera_info',
        'use_sim_time': 'true',
        'node': 'perception_node',
        'base_frame': '',
        'parameters': '',
        'transport': 'LARGE_DATA',
    }


def test_nova_carter_in_stereo_gives_each_side_its_topics_and_namespace(launched):
    actions = launched(layout='nova_carter', stereo='true', namespace='robot')
    left, right = nodes(actions)
    assert left.parameters[1]['image_topic'] == '/front_stereo_camera/left/image_raw'
    assert right.parameters[1]['image_topic'] == '/front_stereo_camera/right/image_raw'
    assert left.parameters[1]['odom_topic'] == right.parameters[1]['odom_topic'] == '/chassis/odom'
    assert (left.namespace, right.namespace) == ('robot/left', 'robot/right')
    assert ('events', '/event_camera/right/events') in right.remappings
    assert ('camera_info', '/front_stereo_camera/right/camera_info') in right.remappings


def test_given_topics_win_and_none_switches_an_input_off(launched):
    (sensor,) = nodes(launched(image='/my/image', depth='none', odom='none', camera_frame='eye'))
    assert [sensor.parameters[1][name] for name in INPUTS] == ['/my/image', '', '', 'eye']


def test_the_stand_in_takes_the_place_of_isaac_sim(launched, tmp_path):
    bringup = fake_bringup(tmp_path, 'run_isaacsim.launch.py')
    actions = launched({'isaacsim_bringup': bringup}, stand_in='true', stereo='true')
    stand_in = nodes(actions)[0]
    assert stand_in.executable == 'sim_camera_node'
    assert stand_in.parameters[1] == {'layout': 'tutorial', 'stereo': True}
    assert 'run_isaacsim.launch.py' not in includes(actions)


@pytest.mark.parametrize('package', ['isaacsim_bringup', 'isaacsim'])
@pytest.mark.parametrize('file', ['run_isaacsim.launch.py', 'run_isaacsim.launch.xml'])
def test_isaac_sim_is_started_where_its_package_is_installed(launched, tmp_path, package, file):
    actions = launched({package: fake_bringup(tmp_path, file)}, gui='/scene.usd', headless='webrtc')
    assert includes(actions)[file] == {
        'gui': '/scene.usd',
        'headless': 'webrtc',
        'play_sim_on_start': 'true',
    }


def test_isaac_sim_that_is_asked_for_but_not_installed_is_an_error(launched):
    with pytest.raises(RuntimeError, match='isaacsim_bringup'):
        launched(isaac_sim='true')
    assert any(action.kind == 'LogInfo' for action in launched())


def test_isaac_sim_can_be_left_to_others(launched, tmp_path):
    bringup = fake_bringup(tmp_path, 'run_isaacsim.launch.py')
    actions = launched({'isaacsim_bringup': bringup}, isaac_sim='false')
    assert list(includes(actions)) == ['perception.launch.py']


def test_without_a_perception_node_only_events_are_made(launched):
    assert includes(launched(node='')) == {}


def test_rviz_is_shown_when_asked_for(launched, repository):
    *_, viewer = nodes(launched(rviz='true'))
    assert viewer.executable == 'rviz2'
    assert Path(viewer.arguments[1]) == repository / 'config' / 'isaac_sim.rviz'
    assert Path(viewer.arguments[1]).is_file()


def test_the_parameters_given_by_launch_exist(launched):
    stand_in, sensor = nodes(launched(stand_in='true'))
    assert set(sensor.parameters[1]) <= {*flatten(SimulatorConfig()), 'use_sim_time'}
    assert set(stand_in.parameters[1]) <= set(flatten(SimCameraConfig()))


def test_the_shipped_parameters_are_the_defaults_of_both_nodes(repository):
    tree = yaml.safe_load((repository / 'config' / 'isaac_sim.yaml').read_text())
    simulator = tree['/**/simulator_node']['ros__parameters']
    assert simulator['dvs']['input_transfer'] == 'log'
    assert (
        simulator['stream']['max_motion_px']
        == build(SimulatorConfig, SIMULATOR_DEFAULTS).stream.max_motion_px
    )
    assert tree['/**/sim_camera_node']['ros__parameters']['rate_hz'] == 60.0


def test_rviz_shows_topics_of_the_stand_in_and_of_perception(repository):
    tree = yaml.safe_load((repository / 'config' / 'isaac_sim.rviz').read_text())
    displays = tree['Visualization Manager']['Displays']
    topics = {display['Topic']['Value'] for display in displays if 'Topic' in display}
    assert {'/rgb', '/front_stereo_camera/left/image_raw', '/perception_node/image'} <= topics


def fake_bringup(folder, file):
    (folder / 'launch').mkdir()
    (folder / 'launch' / file).touch()
    return folder
