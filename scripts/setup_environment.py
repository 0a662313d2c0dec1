# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the environment in .venv, step by step; a step whose inputs have not changed is skipped.

With a ROS 2 distribution sourced, that one is used. Without, ROS 2 comes as Python wheels, and the message
packages in interfaces/ are built into the environment. Only the standard library is used here.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get('VENV', ROOT / '.venv')).absolute()
PYTHON = VENV / 'bin' / 'python'
STAMPS = VENV / '.setup'
SUPPORTED = ((3, 10), (3, 12))
INTERFACES = ('event_camera_msgs', 'dvs_msgs', 'tf2_msgs')
MODULE_OF = {'opencv-python-headless': 'cv2', 'PyYAML': 'yaml', 'catkin_pkg': 'catkin_pkg'}
LINES_OF_A_FAILURE = 30
BAKED_IN_INTERPRETER = r'/opt/python/cp3\d+-cp3\d+/'


class SetupError(Exception):
    """The environment cannot be made; the message names the remedy."""


def main() -> int:
    """Run every step that is due; 0 when the environment is ready."""
    use_supported_python()
    ros = sourced_distribution()
    try:
        run_steps(ros)
    except SetupError as error:
        say(f'error: {error}')
        return 1
    except KeyboardInterrupt:
        say('interrupted; run `make setup` again to go on from here')
        return 130
    return 0


def run_steps(ros: str | None) -> None:
    """The whole sequence. Each step depends on its own inputs and on all steps before it."""
    say(f'using the sourced ROS 2 {ros}' if ros else 'no ROS 2 is sourced: taking it from Python wheels')
    check_system(needs_compiler=ros is None)
    chain = Chain(f'{sys.version} {sys.base_prefix} {VENV} {ros}')
    chain.step('virtual environment', [], lambda: make_venv(ros))
    requirements = sorted((ROOT / 'requirements').glob('*.txt'))
    chain.step('libraries', [ROOT / 'constraints.txt', *requirements], lambda: install_libraries(ros))
    chain.step('optional libraries', [], lambda: install_optional(ros))
    if ros is None:
        chain.step('CMake files of the wheels', [], repair_cmake_files)
    for package in INTERFACES:
        inputs = sorted(p for p in (ROOT / 'interfaces' / package).rglob('*') if p.is_file())
        chain.step(f'messages {package}', inputs, lambda package=package: build_interface(package, ros))
    inputs = [ROOT / 'setup.py', ROOT / 'package.xml', ROOT / 'event_perception' / '__init__.py']
    commands = ' '.join(path.stem for path in sorted((ROOT / 'event_perception' / 'nodes').glob('*_node.py')))
    chain.step('event_perception itself', inputs, install_package, words=commands)
    say('ready')


class Chain:
    """Steps with a stamp file each: a hash of the inputs of the step and of all before it."""

    def __init__(self, seed: str) -> None:
        self._digest = hashlib.sha256(seed.encode())

    def step(self, name: str, inputs: Iterable[Path], action: Callable[[], None], *, words: str = '') -> None:
        """Run the action unless its stamp says that nothing has changed since it last succeeded."""
        self._digest.update(f'{name} {words}'.encode())
        for path in inputs:
            self._digest.update(path.read_bytes())
        stamp = STAMPS / name.replace(' ', '_')
        if stamp.is_file() and stamp.read_text() == self._digest.hexdigest():
            return
        say(name)
        action()
        STAMPS.mkdir(parents=True, exist_ok=True)
        stamp.write_text(self._digest.hexdigest())


def use_supported_python() -> None:
    """Start again under a Python that ROS 2 and the libraries exist for, if this is another one."""
    if SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1] or sourced_distribution():
        return
    for minor in range(SUPPORTED[1][1], SUPPORTED[0][1] - 1, -1):
        other = shutil.which(f'python3.{minor}')
        if other:
            os.execv(other, [other, __file__])
    raise SystemExit(
        f'error: Python 3.10 to 3.12 is needed, this is {sys.version.split()[0]}; '
        'install one, or name it with `make PYTHON=... setup`'
    )


def sourced_distribution() -> str | None:
    """Name of the ROS 2 distribution of this shell, if its rclpy is importable."""
    return os.environ.get('ROS_DISTRO') if importlib.util.find_spec('rclpy') else None


def check_system(*, needs_compiler: bool) -> None:
    """Stop with the names of the Debian or Ubuntu packages that are missing."""
    version = f'python{sys.version_info.major}.{sys.version_info.minor}'
    missing = [] if importlib.util.find_spec('ensurepip') else [f'{version}-venv']
    if needs_compiler:
        missing += [
            p for tool, p in (('cmake', 'cmake'), ('g++', 'g++'), ('make', 'make')) if not shutil.which(tool)
        ]
        if not (Path(sysconfig.get_paths()['include']) / 'Python.h').is_file():
            missing.append(f'{version}-dev')
    if missing:
        raise SetupError(f'missing on this system: sudo apt install {" ".join(missing)}')


def make_venv(ros: str | None) -> None:
    """Create the environment; one that works already is kept."""
    if PYTHON.exists() and run([PYTHON, '-m', 'pip', '--version'], check=False) == 0:
        return
    options = ['--system-site-packages'] if ros else []
    interpreter = getattr(sys, '_base_executable', sys.executable)  # not the one of an activated environment
    run([interpreter, '-m', 'venv', '--clear', *options, VENV])


def install_libraries(ros: str | None) -> None:
    """Install pinned wheels; beside a sourced ROS only what it lacks, and never another numpy than its own."""
    groups = ['core', 'development'] if ros else ['core', 'development', 'ros']
    names = [line for group in groups for line in requirement_lines(group)]
    constraints = ROOT / 'constraints.txt'
    if ros:
        names = [name for name in names if not importable(MODULE_OF.get(name, name.replace('-', '_')))]
        constraints = constraints_beside(constraints)
    if names:
        run([PYTHON, '-m', 'pip', 'install', '--quiet', '--constraint', constraints, *names])


def install_optional(ros: str | None) -> None:
    """Install what has wheels for this Python; what has none is told, and tests that need it are skipped."""
    constraints = constraints_beside(ROOT / 'constraints.txt') if ros else ROOT / 'constraints.txt'
    options = ['--quiet', '--no-deps', '--only-binary', ':all:', '--constraint', constraints]
    for name in requirement_lines('optional'):
        if run([PYTHON, '-m', 'pip', 'install', *options, name], check=False):
            python = f'Python {sys.version_info.major}.{sys.version_info.minor}'
            say(f'no wheel of {name} for {python} here: going on without it, its tests will be skipped')


def requirement_lines(group: str) -> list[str]:
    """The names in one requirements file."""
    lines = (ROOT / 'requirements' / f'{group}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def constraints_beside(pinned: Path) -> Path:
    """Only the exact torch, and the numpy that the messages of the sourced ROS were compiled against."""
    lines = [
        line
        for line in pinned.read_text().splitlines()
        if line.startswith(('torch==', 'setuptools<', 'gtsam=='))
    ]
    if importable('numpy'):
        command = [PYTHON, '-c', 'import numpy; print(numpy.__version__)']
        lines.append(
            'numpy==' + subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        )
    STAMPS.mkdir(parents=True, exist_ok=True)
    path = STAMPS / 'constraints.txt'
    path.write_text('\n'.join(lines) + '\n')
    return path


def repair_cmake_files() -> None:
    """The wheels' CMake files name the interpreter of the machine that built them; name this one."""
    version = f'python{sys.version_info.major}.{sys.version_info.minor}'
    packages = str(VENV / 'lib' / version / 'site-packages')
    include = sysconfig.get_paths()['include']
    for path in (VENV / 'share').rglob('*.cmake'):
        text = path.read_text()
        fixed = re.sub(BAKED_IN_INTERPRETER + r'include/python3\.\d+', include, text)
        fixed = re.sub(BAKED_IN_INTERPRETER + r'lib/python3\.\d+/site-packages', packages, fixed)
        if fixed != text:
            path.write_text(fixed)


def build_interface(package: str, ros: str | None) -> None:
    """Compile one message package into the environment, unless the sourced ROS has it."""
    if ros and importable(f'{package}.msg'):
        return
    build = VENV / '.setup' / 'build' / package
    prefixes = os.pathsep.join(filter(None, [str(VENV), os.environ.get('AMENT_PREFIX_PATH', '')]))
    environment = {'AMENT_PREFIX_PATH': prefixes, 'CMAKE_PREFIX_PATH': prefixes}
    environment['PATH'] = f'{VENV / "bin"}{os.pathsep}{os.environ["PATH"]}'
    shutil.rmtree(build, ignore_errors=True)
    for command in (
        [
            'cmake',
            '-S',
            ROOT / 'interfaces' / package,
            '-B',
            build,
            f'-DCMAKE_INSTALL_PREFIX={VENV}',
            '-DBUILD_TESTING=OFF',
            '-DCMAKE_BUILD_TYPE=Release',
            f'-DPython3_EXECUTABLE={PYTHON}3',
        ],
        ['cmake', '--build', build, '--parallel', '2'],
        ['cmake', '--install', build],
    ):
        run(command, environment=environment)
    shutil.rmtree(build)


def install_package() -> None:
    """Put event_perception and its commands into the environment, as links to this folder."""
    run([PYTHON, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-build-isolation', '--editable', ROOT])


def importable(module: str) -> bool:
    """Whether the environment's Python can import a module."""
    return run([PYTHON, '-c', f'import {module}'], check=False) == 0


def run(command: list[str | Path], *, check: bool = True, environment: dict[str, str] | None = None) -> int:
    """Run one command silently; if it fails, the error carries the end of what it said."""
    parts = [str(part) for part in command]
    variables = {**os.environ, **(environment or {})}
    variables.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None)  # or a child finds no libraries
    result = subprocess.run(parts, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables)
    if check and result.returncode:
        said = '\n'.join(result.stdout.splitlines()[-LINES_OF_A_FAILURE:])
        raise SetupError(f'`{" ".join(parts)}` ended with {result.returncode}:\n{said}')
    return result.returncode


def say(line: str) -> None:
    """One short line of progress."""
    print(f'[setup] {line}', flush=True)


if __name__ == '__main__':
    sys.exit(main())
