# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Replays of a pixel: which events a piecewise linear signal gives, and at which thresholds that list changes.

Signal S at knots; a ON and b OFF events so far. On a rising stretch ON events follow as long as
S - S_0 + d_0 >= (a + 1) c_on - b c_off, on a falling one OFF events as long as it is <= a c_on - (b + 1) c_off.
Thresholds and d_0 move linearly along a line s. The list of events changes where the end of a stretch, a turning
point or the end of the window, is exactly the level of an event:

    G(s) = S_end - S_0 + d_0(s) - a c_on(s) + b c_off(s) = 0.

``sweep`` walks along s from one such break to the next, so it meets exactly those that matter, and replays the
pixel on both sides of each: what differs is what is born or dies there.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

STEP = 1e-8  # from a break to the replays on its two sides, units of s
SAME_TIME = 1e-6  # events of the two sides closer than this share of a knot interval are the same event
ROOT_FIELDS = 4  # s, knot, a, b


@njit(cache=True, nogil=True, error_model='numpy')
def replay(signal: NDArray, on: float, off: float, first: float, event: NDArray, time: NDArray) -> int:
    """Events of one pixel: rows (interval, a, b, sign) with counts after the event, times in knot intervals.

    Returns:
        Their number, which may exceed the room in ``event``; only what fits is written.
    """
    a, b, n = 0, 0, 0
    for i in range(signal.size - 1):
        low, high = signal[i] - signal[0] + first, signal[i + 1] - signal[0] + first
        while high > low and high >= (a + 1) * on - b * off:
            a += 1
            n = _noted(n, i, a, b, 1, (a * on - b * off - low) / (high - low), event, time)
        while high < low and high <= a * on - (b + 1) * off:
            b += 1
            n = _noted(n, i, a, b, -1, (a * on - b * off - low) / (high - low), event, time)
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def _noted(n: int, i: int, a: int, b: int, sign: int, share: float, event: NDArray, time: NDArray) -> int:
    if n < time.size:
        event[n, 0], event[n, 1], event[n, 2], event[n, 3] = i, a, b, sign
        time[n] = i + min(max(share, 0.0), 1.0)
    return n + 1


@njit(cache=True, nogil=True, error_model='numpy')
def count_rows(signal: NDArray, place: NDArray, pixel: NDArray, count: NDArray) -> None:
    """Number of events of pixels (c_on, c_off, d_0) (n, 3) at places (n,) of signals (places, knots)."""
    event, time = np.empty((0, 4), np.int32), np.empty(0)
    for r in range(place.size):
        count[r] = replay(signal[place[r]], pixel[r, 0], pixel[r, 1], pixel[r, 2], event, time)


@njit(cache=True, nogil=True, error_model='numpy')
def list_rows(
    signal: NDArray, place: NDArray, pixel: NDArray, start: NDArray, event: NDArray, time: NDArray
) -> None:
    """The events themselves; those of row r begin at ``start[r]``, a running sum of the counts."""
    for r in range(place.size):
        part = slice(start[r], start[r + 1])
        replay(signal[place[r]], pixel[r, 0], pixel[r, 1], pixel[r, 2], event[part], time[part])


@njit(cache=True, nogil=True, error_model='numpy')
def next_break(
    signal: NDArray, origin: NDArray, slope: NDArray, s: float, window_end: bool, root: NDArray
) -> bool:
    """The first break after s of the pixel origin + s slope, (c_on, c_off, d_0) each; whether there is one."""
    on, off, first = origin[0] + s * slope[0], origin[1] + s * slope[1], origin[2] + s * slope[2]
    root[0] = np.inf
    a, b, fired, direction = 0, 0, False, 0
    for i in range(signal.size - 1):
        change = signal[i + 1] - signal[i]
        if change * direction < 0:
            _compare(signal[i] - signal[0], i, a, b, direction, fired, origin, slope, s, root)
            fired = False
        if change != 0:
            direction = 1 if change > 0 else -1
        high = signal[i + 1] - signal[0] + first
        while change > 0 and high >= (a + 1) * on - b * off:
            a, fired = a + 1, True
        while change < 0 and high <= a * on - (b + 1) * off:
            b, fired = b + 1, True
    if window_end and direction != 0:
        end = signal.size - 1
        _compare(signal[end] - signal[0], end, a, b, direction, fired, origin, slope, s, root)
    return root[0] < np.inf


@njit(cache=True, nogil=True, error_model='numpy')
def _compare(
    extremum: float, knot: int, a: int, b: int, direction: int, fired: bool,
    origin: NDArray, slope: NDArray, s: float, root: NDArray,
) -> None:  # fmt: skip
    """At the end of a stretch: where would the last event of it die, where would another be born?"""
    for more in range(0 if fired else 1, 2):
        a_new = a + more if direction > 0 else a
        b_new = b + more if direction < 0 else b
        g = extremum + origin[2] - a_new * origin[0] + b_new * origin[1]
        rate = slope[2] - a_new * slope[0] + b_new * slope[1]
        if abs(rate) > 1e-12:
            at = -g / rate
            if s < at < root[0]:
                root[0], root[1], root[2], root[3] = at, knot, a_new, b_new


@njit(cache=True, nogil=True, error_model='numpy')
def sweep(
    signal: NDArray, place: NDArray, origin: NDArray, slope: NDArray, low: float, high: float,
    window_end: bool, found: NDArray, ghost: NDArray, ghost_time: NDArray,
) -> tuple[int, int]:  # fmt: skip
    """All breaks of all lines, and the events that appear or disappear at each.

    Args:
        signal: (places, knots).
        place: (n,) place of each line.
        origin: (n, 3) c_on, c_off, d_0 at s = 0.
        slope: (n, 3) their derivatives along s.
        low: Least s.
        high: Largest s.
        window_end: Whether the end of the signal counts as the end of a stretch.
        found: Rows (line, knot, a, b, s) of breaks.
        ghost: Rows (break, sign, side); side 1 for events that exist below the break only, -1 above it.
        ghost_time: Their times, in knot intervals.

    Returns:
        Number of breaks and of events, which may exceed the room; only what fits is written.
    """
    n_found, n_ghost = 0, 0
    root = np.empty(ROOT_FIELDS)
    most = 64
    events, times = np.empty((2, most, 4), np.int32), np.empty((2, most))
    for line in range(place.size):
        x, s = signal[place[line]], low
        while next_break(x, origin[line], slope[line], s, window_end, root) and root[0] < high:
            n = np.zeros(2, np.int64)
            for k in range(2):
                at = root[0] + (2 * k - 1) * STEP
                on, off, first = origin[line] + at * slope[line]
                n[k] = replay(x, on, off, first, events[k], times[k])
            if max(n[0], n[1]) > most:
                most = 2 * max(n[0], n[1])
                events, times = np.empty((2, most, 4), np.int32), np.empty((2, most))
                continue
            if n_found < found.shape[0]:
                found[n_found, 0], found[n_found, 4] = line, root[0]
                found[n_found, 1:4] = root[1:4]
            n_ghost = _differences(n_found, n, events, times, n_ghost, ghost, ghost_time)
            n_found += 1
            s = root[0] + STEP
    return n_found, n_ghost


@njit(cache=True, nogil=True, error_model='numpy')
def _differences(
    index: int, n: NDArray, events: NDArray, times: NDArray, n_ghost: int, ghost: NDArray, ghost_time: NDArray
) -> int:
    """Events of one side that are not on the other: what remains between common beginnings and common ends."""
    begin = 0
    while begin < min(n[0], n[1]) and _same(events, times, begin, begin):
        begin += 1
    end = 0
    while end < min(n[0], n[1]) - begin and _same(events, times, n[0] - 1 - end, n[1] - 1 - end):
        end += 1
    for k in range(2):
        for e in range(begin, n[k] - end):
            if n_ghost < ghost_time.size:
                ghost[n_ghost, 0], ghost[n_ghost, 1], ghost[n_ghost, 2] = index, events[k, e, 3], 1 - 2 * k
                ghost_time[n_ghost] = times[k, e]
            n_ghost += 1
    return n_ghost


@njit(cache=True, nogil=True, error_model='numpy')
def _same(events: NDArray, times: NDArray, below: int, above: int) -> bool:
    apart = abs(times[0, below] - times[1, above])
    return events[0, below, 3] == events[1, above, 3] and apart < SAME_TIME
