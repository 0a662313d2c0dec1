# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""By how far events trail behind the edges that make them, learnt from the map while the camera turns.

A pixel fires when its light has changed by a threshold since it fired last. On average the image has gone on by half
the distance between two such events: a distance in pixels, whatever the speed, along the motion. So the map lies on one
side of the truth, and when the motion turns round, the view appears to jump by twice that much. Those jumps show it:
with u the unit vector of the rate, and theta what the map turns the prediction by,

    theta_k = -rest (u_k - u_{k-1}) / f + noise,    lag <- lag + rest by recursive least squares
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param

Vector = NDArray[np.float64]

STILL_RAD_S = 0.05  # a rate of less has no direction to trail along


@dataclass(frozen=True, slots=True)
class EventLagConfig:
    """How far events trail behind their edges."""

    start_px: float = param(0.3, 'Lag at the start, pixels.', ge=0.0, le=5.0)
    learn: bool = param(True, 'Whether it is learnt from the map as the motion changes its direction.')
    start_weight: float = param(
        2.0, 'How many turns of the unit rate by a radian the start value is worth.', ge=1e-3, le=1e6
    )
    most_weight: float = param(
        30.0, 'Old turns count less, so that all together are worth so many.', ge=1.0, le=1e6
    )
    largest_px: float = param(2.0, 'No lag beyond this is believed, pixels.', ge=0.0, le=20.0)


class EventLag:
    """Recursive least squares of one number.

    Args:
        config: Parameters.
        focal_px: Pixels of a radian.
    """

    def __init__(self, config: EventLagConfig, focal_px: float) -> None:
        self.config, self._focal_px = config, focal_px
        self.forget()

    def forget(self) -> None:
        """Back to the start value."""
        self._sum, self._weight = self.config.start_px * self.config.start_weight, self.config.start_weight
        self.interrupt()

    def interrupt(self) -> None:
        """The next window is not compared with the last one."""
        self._before: Vector | None = None

    @property
    def px(self) -> float:
        """The lag, pixels."""
        return float(np.clip(self._sum / self._weight, 0.0, self.config.largest_px))

    def late_s(self, omega_rad_s: Vector) -> float:
        """How late events come at this rate, seconds."""
        return self.px / self._focal_px / (float(np.linalg.norm(omega_rad_s)) + STILL_RAD_S)

    def learn(self, omega_rad_s: Vector, theta_rad: Vector) -> None:
        """Take a window whose prediction the map turned by theta (3,), both in camera axes."""
        direction = omega_rad_s / (float(np.linalg.norm(omega_rad_s)) + STILL_RAD_S)
        before, self._before = self._before, direction
        if before is None or not self.config.learn:
            return
        change = direction - before
        weight = float(change @ change)
        rest_px = -self._focal_px * float(theta_rad @ change)
        keep = min(1.0, self.config.most_weight / (self._weight + weight))
        self._sum = keep * (self._sum + rest_px + self.px * weight)
        self._weight = keep * (self._weight + weight)
