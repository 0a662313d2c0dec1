# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How long each stage took: an observer of the pipeline, kept apart from its deterministic results."""

from collections import defaultdict
from typing import Any

import numpy as np


class Stopwatch:
    """Collects the durations that a pipeline reports; pass it as ``observer``."""

    def __init__(self) -> None:
        self._elapsed_s: defaultdict[str, list[float]] = defaultdict(list)
        self._last: dict[tuple[str, int], float] = {}

    def __call__(self, stage: str, t_ns: int, elapsed_s: float) -> None:
        """Note one computation."""
        self._elapsed_s[stage].append(elapsed_s)
        self._last[stage, t_ns] = elapsed_s

    def take_ms(self, stage: str, t_ns: int) -> float:
        """Duration of the computation for this instant, milliseconds, once; nan where there was none."""
        return self._last.pop((stage, t_ns), float('nan')) * 1e3

    def durations_s(self, stage: str) -> list[float]:
        """All durations of a stage, in order."""
        return self._elapsed_s[stage]

    def summary(self) -> dict[str, dict[str, Any]]:
        """Count, median, 95th percentile and total of every stage."""
        return {stage: _summary(np.array(values)) for stage, values in self._elapsed_s.items()}


def _summary(values_s: np.ndarray) -> dict[str, Any]:
    return {
        'calls': len(values_s),
        'p50_ms': float(np.percentile(values_s, 50) * 1e3),
        'p95_ms': float(np.percentile(values_s, 95) * 1e3),
        'total_s': float(values_s.sum()),
    }
