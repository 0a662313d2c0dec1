# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events of DVS pixels that have some in a frame interval, compiled: three ways, the fastest that fits is taken.

Between two frames the filtered log light of a pixel runs linearly, so its residual, log light minus reference,
is a straight line d(tau), and every crossing of a threshold has a closed form. Times are ns after the
earlier frame, float64.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

ON, OFF = 1, -1
LEAST_RISE = 1e-300  # so that nothing is divided by zero


@njit(cache=True, nogil=True, error_model='numpy')
def _emit(n: int, tau: NDArray, pixel: NDArray, polarity: NDArray, when: float, i: int, sign: int) -> int:
    tau[n], pixel[n], polarity[n] = when, i, sign
    return n + 1


@njit(cache=True, nogil=True, error_model='numpy')
def _cross(
    d: float,
    rate: float,
    t: float,
    t_end: float,
    free: float,
    on: float,
    off: float,
    dead_ns: float,
    dead_mode: bool,
    i: int,
    n: int,
    tau: NDArray,
    pixel: NDArray,
    polarity: NDArray,
) -> tuple[float, float, int]:
    """Events of one pixel on a straight stretch of its residual.

    Args: ``d`` residual at ``t``; ``rate`` its slope per ns; ``free`` when the dead time ends.
    Returns: residual at ``t_end``, end of the dead time, number of events so far.
    """
    while True:
        if free > t:
            if free >= t_end:
                break
            d = 0.0 if dead_mode else d + rate * (free - t)
            t = free
        if d >= on:
            when, sign = t, ON
        elif d <= -off:
            when, sign = t, OFF
        elif rate > 0.0:
            when, sign = t + (on - d) / rate, ON
        elif rate < 0.0:
            when, sign = t + (-off - d) / rate, OFF
        else:
            break
        if when > t_end:
            break
        n = _emit(n, tau, pixel, polarity, when, i, sign)
        d += rate * (when - t) - (on if sign > 0 else -off)
        t = when
        if dead_ns > 0.0:
            free = when + dead_ns
    return d + rate * (t_end - t), free, n


@njit(cache=True, nogil=True, error_model='numpy')
def fire_freely(
    pixels: NDArray,
    first_pixel: int,
    change: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    dt_ns: float,
    n: int,
    tau: NDArray,
    pixel: NDArray,
    polarity: NDArray,
) -> int:
    """Events of pixels without dead time and noise, in closed form: the k-th crossing is at dt (k c - d) / change."""
    for i in pixels:
        sign = 1.0 if change[i] > 0.0 else -1.0
        threshold = np.float64(threshold_on[i] if change[i] > 0.0 else threshold_off[i])
        d, rise = sign * residual[i], abs(change[i])
        count = max(0, int((d + rise) / threshold))
        per_unit_ns = dt_ns / max(rise, LEAST_RISE)
        for k in range(count):
            tau[n + k] = min(max(((k + 1) * threshold - d) * per_unit_ns, 0.0), dt_ns)
            pixel[n + k], polarity[n + k] = first_pixel + i, np.int8(sign)
        n += count
        residual[i] = sign * (d + rise - count * threshold)
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def fire_held(
    pixels: NDArray,
    first_pixel: int,
    change: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    dt_ns: float,
    t_previous_ns: int,
    t_event_ns: NDArray,
    dead_ns: float,
    n: int,
    tau: NDArray,
    pixel: NDArray,
    polarity: NDArray,
) -> int:
    """Events of pixels without noise; one that is due in the dead time comes at its end. As ``fire``, faster.

    Signs are taken out: e is the residual and c the threshold in the direction in which the pixel moves.
    """
    for i in pixels:
        sign, rise = (1.0, change[i]) if change[i] > 0.0 else (-1.0, -change[i])
        on, off = np.float64(threshold_on[i]), np.float64(threshold_off[i])
        c, opposite = (on, off) if change[i] > 0.0 else (off, on)
        e: float = sign * residual[i]
        rate, ns_per_unit = rise / dt_ns, dt_ns / max(rise, LEAST_RISE)
        t: float = 0.0
        before = n
        free: float = np.float64(t_event_ns[i] - t_previous_ns) + dead_ns
        while True:
            if free > t:
                stop = min(free, dt_ns)
                e, t = e + rate * (stop - t), stop
                if free >= dt_ns:
                    break
            backwards = e <= -opposite  # held back until the light had turned
            wait = 0.0 if backwards else max(0.0, (c - e) * ns_per_unit)
            if t + wait > dt_ns:
                break
            t += wait
            e += opposite if backwards else rate * wait - c
            tau[n], pixel[n] = t, first_pixel + i
            polarity[n] = np.int8(-sign if backwards else sign)
            n += 1
            free = t + dead_ns
        residual[i] = sign * (e + rate * (dt_ns - t))
        if n > before:
            t_event_ns[i] = t_previous_ns + np.int64(np.rint(tau[n - 1]))
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def fire(
    pixels: NDArray,
    first_pixel: int,
    change: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    dt_ns: float,
    t_previous_ns: int,
    t_event_ns: NDArray,
    dead_ns: float,
    dead_mode: bool,
    noise_pixel: NDArray,
    noise_tau: NDArray,
    noise_sign: NDArray,
    n: int,
    tau: NDArray,
    pixel: NDArray,
    polarity: NDArray,
) -> int:
    """Events of pixels one after the other; the residual and the last event times are updated.

    Noise candidates are sorted by pixel, then time; one that falls into the dead time is lost. A noise
    event sets the reference to the signal.
    """
    k = 0
    for i in pixels:
        on, off = np.float64(threshold_on[i]), np.float64(threshold_off[i])
        d, at = residual[i], first_pixel + i
        free = np.float64(t_event_ns[i] - t_previous_ns) + dead_ns if dead_ns > 0.0 else -1.0
        rate, t, before = change[i] / dt_ns, 0.0, n
        while k < noise_pixel.size and noise_pixel[k] == at:
            d, free, n = _cross(
                d, rate, t, noise_tau[k], free, on, off, dead_ns, dead_mode, at, n, tau, pixel, polarity
            )
            t = noise_tau[k]
            if t >= free:
                n = _emit(n, tau, pixel, polarity, t, at, noise_sign[k])
                d = 0.0
                if dead_ns > 0.0:
                    free = t + dead_ns
            k += 1
        d, free, n = _cross(d, rate, t, dt_ns, free, on, off, dead_ns, dead_mode, at, n, tau, pixel, polarity)
        residual[i] = d
        if dead_ns > 0.0 and n > before:
            t_event_ns[i] = t_previous_ns + np.int64(np.rint(tau[n - 1]))
    return n
