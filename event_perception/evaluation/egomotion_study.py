# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy of angular velocity on simulated rotations with exact truth, ours beside the baselines.

Ours starts cold. The baselines, which would often stick at zero, start their first window at the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.evaluation.egomotion_baselines import BASELINES, BaselineEstimator
from event_perception.evaluation.metrics import angular_velocity_errors
from event_perception.events import EventArray, EventWindow
from event_perception.motion import EgomotionConfig, EgomotionEstimator
from event_perception.simulation.rotations import rotation_set
from event_perception.simulation.sequence import SimulatedSequence

OURS = 'event_perception'
SKIP_S = 0.1  # the emulated pixels start with random charge; the first events are not typical


@dataclass(frozen=True)
class Study:
    """One cell of the table: a simulated set, events a window, windows, seed."""

    set_name: str
    events_per_window: int
    windows: int
    seed: int

    @property
    def name(self) -> str:
        """As in tables."""
        return f'{self.set_name} {self.events_per_window // 1000}k'


STUDIES = (
    Study('synB', 20_000, 24, 1),
    Study('synA', 20_000, 24, 1),
    Study('synC', 20_000, 24, 1),
    Study('synB', 5_000, 48, 1),
)


def run_study(
    study: Study, methods: tuple[str, ...], config: EgomotionConfig | None = None
) -> dict[str, Any]:
    """RMS error, evaluations and time of every method on the same windows.

    Args:
        study: What to simulate.
        methods: ``OURS`` or names of ``BASELINES``.
        config: Of our estimator.

    Returns:
        By method: rms_deg_s, evaluations_mean, window_ms (median), and rms over that of raw bilinear.
    """
    sequence, windows = simulate(study)
    truth = sequence.omega(np.array([window.t_ref_ns for window in windows]))
    table = {name: errors_of(name, sequence, windows, truth, config) for name in methods}
    raw = table.get('raw bilinear')
    for row in table.values():
        row['rms_over_raw'] = row['rms_deg_s'] / raw['rms_deg_s'] if raw else None
    return {'true_rms_deg_s': float(np.rad2deg(np.sqrt(np.mean(truth**2)))), 'windows': len(windows)} | {
        'window_ms': float(np.median([window.duration_s for window in windows]) * 1e3),
        'methods': table,
    }


def simulate(study: Study) -> tuple[SimulatedSequence, list[EventWindow]]:
    """The recording and its consecutive windows of equal count."""
    needed = study.events_per_window * study.windows
    duration_s = 1.0
    while True:
        sequence = rotation_set(study.set_name, seed=study.seed, duration_s=duration_s)
        events = sequence.events()
        start = int(np.searchsorted(events.t_ns, sequence.start_ns + round(SKIP_S * 1e9)))
        if len(events) - start >= needed or duration_s > 60:
            return sequence, list(_cut(events[start:], study.events_per_window))[: study.windows]
        duration_s *= 1.2 * needed / (len(events) - start)


def _cut(events: EventArray, count: int) -> Iterator[EventWindow]:
    for start in range(0, len(events) - count + 1, count):
        yield EventWindow.from_events(events[start : start + count])


def errors_of(
    name: str,
    sequence: SimulatedSequence,
    windows: list[EventWindow],
    truth: NDArray[np.float64],
    config: EgomotionConfig | None,
) -> dict[str, Any]:
    """Errors, evaluations and time of one method, ``OURS`` or one of ``BASELINES``, on given windows."""
    estimates, evaluations, seconds = [], [], []
    ours = EgomotionEstimator(sequence.camera, config) if name == OURS else None
    baseline = None if ours else BaselineEstimator(sequence.camera, BASELINES[name], truth[0])
    for window in windows:
        start_s = perf_counter()
        if ours is not None:
            result = ours.update(window)
            omega, n = result.omega, result.n_evaluations
        elif baseline is not None:
            omega, n = baseline.update(window)
        seconds.append(perf_counter() - start_s)
        estimates.append(omega)
        evaluations.append(n)
    errors = angular_velocity_errors(np.array(estimates), truth)
    return {
        'rms_deg_s': errors['rms_deg_s'],
        'median_error_deg_s': errors['median_error_deg_s'],
        'evaluations_mean': float(np.mean(evaluations)),
        'window_ms': float(np.median(seconds) * 1e3),
    }
