# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The demo: the bundled recording through real ROS 2, and a report of what came out of the topics.

Three processes on a domain of their own: replay -> perception -> recorder. Then the same recording without ROS,
to see that the numbers are the same.
"""

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from event_perception.errors import DataError, EventPerceptionError
from event_perception.evaluation import plots
from event_perception.evaluation.pictures import png_bytes
from event_perception.evaluation.tags import count_tags
from event_perception.io import read_egomotion
from event_perception.pipeline_config import PipelineConfig
from event_perception.runs.configuration import load_config
from event_perception.runs.montage import montage
from event_perception.runs.offline import run_recording
from event_perception.runs.processes import Nodes
from event_perception.runs.report import Figure, write_report
from event_perception.runs.share import recording, shared_file
from event_perception.runs.topic_log import read_twists

START_TIMEOUT_S = 120.0  # a first start compiles every kernel
PLAY_TIMEOUT_S = 60.0
SUBSCRIBERS = 2  # of the events: perception and recorder
NOTE = (
    'AprilTag recording of event_camera_py (Apache-2.0), played in real time through ROS 2 (Fast DDS) from a replay '
    'process into a perception process; everything below was received on its topics. No calibration comes with the '
    'recording: config/davis346.yaml is approximate, so angles are right to some 10 %.'
)

Say = Callable[[str], None]


def run_demo(directory: Path, *, say: Say) -> dict[str, Any]:
    """Play the bundled recording through ROS 2 and write a report.

    Args:
        directory: A new or empty folder.
        say: Told what happens, a line at a time.

    Returns:
        The table of the report.

    Raises:
        EventPerceptionError: If ROS 2 is not there or a process fails.
        DataError: If the folder is not empty.
    """
    if directory.exists() and any(directory.iterdir()):
        raise DataError(f'{directory} is not empty; remove it or give another folder with -o')
    require_ros()
    bag, camera_file = recording('apriltags'), shared_file('config/davis346.yaml')
    published = _through_ros(bag, camera_file, directory, say)
    say('the same recording without ROS')
    run_recording(bag, directory / 'offline', load_config(None, []), camera_file=camera_file)
    picture = montage(directory, directory / 'offline' / 'warped')
    (directory / 'picture.png').write_bytes(png_bytes(picture))
    table = _table(directory, published)
    write_report(directory, title='event_perception: demo', note=NOTE, extra=table, lead=_latency(directory))
    return table


def require_ros() -> None:
    """Check that the nodes can be started.

    Raises:
        EventPerceptionError: If ROS 2 or its messages are not there.
    """
    for module in ('rclpy', 'event_camera_msgs'):
        if find_spec(module) is None:
            raise EventPerceptionError(
                f'the demo needs ROS 2 and {module} is not importable: source a ROS 2 environment, or run `make demo`'
            )


def _through_ros(bag: Path, camera_file: Path, directory: Path, say: Say) -> int:
    """Replay, perception and recorder in processes of their own; returns the number of packets published."""
    with Nodes() as nodes:
        say('starting perception (a first start compiles: up to a minute)')
        nodes.start('perception_node', {'camera_file': camera_file, 'images.period_s': 0.01})
        nodes.wait_for('perception_node', lambda log: 'ready' in log, START_TIMEOUT_S, 'become ready')
        nodes.start('recorder_node', {'directory': directory})
        nodes.wait_for('recorder_node', lambda log: 'recording' in log, START_TIMEOUT_S, 'begun to record')
        say('playing the recording in real time')
        nodes.start('replay_node', {'recording': bag, 'wait_for': SUBSCRIBERS})
        nodes.wait_for('replay_node', lambda log: 'published:' in log, PLAY_TIMEOUT_S, 'finished')
        published = nodes.log('replay_node')
        nodes.wait_for('recorder_node', lambda log: 'quiet' in log, PLAY_TIMEOUT_S, 'written everything')
        for name in ('perception_node', 'recorder_node'):
            if nodes.stop(name) != 0:
                raise EventPerceptionError(f'{name} failed:\n{nodes.log(name)}')
    return _packets(published)


def _packets(log: str) -> int:
    """Packets that the replay says it has published."""
    found = re.search(r'published:.*?events (\d+)', log)
    if found is None:
        raise EventPerceptionError(f'the replay does not say what it published:\n{log}')
    return int(found.group(1))


def _table(directory: Path, published: int) -> dict[str, Any]:
    """The figures of the demo: what went in, what came out, how late, and whether it agrees with offline."""
    metrics = json.loads((directory / 'metrics.json').read_text())
    offline = json.loads((directory / 'offline' / 'metrics.json').read_text())
    seen, node = metrics['seen'], metrics['perception']
    latencies_ms = 1e3 * np.load(directory / 'latencies_s.npy')
    return {
        'packets': {
            'published by replay': published,
            'received by perception': int(node['packets received']),
            'lost on the way': int(node['packets lost']),
        },
        'events': {
            name: int(node[f'events {name}']) for name in ('received', 'processed', 'dropped', 'refused')
        },
        'rate': {'events a second, Mev/s': seen['events'] / offline['recording']['duration_s'] * 1e-6},
        'windows': {
            'cut': int(node['windows']),
            'converged, %': float(node['converged (%)']),
            'evaluations a window, mean': float(node['evaluations per window']),
        },
        'messages out': {name: seen[name] for name in ('twist', 'odometry', 'flow', 'image', 'iwe')},
        'latency of a twist after the last event of its window, ms': {
            'median': float(np.percentile(latencies_ms, 50)),
            'p95': float(np.percentile(latencies_ms, 95)),
            'largest': float(latencies_ms.max()),
        },
        'AprilTags read in the images': _tags(directory),
        'angular velocity, topics against `run`': _agreement(directory),
    }


def _tags(directory: Path) -> dict[str, Any]:
    """AprilTags found by OpenCV in the images received."""
    files = sorted((directory / 'images').glob('*.png'), key=lambda file: int(file.stem))
    counts = [len(count_tags(np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)))) for file in files]
    return {'images': len(counts), 'most in one image': max(counts), 'mean': float(np.mean(counts))}


def _agreement(directory: Path) -> dict[str, Any]:
    """How far the twists received differ from what `run` writes for the same windows."""
    live, offline = (
        read_twists(directory / 'twist.csv'),
        read_egomotion(directory / 'offline' / 'egomotion.csv'),
    )
    converged = offline.omega_rad_s[offline.converged]
    n = min(len(converged), len(live.omega_rad_s))
    difference = np.abs(live.omega_rad_s[:n] - converged[:n])
    return {'windows compared': n, 'largest difference, rad/s': float(difference.max()) if n else None}


def _latency(directory: Path) -> tuple[Figure, ...]:
    latencies_ms = 1e3 * np.load(directory / 'latencies_s.npy')
    title, x_label = 'Latency of the twists', 'ms after the last event of the window'
    histogram = plots.histogram(latencies_ms, title=title, x_label=x_label)
    window_s = PipelineConfig().window.duration_s
    course = plots.line_plot(
        [plots.Series('', window_s * np.arange(len(latencies_ms)), latencies_ms, dots=True)],
        title='Latency in the course of the demo',
        x_label='time, s',
        y_label='ms',
    )
    caption = 'packet published to twist published, by the stamps of the middleware'
    return ((histogram, caption), (course, 'the first messages find shared memory that was never touched'))
