# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One door for event packets of every encoding."""

from functools import cache

from event_perception.errors import DataError
from event_perception.io.codecs import Decoded, Decoder, DecoderState, Payload, decoders

LATEST_TIME_BASE_NS = 2**62  # year 2116; leaves room for the times inside a packet


def decode_event_packet(
    encoding: str,
    payload: Payload,
    time_base: int = 0,
    *,
    height: int,
    width: int,
    state: DecoderState | None = None,
    backend: str = 'auto',
) -> Decoded:
    """Decode the bytes of one packet.

    Feed the packets of a stream in order and hand the returned state to the next call: evt3 and evt2 keep row
    and time across packets. After a gap in the sequence numbers pass ``state.reset()``. What gave no output is
    in ``state.counts``: events outside the sensor or before the time was known, words of unknown kind,
    incomplete last words. Bad bytes are counted, they never raise.

    Args:
        encoding: EventPacket.encoding, or 'evt2', 'evt21', 'evt21_legacy' for files.
        payload: EventPacket.events: bytes, bytearray, memoryview, array.array or numpy uint8; little-endian.
        time_base: EventPacket.time_base, ns.
        height: Sensor rows.
        width: Sensor columns.
        state: What the previous call of this stream returned; None begins a stream.
        backend: For a new stream, 'numba', 'numpy' or 'auto' (numba where installed); both give the same.
            ``state.backend`` says which one works.

    Returns:
        Events, trigger edges and the next state. Times are absolute ns: sensor time of unknown origin for the
        evt encodings, time_base plus sensor time for the others.

    Raises:
        DataError: If the encoding is unknown, the state belongs to another one, the payload is no buffer, the
            size of the sensor or time_base is impossible.
        ConfigError: If the backend is unknown or not available.
    """
    decoder = _decoder(encoding)
    if state is None:
        state = decoder.initial_state(backend)
    elif state.encoding != encoding:
        raise DataError(
            f'state of a {state.encoding!r} stream given for {encoding!r}; keep one state a stream'
        )
    if not (1 <= height <= 65535 and 1 <= width <= 65535):
        raise DataError(f'height={height}, width={width}: a sensor has 1 to 65535 pixels a side')
    if not 0 <= time_base < LATEST_TIME_BASE_NS:
        raise DataError(f'time_base={time_base} ns: expected 0 to 2**62 - 1; is the packet big-endian?')
    # numpy integers, too, as plain ones: uint64 and int64 make float64 in numba, which cannot hold a time
    return decoder.decode(payload, state, time_base=int(time_base), height=int(height), width=int(width))


@cache
def _decoder(encoding: str) -> Decoder:
    """Loaded once: a look-up reads the entry points of all installed packages."""
    if encoding not in decoders.names():
        hint = ', spikes: use io.codecs.spike_planes' if encoding == 'spike_planes_v1' else ''
        raise DataError(f'encoding {encoding!r} is unknown{hint}; known for events: {decoders.names()}')
    decoder: Decoder = decoders.load(encoding)
    return decoder
