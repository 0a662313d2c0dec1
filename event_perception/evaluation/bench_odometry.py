# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How fast every odometry is, as a user runs it: the whole pipeline, packets of a millisecond, one thread.

Times are CPU time, so a busy machine hardly changes them. Latency is that of a machine that does nothing else: a
packet is taken when it is complete and the one before is done, and an estimate comes when the packet that closes
its window has been worked on; counted from the end of the window, its last event.
"""

from dataclasses import dataclass, replace
from itertools import takewhile
from time import process_time
from typing import Any

import numpy as np

from event_perception.config import update
from event_perception.evaluation.depth_slam_recording import Recording
from event_perception.events import DepthImage, EventArray
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.pipeline import Pipeline, PipelineConfig
from event_perception.simulation.scenes import EYE_M, ROOM_DVS, room_sequence
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.trajectories import hand_held

DURATION_S = 4.0
START_S = 0.5  # compiles, begins maps; not counted
PACKET_NS = 1_000_000
THRESHOLD = 0.17  # of the pixels: about 2 million events a second in these scenes
SEED = 4
ROTATION_RMS_RAD = 0.15
COMPILE_S = 0.4  # of the recording, by a pipeline that is thrown away


@dataclass(frozen=True)
class Mode:
    """One way to run the odometry.

    Attributes:
        settings: Parameters beside the defaults.
        turning: Whether the camera only turns, as this odometry supposes.
        depth: Whether it gets depth images.
    """

    settings: dict[str, Any]
    turning: bool = False
    depth: bool = False


MODES = {
    'rotation': Mode({'odometry.method': 'rotation'}, turning=True),
    'rotation_slam': Mode({'odometry.method': 'rotation_slam'}, turning=True),
    'depth_slam': Mode(
        {
            'odometry.method': 'depth_slam',
            'window.duration_s': 0.05,
            'fusion.use_depth': True,
            'fusion.use_gyro': True,
        },
        depth=True,
    ),
    'depth_slam_without_gyro': Mode(
        {'odometry.method': 'depth_slam', 'window.duration_s': 0.05, 'fusion.use_depth': True}, depth=True
    ),
    'monocular': Mode({'odometry.method': 'monocular', 'fusion.use_gyro': True}),
}


def bench_odometry() -> dict[str, Any]:
    """A row for every mode, see ``measure``."""
    waved, turned = (Recording(scene(turning=turning), SEED) for turning in (False, True))
    return {name: measure(turned if mode.turning else waved, mode) for name, mode in MODES.items()}


def scene(*, turning: bool, duration_s: float = DURATION_S) -> SimulatedSequence:
    """A furnished room, a camera that is waved, or only turned, by hand."""
    dvs = replace(ROOM_DVS, threshold_on=THRESHOLD, threshold_off=THRESHOLD)
    trajectory = hand_held(
        np.random.default_rng(SEED),
        duration_s=duration_s,
        position_rms_m=0.0 if turning else 0.12,
        rotation_rms_rad=ROTATION_RMS_RAD,
        centre_m=EYE_M,
    )
    return room_sequence(seed=SEED, duration_s=duration_s, trajectory=trajectory, dvs=dvs)


def measure(recording: Recording, mode: Mode) -> dict[str, float]:
    """Speed of one mode on one recording.

    Returns:
        ``events_mev_s`` of the recording; ``sustained_mev_s`` on one core; median and 95 % of the CPU time of a
        window, ``ms``; ``latency_ms_p95``; share of estimates that were tracking.
    """
    sequence, settings = recording.sequence, {'stages': ('egomotion', 'odometry'), **mode.settings}
    pipeline = Pipeline(update(PipelineConfig(), settings), sequence.camera)
    _compile(recording, mode, settings)
    clock, begin_ns = _Clock(), sequence.start_ns + round(START_S * 1e9)
    half_ns = round(0.5e9 * pipeline.config.window.duration_s)
    window_s, latency_s, tracking, n_events, spent_s, since_s = [], [], [], 0, 0.0, 0.0
    end_ns = sequence.start_ns
    for sample in recording.samples(packet_ns=PACKET_NS):
        if isinstance(sample, DepthImage) and not mode.depth:
            continue
        size = len(sample) if isinstance(sample, EventArray) else 0
        end_ns += PACKET_NS if isinstance(sample, EventArray) else 0
        start_s = process_time()
        outputs = pipeline.push(sample)
        cpu_s = process_time() - start_s
        done_s = clock.serve(end_ns * 1e-9, cpu_s)
        since_s += cpu_s
        if end_ns >= begin_ns:
            n_events, spent_s = n_events + size, spent_s + cpu_s
        for estimate in (out for out in outputs if isinstance(out, OdometryEstimate)):
            if end_ns >= begin_ns:
                window_s.append(since_s)
                latency_s.append(done_s - (estimate.t_ns + half_ns) * 1e-9)
                tracking.append(estimate.status == 'tracking')
            since_s = 0.0
    return {
        'events_mev_s': n_events / (DURATION_S - START_S) * 1e-6,
        'sustained_mev_s': n_events / spent_s * 1e-6,
        'window_ms_median': 1e3 * float(np.median(window_s)),
        'window_ms_p95': 1e3 * float(np.percentile(window_s, 95)),
        'latency_ms_median': 1e3 * float(np.median(latency_s)),
        'latency_ms_p95': 1e3 * float(np.percentile(latency_s, 95)),
        'tracking': float(np.mean(tracking)),
    }


def _compile(recording: Recording, mode: Mode, settings: dict[str, Any]) -> None:
    pipeline = Pipeline(update(PipelineConfig(), settings), recording.sequence.camera)
    end_ns = recording.sequence.start_ns + round(COMPILE_S * 1e9)
    for sample in takewhile(lambda s: _time(s) < end_ns, recording.samples()):
        if mode.depth or not isinstance(sample, DepthImage):
            pipeline.push(sample)


def _time(sample: Any) -> int:
    if isinstance(sample, EventArray):
        return int(sample.t_ns[-1]) if len(sample) else 0
    return int(sample.t_ns)


class _Clock:
    """One server: when it is done with a packet that came at some instant and takes so long."""

    def __init__(self) -> None:
        self._free_s = -np.inf

    def serve(self, arrival_s: float, service_s: float) -> float:
        self._free_s = max(arrival_s, self._free_s) + service_s
        return self._free_s
