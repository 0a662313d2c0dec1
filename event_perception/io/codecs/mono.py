# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""EventPacket ``mono`` and ``trigger``: 64-bit words of early drivers, events or trigger edges.

Bits 0 to 31 hold the time since time_base in ns: t_ns = time_base + dt, a packet spans less than 4.29 s. mono:
bits 32 to 47 column, 48 to 62 row, 63 polarity. trigger: bits 48 to 62 number of the input, 63 edge. Packets
are independent.

Source: event_camera_msgs and event_camera_codecs (Pfrommer).
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray
from event_perception.io.codecs.backend import njit
from event_perception.io.codecs.state import OUTSIDE
from event_perception.io.codecs.triggers import NO_TRIGGERS, Triggers
from event_perception.io.codecs.words import WordDecoder, inside


def _events_at_most(words: NDArray) -> tuple[int, int]:
    return words.size, 0


def _edges_at_most(words: NDArray) -> tuple[int, int]:
    return 0, words.size


@njit(cache=True, nogil=True)
def _mono_kernel(words, memory, time_base, height, width, t_ns, x, y, p, edge_t_ns, edge_id, edge):  # type: ignore[no-untyped-def]
    n = 0
    for k in range(words.shape[0]):
        word = words[k]
        column, row = word >> 32 & 0xFFFF, word >> 48 & 0x7FFF
        if column < width and row < height:
            t_ns[n], x[n], y[n] = time_base + (word & 0xFFFFFFFF), column, row
            p[n] = 1 if word < 0 else -1  # bit 63 is the sign of the word
            n += 1
    memory[OUTSIDE] += words.shape[0] - n
    return n, 0


def _mono_vectorised(
    words: NDArray, memory: NDArray, time_base: int, height: int, width: int
) -> tuple[EventArray, Triggers]:
    t_ns = time_base + (words & 0xFFFFFFFF)
    x, y, polarity = words >> 32 & 0xFFFF, words >> 48 & 0x7FFF, words >> 63 & 1
    return inside(t_ns, x, y, polarity, memory, height=height, width=width), NO_TRIGGERS


@njit(cache=True, nogil=True)
def _trigger_kernel(words, memory, time_base, height, width, t_ns, x, y, p, edge_t_ns, edge_id, edge):  # type: ignore[no-untyped-def]
    for k in range(words.shape[0]):
        word = words[k]
        edge_t_ns[k] = time_base + (word & 0xFFFFFFFF)
        edge_id[k], edge[k] = word >> 48 & 0x7FFF, word >> 63 & 1
    return 0, words.shape[0]


def _trigger_vectorised(
    words: NDArray, memory: NDArray, time_base: int, height: int, width: int
) -> tuple[EventArray, Triggers]:
    t_ns = time_base + (words & 0xFFFFFFFF)
    number, edge = words >> 48 & 0x7FFF, words >> 63 & 1
    triggers = Triggers(t_ns, number.astype(np.uint16), edge.astype(np.uint8))
    return EventArray.empty(height=height, width=width), triggers


MONO = WordDecoder('mono', '<i8', _events_at_most, _mono_kernel, _mono_vectorised)
TRIGGER = WordDecoder('trigger', '<i8', _edges_at_most, _trigger_kernel, _trigger_vectorised)
