# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Nodes as child processes: started apart from other ROS traffic, ended by a signal, never left behind."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any

from event_perception.errors import EventPerceptionError

STOP_TIMEOUT_S = 15.0
POLL_S = 0.05
LINES_OF_A_FAILURE = 15


class ProcessError(EventPerceptionError):
    """A child process ended when it should not have, or did not do what was waited for."""


class Nodes:
    """A set of nodes on a ROS domain of their own; leaving the context ends them, the last one started first.

    Args:
        domain_id: ROS_DOMAIN_ID of all of them; by default one that depends on this process.
    """

    def __init__(self, domain_id: int | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix='event_perception_nodes_')
        domain = os.getpid() % 100 + 1 if domain_id is None else domain_id
        self._environment = os.environ | {
            'ROS_DOMAIN_ID': str(domain),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_LOG_DIR': self._folder.name,
            'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA',
            'PYTHONUNBUFFERED': '1',
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> 'Nodes':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)
        self._folder.cleanup()

    def start(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Start ``event_perception.nodes.<name>`` with parameters."""
        settings = [part for key, value in parameters.items() for part in ('-p', f'{key}:={_text(value)}')]
        command = [sys.executable, '-m', f'event_perception.nodes.{name}', '--ros-args', *settings]
        with self._log_file(name).open('wb') as log:
            self._running[name] = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def log(self, name: str) -> str:
        """What a node has printed so far."""
        return self._log_file(name).read_text(errors='replace')

    def pid(self, name: str) -> int:
        """Process id of a node that is running."""
        return self._running[name].pid

    def wait_for(self, name: str, condition: Callable[[str], bool], timeout_s: float, what: str) -> None:
        """Wait until the log of a node satisfies a condition.

        Raises:
            ProcessError: If the node ends before, or time runs out.
        """
        deadline_s = monotonic() + timeout_s
        while not condition(self.log(name)):
            if self._running[name].poll() is not None:
                raise ProcessError(f'{name} ended before it {what}:\n{self._tail(name)}')
            if monotonic() > deadline_s:
                raise ProcessError(f'{name} has not {what} within {timeout_s:g} s:\n{self._tail(name)}')
            sleep(POLL_S)

    def stop(self, name: str) -> int:
        """Send SIGINT and wait; returns the exit code. A node that does not end is killed."""
        process = self._running.pop(name)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _tail(self, name: str) -> str:
        return '\n'.join(self.log(name).splitlines()[-LINES_OF_A_FAILURE:])

    def _log_file(self, name: str) -> Path:
        return Path(self._folder.name) / f'{name}.out'


def _text(value: Any) -> str:
    """A parameter as the ROS command line reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def cpu_time_s(pid: int) -> float | None:
    """CPU time of a process so far, seconds; None where the system does not tell (it does on Linux)."""
    stat = Path(f'/proc/{pid}/stat')
    if not stat.is_file():
        return None
    fields = stat.read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def resident_bytes(pid: int) -> int | None:
    """Memory of a process that is in RAM, bytes; None where the system does not tell."""
    statm = Path(f'/proc/{pid}/statm')
    return int(statm.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') if statm.is_file() else None
