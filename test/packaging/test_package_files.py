# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What pip, colcon and rosdep are told agrees with the code."""

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from importlib import import_module

import pytest

import event_perception

ROS_MODULES = {'rclpy', 'launch', 'launch_ros', 'ament_index_python'}
DISTRIBUTION_OF = {'cv2': 'opencv-python-headless', 'yaml': 'PyYAML', 'backports': 'backports.zstd'}
BROUGHT_ALONG = {'llvmlite'}  # by numba
IN_FILES_LOADED_ON_DEMAND = {'gtsam'}  # test_boundaries.py holds that


@pytest.fixture(scope='module')
def setup_call(repository):
    """The keyword arguments of setup(), as source."""
    tree = ast.parse((repository / 'setup.py').read_text())
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'setup']
    return {keyword.arg: keyword.value for keyword in calls[0].keywords}


@pytest.fixture(scope='module')
def manifest(repository):
    return ElementTree.parse(repository / 'package.xml').getroot()


def imported_modules(folder, *, lazy=True):
    """Top-level names that the files of a folder import; without lazy ones only those of their first level."""
    names = set()
    for path in folder.rglob('*.py'):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree) if lazy else tree.body:
            if isinstance(node, ast.Import):
                names |= {alias.name.partition('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition('.')[0])
    return names


def requirements(repository, group):
    lines = (repository / 'requirements' / f'{group}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def test_manifest_and_package_have_one_version(manifest):
    assert manifest.findtext('version') == event_perception.__version__


def test_the_manifest_is_valid(repository):
    catkin_pkg = pytest.importorskip('catkin_pkg.package')
    for path in [repository, *(p.parent for p in (repository / 'interfaces').glob('*/package.xml'))]:
        catkin_pkg.parse_package(str(path)).validate()


def test_the_manifest_names_every_ros_package_that_is_imported(repository, manifest):
    declared = {element.text for element in manifest.iter('exec_depend')}
    imported = imported_modules(repository / 'event_perception' / 'nodes') | imported_modules(
        repository / 'launch'
    )
    used = {
        name for name in imported if name in ROS_MODULES or name.endswith(('_msgs', '_srvs', '_interfaces'))
    }
    assert used - {'dvs_msgs'} <= declared  # dvs_msgs is in no distribution, and imported only when asked for
    assert 'dvs_msgs' not in declared


def test_only_nodes_and_launch_files_import_ros(repository):
    package = repository / 'event_perception'
    for folder in (p for p in package.iterdir() if p.is_dir() and p.name not in ('nodes', '__pycache__')):
        ros = {n for n in imported_modules(folder) if n in ROS_MODULES or n.endswith('_msgs')}
        assert not ros, f'{folder.name} imports {ros}'


def test_every_node_has_a_main_for_its_command(repository):
    """setup.py makes a command of every file of this name."""
    nodes = sorted((repository / 'event_perception' / 'nodes').glob('*_node.py'))
    assert len(nodes) >= 7
    for path in nodes:
        tree = ast.parse(path.read_text())
        assert 'main' in {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}, path.name


def test_the_command_line_has_a_main():
    assert callable(import_module('event_perception.cli').main)


def test_every_requirement_is_pinned(repository):
    pinned = {
        line.partition('==')[0].lower()
        for line in (repository / 'constraints.txt').read_text().splitlines()
        if '==' in line and not line.startswith('#')
    }
    wanted = {
        re.split(r'[\[<>=]', name)[0].lower()
        for group in ('core', 'development', 'ros', 'optional')
        for name in requirements(repository, group)
    }
    assert wanted - {'setuptools'} <= pinned


def test_pip_and_make_install_the_same_libraries(repository, setup_call):
    from_setup = {re.split('[<>=]', text)[0] for text in ast.literal_eval(setup_call['install_requires'])}
    assert from_setup == set(requirements(repository, 'core'))


def test_pip_takes_no_torch_beyond_the_tested_one(repository, setup_call):
    assert 'torch>=1.13,<=2.13.0' in ast.literal_eval(setup_call['install_requires'])
    assert 'torch==2.13.0' in (repository / 'constraints.txt').read_text().splitlines()


def test_every_library_that_is_always_imported_is_a_requirement(repository):
    """What is imported inside functions may be optional, and then says how to install it."""
    package = repository / 'event_perception'
    ours = (
        {'event_perception', *imported_modules(package / 'nodes')} | BROUGHT_ALONG | IN_FILES_LOADED_ON_DEMAND
    )
    imported = imported_modules(package, lazy=False) - ours - set(sys.stdlib_module_names)
    known = set(requirements(repository, 'core'))
    assert {DISTRIBUTION_OF.get(module, module) for module in imported} <= known


def test_pyproject_holds_tool_tables_only(repository):
    """A [project] or [build-system] table would make colcon lose the data files of symlink installs."""
    tables = re.findall(r'^\[+([\w.-]+)\]+$', (repository / 'pyproject.toml').read_text(), re.M)
    assert tables and all(table.startswith('tool.') for table in tables)


@pytest.mark.parametrize('target', ['setup', 'demo', 'test', 'bench'])
def test_every_target_makes_the_environment_first(repository, target):
    makefile = (repository / 'Makefile').read_text()
    rule = re.search(rf'^{target}:(.*)$', makefile, re.M)
    assert rule and (target == 'setup' or 'setup' in rule.group(1))
