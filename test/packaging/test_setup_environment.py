# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What is promised of `make setup`: nothing twice, on from where it stopped, and the name of what is missing."""

import importlib.util
import sys

import pytest


@pytest.fixture
def setup(repository, tmp_path, monkeypatch):
    """The script as a module, with an environment folder of its own."""
    path = repository / 'scripts' / 'setup_environment.py'
    spec = importlib.util.spec_from_file_location('setup_environment', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, 'VENV', tmp_path)
    monkeypatch.setattr(module, 'STAMPS', tmp_path / '.setup')
    return module


def steps_run(setup, file, *, seed='x', failing=None):
    """Run three steps; returns the names of those whose action was called."""
    called, chain = [], setup.Chain(seed)

    def action(name):
        called.append(name)
        if name == failing:
            raise KeyboardInterrupt

    for name, inputs in (('one', []), ('two', [file]), ('three', [])):
        try:
            chain.step(name, inputs, lambda name=name: action(name))
        except KeyboardInterrupt:
            break
    return called


def test_an_unchanged_environment_is_left_alone(setup, tmp_path):
    file = tmp_path / 'input'
    file.write_text('a')
    assert steps_run(setup, file) == ['one', 'two', 'three']
    assert steps_run(setup, file) == []


def test_a_changed_input_repeats_its_step_and_those_after_it(setup, tmp_path):
    file = tmp_path / 'input'
    file.write_text('a')
    steps_run(setup, file)
    file.write_text('b')
    assert steps_run(setup, file) == ['two', 'three']


def test_after_an_interruption_it_goes_on_with_the_step_that_was_interrupted(setup, tmp_path):
    file = tmp_path / 'input'
    file.write_text('a')
    assert steps_run(setup, file, failing='two') == ['one', 'two']
    assert steps_run(setup, file) == ['two', 'three']


def test_another_python_repeats_everything(setup, tmp_path):
    file = tmp_path / 'input'
    file.write_text('a')
    steps_run(setup, file)
    assert steps_run(setup, file, seed='y') == ['one', 'two', 'three']


def test_paths_of_the_builder_become_paths_of_this_machine(setup, tmp_path):
    file = tmp_path / 'share' / 'rclpy' / 'cmake' / 'targets.cmake'
    file.parent.mkdir(parents=True)
    file.write_text(
        'INCLUDES "/opt/python/cp311-cp311/include/python3.11"\n'
        'LIB "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/include"\n'
    )
    setup.repair_cmake_files()
    include, library = file.read_text().splitlines()
    assert '/opt/python' not in include and include.startswith('INCLUDES "/')
    version = f'python{sys.version_info.major}.{sys.version_info.minor}'
    assert library == f'LIB "{tmp_path}/lib/{version}/site-packages/numpy/include"'


def test_missing_system_packages_are_named(setup, monkeypatch):
    monkeypatch.setattr(setup.shutil, 'which', lambda tool: None)
    with pytest.raises(setup.SetupError, match='sudo apt install cmake g\\+\\+ make'):
        setup.check_system(needs_compiler=True)


def test_a_failing_command_shows_what_it_said(setup):
    command = [sys.executable, '-c', 'import sys; print("no such wheel"); sys.exit(3)']
    with pytest.raises(setup.SetupError, match='ended with 3:\nno such wheel'):
        setup.run(command)


def test_what_has_no_wheel_is_told_and_setup_goes_on(setup, monkeypatch, capsys):
    monkeypatch.setattr(setup, 'run', lambda command, check: 1)
    setup.install_optional(None)
    said = capsys.readouterr().out
    assert 'no wheel of gtsam for Python' in said and 'its tests will be skipped' in said
