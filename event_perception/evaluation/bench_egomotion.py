# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Egomotion: accuracy on simulated rotations and speed, beside in-tree baselines, in one process on one thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch

from event_perception.evaluation.egomotion_baselines import BASELINES, BaselineEstimator
from event_perception.evaluation.egomotion_study import OURS, STUDIES, Study, run_study, simulate
from event_perception.events import EventWindow
from event_perception.motion import CameraModel, EgomotionEstimator
from event_perception.motion.grid import BinGrid
from event_perception.motion.rotation_variance import RotationVariance
from event_perception.motion.warped_image import bearing_events

ALL_METHODS = (OURS, *BASELINES)
GRID = (150, 200)  # bins of the speed figures, rows and columns, as in the literature
REPEATS = 15
SLOW_REPEATS = 3


def bench_egomotion() -> dict[str, Any]:
    """Accuracy and speed.

    Returns:
        ``accuracy``: by study, RMS in deg/s, evaluations and time of every method. ``speed``: one evaluation and
        one window of 20 000 events, ms, and the ratio to the torch baseline.
    """
    with one_torch_thread():
        accuracy = {study.name: run_study(study, _methods(study)) for study in STUDIES}
        return {'accuracy': accuracy, 'speed': _speed(STUDIES[0])}


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch on one thread, as our kernels are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _methods(study: Study) -> tuple[str, ...]:
    """Every baseline on the first study, the essential two on the others."""
    return ALL_METHODS if study == STUDIES[0] else (OURS, 'raw bilinear', 'weak bilinear')


def _speed(study: Study) -> dict[str, Any]:
    sequence, windows = simulate(study)
    camera, window = sequence.camera, windows[-1]
    omega = sequence.omega(np.array([window.t_ref_ns]))[0]
    fused = _fused(window, camera)
    torch_objective = BaselineEstimator(camera, BASELINES['raw bilinear'], omega).objective(window)
    gradient_ms = best_ms(lambda: fused.evaluate(omega, order=1), REPEATS)
    torch_ms = best_ms(lambda: torch_objective(omega), REPEATS)
    window_ms, torch_window_ms = (
        _ours_per_window_ms(camera, windows),
        _torch_per_window_ms(camera, windows, omega),
    )
    return {
        'events': len(window),
        'bins': f'{GRID[1]}x{GRID[0]}',
        'value_ms': best_ms(lambda: fused.evaluate(omega, order=0), REPEATS),
        'value_gradient_ms': gradient_ms,
        'value_gradient_hessian_ms': best_ms(lambda: fused.evaluate(omega, order=2), REPEATS),
        'torch_value_gradient_ms': torch_ms,
        'torch_over_ours': torch_ms / gradient_ms,
        'window_ms': window_ms,
        'window_mev_s': len(window) / window_ms * 1e-3,
        'torch_window_ms': torch_window_ms,
        'torch_window_over_ours': torch_window_ms / window_ms,
    }


def _fused(window: EventWindow, camera: CameraModel) -> RotationVariance:
    """Our objective on a grid of ``GRID`` bins over the image."""
    rows, columns = GRID
    scale_x, scale_y = columns / camera.width, rows / camera.height
    grid = BinGrid(
        scale_x=camera.fx * scale_x,
        scale_y=camera.fy * scale_y,
        offset_x=(camera.cx + 0.5) * scale_x - 0.5,
        offset_y=(camera.cy + 0.5) * scale_y - 0.5,
        height=rows,
        width=columns,
        bin_size_px=1 / scale_x,
    )
    objective = RotationVariance(grid)
    objective.set_events(bearing_events(window, camera)[0])
    return objective


def _ours_per_window_ms(camera: CameraModel, windows: list[EventWindow]) -> float:
    """Median over warm windows, best of three passes."""
    passes = []
    for _ in range(SLOW_REPEATS):
        estimator = EgomotionEstimator(camera)
        passes.append([_elapsed_ms(partial(estimator.update, window)) for window in windows][2:])
    return float(np.median(np.min(passes, axis=0)))


def _torch_per_window_ms(camera: CameraModel, windows: list[EventWindow], omega: np.ndarray) -> float:
    estimator = BaselineEstimator(camera, BASELINES['raw bilinear'], omega)
    return float(np.median([_elapsed_ms(partial(estimator.update, window)) for window in windows[-6:]]))


def best_ms(function: Callable[[], Any], repeats: int) -> float:
    """Shortest of several runs, milliseconds, after one that does not count."""
    function()
    return min(_elapsed_ms(function) for _ in range(repeats))


def _elapsed_ms(function: Callable[[], Any]) -> float:
    start = perf_counter()
    function()
    return (perf_counter() - start) * 1e3
