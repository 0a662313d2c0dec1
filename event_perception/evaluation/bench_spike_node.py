# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A spike camera in real time through ROS: what the reconstruction node takes of a core, how late, how much memory.

A replay process sends 400 x 250 planes at 20 kHz, 250 MB/s, over Fast DDS; the node puts out 100 images a second,
which a third process takes. The age of an image counts from the instant that it describes: the planes that the
method wants to see beyond it, the packet, the computation and the queues; transport is not in it.

    python -m event_perception.evaluation.bench_spike_node ati --minutes 10

watches one method for longer, and prints the curve of its memory, too.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np

from event_perception.errors import EventPerceptionError
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.spike_dat import write_dat
from event_perception.runs.demo import require_ros
from event_perception.runs.processes import Nodes, cpu_time_s, resident_bytes
from event_perception.simulation.moving_picture import noise_picture

HEIGHT, WIDTH, N_PLANES, PERIOD_NS = 250, 400, 2000, 50_000
GAIN, SWING_PX = 0.6, 60  # there and back within the file, so that it can be played round and round
METHODS: dict[str, dict[str, Any]] = {
    'tfp': {},
    'tfi_adaptive': {},
    'tfi_k': {},
    'stp': {},
    'ati': {},
    'ati_fixed': {'images.spike_method': 'ati', 'images.ati.window': 'fixed', 'images.ati.search_planes': 40},
}
SETTLE_S, MEASURED_S, TIMEOUT_S, SAMPLE_S = 3.0, 20.0, 180.0, 0.5
BARS = {'cores': 1.0, 'age of image p95 (ms)': 20.0, 'images/s': 100.0}
KEPT = (
    'firing rate', 'age of image p50 (ms)', 'age of image p95 (ms)', 'latency of image p50 (ms)',
    'latency of image p95 (ms)', 'images p95 (ms)', 'planes missing', 'planes dropped', 'images skipped',
)  # fmt: skip


def bench_spike_node() -> dict[str, Any]:
    """CPU time, memory, latency and losses of the node, for several methods."""
    try:
        require_ros()
    except EventPerceptionError as error:
        return {'skipped': str(error)}
    with tempfile.TemporaryDirectory(prefix='event_perception_bench_') as folder:
        recording = Path(folder) / 'planes.dat'
        write_dat(recording, moving_stream(), kind='plain')
        rows = {name: _measure(name, recording, Path(folder) / name, MEASURED_S)[0] for name in METHODS}
    return {'planes_per_s': 1e9 / PERIOD_NS, 'seconds': MEASURED_S, 'bars': BARS} | rows


def moving_stream() -> SpikeStream:
    """A picture that swings sideways by up to 0.1 px a plane, seen by an ideal sensor."""
    wide = noise_picture(1, height=HEIGHT, width=WIDTH + SWING_PX + 2)
    charge = np.random.default_rng(0).random((HEIGHT, WIDTH), np.float32)
    bits = np.empty((N_PLANES, HEIGHT, WIDTH), np.uint8)
    for k in range(N_PLANES):
        at = SWING_PX * (0.5 - 0.5 * np.cos(2 * np.pi * k / N_PLANES))
        first, share = int(at), np.float32(at - int(at))
        left, right = wide[:, first : first + WIDTH], wide[:, first + 1 : first + 1 + WIDTH]
        charge += np.float32(GAIN) * (left + share * (right - left))
        bits[k] = charge >= 1
        charge -= bits[k]
    return SpikeStream(bits, height=HEIGHT, width=WIDTH, plane_period_ns=PERIOD_NS, gain=GAIN)


def watch_memory(name: str, minutes: float) -> dict[str, Any]:
    """One method for some minutes: what ``bench_spike_node`` tells, and the memory of the node, MB, once a minute."""
    require_ros()
    with tempfile.TemporaryDirectory(prefix='event_perception_bench_') as folder:
        recording = Path(folder) / 'planes.dat'
        write_dat(recording, moving_stream(), kind='plain')
        row, sizes = _measure(name, recording, Path(folder) / name, 60 * minutes)
    return row | {'memory once a minute (MB)': sizes[:: round(60 / SAMPLE_S)] + sizes[-1:]}


def _measure(name: str, recording: Path, results: Path, seconds: float) -> tuple[dict[str, Any], list[float]]:
    parameters = {'images.spike_method': name, 'images.period_s': 0.01, 'inbox.max_lag_s': 0.1} | METHODS[
        name
    ]
    replay = {
        'recording': recording, 'loop': True, 'clock': False, 'spikes.height': HEIGHT, 'spikes.width': WIDTH,
        'spikes.plane_period_ns': PERIOD_NS, 'spikes.kind': 'plain', 'spikes.gain': GAIN,
    }  # fmt: skip
    recorder = {
        'directory': results, 'source': '/reconstruction_node', 'motion': False, 'pictures': '[image]',
        'picture_period_s': 1.0,
    }  # fmt: skip
    with Nodes() as nodes:
        nodes.start('reconstruction_node', parameters)
        nodes.wait_for('reconstruction_node', lambda log: 'ready' in log, TIMEOUT_S, 'become ready')
        nodes.start('recorder_node', recorder)
        nodes.wait_for('recorder_node', lambda log: 'recording' in log, TIMEOUT_S, 'begun to record')
        before_s = cpu_time_s(nodes.pid('reconstruction_node'))
        nodes.start('replay_node', replay)
        nodes.wait_for('replay_node', lambda log: 'playing' in log, TIMEOUT_S, 'begun to play')
        sizes = _watch(nodes, seconds)
        replay_s = cpu_time_s(nodes.pid('replay_node'))
        _stop(nodes, 'replay_node')
        sleep(SETTLE_S)  # diagnostics tell everything that came
        after_s = cpu_time_s(nodes.pid('reconstruction_node'))
        _stop(nodes, 'recorder_node')
        _stop(nodes, 'reconstruction_node')
    told = json.loads((results / 'metrics.json').read_text())['perception']
    received_s = float(told['planes received']) * PERIOD_NS * 1e-9
    sent_s = received_s + float(told['planes missing']) * PERIOD_NS * 1e-9
    return {
        'cores': _share(before_s, after_s, received_s),
        'cores of the replay': _share(0.0, replay_s, sent_s),
        'images/s': float(told.get('image published', 0)) / received_s,
        'received (%)': 100 * received_s / sent_s,
        **{key: float(told[key]) for key in KEPT if key in told},
        **({'memory (MB)': sizes[-1], 'memory grown by (MB)': sizes[-1] - sizes[0]} if sizes else {}),
    }, sizes


def _stop(nodes: Nodes, name: str) -> None:
    if nodes.stop(name) != 0:
        raise EventPerceptionError(f'{name} failed:\n{nodes.log(name)}')


def _watch(nodes: Nodes, seconds: float) -> list[float]:
    """Memory of the node while planes come, MB."""
    sleep(SETTLE_S)
    start_s, sizes = monotonic(), []
    while monotonic() - start_s < seconds:
        sizes.append(resident_bytes(nodes.pid('reconstruction_node')))
        sleep(SAMPLE_S)
    return [size * 1e-6 for size in sizes if size is not None]


def _share(before_s: float | None, after_s: float | None, stream_s: float) -> float | None:
    """CPU time for a second of the stream: the share of a core in real time, whatever else the machine does."""
    return None if before_s is None or after_s is None else (after_s - before_s) / max(stream_s, 1e-9)


def main(arguments: list[str] | None = None) -> str:
    """The row of one method, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('method', choices=sorted(METHODS))
    parser.add_argument('--minutes', type=float, default=10.0)
    options = parser.parse_args(arguments)
    return json.dumps(watch_memory(options.method, options.minutes), indent=2)


if __name__ == '__main__':
    print(main())  # noqa: T201
