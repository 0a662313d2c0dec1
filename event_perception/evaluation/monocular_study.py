# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Monocular odometry in simulated rooms: events and an inertial unit with biases, no depth; exact truth.

    python -m event_perception.evaluation.monocular_study --seeds 1 2 --duration 6

prints a row per seed and mode: error of the trajectory after similarity alignment, the factor of that alignment, error
of the orientation, what the bias estimate is worth, share of windows per status, time of a window; and what the
accelerometer makes of the factor, over the last five seconds. ``--fault`` replaces a second of the events in the
middle by noise or nothing. ``--share`` keeps only this part of the events.
"""

import argparse
from collections import Counter
from dataclasses import dataclass, field
from time import process_time
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.evaluation.trajectory import align, rms
from event_perception.events import EventArray, EventWindow, ImuSample
from event_perception.motion import EgomotionEstimator, EgomotionResult
from event_perception.motion.lie import se3_inverse, so3_log
from event_perception.odometry.estimate import OdometryEstimate
from event_perception.odometry.imu_scale import scale_from_imu
from event_perception.odometry.monocular import MonocularOdometry
from event_perception.odometry.monocular_config import MonocularConfig
from event_perception.simulation import scenes
from event_perception.simulation.imu import ImuConfig, ImuRecord
from event_perception.simulation.sequence import SimulatedSequence

WINDOW_NS = 20_000_000
SCALE_S = 5.0
FAULTS = ('none', 'noise', 'gap')


@dataclass
class Run:
    """What one run said."""

    odometry: MonocularOdometry
    estimates: list[OdometryEstimate] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def run(
    sequence: SimulatedSequence,
    events: EventArray,
    imu: ImuRecord,
    *,
    gyro: bool,
    fault: str = 'none',
    scale: Literal['assumed', 'imu'] = 'assumed',
) -> Run:
    """Window after window; without the gyroscope egomotion is estimated."""
    made = Run(MonocularOdometry(MonocularConfig(scale=scale), sequence.camera))
    egomotion = EgomotionEstimator(sequence.camera)
    samples = imu.samples() if gyro else ()
    imu_ns = imu.t_ns
    middle = sequence.start_ns + round(sequence.duration_s * 5e8)
    for start in range(sequence.start_ns, sequence.end_ns, WINDOW_NS):
        window = _window(events, start, fault if middle <= start < middle + 10**9 else 'none')
        first, last = np.searchsorted(imu_ns, [start - 3 * WINDOW_NS, start + WINDOW_NS])
        recent: tuple[ImuSample, ...] = samples[first:last]
        began = process_time()
        estimate = _unknown(window) if gyro else egomotion.update(window)
        made.estimates.append(made.odometry.update(window, estimate, None, recent))
        made.seconds.append(process_time() - began)
    return made


def _window(events: EventArray, start_ns: int, fault: str) -> EventWindow:
    end_ns = start_ns + WINDOW_NS
    first, last = np.searchsorted(events.t_ns, [start_ns, end_ns])
    part = events[first:last]
    if fault == 'gap':
        part = EventArray.empty(height=events.height, width=events.width)
    elif fault == 'noise':
        rng, n = np.random.default_rng(start_ns), 20_000
        part = EventArray(
            np.sort(rng.integers(start_ns, end_ns, n)), rng.integers(0, events.width, n),
            rng.integers(0, events.height, n), rng.choice([-1, 1], n), height=events.height, width=events.width,
        )  # fmt: skip
    return EventWindow.from_events(part, t0_ns=start_ns, t1_ns=end_ns)


def _unknown(window: EventWindow) -> EgomotionResult:
    """Egomotion that was not estimated: the gyroscope takes its place."""
    nan = np.full(3, np.nan)
    return EgomotionResult(
        window.t0_ns, window.t1_ns, window.t_ref_ns, np.zeros(3), nan, np.full((6, 6), np.nan), False,
        'not estimated', 0, 0, float('nan'),
    )  # fmt: skip


def score(sequence: SimulatedSequence, imu: ImuRecord, made: Run) -> dict[str, Any]:
    """Errors against the truth, and the factor by the accelerometer beside that by the truth."""
    t_ns = np.array([e.t_ns for e in made.estimates])
    truth, ours = sequence.pose(t_ns), np.array([e.T_odom_camera for e in made.estimates])
    similar = align(truth[:, :3, 3], ours[:, :3, 3], with_scale=True)
    error = np.linalg.norm(similar.apply(ours[:, :3, 3]) - truth[:, :3, 3], axis=1)
    moved = truth[0] @ se3_inverse(ours[0]) @ ours
    turn = np.array([np.linalg.norm(so3_log(a[:3, :3].T @ b[:3, :3])) for a, b in zip(moved, truth)])
    path_m = float(np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum())
    return {
        'path_m': path_m,
        'ate_m': rms(error),
        'ate_percent': 100 * rms(error) / path_m,
        'largest_m': float(error.max()),
        'factor': similar.scale,
        'rotation_rms_deg': float(np.rad2deg(rms(turn))),
        'rotation_end_deg': float(np.rad2deg(turn[-1])),
        'bias_error_mrad_s': 1e3
        * float(np.linalg.norm(made.odometry.gyro_bias_rad_s - imu.gyro_bias_rad_s[-1])),
        'bias_mrad_s': 1e3 * float(np.linalg.norm(imu.gyro_bias_rad_s[-1])),
        'starts': made.odometry.starts,
        'returns': made.odometry.returns,
        'unit': made.odometry.unit,
        'metric_factor': _late_factor(truth, ours, t_ns),
        'status': dict(Counter(e.status for e in made.estimates)),
        'window_ms': 1e3 * float(np.median(made.seconds)),
        'window_mean_ms': 1e3 * float(np.mean(made.seconds)),
        'window_p95_ms': 1e3 * float(np.percentile(made.seconds, 95)),
    } | _scale(t_ns, truth, ours, imu)


def _late_factor(truth: NDArray[np.float64], ours: NDArray[np.float64], t_ns: NDArray[np.int64]) -> float:
    """What the last second should be multiplied by to be in metres."""
    late = t_ns > t_ns[-1] - 10**9
    return float(align(truth[late, :3, 3], ours[late, :3, 3], with_scale=True).scale)


def _scale(
    t_ns: NDArray[np.int64], truth: NDArray[np.float64], ours: NDArray[np.float64], imu: ImuRecord
) -> dict[str, Any]:
    """Over the last seconds: the factor by the accelerometer, and by alignment with the truth."""
    late = t_ns > t_ns[-1] - SCALE_S * 1e9
    start = t_ns[late][0]
    wanted = align(truth[late, :3, 3], ours[late, :3, 3], with_scale=True).scale
    found = scale_from_imu((t_ns[late] - start) * 1e-9, ours[late], (imu.t_ns - start) * 1e-9, imu.accel_m_s2)
    off = 100 * (found.factor / wanted - 1)
    return {
        'imu_factor': found.factor,
        'imu_wanted': wanted,
        'imu_off_percent': off,
        'imu_std_percent': 100 * found.std / wanted,
        'imu': found.reason,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--duration', type=float, default=6.0, help='seconds, at least 6 for the scale')
    parser.add_argument('--share', type=float, default=1.0, help='part of the events that is kept')
    parser.add_argument('--fault', choices=FAULTS, default='none')
    parser.add_argument('--scale', choices=('assumed', 'imu'), default='assumed')
    parser.add_argument('--without-gyro', action='store_true', help='also without the gyroscope')
    options = parser.parse_args()
    for seed in options.seeds:
        sequence = scenes.create('room', seed=seed, duration_s=options.duration)
        events = sequence.events()
        if options.share < 1:
            kept = np.random.default_rng(seed).random(len(events)) < options.share
            events = events[kept]
        imu = sequence.imu(ImuConfig(seed=seed))
        for gyro in (True, False) if options.without_gyro else (True,):
            made = run(sequence, events, imu, gyro=gyro, fault=options.fault, scale=options.scale)
            print(f'seed {seed}, gyroscope {gyro}, fault {options.fault}', flush=True)  # noqa: T201
            for name, value in score(sequence, imu, made).items():
                shown = f'{value:.4g}' if isinstance(value, float) else value
                print(f'    {name:20} {shown}', flush=True)  # noqa: T201


if __name__ == '__main__':
    main()
