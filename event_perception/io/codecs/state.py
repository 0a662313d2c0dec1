# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a decoder remembers between packets, and what it has counted so far.

Both live in one small integer array, ``memory``: the counters first, then the registers of the encoding. A
decoder copies it, works on the copy and hands that back, so a state is a value: an old one still works.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COUNTERS = 8
EVENTS, TRIGGERS, OUTSIDE, BEFORE_TIME, INVALID, IGNORED, UNKNOWN, TRUNCATED = range(COUNTERS)
REGISTERS = COUNTERS  # an encoding numbers its own registers from here; all start at 0
MEMORY_SIZE = COUNTERS + 8


class DecoderCounts(NamedTuple):
    """Running totals of a stream. Everything but the first two is input that gave no output.

    Attributes:
        events: Events delivered.
        triggers: Trigger edges delivered.
        outside: Events with a pixel outside the sensor, dropped.
        before_time: Events and triggers before the sensor time was known, dropped.
        invalid: Events that the camera driver had marked invalid, or of a value that no sensor sends.
        ignored_words: Words of a documented kind that carries neither events nor time.
        unknown_words: Words of an undocumented kind.
        truncated_bytes: Bytes of incomplete last words.
    """

    events: int
    triggers: int
    outside: int
    before_time: int
    invalid: int
    ignored_words: int
    unknown_words: int
    truncated_bytes: int


@dataclass(frozen=True, eq=False)
class DecoderState:
    """State of one stream of one encoding, between two packets.

    Attributes:
        encoding: The encoding it belongs to.
        backend: Which implementation decodes, 'numba' or 'numpy'; both give the same.
        memory: int64 (MEMORY_SIZE,), counters and registers, read-only.
    """

    encoding: str
    backend: str
    memory: NDArray[np.int64]

    def __post_init__(self) -> None:
        self.memory.flags.writeable = False

    @classmethod
    def fresh(cls, encoding: str, backend: str) -> 'DecoderState':
        """The state before the first packet."""
        return cls(encoding, backend, np.zeros(MEMORY_SIZE, np.int64))

    @property
    def counts(self) -> DecoderCounts:
        """Totals since the stream began; a reset keeps them."""
        return DecoderCounts(*self.memory[:COUNTERS].tolist())

    def reset(self) -> 'DecoderState':
        """Forget the registers, keep the counts: for use after lost packets.

        Registers such as the row or the high half of the time may be stale after a gap in the sequence numbers.
        A decoder drops events until it knows the time again. The number of time rollovers is forgotten too:
        the sensor time of evt3 begins anew in [0, 16.777 s), of evt2 in [0, 4.77 h).
        """
        memory = self.memory.copy()
        memory[REGISTERS:] = 0
        return DecoderState(self.encoding, self.backend, memory)
