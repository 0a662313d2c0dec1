# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image of warped events, for people to look at and for contrast to be measured."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.events import EventArray, EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.motion.grid import BinGrid
from event_perception.motion.image_kernels import look_up_bearings
from event_perception.motion.rotation_variance import BearingEvents, RotationVariance


def bearing_events(window: EventWindow, camera: CameraModel) -> tuple[BearingEvents, int]:
    """Undistorted events of weight 1, and how many were dropped because their pixel has no bearing."""
    table = camera.bearings()
    n = len(window)
    x, y, d = (np.empty(n, np.float32) for _ in range(3))
    kept = look_up_bearings(table, window.x, window.y, window.dt_s, x, y, d)
    return BearingEvents(x[:kept], y[:kept], d[:kept], np.ones(kept, np.float32)), n - kept


def newest(window: EventWindow, length_ns: int) -> EventWindow:
    """The last ``length_ns`` of a window, referred to its own middle."""
    return part_of(window, max(window.t0_ns, window.t1_ns - max(1, length_ns)), window.t1_ns)


def covered(window: EventWindow, least_share: float) -> EventWindow:
    """The part of a window in which there are events, if it is less than ``least_share`` of it.

    A slicer that keeps the newest events of a crowded window leaves its beginning empty; what they say of its
    middle would be an extrapolation.
    """
    if not len(window):
        return window
    t0_ns = window.t_ref_ns + int(float(window.dt_s.min()) * 1e9)
    t1_ns = min(window.t1_ns, window.t_ref_ns + int(np.ceil(float(window.dt_s.max()) * 1e9)) + 1)
    if t1_ns - t0_ns >= least_share * (window.t1_ns - window.t0_ns):
        return window
    return part_of(window, max(window.t0_ns, t0_ns), t1_ns)


def part_of(window: EventWindow, t0_ns: int, t1_ns: int) -> EventWindow:
    """The events of [t0, t1), referred to the middle of that part."""
    t_ref_ns = (t0_ns + t1_ns) // 2
    start_s, end_s = (t0_ns - window.t_ref_ns) * 1e-9, (t1_ns - window.t_ref_ns) * 1e-9
    rounding_s = 1e-7 * max(abs(start_s), abs(end_s))  # dt_s is float32
    keep = (window.dt_s >= start_s - rounding_s) & (window.dt_s <= end_s + rounding_s)
    return EventWindow(
        t0_ns=t0_ns,
        t1_ns=t1_ns,
        t_ref_ns=t_ref_ns,
        x=window.x[keep],
        y=window.y[keep],
        p=window.p[keep],
        dt_s=window.dt_s[keep] - np.float32((t_ref_ns - window.t_ref_ns) * 1e-9),
        height=window.height,
        width=window.width,
    )


def image_of_warped_events(
    events: EventArray | EventWindow,
    camera: CameraModel,
    omega_rad_s: ArrayLike,
    *,
    kernel: str = 'bilinear',
    grid: BinGrid | None = None,
) -> NDArray[np.float32]:
    """Undistorted events, turned back to the reference instant and counted.

    Args:
        events: A window, or events whose middle instant is the reference.
        camera: The camera.
        omega_rad_s: Angular velocity (3,), rad/s, optical frame.
        kernel: 'bilinear', 'rect' or 'gaussian' votes.
        grid: The bins; by default the pixels of the undistorted camera.

    Returns:
        Votes per bin, float32 (height, width) of the grid.
    """
    window = EventWindow.from_events(events) if isinstance(events, EventArray) else events
    objective = RotationVariance(grid or BinGrid.of_image(camera), kernel)
    objective.set_events(bearing_events(window, camera)[0])
    return objective.image(np.asarray(omega_rad_s, np.float64))
