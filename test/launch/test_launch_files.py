# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Launch files: what they declare is used, what they start exists. Executed where launch is installed."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from event_perception.config import flatten, nested_to_flat
from event_perception.nodes.config import NodeConfig, ReplayConfig
from event_perception.pipeline_config import PipelineConfig

FILES = sorted(path.name for path in (Path(__file__).parents[2] / 'launch').glob('*.launch.py'))


def source(repository, name):
    return (repository / 'launch' / name).read_text()


def constant(repository, name, variable):
    """A literal assigned at the top of a launch file; calls in it become their source."""
    for node in ast.parse(source(repository, name)).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == variable:
            return node.value
    raise LookupError(variable)


def arguments(repository, name):
    """Argument to (source of its default, description)."""
    table = constant(repository, name, 'ARGUMENTS')
    return {
        ast.literal_eval(key): (ast.unparse(value.elts[0]), ast.literal_eval(value.elts[1]))
        for key, value in zip(table.keys, table.values)
    }


@pytest.mark.parametrize('name', FILES)
def test_every_argument_is_described_in_a_sentence(repository, name):
    for argument, (_, description) in arguments(repository, name).items():
        assert description.endswith('.') and len(description) > 15, argument


@pytest.mark.parametrize('name', FILES)
def test_every_argument_is_used(repository, name):
    text = source(repository, name)
    body = text[text.index('def generate_launch_description') :]
    for argument in arguments(repository, name):
        assert f"'{argument}'" in body, argument


@pytest.mark.parametrize('name', FILES)
def test_arguments_are_topology_and_never_algorithm_parameters(repository, name):
    names = set(arguments(repository, name))
    assert not names & {parameter.rpartition('.')[2] for parameter in flatten(PipelineConfig())} - {'stages'}


def test_what_goes_to_the_perception_node_is_one_of_its_parameters(repository):
    known = set(flatten(NodeConfig())) | {'use_sim_time'}
    text = source(repository, 'perception.launch.py')
    texts = ast.literal_eval(re.search(r'texts = (\(.+?\))', text, re.S).group(1))
    topics = ast.literal_eval(re.search(r'topics = (\(.+?\))', text, re.S).group(1))
    flags = ast.literal_eval(re.search(r'name in (\(.publish_tf.+?\))', text, re.S).group(1))
    assert {*texts, *flags, *(f'{topic}_topic' for topic in topics)} <= known


def test_what_goes_to_the_replay_node_is_one_of_its_parameters(repository):
    text = source(repository, 'replay.launch.py')
    kinds = ast.parse(re.search(r'kinds = (\{.+?\})', text, re.S).group(1)).body[0].value
    given = {ast.literal_eval(key): value.id for key, value in zip(kinds.keys, kinds.values)}
    types = {name: type(value).__name__ for name, value in flatten(ReplayConfig()).items()}
    assert {name: types[name] for name in given} == given


@pytest.mark.parametrize('name', FILES)
def test_every_executable_is_installed(repository, name):
    nodes = {path.stem for path in (repository / 'event_perception' / 'nodes').glob('*_node.py')}
    ours = re.findall(r"package='event_perception',\s+executable='(\w+)'", source(repository, name))
    default_node = arguments(repository, name).get('node', ("'perception_node'", ''))[0]
    for executable in [*ours, ast.literal_eval(default_node)]:
        assert executable in nodes


def test_the_replay_forwards_only_arguments_that_perception_declares(repository):
    text = source(repository, 'replay.launch.py')
    forwarded = ast.literal_eval(re.search(r'for name in (\(.+?\))\}', text, re.S).group(1))
    assert set(forwarded) <= set(arguments(repository, 'perception.launch.py'))


def test_rviz_shows_topics_that_the_node_publishes(repository):
    tree = yaml.safe_load((repository / 'config' / 'perception.rviz').read_text())
    displays = tree['Visualization Manager']['Displays']
    shown = {display['Topic']['Value'] for display in displays if 'Topic' in display}
    nodes = ''.join(path.read_text() for path in (repository / 'event_perception' / 'nodes').glob('*.py'))
    assert len(shown) == 5
    for topic in shown:
        assert topic.startswith('/perception_node/') and f"'~/{topic.rpartition('/')[2]}'" in nodes


def test_what_is_particular_to_a_spike_camera_are_parameters_of_its_nodes(repository):
    nodes = yaml.safe_load((repository / 'config' / 'vidar.yaml').read_text())
    known = {'replay_node': flatten(ReplayConfig()), 'reconstruction_node': flatten(PipelineConfig())}
    for name, content in nodes.items():
        given = nested_to_flat(content['ros__parameters'])
        types = {key: type(value) for key, value in given.items()}
        assert types == {key: type(known[name.rpartition('/')[2]][key]) for key in given}


def test_spikes_reach_the_reconstruction_under_their_private_name(repository):
    text = source(repository, 'spikes.launch.py')
    inputs = (repository / 'event_perception' / 'nodes' / 'inputs.py').read_text()
    assert text.count("for name in ('spikes', 'camera_info')") == 2 and "EventPacket, 'spikes'" in inputs
    chosen = ast.literal_eval(re.search(r"for name in (\('camera_file'.+?\))", text).group(1))
    assert set(chosen) <= set(flatten(NodeConfig()))


@pytest.mark.parametrize('name', FILES)
def test_a_real_launch_accepts_the_file(repository, name):
    pytest.importorskip('launch_ros', reason='launch comes with a ROS 2 distribution, not as a wheel')
    spec = importlib.util.spec_from_file_location('launch_file', repository / 'launch' / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    declared = {argument.name for argument in module.generate_launch_description().get_launch_arguments()}
    assert set(module.ARGUMENTS) <= declared
