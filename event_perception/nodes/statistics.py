# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a node counts and times, and its form on /diagnostics. Safe to use from several threads."""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from time import monotonic
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from event_perception.io.stamps import fill_stamp

REMEMBERED = 1000  # durations kept for percentiles


class Statistics:
    """Counters and recent durations by name; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._durations: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._started_s = monotonic()
        self._last_rates: dict[str, tuple[float, int]] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += by

    def time(self, name: str, duration_s: float) -> None:
        """Remember a duration."""
        with self._lock:
            self._durations[name].append(duration_s)

    def counted(self, name: str) -> int:
        """A counter's value."""
        with self._lock:
            return self._counts[name]

    def counts(self) -> dict[str, int]:
        """All counters."""
        with self._lock:
            return dict(self._counts)

    def percentiles_ms(self) -> dict[str, float]:
        """Median and 95th percentile of every duration, milliseconds."""
        with self._lock:
            copies = {name: list(values) for name, values in self._durations.items()}
        table: dict[str, float] = {}
        for name, values in copies.items():
            p50, p95 = np.percentile(values, [50, 95]) * 1e3
            table |= {f'{name} p50 (ms)': float(p50), f'{name} p95 (ms)': float(p95)}
        return table

    def rate_hz(self, name: str, total: int) -> float:
        """How fast the total of this name has grown since the last call for it, per second."""
        now, (then, before) = monotonic(), self._last_rates.get(name, (self._started_s, 0))
        self._last_rates[name] = (now, total)
        return (total - before) / (now - then) if now > then else 0.0


def diagnostic_array(
    t_ns: int, *, name: str, hardware_id: str, problems: list[str], values: Mapping[str, Any]
) -> DiagnosticArray:
    """One status of one node: WARN with the problems in words, else OK."""
    status = DiagnosticStatus(
        level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
        name=name,
        message='; '.join(problems) if problems else 'running',
        hardware_id=hardware_id,
        values=[KeyValue(key=str(key), value=_text(value)) for key, value in values.items()],
    )
    message = DiagnosticArray(status=[status])
    fill_stamp(message.header.stamp, t_ns)
    return message


def _text(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
