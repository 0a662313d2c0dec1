# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a decoder is: packets of one encoding in, events and triggers out, state in, state out."""

from typing import Any, Protocol

from event_perception.events import EventArray
from event_perception.io.codecs.state import DecoderState
from event_perception.io.codecs.triggers import Triggers

# Anything with the buffer protocol: bytes, bytearray, memoryview, array.array, numpy uint8.
Payload = Any
Decoded = tuple[EventArray, Triggers, DecoderState]


class Decoder(Protocol):
    """Turns packets of one encoding into events.

    The given state stays as it is; the next packet is decoded with the state that was returned.
    """

    @property
    def encoding(self) -> str:
        """The name in EventPacket.encoding."""
        ...

    def initial_state(self, backend: str = 'auto') -> DecoderState:
        """The state before the first packet, for the backend 'auto', 'numba' or 'numpy'."""
        ...

    def decode(
        self, payload: Payload, state: DecoderState, *, time_base: int, height: int, width: int
    ) -> Decoded:
        """Events, triggers and the next state.

        Args:
            payload: The bytes of one packet.
            state: What the previous packet left.
            time_base: EventPacket.time_base, ns; encodings with absolute sensor time ignore it.
            height: Sensor rows; events outside are dropped and counted.
            width: Sensor columns.
        """
        ...
