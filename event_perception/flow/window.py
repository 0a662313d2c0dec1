# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The stretch of events that flow is estimated from: long enough that the image moves by some pixels.

Short windows hold no displacement and long ones several motions, so their length follows the speed, not the number
of events. Windows may overlap: how often flow is told is a matter of its own.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from event_perception.config import param
from event_perception.events import EventWindow


@dataclass(frozen=True, slots=True)
class FlowWindowConfig:
    """How long events are looked at, and how often flow is told."""

    period_s: float = param(
        0.04,
        'Least time between two fields of flow from events, seconds; windows between are skipped and counted.',
        ge=0.0,
        le=60.0,
        live=True,
    )
    displacement_px: float = param(
        20.0, 'Median motion over a window, which its length is chosen for, px.', ge=1.0, le=200.0, live=True
    )
    shortest_s: float = param(0.015, 'Shortest window, seconds.', ge=1e-3, le=1.0)
    longest_s: float = param(0.1, 'Longest window, seconds.', ge=1e-3, le=1.0)
    first_s: float = param(0.05, 'Length while the speed is not known, seconds.', ge=1e-3, le=1.0)

    def length_s(self, speed_px_s: float | None) -> float:
        """The length for a speed; None where it is not known."""
        if speed_px_s is None:
            return self.first_s
        return float(np.clip(self.displacement_px / max(speed_px_s, 1e-6), self.shortest_s, self.longest_s))


class WindowMemory:
    """Remembers the latest windows of the pipeline and joins them to longer ones."""

    def __init__(self, longest_s: float) -> None:
        self._longest_ns = round(longest_s * 1e9)
        self._windows: deque[EventWindow] = deque()

    def clear(self) -> None:
        """Forget everything."""
        self._windows.clear()

    def push(self, window: EventWindow) -> None:
        """Add a window; what is older than the longest wanted, or comes after it, is forgotten."""
        if self._windows and window.t0_ns < self._windows[-1].t1_ns:
            self._windows.clear()
        self._windows.append(window)
        while self._windows[0].t1_ns <= window.t1_ns - self._longest_ns:
            self._windows.popleft()

    def latest(self, length_s: float) -> EventWindow:
        """The last ``length_s`` of events, or as much as there is; the reference is its middle."""
        parts = list(self._windows)
        t1 = parts[-1].t1_ns
        t0 = max(parts[0].t0_ns, t1 - round(length_s * 1e9))
        if t0 == parts[-1].t0_ns:
            return parts[-1]
        t_ref = (t0 + t1) // 2
        pieces = [_since(part, t0, t_ref) for part in parts if part.t1_ns > t0]
        x, y, p, dt_s = (
            np.concatenate([getattr(piece, name) for piece in pieces]) for name in ('x', 'y', 'p', 'dt_s')
        )
        return replace(parts[-1], t0_ns=t0, t1_ns=t1, t_ref_ns=t_ref, x=x, y=y, p=p, dt_s=dt_s)


def _since(part: EventWindow, t0_ns: int, t_ref_ns: int) -> EventWindow:
    """The events of a window from t0 on, their times told from another reference."""
    dt_s = part.dt_s + np.float32((part.t_ref_ns - t_ref_ns) * 1e-9)
    keep: slice | np.ndarray = slice(None)
    if part.t0_ns < t0_ns:
        keep = part.dt_s >= np.float32((t0_ns - part.t_ref_ns) * 1e-9)
    return replace(part, x=part.x[keep], y=part.y[keep], p=part.p[keep], dt_s=dt_s[keep], t_ref_ns=t_ref_ns)
