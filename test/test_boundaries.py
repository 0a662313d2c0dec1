# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What must stay apart stays apart: ROS and the rest, importing and working, declaration and copies of it."""

import ast
import subprocess
import sys

import pytest
import yaml

from event_perception.config import flat_to_nested, flatten, markdown
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.configuration import parameters_text

HEADER = ('# Copyright 2026 The event_perception authors', '# SPDX-License-Identifier: Apache-2.0')
ROS = {'rclpy', 'launch', 'launch_ros', 'ament_index_python', 'sensor_msgs', 'geometry_msgs', 'nav_msgs'}
HEAVY = ('rclpy', 'torch', 'numba', 'cv2', 'scipy', 'gtsam')


def python_files(repository):
    folders = ('event_perception', 'launch', 'scripts', 'test')
    return [path for folder in folders for path in (repository / folder).rglob('*.py')]


def imported(path):
    """Top-level names of everything that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition('.')[0]


def loaded_after(statement):
    """Which heavy modules a fresh interpreter holds after a statement."""
    code = f'import sys; {statement}; print(" ".join(m for m in {HEAVY!r} if m in sys.modules))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    'statement',
    [
        'import event_perception',
        'import event_perception.cli',
        'import event_perception.events, event_perception.io',
    ],
)
def test_importing_loads_nothing_heavy(statement):
    assert loaded_after(statement) == []


def test_gtsam_is_loaded_only_where_a_graph_is_made():
    assert 'gtsam' not in loaded_after(
        'import event_perception.pipeline, event_perception.odometry.depth_slam'
    )


def test_the_tests_above_can_fail():
    assert loaded_after('import scipy') == ['scipy']


def test_ros_is_imported_only_by_the_nodes(repository):
    package = repository / 'event_perception'
    outside = [p for p in package.rglob('*.py') if p.parent != package / 'nodes']
    assert len(outside) > 50
    assert {str(p) for p in outside if ROS & set(imported(p))} == set()
    assert any('rclpy' in set(imported(p)) for p in (package / 'nodes').glob('*.py'))


def test_every_file_says_whose_it_is_and_under_which_licence(repository):
    files = python_files(repository)
    wrong = [str(p) for p in files if tuple(p.read_text(encoding='utf-8').splitlines()[:2]) != HEADER]
    assert files and wrong == []


def test_every_public_name_can_be_loaded():
    import event_perception

    assert all(getattr(event_perception, name) is not None for name in event_perception.__all__)
    with pytest.raises(AttributeError, match='no_such_name'):
        _ = event_perception.no_such_name


def test_the_table_of_parameters_in_the_docs_is_current(repository):
    assert markdown(PipelineConfig) in (repository / 'docs' / 'parameters.md').read_text()


def test_the_plain_configuration_file_is_the_defaults():
    assert yaml.safe_load(parameters_text(style='plain')) == flat_to_nested(flatten(PipelineConfig()))


def test_no_file_of_the_repository_names_the_machine_it_was_made_on(repository):
    names = subprocess.run(['git', 'ls-files'], cwd=repository, capture_output=True, text=True)
    if names.returncode:
        pytest.skip('not a git checkout')
    texts = [
        repository / n
        for n in names.stdout.split()
        if n.endswith(('.py', '.md', '.rst', '.yaml', '.txt', '.toml'))
    ]
    machine = ('/wo' + 'rk/', '/ro' + 'ot/')
    assert [
        str(p) for p in texts if p.is_file() and any(m in p.read_text(encoding='utf-8') for m in machine)
    ] == []
