# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The frame that all encodings made of fixed-size little-endian words share.

An encoding supplies two functions over an array of words: a numba kernel that fills preallocated arrays in
one pass, and a NumPy function without a loop. They agree in every event, trigger, register and count.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.io.codecs.backend import choose_backend
from event_perception.io.codecs.decoder import Decoded, Payload
from event_perception.io.codecs.state import EVENTS, OUTSIDE, TRIGGERS, TRUNCATED, DecoderState
from event_perception.io.codecs.triggers import NO_TRIGGERS, Triggers


@dataclass(frozen=True)
class WordDecoder:
    """A decoder of words of one size.

    Args:
        encoding: Name of the encoding.
        word: NumPy type of a word, as '<u2'.
        words_per_item: An incomplete last item is dropped and counted.
        capacity: (words, *variant) -> most events and most triggers that the words can give.
        kernel: Fills arrays of that capacity and updates the memory; returns how many events and triggers.
        vectorised: The same in NumPy, but returns the arrays.
        variant: Further integers for the three functions, where encodings share them.
    """

    encoding: str
    word: str
    capacity: Callable[..., tuple[int, int]]
    kernel: Callable[..., tuple[int, int]]
    vectorised: Callable[..., tuple[EventArray, Triggers]]
    words_per_item: int = 1
    variant: tuple[int, ...] = ()

    def initial_state(self, backend: str = 'auto') -> DecoderState:
        """The state before the first packet.

        Raises:
            ConfigError: If the backend is unknown or not available.
        """
        return DecoderState.fresh(self.encoding, choose_backend(backend))

    def decode(
        self, payload: Payload, state: DecoderState, *, time_base: int, height: int, width: int
    ) -> Decoded:
        """Events, triggers and the next state, see ``Decoder``.

        Raises:
            DataError: If the payload is not a contiguous buffer of bytes.
        """
        words, left_over = as_words(payload, self.word, self.words_per_item)
        memory = state.memory.copy()
        run = self._run_kernel if state.backend == 'numba' else self._run_vectorised
        events, triggers = run(words, memory, time_base, height, width)
        memory[EVENTS] += len(events)
        memory[TRIGGERS] += len(triggers)
        memory[TRUNCATED] += left_over
        return events, triggers, DecoderState(self.encoding, state.backend, memory)

    def _run_kernel(
        self, words: NDArray, memory: NDArray, time_base: int, height: int, width: int
    ) -> tuple[EventArray, Triggers]:
        size, edges = self.capacity(words, *self.variant)
        t_ns, p = np.empty(size, np.int64), np.empty(size, np.int8)
        x, y = np.empty(size, np.uint16), np.empty(size, np.uint16)
        room = _trigger_room(edges) if edges else _NO_ROOM
        n, m = self.kernel(words, memory, time_base, height, width, *self.variant, t_ns, x, y, p, *room)
        if n != size:
            t_ns, x, y, p = t_ns[:n], x[:n], y[:n], p[:n]
        events = EventArray.trusted(t_ns, x, y, p, height=height, width=width)
        return events, Triggers(room[0][:m], room[1][:m], room[2][:m]) if m else NO_TRIGGERS

    def _run_vectorised(
        self, words: NDArray, memory: NDArray, time_base: int, height: int, width: int
    ) -> tuple[EventArray, Triggers]:
        return self.vectorised(words, memory, time_base, height, width, *self.variant)


def as_words(payload: Payload, word: str, words_per_item: int = 1) -> tuple[NDArray, int]:
    """See the bytes of a payload as words; copies only where the address does not suit the word size.

    Returns:
        The words of all complete items, read-only, and the number of bytes behind them.

    Raises:
        DataError: If the payload is not a contiguous buffer.
    """
    try:
        raw = np.frombuffer(payload, np.uint8) if len(payload) else _NO_BYTES
    except (TypeError, ValueError, BufferError) as error:
        raise DataError(
            f'a payload of {type(payload).__name__} cannot be read as bytes ({error}); give bytes, a bytearray, '
            'a memoryview, an array.array or a contiguous numpy array of uint8'
        ) from error
    dtype = np.dtype(word)
    left_over = raw.size % (dtype.itemsize * words_per_item)
    words = raw[: raw.size - left_over].view(dtype)
    if not words.flags.aligned:
        words = words.copy()
    words.flags.writeable = False
    return words, left_over


def inside(
    t_ns: NDArray, x: NDArray, y: NDArray, polarity: NDArray, memory: NDArray, *, height: int, width: int
) -> EventArray:
    """Keep the events of the sensor, count the others, turn polarity bits into -1 and +1."""
    keep = (x < width) & (y < height)
    if not keep.all():
        memory[OUTSIDE] += keep.size - np.count_nonzero(keep)
        t_ns, x, y, polarity = t_ns[keep], x[keep], y[keep], polarity[keep]
    signs = (2 * polarity - 1).astype(np.int8)
    return EventArray.trusted(
        t_ns.astype(np.int64), x.astype(np.uint16), y.astype(np.uint16), signs, height=height, width=width
    )


def _trigger_room(size: int) -> tuple[NDArray, NDArray, NDArray]:
    return np.empty(size, np.int64), np.empty(size, np.uint16), np.empty(size, np.uint8)


# Compiled kernels are typed by writability too, so this one stays writable; it has no elements to write.
_NO_ROOM = _trigger_room(0)
_NO_BYTES = np.zeros(0, np.uint8)
