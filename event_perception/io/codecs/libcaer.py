# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""EventPacket ``libcaer``: the polarity events of libcaer as they are, 8 bytes each.

Lower 32 bits: bit 0 valid, bit 1 polarity, bits 2 to 16 row, bits 17 to 31 column. Upper 32 bits: sensor time
in us. Packets are independent.

Time: t_ns = time_base + 1000 * ts, with time_base in ns since the epoch. Sensor time wraps after 2^31 us, and
time_base is that of the first event: a fall by more than half a period inside a packet adds a period, a rise
by as much takes it back. Smaller falls are disorder and stay as they are.

Source: libcaer (iniVation), polarity events; libcaer_driver (Pfrommer).
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray
from event_perception.io.codecs.backend import njit
from event_perception.io.codecs.registers import wraps
from event_perception.io.codecs.state import INVALID, OUTSIDE
from event_perception.io.codecs.triggers import NO_TRIGGERS, Triggers
from event_perception.io.codecs.words import WordDecoder, inside

PERIOD_BITS = 31
HALF_PERIOD_US = 1 << (PERIOD_BITS - 1)
NS_PER_US = 1000


def _capacity(words: NDArray) -> tuple[int, int]:
    return words.size, 0


@njit(cache=True, nogil=True)
def _kernel(words, memory, time_base, height, width, t_ns, x, y, p, edge_t_ns, edge_id, edge):  # type: ignore[no-untyped-def]
    n, outside, invalid, period = 0, 0, 0, 0
    before_us = np.int64(-1)
    for k in range(words.shape[0]):
        word = words[k]
        if not word & 1:
            invalid += 1
            continue
        now_us = word >> 32
        if n + outside:
            period += (now_us - before_us < -HALF_PERIOD_US) - (now_us - before_us > HALF_PERIOD_US)
        before_us = now_us
        row, column = word >> 2 & 0x7FFF, word >> 17 & 0x7FFF
        if column < width and row < height:
            t_ns[n] = time_base + NS_PER_US * (now_us + (period << PERIOD_BITS))
            x[n], y[n], p[n] = column, row, (word & 2) - 1
            n += 1
        else:
            outside += 1
    memory[OUTSIDE] += outside
    memory[INVALID] += invalid
    return n, 0


def _vectorised(
    words: NDArray, memory: NDArray, time_base: int, height: int, width: int
) -> tuple[EventArray, Triggers]:
    valid = words[words & 1 == 1]
    memory[INVALID] += words.size - valid.size
    now_us = valid >> 32
    t_ns = time_base + NS_PER_US * (now_us + (wraps(now_us, HALF_PERIOD_US) << PERIOD_BITS))
    x, y, polarity = valid >> 17 & 0x7FFF, valid >> 2 & 0x7FFF, valid >> 1 & 1
    return inside(t_ns, x, y, polarity, memory, height=height, width=width), NO_TRIGGERS


LIBCAER = WordDecoder('libcaer', '<i8', _capacity, _kernel, _vectorised)
