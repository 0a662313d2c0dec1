# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""EVT2 and EVT2.1: 32-bit events of Prophesee sensors, the latter with a mask of 32 columns behind each.

A head: bits 28 to 31 kind, 22 to 27 low six bits of the time, 11 to 21 column, 0 to 10 row. EVT2 is heads
alone. An item of EVT2.1 is a head and a 32-bit mask, one event at column + i for each set bit i; read as a
little-endian 64-bit word the head is the upper half, in the legacy form the lower one.

Time: t_us = (rollover << 34) + (high << 6 | low), the sensor's own clock; time_base is unused. TIME_HIGH wraps
every 4.77 h. A fall by more than half the range is a wrap, a rise by as much takes it back. Nothing is
delivered before the first TIME_HIGH. Registers live on across packets.

Source: Prophesee, EVT 2.0 and EVT 2.1 format specifications.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray
from event_perception.io.codecs.backend import njit
from event_perception.io.codecs.popcount import popcount
from event_perception.io.codecs.registers import first_index, last_value, latest, set_bits, wraps
from event_perception.io.codecs.state import BEFORE_TIME, IGNORED, OUTSIDE, REGISTERS, UNKNOWN
from event_perception.io.codecs.triggers import Triggers
from event_perception.io.codecs.words import WordDecoder, inside

CD_OFF, CD_ON, TIME_HIGH, EXT_TRIGGER, IMU, OTHER, CONTINUED = 0x0, 0x1, 0x8, 0xA, 0xD, 0xE, 0xF
HIGH_BITS, LOW_BITS = 28, 6
PERIOD_BITS = HIGH_BITS + LOW_BITS
HALF_HIGH = 1 << (HIGH_BITS - 1)
NS_PER_US = 1000

HIGH, ROLLOVER, TIME_KNOWN = range(REGISTERS, REGISTERS + 3)


@njit(cache=True, nogil=True)
def _capacity(words: NDArray, size: int, head: int) -> tuple[int, int]:
    """One event a set bit of a mask: an exact upper bound. ``size`` words an item, the head at ``head``."""
    events, triggers = 0, 0
    for k in range(0, words.shape[0], size):
        kind = words[k + head] >> 28
        mask = np.int64(words[k + 1 - head]) if size == 2 else np.int64(1)
        events += popcount(mask) if kind <= CD_ON else 0
        triggers += kind == EXT_TRIGGER
    return events, triggers


@njit(cache=True, nogil=True)
def _kernel(  # type: ignore[no-untyped-def]
    words, memory, time_base, height, width, size, head, t_ns, x, y, p, edge_t_ns, edge_id, edge
):
    high, rollover, known = memory[HIGH], memory[ROLLOVER], memory[TIME_KNOWN]
    n, m, outside, early, ignored, unknown = 0, 0, 0, 0, 0, 0
    for k in range(0, words.shape[0], size):
        word = np.int64(words[k + head])
        kind = word >> 28
        now_ns = NS_PER_US * ((rollover << PERIOD_BITS) + (high << LOW_BITS | (word >> 22 & 0x3F)))
        if kind <= CD_ON:
            mask = np.int64(words[k + 1 - head]) if size == 2 else np.int64(1)
            column, row = word >> 11 & 0x7FF, word & 0x7FF
            while mask:
                if mask & 1:
                    if not known:
                        early += 1
                    elif column < width and row < height:
                        t_ns[n], x[n], y[n], p[n] = now_ns, column, row, kind * 2 - 1
                        n += 1
                    else:
                        outside += 1
                mask >>= 1
                column += 1
        elif kind == TIME_HIGH:
            rest = word & 0xFFFFFFF
            if known:
                rollover += (rest - high < -HALF_HIGH) - (rest - high > HALF_HIGH)
            high, known = rest, np.int64(1)
        elif kind == EXT_TRIGGER:
            if known:
                edge_t_ns[m], edge_id[m], edge[m] = now_ns, word >> 8 & 0x1F, word & 1
                m += 1
            else:
                early += 1
        elif kind in (IMU, OTHER, CONTINUED):
            ignored += 1
        else:
            unknown += 1
    memory[HIGH], memory[ROLLOVER], memory[TIME_KNOWN] = high, rollover, known
    memory[OUTSIDE] += outside
    memory[BEFORE_TIME] += early
    memory[IGNORED] += ignored
    memory[UNKNOWN] += unknown
    return n, m


def _vectorised(
    words: NDArray, memory: NDArray, time_base: int, height: int, width: int, size: int, head: int
) -> tuple[EventArray, Triggers]:
    heads = words[head::size].astype(np.int64)
    masks = words[1 - head :: size] if size == 2 else np.ones(heads.size, np.uint32)
    kind = heads >> 28
    now_ns, start = _times(heads, kind, memory)
    at, edges = np.flatnonzero(kind <= CD_ON), np.flatnonzero(kind == EXT_TRIGGER)
    owner, bit = set_bits(masks[at], 32 if size == 2 else 1)
    at = at[owner]
    known, known_edges = at >= start, edges >= start
    memory[BEFORE_TIME] += np.count_nonzero(~known) + np.count_nonzero(~known_edges)
    memory[IGNORED] += np.count_nonzero(kind >= IMU)
    memory[UNKNOWN] += np.count_nonzero(~np.isin(kind, KNOWN))
    at, bit, edges = at[known], bit[known], edges[known_edges]
    x, y = (heads[at] >> 11 & 0x7FF) + bit, heads[at] & 0x7FF
    events = inside(now_ns[at], x, y, kind[at], memory, height=height, width=width)
    number, edge = heads[edges] >> 8 & 0x1F, heads[edges] & 1
    return events, Triggers(now_ns[edges], number.astype(np.uint16), edge.astype(np.uint8))


def _times(heads: NDArray, kind: NDArray, memory: NDArray) -> tuple[NDArray[np.int64], int]:
    """Time at each head, and the index of the first head whose time is known."""
    is_high = kind == TIME_HIGH
    high = heads[is_high] & 0xFFFFFFF
    before, rollover, known = int(memory[HIGH]), int(memory[ROLLOVER]), bool(memory[TIME_KNOWN])
    chain = np.concatenate(([before], high)) if known else high
    rollovers = rollover + wraps(chain, HALF_HIGH)[int(known) :]
    period = latest(is_high, (rollovers << HIGH_BITS) + high, (rollover << HIGH_BITS) + before)
    memory[HIGH], memory[ROLLOVER] = last_value(high, before), last_value(rollovers, rollover)
    memory[TIME_KNOWN] = known or high.size > 0
    now_us = (period << LOW_BITS) + (heads >> 22 & 0x3F)
    return NS_PER_US * now_us, 0 if known else first_index(is_high)


KNOWN = (CD_OFF, CD_ON, TIME_HIGH, EXT_TRIGGER, IMU, OTHER, CONTINUED)
EVT2 = WordDecoder('evt2', '<u4', _capacity, _kernel, _vectorised, variant=(1, 0))
EVT21 = WordDecoder('evt21', '<u4', _capacity, _kernel, _vectorised, words_per_item=2, variant=(2, 1))
EVT21_LEGACY = WordDecoder(
    'evt21_legacy', '<u4', _capacity, _kernel, _vectorised, words_per_item=2, variant=(2, 0)
)
