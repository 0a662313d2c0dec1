# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The figures that say how a run went."""

from dataclasses import asdict
from typing import Any

import numpy as np

from event_perception.motion.result import EgomotionResult
from event_perception.pipeline import Output, PipelineCounts
from event_perception.runs.stopwatch import Stopwatch


class Tally:
    """Collects what a run's summary needs from its outputs, and nothing more."""

    def __init__(self) -> None:
        self._evaluations: list[int] = []
        self._gains: list[float] = []
        self._speeds_rad_s: list[float] = []
        self.outputs: dict[str, int] = {}

    def add(self, output: Output) -> None:
        """Count one output."""
        name = type(output).__name__
        self.outputs[name] = self.outputs.get(name, 0) + 1
        if isinstance(output, EgomotionResult):
            self._evaluations.append(output.n_evaluations)
            if output.converged:
                self._gains.append(output.contrast_gain)
                self._speeds_rad_s.append(float(np.linalg.norm(output.omega)))

    def egomotion(self) -> dict[str, Any]:
        """Figures of the egomotion stage."""
        return {
            'evaluations_median': _percentile(self._evaluations, 50),
            'evaluations_mean': float(np.mean(self._evaluations)) if self._evaluations else None,
            'contrast_gain_median': _percentile(self._gains, 50),
            'speed_median_rad_s': _percentile(self._speeds_rad_s, 50),
            'speed_max_rad_s': _percentile(self._speeds_rad_s, 100),
        }


def summarise(
    counts: PipelineCounts, tally: Tally, stopwatch: Stopwatch, *, recorded_s: float, wall_s: float
) -> dict[str, Any]:
    """All figures of a run as one tree.

    Args:
        counts: What the pipeline counted.
        tally: What the outputs say.
        stopwatch: How long the stages took.
        recorded_s: Duration of the recording that was processed, seconds.
        wall_s: How long that took, seconds.
    """
    return {
        'recording': {
            'duration_s': recorded_s,
            'events': counts.events,
            'spike_planes': counts.planes,
            'rate_mev_s': _rate(counts.events, recorded_s),
        },
        'processing': {
            'wall_s': wall_s,
            'speed_mev_s': _rate(counts.events, wall_s),
            'real_time_factor': recorded_s / wall_s if wall_s > 0 else None,
        },
        'windows': {
            'windows': counts.windows,
            'without_camera': counts.windows_without_camera,
            'converged': counts.converged,
            'converged_share': counts.converged_share,
            'without_flow_of_their_own': counts.flow_skipped,
        },
        'egomotion': tally.egomotion(),
        'images': {
            'steps_along_flow': counts.image_steps,
            'steps_without_flow': counts.image_steps_without_flow,
        },
        'outputs': dict(tally.outputs),
        **({'image_sources': counts.image_sources} if counts.image_sources else {}),
        'events': asdict(counts.slicer),
        'stages': stopwatch.summary(),
    }


def _rate(events: int, seconds: float) -> float | None:
    return events / seconds * 1e-6 if seconds > 0 else None


def _percentile(values: list[Any], q: float) -> float | None:
    return float(np.percentile(values, q)) if values else None
