# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""EVT3: 16-bit words of Prophesee sensors that set registers; some of them are events.

Used by EventPacket ``evt3`` and by ``.raw`` files. All registers live on across packets.

Time: t_us = (rollover << 24) + (high << 12 | low), the sensor's own clock, and ``time_base`` is unused. The
clock wraps every 16.777 s, and decoding may start anywhere in a period. A fall of TIME_HIGH by more than 10
counts one rollover; smaller falls are noise of the readout. The same noise across the wrap shows as a rise by
nearly the whole range and takes the rollover back, so that it is not counted twice. Nothing is delivered
before one TIME_HIGH and, after it, one TIME_LOW.

Source: Prophesee, EVT 3.0 format specification; event_camera_codecs (Pfrommer) for the rules on noise.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray
from event_perception.io.codecs.backend import njit
from event_perception.io.codecs.popcount import popcount
from event_perception.io.codecs.registers import first_index, last_value, latest, set_bits
from event_perception.io.codecs.state import BEFORE_TIME, IGNORED, OUTSIDE, REGISTERS, UNKNOWN
from event_perception.io.codecs.triggers import Triggers
from event_perception.io.codecs.words import WordDecoder, inside

ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8 = 0x0, 0x2, 0x3, 0x4, 0x5
TIME_LOW, TIME_HIGH, EXT_TRIGGER = 0x6, 0x8, 0xA
CONTINUED_4, OTHERS, CONTINUED_12 = 0x7, 0xE, 0xF
SKIPPED, UNDEFINED = (CONTINUED_4, OTHERS, CONTINUED_12), (0x1, 0x9, 0xB, 0xC, 0xD)
VECTOR_BITS = {VECT_12: 12, VECT_8: 8}
HIGH_PERIOD, HIGH_NOISE = 4096, 10
NS_PER_US = 1000

ROW, HIGH, LOW, ROLLOVER, BASE, SIGN, STAGE = range(REGISTERS, REGISTERS + 7)
HIGH_SEEN, TIME_KNOWN = 1, 2  # values of STAGE


@njit(cache=True, nogil=True)
def _capacity(words: NDArray) -> tuple[int, int]:
    """One event a single word and one a set bit of a vector word: an exact upper bound."""
    singles, vectors, triggers = 0, 0, 0
    for k in range(words.shape[0]):
        code = words[k] >> np.uint16(12)  # without branches, many words are counted in one instruction
        singles += code == ADDR_X
        vectors += (code == VECT_12) | (code == VECT_8)
        triggers += code == EXT_TRIGGER
    return singles + (_count_bits(words) if vectors else 0), triggers


@njit(cache=True, nogil=True)
def _count_bits(words: NDArray) -> int:
    bits = 0
    for k in range(words.shape[0]):
        word = np.int64(words[k])
        code = word >> 12
        bits += popcount(word & ((code == VECT_12) * 0xFFF | (code == VECT_8) * 0xFF))
    return bits


@njit(cache=True, nogil=True)
def _kernel(words, memory, time_base, height, width, t_ns, x, y, p, edge_t_ns, edge_id, edge):  # type: ignore[no-untyped-def]
    row, high, low, rollover = memory[ROW], memory[HIGH], memory[LOW], memory[ROLLOVER]
    base, sign, stage = memory[BASE], memory[SIGN], memory[STAGE]
    now_ns = NS_PER_US * ((rollover << 24) + (high << 12 | low))
    n, m, outside, early, ignored, unknown = 0, 0, 0, 0, 0, 0
    for k in range(words.shape[0]):
        word = np.int64(words[k])
        code, rest = word >> 12, word & 0xFFF
        if code == ADDR_X:
            column = rest & 0x7FF
            if stage != TIME_KNOWN:
                early += 1
            elif column >= width or row >= height:
                outside += 1
            else:
                t_ns[n], x[n], y[n], p[n] = now_ns, column, row, (rest >> 11) * 2 - 1
                n += 1
        elif code == ADDR_Y:
            row = rest & 0x7FF
        elif code == TIME_LOW:
            low = rest
            now_ns = NS_PER_US * ((rollover << 24) + (high << 12 | low))
            stage = TIME_KNOWN if stage >= HIGH_SEEN else stage
        elif code == TIME_HIGH:
            if stage >= HIGH_SEEN:
                rollover += (rest < high - HIGH_NOISE) - (rest >= high + HIGH_PERIOD - HIGH_NOISE)
            high = rest
            now_ns = NS_PER_US * ((rollover << 24) + (high << 12 | low))
            stage = max(stage, HIGH_SEEN)
        elif code in (VECT_12, VECT_8):
            bits = 12 if code == VECT_12 else 8
            for i in range(bits):
                if rest >> i & 1:
                    column = base + i
                    if stage != TIME_KNOWN:
                        early += 1
                    elif column >= width or row >= height:
                        outside += 1
                    else:
                        t_ns[n], x[n], y[n], p[n] = now_ns, column, row, sign * 2 - 1
                        n += 1
            base += bits
        elif code == VECT_BASE_X:
            base, sign = rest & 0x7FF, rest >> 11
        elif code == EXT_TRIGGER:
            if stage == TIME_KNOWN:
                edge_t_ns[m], edge_id[m], edge[m] = now_ns, rest >> 8, rest & 1
                m += 1
            else:
                early += 1
        elif code in (CONTINUED_4, OTHERS, CONTINUED_12):
            ignored += 1
        else:
            unknown += 1
    memory[ROW], memory[HIGH], memory[LOW], memory[ROLLOVER] = row, high, low, rollover
    memory[BASE], memory[SIGN], memory[STAGE] = base, sign, stage
    memory[OUTSIDE] += outside
    memory[BEFORE_TIME] += early
    memory[IGNORED] += ignored
    memory[UNKNOWN] += unknown
    return n, m


def _vectorised(
    words: NDArray, memory: NDArray, time_base: int, height: int, width: int
) -> tuple[EventArray, Triggers]:
    code, rest = words >> 12, (words & 0xFFF).astype(np.int64)
    now_ns, start = _times(code, rest, memory)
    row = latest(code == ADDR_Y, rest[code == ADDR_Y] & 0x7FF, int(memory[ROW]))
    memory[ROW] = last_value(row, int(memory[ROW]))
    column, sign, mask = _columns(code, rest, memory)
    at = np.flatnonzero(mask)
    owner, bit = set_bits(mask[at], VECTOR_BITS[VECT_12])
    at = at[owner]
    edges = np.flatnonzero(code == EXT_TRIGGER)
    known, known_edges = at >= start, edges >= start
    memory[BEFORE_TIME] += np.count_nonzero(~known) + np.count_nonzero(~known_edges)
    memory[IGNORED] += np.count_nonzero(np.isin(code, SKIPPED))
    memory[UNKNOWN] += np.count_nonzero(np.isin(code, UNDEFINED))
    at, bit, edges = at[known], bit[known], edges[known_edges]
    events = inside(now_ns[at], column[at] + bit, row[at], sign[at], memory, height=height, width=width)
    edge = rest[edges]
    return events, Triggers(now_ns[edges], (edge >> 8).astype(np.uint16), (edge & 1).astype(np.uint8))


def _times(code: NDArray, rest: NDArray, memory: NDArray) -> tuple[NDArray[np.int64], int]:
    """Time at each word, and the index of the first word whose time is known."""
    is_high, is_low, stage = code == TIME_HIGH, code == TIME_LOW, int(memory[STAGE])
    high = rest[is_high]
    before = np.concatenate(([memory[HIGH]] if stage else high[:1], high[:-1]))
    turn = (high < before - HIGH_NOISE).astype(np.int64) - (high >= before + HIGH_PERIOD - HIGH_NOISE)
    periods = latest(
        is_high,
        (memory[ROLLOVER] + np.cumsum(turn)) * HIGH_PERIOD + high,
        int(memory[ROLLOVER]) * HIGH_PERIOD + int(memory[HIGH]),
    )
    low = latest(is_low, rest[is_low], int(memory[LOW]))
    high_at = 0 if stage else first_index(is_high)
    start = 0 if stage == TIME_KNOWN else first_index(is_low, high_at)
    memory[ROLLOVER] += turn.sum()
    memory[HIGH] = last_value(high, int(memory[HIGH]))
    memory[LOW] = last_value(low, int(memory[LOW]))
    memory[STAGE] = max(
        stage, HIGH_SEEN if high_at < code.size else 0, TIME_KNOWN if start < code.size else 0
    )
    return NS_PER_US * (periods * HIGH_PERIOD + low), start


def _columns(code: NDArray, rest: NDArray, memory: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """First column, polarity bit and mask of each word; a mask of 0 where a word is no event."""
    steps = np.zeros(16, np.int64)
    steps[list(VECTOR_BITS)] = list(VECTOR_BITS.values())
    step = steps[code]
    travelled = np.cumsum(step) - step
    is_base = code == VECT_BASE_X
    origin = latest(is_base, (rest & 0x7FF)[is_base] - travelled[is_base], int(memory[BASE]))
    column = origin + travelled
    sign = latest(is_base, rest[is_base] >> 11, int(memory[SIGN]))
    memory[BASE] = last_value(column + step, int(memory[BASE]))
    memory[SIGN] = last_value(sign, int(memory[SIGN]))
    mask = rest & ((1 << step) - 1)
    single = code == ADDR_X
    column[single], sign[single], mask[single] = rest[single] & 0x7FF, rest[single] >> 11, 1
    return column, sign, mask


EVT3 = WordDecoder('evt3', '<u2', _capacity, _kernel, _vectorised)
