# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events of dots that drift with a given flow."""

import numpy as np
import pytest

from event_perception.events import EventArray, EventWindow

HEIGHT, WIDTH = 96, 128


def drifting_dots(velocity, *, seed=0, density=0.02, duration_s=0.05, start_ns=10**12, where=None):
    """Dots at random places; each fires about once a millisecond where its path leads.

    Args:
        velocity: px/s (2,), or a function from places (n, 2) at the middle of the time to velocities (n, 2).
        seed: Of places and times.
        density: Dots per pixel.
        duration_s: Length.
        start_ns: Time of the first event.
        where: Only dots with where(places) at the middle.
    """
    rng = np.random.default_rng(seed)
    border = 40
    n = round(density * (HEIGHT + 2 * border) * (WIDTH + 2 * border))
    place = rng.uniform((-border, -border), (WIDTH + border, HEIGHT + border), (n, 2))
    if where is not None:
        place = place[where(place)]
    speed = velocity(place) if callable(velocity) else np.broadcast_to(velocity, place.shape)
    shots = round(duration_s * 1000)
    s = (np.arange(shots) + rng.uniform(0, 1, (len(place), shots))) * 1e-3 - duration_s / 2
    at = np.rint(place[:, None] + s[..., None] * speed[:, None]).reshape(-1, 2).astype(int)
    t_ns = start_ns + np.rint((s.ravel() + duration_s / 2) * 1e9).astype(np.int64)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < WIDTH) & (at[:, 1] < HEIGHT)
    order = np.argsort(t_ns[inside], kind='stable')
    x, y = at[inside][order].T
    return EventArray(t_ns[inside][order], x, y, rng.choice([-1, 1], len(order)), height=HEIGHT, width=WIDTH)


def window_of(events, duration_s=0.05):
    """All these events as one window."""
    t0 = int(events.t_ns[0]) // 1_000_000 * 1_000_000 if len(events) else 10**12
    return EventWindow.from_events(events, t0_ns=t0, t1_ns=t0 + round(duration_s * 1e9))


@pytest.fixture(scope='session')
def dots():
    """Call it with a velocity for events."""
    return drifting_dots


@pytest.fixture(scope='session')
def as_window():
    """Call it with events for a window."""
    return window_of
