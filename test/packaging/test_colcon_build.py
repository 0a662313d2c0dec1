# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""colcon builds the package, plainly and with links, and puts everything where ROS looks for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('colcon_ros', reason='colcon comes with `make setup`')

COLCON = Path(sys.executable).with_name('colcon')
COPIED = (
    'event_perception',
    'launch',
    'config',
    'resource',
    'setup.py',
    'package.xml',
    'pyproject.toml',
    'LICENSE',
)


@pytest.fixture(scope='module')
def workspace(repository, tmp_path_factory):
    """A workspace with links to the files of this repository, so that builds leave nothing in it."""
    folder = tmp_path_factory.mktemp('workspace')
    package = folder / 'src' / 'event_perception'
    package.mkdir(parents=True)
    for name in COPIED:
        (package / name).symlink_to(repository / name)
    return folder


def build(workspace, *options):
    environment = {**os.environ, 'AMENT_PREFIX_PATH': sys.prefix, 'COLCON_HOME': str(workspace / 'home')}
    environment.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None)
    result = subprocess.run(
        [str(COLCON), 'build', *options], cwd=workspace, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return workspace / 'install' / 'event_perception'


def declared_nodes(repository):
    return {path.stem for path in (repository / 'event_perception' / 'nodes').glob('*_node.py')}


@pytest.mark.parametrize('options', [(), ('--symlink-install',)], ids=['copied', 'linked'])
def test_a_build_installs_executables_launch_files_and_parameters(repository, workspace, options):
    base = f'{"linked" if options else "copied"}'
    environment = ['--build-base', f'build_{base}', '--install-base', f'install_{base}']
    build(workspace, *environment, *options)
    prefix = workspace / f'install_{base}' / 'event_perception'
    executables = prefix / 'lib' / 'event_perception'
    assert declared_nodes(repository) | {'event-perception'} <= {path.name for path in executables.iterdir()}
    assert all(os.access(path, os.X_OK) for path in executables.iterdir())
    share = prefix / 'share' / 'event_perception'
    assert {p.name for p in (repository / 'launch').glob('*.launch.py')} == {
        path.name for path in (share / 'launch').iterdir()
    }
    assert {'perception.yaml', 'nodes.yaml', 'perception.rviz'} <= {
        p.name for p in (share / 'config').iterdir()
    }
    assert (share / 'package.xml').is_file()
    assert (prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'event_perception').is_file()


def test_an_installed_command_runs_and_finds_the_bundled_recording(workspace):
    prefix = build(workspace)
    version = f'python{sys.version_info.major}.{sys.version_info.minor}'
    packages = prefix / 'lib' / version / 'site-packages'
    assert (packages / 'event_perception' / 'recordings' / 'apriltags' / 'test_events_2_0.mcap').is_file()
    command = prefix / 'lib' / 'event_perception' / 'event-perception'
    environment = {**os.environ, 'PYTHONPATH': str(packages)}
    environment.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None)
    result = subprocess.run([str(command), '--version'], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout) == (0, '0.1.0\n'), result.stderr


def test_colcon_takes_it_for_a_ros_package(workspace):
    """An invalid package.xml would silently make it a plain Python package."""
    result = subprocess.run([str(COLCON), 'list'], cwd=workspace, capture_output=True, text=True)
    assert 'event_perception\tsrc/event_perception\t(ros.ament_python)' in result.stdout
