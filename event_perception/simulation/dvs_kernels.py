# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Light to the output of photoreceptors, compiled: lin-log response and a filter of one pole.

Loops have no branches, for vector instructions.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.simulation.fast_log import exp32, log32

SMALL_X = 0.02  # below it (1 - exp(-x)) / x cancels in float32; three terms of its series do not
WHITE_DN, BLACK_OFFSET_DN = 255.0, 20.0  # photocurrent never reaches 0: I01 = (I + 20) / 275, as in v2e
NOT_FINITE = np.int32(0x7F800000)  # the exponent of inf and nan


@njit(cache=True, nogil=True, error_model='numpy')
def all_finite(light_bits: NDArray) -> bool:
    """Whether float32 numbers, given as int32, are all finite."""
    largest = np.int32(0)
    for i in range(light_bits.size):
        largest = max(largest, light_bits[i] & NOT_FINITE)
    return bool(largest < NOT_FINITE)


@njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract'})
def log_light(light: NDArray, is_log: bool, knee: float, out: NDArray) -> None:
    """Lin-log response of light in dn: linear below the knee, ln above; flat arrays."""
    if is_log:
        out[:] = light
        return
    slope = np.float32(np.log(knee) / knee)
    limit = np.float32(knee)
    for i in range(light.size):
        v = light[i]
        out[i] = v * slope if v < limit else log32(max(v, limit))


@njit(cache=True, nogil=True, error_model='numpy', fastmath={'contract'})
def filter_light(
    light: NDArray,
    is_log: bool,
    log_new: NDArray,
    log_old: NDArray,
    level_old: NDArray,
    level_new: NDArray,
    rate_per_s: float,
    dt_s: float,
    exact: bool,
) -> None:
    """Move photoreceptor outputs over one frame, from ``level_old`` to ``level_new``; ``log_old`` becomes ``log_new``.

    One pole, rate a = 2 pi f_c I01. ``exact``: for an input that is linear between frames,
    y(dt) = u1 + (y0 - u0) E - (u1 - u0) (1 - E) / x, with x = a dt and E = exp(-x).
    """
    factor = np.float32(rate_per_s * dt_s / (WHITE_DN + BLACK_OFFSET_DN))
    offset, one, small = np.float32(BLACK_OFFSET_DN), np.float32(1), np.float32(SMALL_X)
    half, third, quarter = np.float32(1 / 2), np.float32(1 / 3), np.float32(1 / 4)
    if exact:
        for i in range(light.size):
            x = factor * ((exp32(light[i]) if is_log else light[i]) + offset)
            decay, u1, u0 = exp32(-x), log_new[i], log_old[i]
            series = one - x * half * (one - x * third * (one - x * quarter))
            share = series if x < small else (one - decay) / x
            level_new[i] = u1 + (level_old[i] - u0) * decay - (u1 - u0) * share
            log_old[i] = u1
    else:
        for i in range(light.size):
            x = factor * ((exp32(light[i]) if is_log else light[i]) + offset)
            level_new[i] = level_old[i] + min(one, x) * (log_new[i] - level_old[i])
            log_old[i] = log_new[i]


@njit(cache=True, nogil=True, error_model='numpy')
def respond(
    light: NDArray,
    is_log: bool,
    knee: float,
    log_old: NDArray,
    level_old: NDArray,
    level_new: NDArray,
    log_new: NDArray,
    rate_per_s: float,
    dt_s: float,
    exact: bool,
) -> None:
    """Response and filter, whose state is ``log_old`` and ``level_old``; no filter where the rate is 0."""
    if rate_per_s == 0.0:
        log_light(light, is_log, knee, level_new)
        return
    log_light(light, is_log, knee, log_new)
    filter_light(light, is_log, log_new, log_old, level_old, level_new, rate_per_s, dt_s, exact)
