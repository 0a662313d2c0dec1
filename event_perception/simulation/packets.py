# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated events and spikes to the payloads of packets, small enough for best-effort transport."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from event_perception.errors import ConfigError
from event_perception.events import EventArray
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.codecs import encoders, spike_planes

MOST_EVENTS = 30_000  # in one packet: below 300 kB in every encoding


@dataclass(frozen=True)
class Packet:
    """What an ``EventPacket`` carries, without its header."""

    payload: bytes
    encoding: str
    t_first_ns: int
    time_base_ns: int
    count: int
    height: int
    width: int


class EventPacketCutter:
    """Cuts sorted events at the multiples of a duration and encodes them.

    Args:
        encoding: ``libcaer_cmp``, ``evt3`` or ``mono``.
        duration_s: Time that one packet spans.

    Raises:
        ConfigError: If the encoding is not one of these.
    """

    def __init__(self, encoding: str, duration_s: float) -> None:
        if encoding not in ('libcaer_cmp', 'evt3', 'mono'):
            raise ConfigError(f'encoding={encoding!r}: choose libcaer_cmp, evt3 or mono')
        self._encoding, self._span_ns = encoding, round(duration_s * 1e9)
        self._last_ns: int | None = None

    def restart(self) -> None:
        """Time has jumped: what follows does not continue what was."""
        self._last_ns = None

    def packets(self, events: EventArray) -> Iterator[Packet]:
        """The packets of events that follow those before."""
        if not len(events):
            return
        borders = (np.flatnonzero(np.diff(events.t_ns // self._span_ns)) + 1).tolist()
        for start, stop in zip([0, *borders], [*borders, len(events)]):
            for first in range(start, stop, MOST_EVENTS):
                yield self._packet(events[first : min(stop, first + MOST_EVENTS)])

    def _packet(self, events: EventArray) -> Packet:
        time_base_ns = 0
        if self._encoding == 'evt3':
            payload = encoders.encode_evt3(events, previous_t_ns=self._last_ns)
        else:
            encode = encoders.encode_mono if self._encoding == 'mono' else encoders.encode_libcaer_cmp
            payload, time_base_ns = encode(events)
        self._last_ns = int(events.t_ns[-1])
        return Packet(
            payload,
            self._encoding,
            int(events.t_ns[0]),
            time_base_ns,
            len(events),
            events.height,
            events.width,
        )


def spike_packets(stream: SpikeStream) -> Iterator[Packet]:
    """The packets of planes that follow those before, ``spike_planes_v1``."""
    planes = spike_planes.planes_per_packet(stream)
    for time_base_ns, payload in spike_planes.packets(stream, planes=planes):
        index = (time_base_ns - stream.start_ns) // stream.plane_period_ns
        count = min(planes, len(stream) - index)
        yield Packet(
            payload,
            spike_planes.ENCODING,
            time_base_ns,
            time_base_ns,
            count,
            stream.height,
            stream.width,
        )
