# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Real ROS over Fast DDS: nodes in processes of their own, a probe here that subscribes and publishes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import pytest

ENVIRONMENT = {
    'ROS_DOMAIN_ID': str(os.getpid() % 100 + 1),
    'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    'ROS_PYTHON_CHECK_FIELDS': '1',
    'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA',
    'AMENT_PREFIX_PATH': sys.prefix,
    'ROS_LOG_DIR': str(Path(tempfile.gettempdir()) / f'event_perception_ros_log_{os.getpid()}'),
}
"""Set before rclpy and messages are imported, which look at it then: a domain of our own, strict messages."""
for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ['ROS_DOMAIN_ID'] = ENVIRONMENT['ROS_DOMAIN_ID']  # workers share what they inherit

with warnings.catch_warnings():
    warnings.simplefilter(
        'ignore', DeprecationWarning
    )  # of lark, which the message packages load on first use
    pytest.importorskip('rosidl_generator_py', reason='ROS tests need rclpy; `make setup` brings it')
pytest.importorskip('rclpy', reason='ROS tests need rclpy; `make setup` brings it')
pytest.importorskip('event_camera_msgs.msg', reason='`make setup` builds the message packages')
pytest.importorskip('tf2_msgs.msg', reason='`make setup` builds the message packages')

DEADLINE_S = 60.0  # for things that take a second or two; a loaded machine gets more than enough


def pytest_collection_modifyitems(items):
    """All tests here are ROS tests."""
    for item in items:
        if '/test/ros/' in str(item.path):
            item.add_marker(pytest.mark.ros)


@pytest.fixture(scope='session', autouse=True)
def _no_logs_left_behind():
    yield
    shutil.rmtree(ENVIRONMENT['ROS_LOG_DIR'], ignore_errors=True)


class Probe:
    """A node in this process that keeps what it receives, with the time of arrival."""

    def __init__(self):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self.node = rclpy.create_node('probe', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.processes = []
        self.received = defaultdict(list)
        self.arrival_s = defaultdict(list)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self):
        while not self._stop.is_set():
            self._executor.spin_once(timeout_sec=0.05)

    def subscribe(self, kind, topic, *, reliable=True, depth=1000):
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT

        def keep(message):
            with self._changed:
                self.received[topic].append(message)
                self.arrival_s[topic].append(time.monotonic())
                self._changed.notify_all()

        self.node.create_subscription(kind, topic, keep, QoSProfile(depth=depth, reliability=policy))

    def wait(self, predicate, timeout_s=DEADLINE_S):
        """Whether the predicate has come true; given up when a node has failed."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while not predicate():
                if time.monotonic() > end or any(process.failed() for process in self.processes):
                    return False
                self._changed.wait(0.05)
        return True

    def call(self, kind, service, request):
        """The response of a service."""
        client = self.node.create_client(kind, service)
        assert client.wait_for_service(timeout_sec=DEADLINE_S)
        future = client.call_async(request)
        assert self.wait(future.done)
        return future.result()

    def diagnostics(self, name):
        """The latest values of a node's diagnostics, numbers as numbers; empty before the first."""
        for array in reversed(self.received['/diagnostics']):
            for status in array.status:
                if status.name.startswith(name):
                    return {'message': status.message} | {v.key: _number(v.value) for v in status.values}
        return {}

    def close(self):
        self._stop.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text


class Process:
    """A node in a process of its own; its output is kept for the message of a failing test."""

    def __init__(self, module, parameters, remaps, log):
        arguments = [text for name, value in parameters.items() for text in ('-p', f'{name}:={_yaml(value)}')]
        arguments += [text for a, b in remaps.items() for text in ('-r', f'{a}:={b}')]
        command = [sys.executable, '-m', f'event_perception.nodes.{module}', '--ros-args', *arguments]
        self.log = log
        environment = {k: v for k, v in os.environ.items() if k != '_ROS_WHEELS_BOOTSTRAP_COMPLETE'}
        with log.open('wb') as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)

    def running(self):
        return self._process.poll() is None

    def failed(self):
        return self._process.poll() not in (None, 0)

    def end(self, number=signal.SIGINT):
        """Send a signal and return the exit code."""
        if self.running():
            self._process.send_signal(number)
        return self.wait()

    def wait(self, timeout_s=DEADLINE_S):
        return self._process.wait(timeout_s)

    def kill(self):
        if self.running():
            self._process.kill()
            self._process.wait()

    def output(self):
        return self.log.read_text(errors='replace')


def _yaml(value):
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, width=10_000).strip().removesuffix('...').strip()


@contextmanager
def _session(folder):
    """A probe and a way to start nodes; whatever is still running at the end is killed."""
    probe = Probe()
    processes = probe.processes

    def start(module, *, remaps=None, **parameters):
        dotted = {name.replace('__', '.'): value for name, value in parameters.items()}
        process = Process(module, dotted, remaps or {}, folder / f'{len(processes)}_{module}.log')
        processes.append(process)
        return process

    try:
        yield probe, start
    finally:
        for process in processes:
            process.kill()
        probe.close()


@pytest.fixture(scope='session')
def new_session(tmp_path_factory):
    """Call it for a context of (probe, start)."""
    return lambda: _session(tmp_path_factory.mktemp('ros'))


@pytest.fixture
def ros(new_session):
    """(probe, start) for one test."""
    with new_session() as session:
        yield session
