# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rotation SLAM on simulated tours with exact truth: what the map takes away of the front end's drift.

    python -m event_perception.evaluation.slam_study sway tumble turns slow --duration 60 --raw 5

prints, per tour: RMS of the angular velocity; orientation error of its integral and of SLAM (RMS, largest, at the end);
the drift of both; consistency of the covariance; time a window. ``--gap`` removes a second of events in the middle,
``--noise`` puts as many events as there were anywhere in their place. ``--gyro`` gives SLAM a gyroscope with bias and
noise; ``--set NAME=VALUE`` changes its parameters.
``--raw`` compares, over the first seconds, raw with weak derivatives: same votes, bins, warp and optimiser (L-BFGS-B).
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from time import process_time
from typing import Any

import numpy as np

from event_perception.config import build, parse
from event_perception.evaluation.trajectory import consistency
from event_perception.events import EventWindow, ImuSample, WindowSlicer
from event_perception.motion import EgomotionEstimator, EgomotionResult
from event_perception.motion.lie import so3_log
from event_perception.odometry import Odometry, OdometryEstimate, create
from event_perception.odometry.rotation_slam import RotationSlam
from event_perception.odometry.rotation_slam_config import RotationSlamConfig
from event_perception.simulation.imu import ImuConfig, ImuRecord
from event_perception.simulation.panorama_tours import TOURS, panorama_tour
from event_perception.simulation.sequence import SimulatedSequence

SKIP_NS = 100_000_000  # the emulated pixels start with random charge; the first events are not typical
IMU_GIVEN = 1200  # readings handed over with a window: those of a gap of a second, too


@dataclass
class Track:
    """What one odometry said, window after window."""

    odometry: Odometry
    estimates: list[OdometryEstimate] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def update(
        self, window: EventWindow, egomotion: EgomotionResult, imu: tuple[ImuSample, ...] = ()
    ) -> None:
        """Add a window."""
        start_s = process_time()
        self.estimates.append(self.odometry.update(window, egomotion, None, imu))
        self.seconds.append(process_time() - start_s)


def windows_of(
    sequence: SimulatedSequence, gap_s: tuple[float, float] | None, noise: bool = False
) -> Iterator[EventWindow]:
    """The windows of a recording as the pipeline cuts them, without those in the gap, or with noise in it."""
    slicer, rng = WindowSlicer(), np.random.default_rng(0)
    for chunk in sequence.chunks():
        for window in slicer.push(chunk):
            t_s = (window.t_ref_ns - sequence.start_ns) * 1e-9
            if window.t0_ns < SKIP_NS:
                continue
            if gap_s is None or not gap_s[0] <= t_s < gap_s[1]:
                yield window
            elif noise:
                yield _scattered(window, rng)


def _scattered(window: EventWindow, rng: np.random.Generator) -> EventWindow:
    """As many events at the same times, anywhere."""
    x, y = (rng.integers(n, size=len(window)) for n in (window.width, window.height))
    return replace(window, x=x.astype(window.x.dtype), y=y.astype(window.y.dtype))


def study(
    name: str,
    *,
    seed: int,
    duration_s: float,
    gap: bool = False,
    noise: bool = False,
    raw_s: float = 0.0,
    gyro: bool = False,
    parameters: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One tour.

    Args:
        name: One of ``TOURS``.
        seed: Of everything random.
        duration_s: Length.
        gap: Whether a second of events is missing in the middle.
        noise: Whether that second is full of noise.
        raw_s: How much of the beginning is also estimated by the two baselines.
        gyro: Whether SLAM has a gyroscope.
        parameters: Of rotation SLAM, by dotted names.
    """
    sequence = panorama_tour(name, seed=seed, duration_s=duration_s)
    estimator = EgomotionEstimator(sequence.camera)
    made = RotationSlam(build(RotationSlamConfig, parameters or {}), sequence.camera)
    tracks = {
        'rotation': Track(create('rotation', sequence.camera)),
        'rotation_slam': Track(made),
    }
    record = sequence.imu(ImuConfig(seed=seed)) if gyro else None
    samples = record.samples() if record is not None else ()
    middle = duration_s / 2
    results, seconds, n_events, early = [], [], 0, []
    for window in windows_of(sequence, (middle, middle + 1) if gap or noise else None, noise):
        start_s = process_time()
        results.append(estimator.update(window))
        seconds.append(process_time() - start_s)
        tracks['rotation'].update(window, results[-1])
        tracks['rotation_slam'].update(window, results[-1], _latest(record, samples, window.t1_ns))
        n_events += len(window)
        if window.t_ref_ns < raw_s * 1e9:
            early.append(window)
    table = _of_rates(sequence, results) | {'events_mev_s': n_events / duration_s * 1e-6}
    table |= {'front_end': _of_poses(sequence, tracks['rotation'].estimates)}
    slam = tracks['rotation_slam']
    table |= {'slam': _of_poses(sequence, slam.estimates)}
    if record is not None:
        error = made.gyro_bias_rad_s - record.gyro_bias_rad_s[-1]
        biases = {'true': record.gyro_bias_rad_s[0], 'error': error}
        table['gyro_bias_mrad_s'] = {k: float(1e3 * np.linalg.norm(v)) for k, v in biases.items()}
    if gap or noise:
        table['recovered_after_s'] = _recovered(slam.estimates, sequence.start_ns, middle + 1)
    table['status'] = dict(Counter(e.status for e in slam.estimates))
    after = [e.correction_rad for e in slam.estimates if e.reason.startswith('found')]
    table['relocalised'] = [float(np.rad2deg(c)) for c in after]
    spent = np.array(seconds), np.array(slam.seconds)
    table['front_end_ms'], table['slam_ms'] = (float(np.median(s) * 1e3) for s in spent)
    table['both_p95_ms'] = float(np.percentile(spent[0] + spent[1], 95) * 1e3)
    table['mev_s_on_one_core'] = n_events / float(spent[0].sum() + spent[1].sum()) * 1e-6
    return table | (_raw_and_weak(sequence, early, results) if early else {})


def _latest(record: ImuRecord | None, samples: tuple[ImuSample, ...], t_ns: int) -> tuple[ImuSample, ...]:
    """What a pipeline would hand over with a window that ends then."""
    if record is None:
        return ()
    last = int(np.searchsorted(record.t_ns, t_ns))
    return samples[max(0, last - IMU_GIVEN) : last]


def _recovered(estimates: list[OdometryEstimate], start_ns: int, end_s: float) -> float:
    """Seconds from the end of the gap until the state is tracking again."""
    after = [(e.t_ns - start_ns) * 1e-9 - end_s for e in estimates if e.status == 'tracking']
    return min((t_s for t_s in after if t_s >= 0), default=float('nan'))


def _of_rates(sequence: SimulatedSequence, results: list[EgomotionResult]) -> dict[str, Any]:
    truth = sequence.omega([r.t_ref_ns for r in results])
    good = np.array([r.converged for r in results])
    error = np.array([r.omega for r in results]) - truth
    return {
        'fastest_rad_s': float(np.linalg.norm(truth, axis=1).max()),
        'rate_rms_deg_s': float(np.rad2deg(np.sqrt(np.mean(error[good] ** 2)))),
        'rate_median_deg_s': float(np.rad2deg(np.median(np.abs(error[good])))),
        'converged': float(good.mean()),
    }


def _of_poses(sequence: SimulatedSequence, estimates: list[OdometryEstimate]) -> dict[str, float]:
    """Errors of the orientation relative to the first, degrees, and how large they are in their own covariance."""
    truth = sequence.pose([e.t_ns for e in estimates])[:, :3, :3]
    ours = np.array([e.T_odom_camera[:3, :3] for e in estimates])
    errors = np.array([so3_log((truth[0].T @ T) @ (ours[0].T @ R).T) for T, R in zip(truth, ours)])
    size = np.rad2deg(np.linalg.norm(errors, axis=1))
    covariances = np.array([e.pose_covariance[3:, 3:] for e in estimates])
    minutes = (estimates[-1].t_ns - estimates[0].t_ns) * 1e-9 / 60
    last = size[-50:].mean()  # one window's error is noise
    return {
        'rms_deg': float(np.sqrt(np.mean(size**2))),
        'max_deg': float(size.max()),
        'end_deg': float(last),
        'drift_deg_min': float(last / minutes),
        **consistency(errors, covariances),
    }


def _raw_and_weak(
    sequence: SimulatedSequence, windows: list[EventWindow], results: list[EgomotionResult]
) -> dict[str, Any]:
    """The same windows by the two baselines: rates, and SLAM on these rates."""
    from event_perception.evaluation.egomotion_baselines import BASELINES, BaselineEstimator

    truth, table = sequence.omega([w.t_ref_ns for w in windows]), {}
    for name in ('raw bilinear', 'weak bilinear'):
        baseline = BaselineEstimator(sequence.camera, BASELINES[name], truth[0])
        slam, rates = Track(create('rotation_slam', sequence.camera)), []
        for window, result in zip(windows, results):
            omega, _ = baseline.update(window)
            rates.append(omega)
            slam.update(window, replace(result, omega=omega))
        errors = _of_poses(sequence, slam.estimates)
        rms = float(np.rad2deg(np.sqrt(np.mean((np.array(rates) - truth) ** 2))))
        table[name] = {'rate_rms_deg_s': rms, 'slam_rms_deg': errors['rms_deg']}
    raw, weak = table['raw bilinear'], table['weak bilinear']
    ratios = {key: weak[key] / raw[key] for key in raw}
    return {'weak_against_raw': table | {'ratio': ratios}}


def _lines(value: Any, indent: str = '  ') -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield f'{indent}{key}'
            yield from _lines(item, indent + '  ')
        elif isinstance(item, float):
            yield f'{indent}{key:20} {item:.3f}'
        else:
            yield f'{indent}{key:20} {item}'


def main(arguments: list[str] | None = None) -> list[str]:
    """Command line; returns the lines of the table."""
    parser = argparse.ArgumentParser(prog='slam_study', description=__doc__)
    parser.add_argument('tours', nargs='*', default=sorted(TOURS))
    parser.add_argument('--duration', type=float, default=60.0, help='seconds')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--gap', action='store_true')
    parser.add_argument('--noise', action='store_true')
    parser.add_argument('--gyro', action='store_true')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE')
    parser.add_argument('--raw', type=float, default=0.0, help='seconds')
    options = parser.parse_args(arguments)
    known = dict(parse(RotationSlamConfig, text) for text in options.set)
    lines: list[str] = []
    for name in options.tours:
        found = study(
            name,
            seed=options.seed,
            duration_s=options.duration,
            gap=options.gap,
            noise=options.noise,
            raw_s=options.raw,
            gyro=options.gyro,
            parameters=known,
        )
        lines += [f'{name}, seed {options.seed}, {options.duration:g} s', *_lines(found)]
    return lines


if __name__ == '__main__':
    print('\n'.join(main()))  # noqa: T201
