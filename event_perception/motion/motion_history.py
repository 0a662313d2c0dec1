# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What the last windows say of the next one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MAX_EXTRAPOLATION = 2.0  # windows; further ahead the acceleration says nothing


@dataclass(frozen=True, slots=True)
class _Window:
    t_ns: int
    duration_s: float
    omega: Vector
    acceleration: Vector


class MotionHistory:
    """Predicts by constant angular acceleration."""

    def __init__(self) -> None:
        self._last: _Window | None = None

    def clear(self) -> None:
        """Forget."""
        self._last = None

    @property
    def last(self) -> Vector | None:
        """The last good rate (3,), rad/s."""
        return None if self._last is None else self._last.omega

    def remember(self, t_ns: int, duration_s: float, omega: Vector, acceleration: Vector | None) -> None:
        """Add a good estimate; without an acceleration it is taken from the rate before."""
        if acceleration is None:
            before = self._last
            gap_s = (t_ns - before.t_ns) * 1e-9 if before else 0.0
            acceleration = (omega - before.omega) / gap_s if before and gap_s > 0 else np.zeros(3)
        self._last = _Window(t_ns, duration_s, omega, acceleration)

    def starts(self, t_ns: int) -> list[Vector]:
        """Rates (3,) worth trying at an instant, the likeliest first; empty if nothing is known."""
        if self._last is None:
            return []
        return [self._extrapolated(self._last, t_ns), self._last.omega]

    def acceleration(self) -> Vector:
        """Angular acceleration expected (3,), rad/s^2."""
        return np.zeros(3) if self._last is None else self._last.acceleration

    def _extrapolated(self, last: _Window, t_ns: int) -> Vector:
        limit_s = MAX_EXTRAPOLATION * last.duration_s
        ahead_s = float(np.clip((t_ns - last.t_ns) * 1e-9, -limit_s, limit_s))
        return last.omega + ahead_s * last.acceleration
