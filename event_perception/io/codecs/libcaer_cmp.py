# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""EventPacket ``libcaer_cmp``: the compressed 16-bit words of the iniVation (DVXplorer, DAVIS) ROS driver.

Time: t_ns = time_base + 1000 * (high << 12 | low), with time_base in ns since the epoch. All registers start at
0 in each packet, so packets are independent, and a packet spans less than 16.777 s. An event carries its row;
the column comes before it.

Source: event_camera_codecs and libcaer_driver (Pfrommer). Packets of libcaer_driver up to 1.5.6 hold about 4 %
of events 1 to 7 rows off, an error of that encoder that no decoder can see.
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray
from event_perception.io.codecs.backend import njit
from event_perception.io.codecs.popcount import popcount
from event_perception.io.codecs.registers import latest, set_bits
from event_perception.io.codecs.state import OUTSIDE, UNKNOWN
from event_perception.io.codecs.triggers import NO_TRIGGERS, Triggers
from event_perception.io.codecs.words import WordDecoder, inside

TIME_HIGH, TIME_LOW, ADDR_X, ADDR_Y, VECT_BASE_Y, VECT_8 = range(6)
VECTOR_BITS = 8
LAST_KNOWN_CODE = VECT_8  # 6, VECT_12, is declared by the driver and never written
NS_PER_US = 1000


@njit(cache=True, nogil=True)
def _capacity(words: NDArray) -> tuple[int, int]:
    """One event a set bit of a vector word: an exact upper bound."""
    events = 0
    for k in range(words.shape[0]):
        word = np.int64(words[k])
        code = word >> 12
        events += (code == ADDR_Y) + popcount(word & (code == VECT_8) * 0xFF)
    return events, 0


@njit(cache=True, nogil=True)
def _kernel(words, memory, time_base, height, width, t_ns, x, y, p, edge_t_ns, edge_id, edge):  # type: ignore[no-untyped-def]
    high = low = column = base = sign = np.int64(0)
    now_ns = np.int64(time_base)
    n, outside, unknown = 0, 0, 0
    for k in range(words.shape[0]):
        word = np.int64(words[k])
        code, rest = word >> 12, word & 0xFFF
        if code == TIME_LOW:
            low = rest
            now_ns = time_base + NS_PER_US * (high << 12 | low)
        elif code == ADDR_X:
            column = rest & 0x7FF
        elif code == ADDR_Y:
            row = rest & 0x7FF
            if column < width and row < height:
                t_ns[n], x[n], y[n], p[n] = now_ns, column, row, (rest >> 11) * 2 - 1
                n += 1
            else:
                outside += 1
        elif code == VECT_8:
            for i in range(VECTOR_BITS):
                if rest >> i & 1:
                    if column < width and base + i < height:
                        t_ns[n], x[n], y[n], p[n] = now_ns, column, base + i, sign * 2 - 1
                        n += 1
                    else:
                        outside += 1
            base += VECTOR_BITS
        elif code == VECT_BASE_Y:
            base, sign = rest & 0x7FF, rest >> 11
        elif code == TIME_HIGH:
            high = rest
            now_ns = time_base + NS_PER_US * (high << 12 | low)
        else:
            unknown += 1
    memory[OUTSIDE] += outside
    memory[UNKNOWN] += unknown
    return n, 0


def _vectorised(
    words: NDArray, memory: NDArray, time_base: int, height: int, width: int
) -> tuple[EventArray, Triggers]:
    code, rest = words >> 12, (words & 0xFFF).astype(np.int64)
    high, low, column = (
        latest(code == setter, rest[code == setter], 0) for setter in (TIME_HIGH, TIME_LOW, ADDR_X)
    )
    row, sign, mask = _rows(code, rest)
    at = np.flatnonzero(mask)
    owner, bit = set_bits(mask[at], VECTOR_BITS)
    at = at[owner]
    now_ns = time_base + NS_PER_US * (high[at] << 12 | low[at])
    memory[UNKNOWN] += np.count_nonzero(code > LAST_KNOWN_CODE)
    events = inside(now_ns, column[at] & 0x7FF, row[at] + bit, sign[at], memory, height=height, width=width)
    return events, NO_TRIGGERS


def _rows(code: NDArray, rest: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """First row, polarity bit and mask of each word; a mask of 0 where a word is no event."""
    is_vector, is_base, single = code == VECT_8, code == VECT_BASE_Y, code == ADDR_Y
    travelled = VECTOR_BITS * (np.cumsum(is_vector) - is_vector)
    row = latest(is_base, (rest & 0x7FF)[is_base] - travelled[is_base], 0) + travelled
    sign = latest(is_base, rest[is_base] >> 11, 0)
    mask = np.where(is_vector, rest & 0xFF, single)
    row[single], sign[single] = rest[single] & 0x7FF, rest[single] >> 11
    return row, sign, mask.astype(np.int64)


LIBCAER_CMP = WordDecoder('libcaer_cmp', '<u2', _capacity, _kernel, _vectorised)
