# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One frame of a whole DVS, compiled: respond, move what stays below its thresholds, fire the rest, sort by time.

The residual, signal minus reference, is float64 so that a leak of 1e-7 per frame is not rounded away.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.simulation.dvs_kernels import respond
from event_perception.simulation.firing_kernels import fire, fire_freely, fire_held

BLOCK = 4096  # pixels, a multiple of 8; what is kept of them stays in the second cache


@njit(cache=True, nogil=True, error_model='numpy')
def _rest(
    level: NDArray,
    level_new: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    leak_per_s: NDArray,
    dt_s: float,
    change: NDArray,
    due: NDArray,
) -> None:
    """Move the residual of pixels that cross nothing; mark the others, and leave them as they are.

    ``level`` becomes ``level_new``, and ``change`` what the residual of every pixel changes by in this frame, thresholds apart.

    Nine pixels in ten: a loop without branches, for vector instructions.
    """
    leaks = leak_per_s.size > 0
    for i in range(residual.size):
        d = residual[i]
        c = np.float64(level_new[i]) - np.float64(level[i])
        if leaks:
            c += np.float64(leak_per_s[i]) * dt_s
        change[i] = c
        level[i] = level_new[i]
        end = d + c
        on, off = np.float64(threshold_on[i]), -np.float64(threshold_off[i])
        crosses = (max(d, end) >= on) | (min(d, end) <= off) | (due[i] != 0)
        due[i] = crosses
        residual[i] = d if crosses else end


@njit(cache=True, nogil=True, error_model='numpy')
def _find_due(due: NDArray, pixels: NDArray) -> int:
    """Indices of what is set, into ``pixels``; how many. ``due`` is uint8, a multiple of 8 long."""
    n = 0
    eight = due.view(np.uint64)
    for word in range(eight.size):
        if eight[word]:
            for i in range(8 * word, 8 * word + 8):
                pixels[n] = i  # overwritten unless counted: no branch to guess wrong
                n += due[i]
    return n


@njit(cache=True, nogil=True, error_model='numpy')
def _most_events(pixels: NDArray, residual: NDArray, change: NDArray, smallest: float) -> int:
    """No fewer events than these pixels can give, noise apart."""
    inverse, total = 1.0000001 / smallest, 0
    for i in pixels:
        total += 1 + int((abs(residual[i]) + abs(change[i])) * inverse)
    return total


@njit(cache=True, nogil=True, error_model='numpy')
def _grown(array: NDArray, n: int, size: int) -> NDArray:
    """A longer copy of the first n elements."""
    longer = np.empty(size, array.dtype)
    longer[:n] = array[:n]
    return longer


@njit(cache=True, nogil=True, error_model='numpy')
def advance(
    light: NDArray,
    is_log: bool,
    knee: float,
    rate_per_s: float,
    exact: bool,
    log_light: NDArray,
    level: NDArray,
    residual: NDArray,
    threshold_on: NDArray,
    threshold_off: NDArray,
    smallest: float,
    leak_per_s: NDArray,
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
) -> tuple[int, NDArray, NDArray, NDArray]:
    """One frame: photoreceptors, residuals, events, block of pixels after block, so that a block stays in cache.

    Returns:
        Number of events, and their times after the earlier frame, pixels and polarities, pixel after pixel: the
        arrays given, or longer ones.
    """
    n, last_noise = 0, 0
    level_new, log_new = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    change, due, pixels = np.empty(BLOCK), np.zeros(BLOCK, np.uint8), np.empty(BLOCK + 1, np.int64)
    simple = dead_ns == 0.0
    for a in range(0, light.size, BLOCK):
        b = min(a + BLOCK, light.size)
        size = b - a
        respond(
            light[a:b], is_log, knee, log_light[a:b], level[a:b], level_new[:size], log_new[:size],
            rate_per_s, dt_ns * 1e-9, exact,
        )  # fmt: skip
        first_noise = last_noise
        while last_noise < noise_pixel.size and noise_pixel[last_noise] < b:
            last_noise += 1
        due[:] = 0
        due[:size] = dead_mode
        for i in noise_pixel[first_noise:last_noise]:
            due[i - a] = 1
        _rest(
            level[a:b], level_new[:size], residual[a:b], threshold_on[a:b], threshold_off[a:b],
            leak_per_s[a:b], dt_ns * 1e-9, change[:size], due[:size],
        )  # fmt: skip
        n_due = _find_due(due, pixels)
        needed = n + _most_events(pixels[:n_due], residual[a:b], change, smallest) + last_noise - first_noise
        if needed > tau.size:
            tau, pixel, polarity = (
                _grown(tau, n, 2 * needed), _grown(pixel, n, 2 * needed), _grown(polarity, n, 2 * needed)
            )  # fmt: skip
        if simple and first_noise == last_noise:
            n = fire_freely(
                pixels[:n_due], a, change, residual[a:b], threshold_on[a:b], threshold_off[a:b], dt_ns,
                n, tau, pixel, polarity,
            )  # fmt: skip
        elif first_noise == last_noise and not dead_mode:
            n = fire_held(
                pixels[:n_due], a, change, residual[a:b], threshold_on[a:b], threshold_off[a:b], dt_ns,
                t_previous_ns, t_event_ns[a:b], dead_ns, n, tau, pixel, polarity,
            )  # fmt: skip
        else:
            n = fire(
                pixels[:n_due], a, change, residual[a:b], threshold_on[a:b], threshold_off[a:b], dt_ns,
                t_previous_ns, t_event_ns[a:b], dead_ns, dead_mode, noise_pixel[first_noise:last_noise],
                noise_tau[first_noise:last_noise], noise_sign[first_noise:last_noise],
                n, tau, pixel, polarity,
            )  # fmt: skip
    return n, tau, pixel, polarity


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
    inverse_width = 1.0 / width
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
        row = int((pixel[k] + 0.5) * inverse_width)  # exact, and faster than dividing
        x[to], y[to] = pixel[k] - row * width, row
        p[to] = polarity[k]
