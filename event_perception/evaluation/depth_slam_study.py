# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Six degrees of freedom in simulated rooms: events, a noisy slow depth camera and a gyroscope with bias; exact truth.

    python -m event_perception.evaluation.depth_slam_study --seeds 1 2 --duration 12

prints a row per seed, with and without the gyroscope: error of the trajectory aligned rigidly and by its first pose,
of the orientation, what the covariance is worth, and the time of a window.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.config import update
from event_perception.evaluation.trajectory import align, consistency, rms
from event_perception.events import DepthImage, ImuSample
from event_perception.motion.lie import se3_inverse, so3_log
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.pipeline import Pipeline, PipelineConfig
from event_perception.simulation import scenes
from event_perception.simulation.imu import ImuConfig
from event_perception.simulation.sequence import SimulatedSequence

DEPTH_HZ = 30
NOISE_AT_2M = 0.01  # grows with the distance
HOLES = 0.03
HEAD = 'seed gyro  path m   ATE m  % path  first-pose m  rot rms deg  end deg  worth  window ms  tracking'
SETTINGS: dict[str, Any] = {
    'stages': ('egomotion', 'odometry'),
    'window.duration_s': 0.05,
    'fusion.use_depth': True,
    'odometry.method': 'depth_slam',
}


@dataclass(frozen=True)
class Score:
    """How good one run was."""

    path_m: float
    ate_m: float
    ate_first_m: float
    rotation_rms_deg: float
    rotation_end_deg: float
    worth: float
    window_ms: float
    tracking: float


def run(sequence: SimulatedSequence, *, gyro: bool, seed: int = 0) -> Score:
    """One recording through the pipeline, samples in time order."""
    seconds: list[float] = []
    pipeline = Pipeline(
        update(PipelineConfig(), {**SETTINGS, 'fusion.use_gyro': gyro}),
        sequence.camera,
        observer=lambda stage, t_ns, elapsed_s: seconds.append(elapsed_s),
    )
    estimates: list[OdometryEstimate] = []
    for sample in samples(sequence, seed):
        estimates += [out for out in pipeline.push(sample) if isinstance(out, OdometryEstimate)]
    return score(sequence, estimates, 1e3 * float(np.median(_pairs(seconds))))


def samples(sequence: SimulatedSequence, seed: int) -> Iterator[Any]:
    """Events, depth with noise and holes, and inertial readings, each before events that are later."""
    rng = np.random.default_rng(seed)
    readings = iter(sequence.imu(ImuConfig(seed=seed)).samples())
    times = iter(range(sequence.start_ns, sequence.end_ns, 1_000_000_000 // DEPTH_HZ))
    next_depth = next(times)
    for events in sequence.chunks():
        if not len(events):
            continue
        until_ns = int(events.t_ns[-1])
        yield from takewhile(partial(_until, until_ns), readings)
        pieces = [0]
        while next_depth <= until_ns:
            cut = int(np.searchsorted(events.t_ns, next_depth))
            yield events[pieces[-1] : cut]
            pieces.append(cut)
            yield _measured(sequence.depth(next_depth), rng)
            next_depth = next(times, 2**62)
        yield events[pieces[-1] :]


def _until(end_ns: int, reading: ImuSample) -> bool:
    return reading.t_ns <= end_ns


def _measured(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    z = depth.depth_m
    noisy = z * (1 + NOISE_AT_2M * (z / 2) * rng.standard_normal(z.shape))
    noisy[rng.random(z.shape) < HOLES] = np.nan
    return DepthImage(depth.t_ns, noisy.astype(np.float32))


def score(sequence: SimulatedSequence, estimates: list[OdometryEstimate], window_ms: float) -> Score:
    """Errors against the truth."""
    t_ns = np.array([e.t_ns for e in estimates])
    truth, ours = sequence.pose(t_ns), np.array([e.T_odom_camera for e in estimates])
    first = truth[0] @ se3_inverse(ours[0])
    moved = first @ ours
    rigid = align(truth[:, :3, 3], ours[:, :3, 3])
    turn = np.array([np.linalg.norm(so3_log(a[:3, :3].T @ b[:3, :3])) for a, b in zip(moved, truth)])
    error = np.linalg.norm(rigid.apply(ours[:, :3, 3]) - truth[:, :3, 3], axis=1)
    error_first = np.linalg.norm(moved[:, :3, 3] - truth[:, :3, 3], axis=1)
    return Score(
        float(np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum()),
        rms(error),
        rms(error_first),
        float(np.rad2deg(rms(turn))),
        float(np.rad2deg(turn[-1])),
        _worth(estimates[5:], se3_inverse(first) @ truth[5:]),
        window_ms,
        float(np.mean([e.status == 'tracking' for e in estimates])),
    )


def _worth(estimates: list[OdometryEstimate], truth: NDArray[np.float64]) -> float:
    """Median squared error in units of the covariances told; 5.3 is ideal for six numbers."""
    off = [
        np.concatenate([T[:3, 3] - e.T_odom_camera[:3, 3], so3_log(T[:3, :3] @ e.T_odom_camera[:3, :3].T)])
        for e, T in zip(estimates, truth)
    ]
    told = np.array([e.pose_covariance for e in estimates])
    return 6 * consistency(np.array(off), told)['nees_median']


def _pairs(seconds: list[float]) -> NDArray[np.float64]:
    """Egomotion and odometry of a window together."""
    even = seconds[: len(seconds) // 2 * 2]
    return np.reshape(even, (-1, 2)).sum(axis=1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--duration', type=float, default=12.0, help='seconds')
    options = parser.parse_args()
    print(HEAD, flush=True)  # noqa: T201
    for seed in options.seeds:
        sequence = scenes.create('room', seed=seed, duration_s=options.duration)
        for gyro in (True, False):
            s = run(sequence, gyro=gyro, seed=seed)
            print(  # noqa: T201
                f'{seed:4} {gyro!s:5} {s.path_m:7.2f} {s.ate_m:7.4f} {100 * s.ate_m / s.path_m:7.2f} '
                f'{s.ate_first_m:13.4f} {s.rotation_rms_deg:12.2f} {s.rotation_end_deg:8.2f} {s.worth:6.1f} '
                f'{s.window_ms:10.1f} {s.tracking:9.2f}',
                flush=True,
            )


if __name__ == '__main__':
    main()
