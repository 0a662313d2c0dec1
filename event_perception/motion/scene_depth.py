# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth belongs to an event, when the depth image is of one instant and the camera moves.

An event at time t saw a point that the depth image of t_ref shows at another pixel: where the motion takes it.
Looked up at its own pixel, depth is wrong by its slope times the motion, and by everything at the edges of
objects. So the motion found so far takes the event to t_ref; the depth found there, divided by how much closer
the point has come, is the depth of the event. On the way the warp is made right to second order in time.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow
from event_perception.motion.camera import CameraModel
from event_perception.motion.warps.base import SceneEvents
from event_perception.motion.warps.linear_fractional import NEAREST

Vector = NDArray[np.float64]


def events_with_depth(window: EventWindow, camera: CameraModel, depth: DepthImage) -> SceneEvents:
    """Undistorted events with the inverse depth of their own pixel; those without are left out.

    Raises:
        DataError: If the depth image has another size than the sensor.
    """
    shape = (camera.height, camera.width)
    if depth.depth_m.shape != shape:
        raise DataError(f'depth image of shape {depth.depth_m.shape}; this camera has {shape}')
    xy = camera.bearings()[window.y, window.x].astype(np.float64)
    z = depth.depth_m[window.y, window.x].astype(np.float64)
    known = np.isfinite(xy[:, 0]) & (z > 0) & ~np.isnan(z)
    x, y = xy[known].T
    return SceneEvents(x, y, window.dt_s[known].astype(np.float64), np.ones(len(x)), 1.0 / z[known])


def median_depth(events: SceneEvents) -> float:
    """Metres; a million if everything is infinitely far."""
    return 1.0 / max(float(np.median(events.q)), 1e-6)


def refined(events: SceneEvents, twist: Vector, camera: CameraModel, depth: DepthImage) -> SceneEvents:
    """The events with depth from where a motion takes them, and bent by what the first order leaves out.

    X = (1 + d A + d^2 A^2 / 2) X_n with A X = omega x X + v q: the last term is added to X_n beforehand, so the
    warp of first order ends at the second while its derivatives stay what they are.

    Args:
        events: The events; those taken out of the image, or to pixels without depth, keep the depth they have.
        twist: (omega, v), rad/s and m/s, about; zero changes nothing.
        camera: The camera.
        depth: Depth at the reference time.
    """
    w, v = np.asarray(twist, np.float64).reshape(2, 3)
    d, X = events.d, np.stack([events.x, events.y, np.ones(len(events))])
    velocity, bend = _moved(X, events.q, w, v)
    there = X + d * velocity + 0.5 * d**2 * bend
    q = _inverse_depth(there, events.q, camera, depth)
    X = X + 0.5 * d**2 * _moved(X, q, w, v)[1]
    z = np.maximum(X[2], NEAREST)
    return SceneEvents(X[0] / z, X[1] / z, d, events.w, q / z)


def _moved(X: Vector, q: Vector, w: Vector, v: Vector) -> tuple[Vector, Vector]:
    """A X and A^2 X, (3, n)."""
    velocity = _cross(w, X) + v[:, None] * q
    return velocity, _cross(w, velocity)


def _cross(w: Vector, X: Vector) -> Vector:
    return np.stack([w[1] * X[2] - w[2] * X[1], w[2] * X[0] - w[0] * X[2], w[0] * X[1] - w[1] * X[0]])


def _inverse_depth(there: Vector, otherwise: Vector, camera: CameraModel, depth: DepthImage) -> Vector:
    """Of the events, from the depth image at the places that they come to."""
    closer = np.maximum(there[2], NEAREST)
    pixels = np.rint(camera.project(there.T))
    inside = ((pixels >= 0) & (pixels < np.array([camera.width, camera.height]))).all(axis=1)
    column, row = np.where(np.asarray(inside)[:, None], pixels, 0).astype(np.int64).T
    z = depth.depth_m[row, column].astype(np.float64)
    known = inside & (there[2] > NEAREST) & (z > 0)
    return np.where(known, closer / np.where(known, z, 1.0), otherwise)
