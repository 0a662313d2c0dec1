# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a gyroscope measures the motion that the events show.

Wrong axes, degrees instead of radians, doubled time stamps: all that makes readings useless is seen beside the rates of
egomotion. A gyroscope is used once it has agreed for some windows, and no more when it has contradicted for some.
"""

import math

import numpy as np
from numpy.typing import NDArray

from event_perception.events import ImuSample

Vector = NDArray[np.float64]

MOVING_RAD_S = 0.2  # slower rates tell nothing about a gyroscope
AGREES, CONTRADICTS = 0.3, 0.6  # difference over rate, running mean
MEMORY = 20  # windows


class GyroTrust:
    """A running mean of how far readings are from egomotion, over its rate."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing is known."""
        self._mean, self._windows, self.trusted = 0.0, 0, False

    @property
    def contradicts(self) -> bool:
        """Whether it has been found not to measure this motion."""
        return self._windows >= MEMORY and self._mean > CONTRADICTS

    def watch(self, reading_rad_s: Vector | None, bias_rad_s: Vector, omega_rad_s: Vector) -> None:
        """Compare the mean reading of a window with what the events said."""
        speed = float(np.linalg.norm(omega_rad_s))
        if reading_rad_s is None or speed < MOVING_RAD_S:
            return
        off = min(float(np.linalg.norm(reading_rad_s - bias_rad_s - omega_rad_s)) / speed, 10.0)
        self._windows += 1
        self._mean += (off - self._mean) / min(self._windows, MEMORY)
        if self._mean > CONTRADICTS:
            self.trusted = False
        elif self._mean < AGREES and self._windows >= MEMORY // 2:
            self.trusted = True


def mean_reading(imu: tuple[ImuSample, ...], t0_ns: int, t1_ns: int) -> Vector | None:
    """Mean angular velocity between two instants (3,), rad/s; None where there is no good sample."""
    inside = [
        s.angular_velocity_rad_s
        for s in imu
        if t0_ns <= s.t_ns < t1_ns and math.isfinite(float(np.sum(s.angular_velocity_rad_s)))
    ]
    return np.asarray(np.mean(inside, axis=0)) if inside else None
