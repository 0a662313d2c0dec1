# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The packets of one topic as one stream of events: decoder state, lost packets, continuous time.

``event_camera_msgs/EventPacket`` carries an encoded piece of a camera's byte stream. What a decoder must
remember between pieces lives here, once a topic, for messages of rclpy and of bags alike.
"""

from dataclasses import dataclass, replace
from typing import Any

from event_perception.clock import EVT3_WRAP_NS, SensorClock
from event_perception.errors import DataError
from event_perception.events import EventArray
from event_perception.events.spike_stream import SpikeStream
from event_perception.io.codecs.spike_planes import ENCODING as SPIKE_PLANES
from event_perception.io.codecs.spike_planes import SpikePlanesDecoder
from event_perception.io.codecs.state import DecoderCounts, DecoderState
from event_perception.io.codecs.triggers import NO_TRIGGERS, Triggers
from event_perception.io.stamps import header_ns

EVT2_WRAP_NS = (1 << 34) * 1000
WRAPS_NS = {'evt3': EVT3_WRAP_NS, 'evt2': EVT2_WRAP_NS, 'evt21': EVT2_WRAP_NS}
"""Encodings whose absolute time is known only up to a period: a decoder that starts afresh loses it."""


@dataclass(frozen=True, slots=True)
class PacketCounts:
    """Running totals of one topic.

    Attributes:
        packets: Packets decoded.
        events: Events delivered.
        lost_packets: Packets that never came, by the gaps of ``seq``.
        gaps: How often packets were missing.
        restarts: How often the stream began anew: ``seq`` ran backwards, or size or encoding changed.
        outside: Events outside the sensor, dropped.
        before_time: Events before the sensor time was known, dropped.
        invalid: Events marked invalid by the driver, dropped.
        unknown_words: Words of an undocumented kind, skipped.
        truncated_bytes: Bytes of incomplete last words, dropped.
    """

    packets: int = 0
    events: int = 0
    lost_packets: int = 0
    gaps: int = 0
    restarts: int = 0
    outside: int = 0
    before_time: int = 0
    invalid: int = 0
    unknown_words: int = 0
    truncated_bytes: int = 0


class EventPacketStream:
    """Decodes the packets of one topic in order.

    Times are the sensor's, continuous also over lost packets; with a clock they are ROS times. What a sensor
    time counts from depends on the encoding: the epoch for libcaer and mono, the camera's start for evt3.

    Args:
        clock: Maps sensor times to ROS times, updated with every packet; None keeps sensor times.

    Attributes:
        triggers: Trigger edges of the latest packet, same clock as the events.
        frame_id: Frame of the latest packet.
        encoding: Encoding of the latest packet.
    """

    def __init__(self, clock: SensorClock | None = None) -> None:
        self.clock = clock
        self.triggers: Triggers = NO_TRIGGERS
        self.frame_id = ''
        self.encoding = ''
        self._counts = PacketCounts()
        self._finished = DecoderCounts(*[0] * len(DecoderCounts._fields))
        self._state: DecoderState | None = None
        self._layout: tuple[str, int, int] | None = None
        self._seq: int | None = None
        self._shift_ns = 0
        self._rejoin = False
        self._last_ns: int | None = None
        self._last_stamp_ns = 0

    @property
    def counts(self) -> PacketCounts:
        """Running totals since construction."""
        current = self._state.counts if self._state is not None else self._finished
        both = current if self._state is None else _sum(self._finished, current)
        names = ('events', 'outside', 'before_time', 'invalid', 'unknown_words', 'truncated_bytes')
        return replace(self._counts, **{name: getattr(both, name) for name in names})

    def push(self, message: Any) -> EventArray:
        """Events of the next packet; few or none until the sensor time is known.

        Raises:
            DataError: If the packet is big-endian, carries spike planes or cannot be decoded.
        """
        from event_perception.io.decode import decode_event_packet

        _refuse_big_endian(message)
        self._follow_sequence(message)
        stamp = header_ns(message)
        events, triggers, self._state = decode_event_packet(
            self.encoding,
            message.events,
            time_base=int(message.time_base),
            height=int(message.height),
            width=int(message.width),
            state=self._state,
        )
        self._counts = replace(self._counts, packets=self._counts.packets + 1)
        return self._in_time(events, triggers, stamp)

    def _follow_sequence(self, message: Any) -> None:
        """See from size, encoding and ``seq`` whether this packet continues the one before."""
        layout = (str(message.encoding), int(message.height), int(message.width))
        seq = int(message.seq)
        counts, expected = self._counts, None if self._seq is None else self._seq + 1
        # A publisher that does not number its packets leaves 0 in all of them.
        numbered = seq != 0 or self._seq != 0
        if self._layout is not None and (layout != self._layout or (numbered and seq < (expected or 0))):
            self._restart()
            self._counts = replace(counts, restarts=counts.restarts + 1)
        elif numbered and expected is not None and seq > expected:
            self._counts = replace(
                counts, lost_packets=counts.lost_packets + seq - expected, gaps=counts.gaps + 1
            )
            if self._state is not None:
                self._state = self._state.reset()
                self._rejoin = True
        self._layout, self._seq = layout, seq
        self.encoding, self.frame_id = layout[0], str(message.header.frame_id)

    def _restart(self) -> None:
        if self._state is not None:
            self._finished = _sum(self._finished, self._state.counts)
        self._state, self._last_ns, self._shift_ns, self._rejoin = None, None, 0, False

    def _in_time(self, events: EventArray, triggers: Triggers, stamp: int) -> EventArray:
        first_ns = _first_ns(events, triggers)
        if first_ns is None:
            self.triggers = triggers
            return events
        if self._rejoin:
            self._shift_ns = self._missing_wraps_ns(first_ns, stamp)
            self._rejoin = False
        offset_ns = self._shift_ns
        self._last_ns = first_ns + self._shift_ns
        self._last_stamp_ns = stamp
        if self.clock is not None:
            offset_ns += self.clock.update(first_ns + self._shift_ns, stamp)
        if not offset_ns:
            self.triggers = triggers
            return events
        self.triggers = Triggers(triggers.t_ns + offset_ns, triggers.id, triggers.edge)
        return events.shifted(offset_ns)

    def _missing_wraps_ns(self, first_ns: int, stamp: int) -> int:
        """What the decoder forgot with its rollovers, going by the host's clock across the gap."""
        wrap_ns = WRAPS_NS.get(self.encoding)
        if wrap_ns is None or self._last_ns is None:
            return 0
        expected = self._last_ns + stamp - self._last_stamp_ns
        return (expected - first_ns + wrap_ns // 2) // wrap_ns * wrap_ns


class SpikePacketStream:
    """Decodes the packets of one topic of a spike camera, encoding ``spike_planes_v1``, in order.

    Args:
        clock: Maps sensor times to ROS times; None keeps sensor times.
        check_bit_order: Whether to refuse packets whose picture the opposite bit order explains far better.
    """

    def __init__(self, clock: SensorClock | None = None, *, check_bit_order: bool = True) -> None:
        self.clock = clock
        self.frame_id = ''
        self._decoder = SpikePlanesDecoder(check_bit_order=check_bit_order)

    @property
    def last_rejection(self) -> str:
        """Why the latest refused packet was refused; empty before."""
        return self._decoder.last_rejection

    @property
    def counts(self) -> Any:
        """Packets, planes, rejections, gaps and restarts so far (``SpikePacketCounts``)."""
        return self._decoder.counts

    def push(self, message: Any) -> SpikeStream | None:
        """Planes of the next packet, or None where it was refused, counted and logged.

        Raises:
            DataError: If the packet is big-endian or of another encoding.
        """
        _refuse_big_endian(message)
        if message.encoding != SPIKE_PLANES:
            raise DataError(f'encoding {message.encoding!r} on a topic of spikes; expected {SPIKE_PLANES!r}')
        self.frame_id = str(message.header.frame_id)
        stream = self._decoder.decode(
            message.events,
            time_base=int(message.time_base),
            height=int(message.height),
            width=int(message.width),
        )
        if stream is None or self.clock is None:
            return stream
        return shifted_planes(stream, self.clock.update(stream.start_ns, header_ns(message)))


def shifted_planes(stream: SpikeStream, offset_ns: int) -> SpikeStream:
    """The same planes with a constant added to their times."""
    return SpikeStream(
        stream.planes,
        height=stream.height,
        width=stream.width,
        plane_period_ns=stream.plane_period_ns,
        start_ns=stream.start_ns + offset_ns,
        layout=stream.layout,
        gain=stream.gain,
        first_plane_index=stream.first_plane_index,
    )


def _refuse_big_endian(message: Any) -> None:
    if message.is_bigendian:
        raise DataError(
            'is_bigendian=true: only little-endian event packets are known to exist and can be decoded; '
            'convert the packets or correct the publisher'
        )


def _first_ns(events: EventArray, triggers: Triggers) -> int | None:
    if len(events):
        return int(events.t_ns[0])
    return int(triggers.t_ns[0]) if len(triggers) else None


def _sum(a: DecoderCounts, b: DecoderCounts) -> DecoderCounts:
    return DecoderCounts(*(m + n for m, n in zip(a, b)))
