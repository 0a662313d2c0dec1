# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One frame interval of every DVS pixel, compiled.

Between two frames the filtered log light of a pixel runs linearly, so its residual, log light minus reference,
is a straight line d(tau), and every crossing of a threshold has a closed form. Times are ns after the
earlier frame, float64; the residual is float64 so that a leak of 1e-7 per frame is not rounded away.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.simulation.fast_log import exp_into, log_into

NOISE_ON, NOISE_OFF = 1, -1
SMALL_X = 0.02  # below it (1 - exp(-x)) / x cancels in float32; three terms of its series do not
WHITE_DN, BLACK_OFFSET_DN = 255.0, 20.0  # photocurrent never reaches 0: I01 = (I + 20) / 275, as in v2e


@njit(cache=True, nogil=True, error_model='numpy')
def log_light(light: NDArray, is_log: bool, knee: float, out: NDArray) -> None:
    """Lin-log response of light in dn: linear below the knee, ln above; flat arrays."""
    if is_log:
        out[:] = light
        return
    slope = np.float32(np.log(knee) / knee)
    limit = np.float32(knee)
    for i in range(light.size):
        out[i] = max(light[i], limit)
    log_into(out.copy(), out)
    for i in range(light.size):
        out[i] = light[i] * slope if light[i] < limit else out[i]


@njit(cache=True, nogil=True, error_model='numpy')
def filter_light(
    light: NDArray,
    is_log: bool,
    log_new: NDArray,
    log_old: NDArray,
    level: NDArray,
    rate_per_s: float,
    dt_s: float,
    exact: bool,
) -> None:
    """Move the photoreceptor output ``level`` over one frame; ``log_old`` becomes ``log_new``.

    One pole, rate a = 2 pi f_c I01. ``exact``: for an input that is linear between frames,
    y(dt) = u1 + (y0 - u0) E - (u1 - u0) (1 - E) / x, with x = a dt and E = exp(-x).
    """
    factor = np.float32(-rate_per_s * dt_s / (WHITE_DN + BLACK_OFFSET_DN))
    offset, one = np.float32(BLACK_OFFSET_DN), np.float32(1)
    minus_x, decay = np.empty_like(level), np.empty_like(level)
    if is_log:
        exp_into(log_new, decay)
        light = decay
    for i in range(level.size):
        minus_x[i] = factor * (light[i] + offset)
    if exact:
        exp_into(minus_x, decay)
        for i in range(level.size):
            x, u1, u0 = -minus_x[i], log_new[i], log_old[i]
            series = one - x * np.float32(0.5) * (one - x * np.float32(1 / 3) * (one - x * np.float32(0.25)))
            share = series if x < np.float32(SMALL_X) else (one - decay[i]) / x
            level[i] = u1 + (level[i] - u0) * decay[i] - (u1 - u0) * share
            log_old[i] = u1
    else:
        for i in range(level.size):
            level[i] += min(one, -minus_x[i]) * (log_new[i] - level[i])
            log_old[i] = log_new[i]


@njit(cache=True, nogil=True, error_model='numpy')
def count_bound(
    level_old: NDArray,
    level_new: NDArray,
    residual: NDArray,
    smallest_threshold: float,
    largest_leak: float,
) -> int:
    """No fewer events than one frame can give, noise apart."""
    inverse = 1.0000001 / smallest_threshold
    total = 0
    for i in range(residual.size):
        change = abs(np.float64(level_new[i]) - np.float64(level_old[i]))
        total += int((abs(residual[i]) + change + largest_leak) * inverse + 1e-6)
    return total


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
            when, sign = t, NOISE_ON
        elif d <= -off:
            when, sign = t, NOISE_OFF
        elif rate > 0.0:
            when, sign = t + (on - d) / rate, NOISE_ON
        elif rate < 0.0:
            when, sign = t + (-off - d) / rate, NOISE_OFF
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
def _rest(
    level_old: NDArray,
    level_new: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    leak_per_frame: NDArray,
    due: NDArray,
) -> None:
    """Move the residual of pixels that cross nothing; mark the others, and leave them as they are.

    Nine pixels in ten: a loop without branches, for vector instructions.
    """
    for i in range(residual.size):
        d = residual[i]
        end = d + (np.float64(level_new[i]) - np.float64(level_old[i]))
        if leak_per_frame.size:
            end += leak_per_frame[i]
        on, off = np.float64(threshold_on[i]), -np.float64(threshold_off[i])
        crosses = (max(d, end) >= on) | (min(d, end) <= off) | (due[i] != 0)
        due[i] = crosses
        residual[i] = d if crosses else end


@njit(cache=True, nogil=True, error_model='numpy')
def fire(
    level_old: NDArray,
    level_new: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    leak_per_frame: NDArray,
    dt_ns: float,
    t_previous_ns: int,
    t_event_ns: NDArray,
    dead_ns: float,
    dead_mode: bool,
    noise_pixel: NDArray,
    noise_tau: NDArray,
    noise_sign: NDArray,
    tau: NDArray,
    pixel: NDArray,
    polarity: NDArray,
) -> int:
    """All events of one frame, pixel after pixel; the residual and the last event times are updated.

    Noise candidates are sorted by pixel, then time; one that falls into the dead time is lost. A noise
    event sets the reference to the signal.
    """
    n, k = 0, 0
    due = np.ones(residual.size, np.uint8) if dead_mode else np.zeros(residual.size, np.uint8)
    for i in noise_pixel:
        due[i] = 1
    _rest(level_old, level_new, residual, threshold_on, threshold_off, leak_per_frame, due)
    for i in range(residual.size):
        if not due[i]:
            continue
        on, off = np.float64(threshold_on[i]), np.float64(threshold_off[i])
        d = residual[i]
        change = np.float64(level_new[i]) - np.float64(level_old[i])
        if leak_per_frame.size:
            change += leak_per_frame[i]
        free = np.float64(t_event_ns[i] - t_previous_ns) + dead_ns if dead_ns > 0.0 else -1.0
        rate, t, before = change / dt_ns, 0.0, n
        while k < noise_pixel.size and noise_pixel[k] == i:
            d, free, n = _cross(
                d, rate, t, noise_tau[k], free, on, off, dead_ns, dead_mode, i, n, tau, pixel, polarity
            )
            t = noise_tau[k]
            if t >= free:
                n = _emit(n, tau, pixel, polarity, t, i, noise_sign[k])
                d = 0.0
                if dead_ns > 0.0:
                    free = t + dead_ns
            k += 1
        d, free, n = _cross(d, rate, t, dt_ns, free, on, off, dead_ns, dead_mode, i, n, tau, pixel, polarity)
        residual[i] = d
        if dead_ns > 0.0 and n > before:
            t_event_ns[i] = t_previous_ns + np.int64(np.rint(tau[n - 1]))
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def sort_by_step(
    n: int,
    tau: NDArray,
    pixel: NDArray,
    polarity: NDArray,
    first_ns: int,
    step_ns: int,
    n_steps: int,
    width: int,
    t_ns: NDArray,
    x: NDArray,
    y: NDArray,
    p: NDArray,
) -> None:
    """Counting sort into time steps; equal steps keep the order of pixels.

    ``first_ns`` is the time of the earlier frame modulo the step, so that stamps are multiples of the step.
    """
    start = np.zeros(n_steps + 1, np.int64)
    step = np.empty(n, np.int64)
    for k in range(n):
        step[k] = min(n_steps - 1, int((first_ns + tau[k]) / step_ns))
        start[step[k] + 1] += 1
    for s in range(n_steps):
        start[s + 1] += start[s]
    for k in range(n):
        to = start[step[k]]
        start[step[k]] += 1
        t_ns[to] = step[k] * step_ns
        x[to] = pixel[k] % width
        y[to] = pixel[k] // width
        p[to] = polarity[k]
