# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The table of the paper on full Event Camera Dataset folders: angular velocity, raw against weak derivatives.

    python -m event_perception.evaluation.evaluate_egomotion shapes_rotation poster_rotation ...

Each folder holds ``events.txt``, ``calib.txt`` and ``imu.txt`` (or ``groundtruth.txt``), as the data set is
published (Mueggler et al., IJRR 2017; not part of this package).
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import CalibrationError, DataError, EventPerceptionError
from event_perception.evaluation.bench_egomotion import one_torch_thread
from event_perception.evaluation.egomotion_baselines import BASELINES, BaselineEstimator
from event_perception.evaluation.egomotion_study import OURS
from event_perception.evaluation.metrics import angular_velocity_errors
from event_perception.events import EventArray, EventWindow, WindowConfig, WindowSlicer
from event_perception.io import open_recording
from event_perception.motion import CameraModel, EgomotionEstimator
from event_perception.runs.reference import find_reference

METHODS = ('raw bilinear', 'weak bilinear', OURS)


def evaluate_folder(
    folder: Path, *, events_per_window: int = 20_000, max_windows: int | None = None
) -> dict[str, Any]:
    """RMS of angular velocity and evaluations of every method over one sequence.

    Args:
        folder: A sequence of the Event Camera Dataset.
        events_per_window: As in the paper.
        max_windows: Stop after so many.

    Raises:
        CalibrationError: If the folder holds no calibration.
        DataError: If it holds no reference over time.
    """
    recording = open_recording(folder)
    camera = recording.camera()
    if camera is None:
        raise CalibrationError(f'{folder} holds no calib.txt')
    truth = find_reference(folder).omega
    if truth is None:
        raise DataError(f'{folder} holds no angular velocity over time: imu.txt or groundtruth.txt is needed')
    windows: list[EventWindow] = []
    for window in _windows(recording.samples(), events_per_window):
        if max_windows is not None and len(windows) == max_windows:
            break
        windows.append(window)
    reference = truth.at(np.array([window.t_ref_ns * 1e-9 for window in windows]))
    known = np.isfinite(reference).all(axis=1)
    windows = [windows[k] for k in np.flatnonzero(known)]
    rows = {name: _run(name, camera, windows, reference[known]) for name in METHODS}
    return {'reference': truth.source, 'windows': len(windows), 'methods': rows}


def _windows(samples: Iterator[Any], count: int) -> Iterator[EventWindow]:
    slicer = WindowSlicer(WindowConfig(kind='count', count=count, max_events=max(count, 10)))
    for sample in samples:
        if isinstance(sample, EventArray):
            yield from slicer.push(sample)


def _run(
    name: str, camera: CameraModel, windows: list[EventWindow], reference: NDArray[np.float64]
) -> dict[str, Any]:
    if name == OURS:
        estimator = EgomotionEstimator(camera)
        results = [estimator.update(window) for window in windows]
        pairs = [(result.omega, result.n_evaluations) for result in results]
    else:
        baseline = BaselineEstimator(camera, BASELINES[name], reference[0])
        pairs = [baseline.update(window) for window in windows]
    errors = angular_velocity_errors(np.array([omega for omega, _ in pairs]), reference)
    return errors | {'evaluations_mean': float(np.mean([n for _, n in pairs]))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate folders and print JSON; 1 if one of them cannot be used."""
    parser = argparse.ArgumentParser(description='Angular velocity on Event Camera Dataset folders.')
    parser.add_argument('folders', nargs='+', type=Path)
    parser.add_argument('--events', type=int, default=20_000, help='events a window')
    parser.add_argument('--windows', type=int, help='stop after so many windows')
    options = parser.parse_args(arguments)
    try:
        with one_torch_thread():
            table = {
                folder.name: evaluate_folder(
                    folder, events_per_window=options.events, max_windows=options.windows
                )
                for folder in options.folders
            }
    except EventPerceptionError as error:
        sys.stderr.write(f'{error}\n')
        return 1
    sys.stdout.write(json.dumps(table, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
