# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Six degrees of freedom in simulated rooms: events, a noisy slow depth camera and a gyroscope with bias; exact truth.

    python -m event_perception.evaluation.depth_slam_study --seeds 3 4 5 --duration 20

prints a row per seed, with and without the gyroscope: error of the trajectory aligned rigidly and by its first pose,
of the orientation, what the covariance is worth (5.3 is ideal), error of the gyroscope's bias, CPU time of a window.
``--trajectory`` takes the motion from a file (TUM or ECD groundtruth.txt); ``--fault`` spoils a second in the middle;
``--set`` changes parameters of the pipeline; ``--minutes`` goes round a closed motion for so long and tells how
memory grows.
"""

import argparse
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from time import process_time
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from event_perception.config import parse, update
from event_perception.evaluation.depth_slam_recording import Fault, Recording, closed_motion
from event_perception.evaluation.trajectory import align, consistency, rms
from event_perception.motion.lie import se3_inverse, so3_log
from event_perception.odometry.depth_slam import DepthSlam
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.pipeline import Pipeline, PipelineConfig
from event_perception.simulation import scenes

HEAD = (
    'seed gyro  path m   ATE m  % path  first-pose m  end m  rot rms deg  end deg  worth  bias mrad/s  '
    'window ms   95 %  tracking'
)
SETTINGS: dict[str, Any] = {
    'stages': ('egomotion', 'odometry'),
    'window.duration_s': 0.05,
    'fusion.use_depth': True,
    'odometry.method': 'depth_slam',
}
ROUND_S = 10.0  # of the closed motion
MEGABYTE = 1024  # ru_maxrss is in kilobytes


@dataclass(frozen=True)
class Score:
    """How good one run was."""

    path_m: float
    ate_m: float
    ate_first_m: float
    end_m: float
    rotation_rms_deg: float
    rotation_end_deg: float
    worth: float
    bias_mrad_s: float
    window_ms: tuple[float, float]
    tracking: float

    def row(self) -> str:
        """For the table."""
        return (
            f'{self.path_m:7.2f} {self.ate_m:7.4f} {100 * self.ate_m / self.path_m:7.2f} {self.ate_first_m:13.4f} '
            f'{self.end_m:6.3f} {self.rotation_rms_deg:12.2f} {self.rotation_end_deg:8.2f} {self.worth:6.1f} '
            f'{self.bias_mrad_s:12.1f} {self.window_ms[0]:10.1f} {self.window_ms[1]:6.1f} {self.tracking:9.2f}'
        )


@dataclass(frozen=True)
class Run:
    """What the odometry said, the CPU time of each of its windows, and the bias that it ended with."""

    estimates: list[OdometryEstimate]
    seconds: list[float]
    bias_rad_s: NDArray[np.float64]


def run(recording: Recording, settings: dict[str, Any], samples: Iterable[Any] | None = None) -> Run:
    """One recording through the pipeline, samples in time order."""
    pipeline = Pipeline(update(PipelineConfig(), {**SETTINGS, **settings}), recording.sequence.camera)
    estimates: list[OdometryEstimate] = []
    seconds, since_s = [], 0.0
    for sample in recording.samples() if samples is None else samples:
        start_s = process_time()
        outputs = pipeline.push(sample)
        since_s += process_time() - start_s
        for estimate in (out for out in outputs if isinstance(out, OdometryEstimate)):
            estimates.append(estimate)
            seconds.append(since_s)
            since_s = 0.0
    slam = pipeline.odometry
    bias = slam.bias_rad_s if isinstance(slam, DepthSlam) else np.full(3, np.nan)
    return Run(estimates, seconds, bias)


def score(recording: Recording, made: Run) -> Score:
    """Errors against the truth."""
    estimates = made.estimates
    t_ns = np.array([e.t_ns for e in estimates])
    truth, ours = recording.sequence.pose(t_ns), np.array([e.T_odom_camera for e in estimates])
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
        float(error_first[-1]),
        float(np.rad2deg(rms(turn))),
        float(np.rad2deg(turn[-1])),
        _worth(estimates[5:], se3_inverse(first) @ truth[5:]),
        1e3 * float(np.linalg.norm(made.bias_rad_s - recording.imu.gyro_bias_rad_s[-1])),
        (1e3 * float(np.median(made.seconds)), 1e3 * float(np.percentile(made.seconds, 95))),
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


def fault_report(recording: Recording, made: Run) -> str:
    """How the spoilt second was told and survived: worst error in it and a second later, statuses, claims."""
    s = recording.sequence
    middle = (s.start_ns + s.end_ns) // 2
    t_ns = np.array([e.t_ns for e in made.estimates])
    ours, truth = np.array([e.T_odom_camera for e in made.estimates]), s.pose(t_ns)
    moved = truth[0] @ se3_inverse(ours[0]) @ ours
    off_m = np.linalg.norm(moved[:, :3, 3] - truth[:, :3, 3], axis=1)
    rows = []
    for name, start, end in (('before', -1.0, 0.0), ('in it', 0.0, 1.0), ('0.3 s later', 1.3, 2.0)):
        part = np.flatnonzero((t_ns >= middle + start * 1e9) & (t_ns < middle + end * 1e9))
        told = [made.estimates[i] for i in part]
        claimed = max(
            (float(np.sqrt(np.trace(e.pose_covariance[:3, :3]))) for e in told), default=float('nan')
        )
        worst = off_m[part].max() if len(part) else float('nan')
        rows.append(
            f'  {name}: {len(part)} windows, off by up to {worst:.3f} m, claimed up to {claimed:.3f} m, '
            f'{sorted({e.status for e in told})}, {sorted({e.reason[:40] for e in told})[:4]}'
        )
    return '\n'.join(rows)


def endless(minutes: float, seed: int, settings: dict[str, Any]) -> str:
    """Round and round a closed motion: growth of memory after the second round, keyframes, drift."""
    motion = closed_motion(seed, ROUND_S)
    recording = Recording(scenes.room_sequence(seed=seed, duration_s=ROUND_S, trajectory=motion), seed)
    pipeline = Pipeline(update(PipelineConfig(), {**SETTINGS, **settings}), recording.sequence.camera)
    marks: list[float] = []
    last, start_s = None, process_time()
    for sample in recording.endless(minutes):
        for out in pipeline.push(sample):
            if isinstance(out, OdometryEstimate):
                last = out
                if len(marks) < out.t_ns // round(2e9 * ROUND_S):
                    marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE)
    slam = pipeline.odometry
    frames = len(slam.map.frames) if isinstance(slam, DepthSlam) else 0
    assert last is not None  # noqa: S101 - there are events
    truth = recording.sequence.pose([last.t_ns % round(1e9 * ROUND_S), 0])
    off = (se3_inverse(truth[1]) @ truth[0])[:3, 3] - last.T_odom_camera[:3, 3]
    return (
        f'{minutes:g} min: resident {marks[0]:.0f} MB after {2 * ROUND_S:g} s, {marks[-1]:.0f} MB at the end; '
        f'{frames} keyframes; off by {np.linalg.norm(off):.3f} m at the end; '
        f'{process_time() - start_s:.0f} s of CPU time'
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--scene', choices=('room', 'loop'), default='room')
    parser.add_argument('--duration', type=float, default=12.0, help='seconds')
    parser.add_argument(
        '--trajectory', metavar='FILE', help='motion of the camera, TUM or ECD groundtruth.txt'
    )
    parser.add_argument('--start', type=float, default=0.0, help='where to begin in that file, seconds')
    parser.add_argument('--fault', choices=get_args(Fault), default='none')
    parser.add_argument('--gyro', choices=('both', 'with', 'without'), default='both')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE')
    parser.add_argument('--minutes', type=float, default=0.0, help='memory over so long instead of the table')
    options = parser.parse_args()
    settings = dict(parse(PipelineConfig, text) for text in options.set)
    if options.minutes:
        print(endless(options.minutes, options.seeds[0], {'fusion.use_gyro': True, **settings}))  # noqa: T201
        return
    print(HEAD, flush=True)  # noqa: T201
    for seed in options.seeds:
        recording = _recording(seed, options)
        for gyro in {'both': (True, False), 'with': (True,), 'without': (False,)}[options.gyro]:
            made = run(recording, {'fusion.use_gyro': gyro, **settings}, recording.samples(options.fault))
            print(f'{seed:4} {gyro!s:5}', score(recording, made).row(), flush=True)  # noqa: T201
            if options.fault != 'none':
                print(fault_report(recording, made), flush=True)  # noqa: T201


def _recording(seed: int, options: argparse.Namespace) -> Recording:
    if options.trajectory is None:
        return Recording(scenes.create(options.scene, seed=seed, duration_s=options.duration), seed)
    made = scenes.file_sequence(
        options.trajectory, seed=seed, duration_s=options.duration, start_s=options.start
    )
    return Recording(made, seed)


if __name__ == '__main__':
    main()
