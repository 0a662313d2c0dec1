# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events of a window where they would have been seen at its reference instant, had the camera only turned."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.camera import CameraModel
from event_perception.motion.rotation_kernels import warp_rotation
from event_perception.motion.rotation_variance import BearingEvents
from event_perception.motion.warped_image import bearing_events
from event_perception.odometry.long_window import Look

Float32 = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sharpened:
    """Events of one look, and where they came from.

    Attributes:
        t_ns: Reference instant.
        bearings: As they were seen.
        omega: Rate by which they were moved (3,), rad/s.
        acceleration: Its change (3,), rad/s^2.
        duration_s: Length of the window.
        since_s: Events from here on, against the reference instant, are of the newest window.
        points: Normalised image coordinates, those still in front of the camera, float32 (2, n).
        dt_s: Their times against the reference instant, float32 (n,).
    """

    t_ns: int
    bearings: BearingEvents
    omega: Vector
    acceleration: Vector
    duration_s: float
    since_s: float
    points: Float32
    dt_s: Float32

    @property
    def newest(self) -> Float32:
        """The points of the newest window."""
        return np.ascontiguousarray(self.points[:, self.dt_s >= self.since_s])


def sharpened(
    look: Look, window_t0_ns: int, duration_s: float, camera: CameraModel, most: int, late_s: float
) -> Sharpened:
    """Move the events of a look to its reference instant by its motion.

    Args:
        look: Events and motion.
        window_t0_ns: Begin of the newest window among them.
        duration_s: Its length.
        camera: The camera.
        most: So many events are moved at most, evenly chosen.
        late_s: How long before their time stamps the events were where they are, seconds.
    """
    bearings, _ = bearing_events(look.events, camera)
    bearings = bearings.every(-(-len(bearings) // most))
    bearings = replace(bearings, d=bearings.d - np.float32(late_s))
    since_s = (max(window_t0_ns, look.motion.t0_ns) - look.events.t_ref_ns) * 1e-9 - late_s
    empty = Sharpened(
        look.events.t_ref_ns, bearings, look.motion.omega, look.acceleration_rad_s2, duration_s, since_s,
        np.empty((2, 0), np.float32), np.empty(0, np.float32),
    )  # fmt: skip
    return sharpened_at(empty, look.motion.omega)


def sharpened_at(events: Sharpened, omega: Vector) -> Sharpened:
    """The same events, moved by another rate."""
    bearings, T = events.bearings, events.duration_s
    points, inside = np.empty((2, len(bearings)), np.float32), np.empty(len(bearings), np.bool_)
    warp_rotation(
        bearings.x, bearings.y, bearings.d, np.float32(1 / T), np.asarray(omega, np.float32),
        (events.acceleration * T).astype(np.float32), points[0], points[1], inside,
    )  # fmt: skip
    return replace(
        events, omega=omega, points=np.ascontiguousarray(points[:, inside]), dt_s=bearings.d[inside]
    )
