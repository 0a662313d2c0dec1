# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One leaking number per pixel, brought up to date only when an event arrives there.

An event of polarity p at time t:  L <- L exp(-(t - t_last) / tau) exp(-k) + C_p,  t_last <- t.
Read at t:  L exp(-(t - t_last) / tau).  Exact at any instant, O(1) an event, the same for any cut of the
stream. Time counts in ticks of 1.024 us from the epoch, so that rounding cannot add up: one tick in all, or
3e-6 of the value at tau = 0.3 s. The exponential is a product of two table entries, as exact as float32; with
``exp`` itself an event takes more than twice as long.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.images.balance import BLOCK_EVENTS, BLOCK_N, BLOCK_ON, OFF_WEIGHT, fold_block

TICK_SHIFT = 10  # 1 tick = 2^10 ns
FINE_BITS = 12  # fine table: 2^12 ticks = 4.2 ms; coarse table: whole multiples of that
FINE_MASK = (1 << FINE_BITS) - 1
TICK_S = (1 << TICK_SHIFT) * 1e-9
NEVER = -(1 << 62)
"""Tick of the last event where there was none."""

VANISHED = 18.5  # exp(-18.5) = 1e-8: below float32 resolution of anything it is added to


def decay_tables(tau_s: float, event_leak: float = 0.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tables with exp(-ticks/tau - event_leak) = fine[ticks & FINE_MASK] * coarse[ticks >> FINE_BITS].

    The last coarse entry is 0: what is older has vanished.
    """
    per_tick = TICK_S / tau_s
    per_block = per_tick * (1 << FINE_BITS)
    fine = np.exp(-np.arange(1 << FINE_BITS) * per_tick - event_leak)
    coarse = np.exp(-np.arange(math.ceil(VANISHED / per_block) + 2) * per_block)
    coarse[-1] = 0.0
    return fine.astype(np.float32), coarse.astype(np.float32)


@njit(cache=True, nogil=True)
def push_events(t_ns, x, y, p, value, last, tables, slowness, balance, balancing, newest, max_back):  # type: ignore[no-untyped-def]
    """Add events to the state, in place.

    Args:
        t_ns: Times, int64 (n,).
        x: Columns (n,).
        y: Rows (n,).
        p: Polarities (n,), -1 or +1.
        value: State L, float32 (H, W), changed.
        last: Tick of the last event, int64 (H, W), changed.
        tables: Fine and coarse decay, float32, with the leak per event in the fine one.
        slowness: None, or float32 (H, W): factor on the elapsed time of each pixel.
        balance: Running ON/OFF balance (6,), changed; see ``balance.py``.
        balancing: ``BalanceConfig.in_ticks``.
        newest: Newest tick seen so far.
        max_back: Ticks that time may step back before everything starts again.

    Returns:
        The newest tick and the number of restarts.
    """
    restarts, start = 0, 0
    while start < len(t_ns):
        newest, stop = _push_within_block(
            t_ns, x, y, p, value, last, tables, slowness, balance, newest, max_back, start
        )
        if balance[BLOCK_N] == BLOCK_EVENTS:
            fold_block(balance, balancing, newest)
        elif stop < len(t_ns):
            value[:] = 0
            last[:] = NEVER
            balance[:] = 0
            balance[OFF_WEIGHT] = 1
            newest = t_ns[stop] >> TICK_SHIFT
            restarts += 1
        start = stop
    return newest, restarts


@njit(cache=True, nogil=True)
def _push_within_block(t_ns, x, y, p, value, last, tables, slowness, balance, newest, max_back, start):  # type: ignore[no-untyped-def]
    """Add events until the block of the balance is full, time steps back too far, or none is left.

    Unsigned indices spare numba the handling of negative ones, a third of the time.

    Returns:
        The newest tick and the index of the first event that was not added.
    """
    fine, coarse = tables
    values, lasts = value.reshape(-1), last.reshape(-1)
    if slowness is not None:
        rates = slowness.reshape(-1)
    width, end = np.uint64(value.shape[1]), np.uint64(len(coarse) - 1)
    gain = np.empty(2, np.float32)
    gain[0], gain[1] = -balance[OFF_WEIGHT], 1
    stop = min(len(t_ns), start + BLOCK_EVENTS - np.int64(balance[BLOCK_N]))
    on_events = np.uint64(0)
    i = start
    while i < stop:
        tick = t_ns[i] >> TICK_SHIFT
        if tick < newest - max_back:
            break
        newest = max(newest, tick)
        k = np.uint64(y[i]) * width + np.uint64(x[i])
        elapsed = max(tick - lasts[k], 0)
        age = np.uint64(elapsed)
        if slowness is not None:
            age = np.uint64(np.int64(elapsed * rates[k]))
        on = np.uint64(p[i] > 0)
        decay = fine[age & np.uint64(FINE_MASK)] * coarse[min(age >> np.uint64(FINE_BITS), end)]
        values[k] = values[k] * decay + gain[on]
        lasts[k] += elapsed
        on_events += on
        i += 1
    balance[BLOCK_N] += i - start
    balance[BLOCK_ON] += on_events
    return newest, i


@njit(cache=True, nogil=True)
def read_state(tick, value, last, tables, slowness):  # type: ignore[no-untyped-def]
    """The state at an instant, float32 (H, W), without changing it."""
    fine, coarse = tables
    end = len(coarse) - 1
    out = np.empty_like(value)
    for row in range(value.shape[0]):
        for column in range(value.shape[1]):
            age = max(tick - last[row, column], 0)
            if slowness is not None:
                age = np.int64(age * slowness[row, column])
            decay = fine[age & FINE_MASK] * coarse[min(age >> FINE_BITS, end)]
            out[row, column] = value[row, column] * decay
    return out
