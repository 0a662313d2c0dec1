# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth belongs to an event, when the depth image is of one instant and the camera moves.

An event at time t saw a point that the depth image of t_ref shows at another pixel: where the motion takes it.
Looked up at its own pixel, depth is wrong by its slope times the motion, and by everything at the edges of
objects. So the motion found so far takes the event to t_ref; the depth found there, divided by how much closer
the point has come, is the depth of the event. On the way the warp is made right to second order in time.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.events import EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.motion.depth_warp import DepthView
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.linear_fractional import NEAREST

Vector = NDArray[np.float64]


def events_with_depth(
    window: EventWindow, camera: CameraModel, view: DepthView, most: int | None = None
) -> SceneEvents:
    """Undistorted events with the inverse depth of their own bearing; those without are left out.

    Args:
        window: The events.
        camera: The camera.
        view: Depth at the reference instant.
        most: Look at this many events, evenly chosen; None for all.
    """
    n = len(window) if most is None else min(len(window), most)
    x, y, d, q = np.empty((4, n))
    kept = look_up_depth(
        camera.bearings(), window.x, window.y, window.dt_s, view.nearer, view.affine, x, y, d, q
    )
    return SceneEvents(x[:kept], y[:kept], d[:kept], np.ones(kept), q[:kept])


def median_depth(events: SceneEvents) -> float:
    """Metres; a million if everything is infinitely far."""
    return 1.0 / max(float(np.median(events.q)), 1e-6)


def refined(events: SceneEvents, twist: Vector, view: DepthView) -> SceneEvents:
    """The events with depth from where a motion takes them, and bent by what the first order leaves out.

    X = (1 + d A + d^2 A^2 / 2) X_n with A X = omega x X + v q: the last term is added to X_n beforehand, so the
    warp of first order ends at the second while its derivatives stay what they are.

    Args:
        events: The events; those taken out of the view, or to bins without depth, keep the depth they have.
        twist: (omega, v), rad/s and m/s, about; zero changes nothing.
        view: Depth at the reference time.
    """
    x, y, q = np.empty((3, len(events)))
    refine(
        events.x,
        events.y,
        events.d,
        events.q,
        np.asarray(twist, np.float64),
        view.nearer,
        view.affine,
        x,
        y,
        q,
    )
    return SceneEvents(x, y, events.d, events.w, q)


@njit(cache=True, nogil=True)
def look_up_depth(bearings, columns, rows, dt_s, view, affine, x, y, d, q):  # type: ignore[no-untyped-def]
    """Bearing, time and inverse depth of as many events as there is room for, evenly chosen; returns how many.

    Args:
        bearings: X/Z and Y/Z of the pixels, float32 (H, W, 2).
        columns: Of the events, uint16 (n,).
        rows: Of the events.
        dt_s: Event times.
        view: Inverse depth of the bins, negative where unknown.
        affine: scale_x, offset_x, scale_y, offset_y of the bins.
        x: Output, float64 (most,).
        y: Output.
        d: Output.
        q: Output.
    """
    kept, n, most = 0, columns.shape[0], x.shape[0]
    for k in range(most):
        i = k * n // most
        a, b = bearings[rows[i], columns[i], 0], bearings[rows[i], columns[i], 1]
        s = at_bin(view, affine, a, b)
        if s >= 0:
            x[kept], y[kept], d[kept], q[kept] = a, b, dt_s[i], s
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def at_bin(view, affine, x, y):  # type: ignore[no-untyped-def]
    """What a view (height, width) holds nearest to a bearing; -1 outside."""
    u, v = x * affine[0] + affine[1] + 0.5, y * affine[2] + affine[3] + 0.5
    inside = (u >= 0) & (u < view.shape[1]) & (v >= 0) & (v < view.shape[0])
    return view[int(v), int(u)] if inside else np.float32(-1)


@njit(cache=True, nogil=True)
def refine(x, y, d, q, twist, view, affine, new_x, new_y, new_q):  # type: ignore[no-untyped-def]
    """See ``refined``; arrays of events float64 (n,), twist (omega, v) float64 (6,)."""
    for i in range(x.shape[0]):
        vx, vy, vz, bx, by, bz = _moved(x[i], y[i], q[i], twist)
        half = 0.5 * d[i] * d[i]
        z = 1.0 + d[i] * vz + half * bz
        s = -1.0
        if z > NEAREST:
            s = at_bin(view, affine, (x[i] + d[i] * vx + half * bx) / z, (y[i] + d[i] * vy + half * by) / z)
        s = s * z if s >= 0 else q[i]
        _, _, _, bx, by, bz = _moved(x[i], y[i], s, twist)
        z = max(1.0 + half * bz, NEAREST)
        new_x[i], new_y[i], new_q[i] = (x[i] + half * bx) / z, (y[i] + half * by) / z, s / z


@njit(cache=True, nogil=True)
def _moved(x, y, q, twist):  # type: ignore[no-untyped-def]
    """A X and A^2 X of X = (x, y, 1), six numbers."""
    w0, w1, w2 = twist[0], twist[1], twist[2]
    a = w1 - w2 * y + twist[3] * q
    b = w2 * x - w0 + twist[4] * q
    c = w0 * y - w1 * x + twist[5] * q
    return a, b, c, w1 * c - w2 * b, w2 * a - w0 * c, w0 * b - w1 * a
