# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Formatting, lint, types and tests, in the environment that ROS tests need. Arguments go to pytest."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def main(arguments: list[str]) -> int:
    """Run every check, also after one has failed; 0 if all passed."""
    checks = {
        'ruff check': [BIN / 'ruff', 'check', '.'],
        'ruff format': [BIN / 'ruff', 'format', '--check', '.'],
        'mypy': [BIN / 'mypy'],
        'kernels': [BIN / 'python', 'scripts/compile_kernels.py'],
        'pytest': [BIN / 'python', '-m', 'pytest', '--numprocesses', '2', '--dist', 'loadfile', *arguments],
    }
    with tempfile.TemporaryDirectory(prefix='event_perception_test_') as folder:
        environment = {**os.environ, **ros_variables(folder)}
        failed = [name for name, command in checks.items() if not passes(name, command, environment)]
    print(f'failed: {", ".join(failed)}' if failed else 'all checks passed', flush=True)
    return 1 if failed else 0


def ros_variables(folder: str) -> dict[str, str]:
    """Apart from other runs on this machine and network, with strict messages and room for big ones."""
    return {
        'ROS_DOMAIN_ID': str(os.getpid() % 100 + 1),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'ROS_PYTHON_CHECK_FIELDS': '1',
        'ROS_LOG_DIR': folder,
        'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA',
    }


def passes(name: str, command: list[str | Path], environment: dict[str, str]) -> bool:
    """Run one check and say which."""
    print(f'== {name}', flush=True)
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=environment).returncode == 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
