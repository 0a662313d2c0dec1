# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Encoding ``spike_planes_v1``: a run of packed spike planes in the payload of an EventPacket.

A preamble of 40 bytes says how the planes lie, so the layouts of all cameras travel without repacking. A
packet is refused as a whole or taken as a whole; missing planes show as a jump of ``first_plane_index``.
"""

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events.bit_order import check_bit_order as refuse_wrong_bit_order
from event_perception.events.plane_layout import BitOrder, PlaneKind, PlaneLayout
from event_perception.events.spike_stream import SpikeStream

ENCODING = 'spike_planes_v1'
PREAMBLE = struct.Struct('<IHHQIIIIfBBBB')
MAGIC = 0x504B5053  # 'SPKP'
VERSION = 1
MAX_PACKET_BYTES = (
    300_000  # best-effort messages above about 0.5 MB are mostly lost with default DDS settings
)
ALIGNMENT = 8  # planes start at multiples of it, so that they can be read in 64-bit words
BIT_ORDERS: tuple[BitOrder, ...] = ('little', 'big')
CHECK_PLANES = 2048  # from one look at the bit order to the next
KINDS: tuple[PlaneKind, ...] = ('contiguous', 'rows', 'split_rows')

logger = logging.getLogger(__name__)


def planes_per_packet(stream: SpikeStream, max_bytes: int = MAX_PACKET_BYTES) -> int:
    """Most planes of this stream that a packet of ``max_bytes`` carries.

    Raises:
        DataError: If not even one plane fits.
    """
    planes = (max_bytes - PREAMBLE.size) // _aligned(stream.planes.shape[1])
    if planes < 1:
        raise DataError(
            f'max_bytes={max_bytes}: one plane of {stream.planes.shape[1]} bytes and the preamble need more'
        )
    return planes


def encode_spike_planes(stream: SpikeStream, *, first_plane_index: int | None = None) -> bytes:
    """One payload with all planes of the stream, in the stream's own layout.

    Args:
        stream: At least one plane; its ``start_ns`` belongs into ``time_base`` of the message.
        first_plane_index: Index of plane 0; None takes the stream's own, else 0.

    Raises:
        DataError: If there is no plane or the period does not fit.
    """
    if not len(stream) or stream.plane_period_ns >= 2**32:
        raise DataError(
            f'{len(stream)} planes of {stream.plane_period_ns} ns: a packet carries at least one, below 4.29 s'
        )
    index = stream.first_plane_index if first_plane_index is None else first_plane_index
    stride = _aligned(stream.planes.shape[1])
    layout = stream.layout
    preamble = PREAMBLE.pack(
        MAGIC,
        VERSION,
        PREAMBLE.size,
        index or 0,
        len(stream),
        stream.plane_period_ns,
        stride,
        layout.row_stride_bytes,
        stream.gain,
        BIT_ORDERS.index(layout.bit_order),
        KINDS.index(layout.kind),
        int(layout.flipped_rows),
        0,
    )
    content = np.zeros(PREAMBLE.size + len(stream) * stride, np.uint8)
    content[: PREAMBLE.size] = np.frombuffer(preamble, np.uint8)
    content[PREAMBLE.size :].reshape(len(stream), stride)[:, : stream.planes.shape[1]] = stream.planes
    return content.tobytes()


def packets(
    stream: SpikeStream, *, planes: int | None = None, max_bytes: int = MAX_PACKET_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Cut a stream into (time_base, payload) of ``planes`` each, by default as many as ``max_bytes`` carries."""
    step = planes_per_packet(stream, max_bytes) if planes is None else planes
    first = stream.first_plane_index or 0
    for start in range(0, len(stream), step):
        part = stream[start : start + step]
        yield part.start_ns, encode_spike_planes(part, first_plane_index=first + start)


def planes_in(payload: bytes) -> int:
    """Number of planes that a payload of ours holds."""
    return int(PREAMBLE.unpack_from(payload)[4])


def parse_spike_planes(
    payload: bytes | bytearray | memoryview | NDArray[np.uint8], *, time_base: int, height: int, width: int
) -> SpikeStream:
    """Read one payload; the planes are a view of it.

    Raises:
        DataError: If any field is outside what the encoding defines, or the length disagrees.
    """
    data = np.frombuffer(payload, np.uint8)
    if data.size < PREAMBLE.size:
        raise DataError(f'{ENCODING}: {data.size} bytes are less than the preamble of {PREAMBLE.size}')
    fields = PREAMBLE.unpack(data[: PREAMBLE.size].tobytes())
    magic, version, header, index, n_planes, period_ns, stride, row_stride, gain, order, kind, flip, _ = (
        fields
    )
    _check_preamble(magic, version, header, n_planes, order, kind, flip)
    extra = data.size - (header + n_planes * stride)
    if not 0 <= extra < ALIGNMENT or data[data.size - extra :].any():
        raise DataError(
            f'{ENCODING}: {data.size} bytes, but {n_planes} planes of {stride} bytes behind {header} make '
            f'{header + n_planes * stride}'
        )
    return SpikeStream(
        data[header : header + n_planes * stride].reshape(n_planes, stride),
        height=height,
        width=width,
        plane_period_ns=period_ns,
        start_ns=time_base,
        layout=PlaneLayout(KINDS[kind], row_stride, BIT_ORDERS[order], bool(flip)),
        gain=gain,
        first_plane_index=index,
    )


def _check_preamble(
    magic: int, version: int, header: int, n_planes: int, order: int, kind: int, flip: int
) -> None:
    checks = (
        (magic == MAGIC, f'magic 0x{magic:08X}, expected 0x{MAGIC:08X}'),
        (version == VERSION, f'version {version}, this reader knows {VERSION}'),
        (
            header >= PREAMBLE.size and header % 8 == 0,
            f'header_bytes {header}, expected a multiple of 8 from 40',
        ),
        (n_planes >= 1, 'n_planes 0, expected at least 1'),
        (order < len(BIT_ORDERS), f'bit_order {order}, expected 0 or 1'),
        (kind < len(KINDS), f'layout {kind}, expected 0 to 2'),
        (flip <= 1, f'flipped_rows {flip}, expected 0 or 1'),
    )
    for fine, message in checks:
        if not fine:
            raise DataError(f'{ENCODING}: {message}')


@dataclass(frozen=True, slots=True)
class SpikePacketCounts:
    """What a decoder has seen since it was made."""

    packets: int = 0
    planes: int = 0
    rejected: int = 0
    gaps: int = 0
    missing_planes: int = 0
    restarts: int = 0


class SpikePlanesDecoder:
    """Decode the payloads of one topic in order; bad packets are counted, and logged once a reason.

    Args:
        check_bit_order: Whether to refuse packets whose picture the opposite bit order explains far better;
            looked at anew now and then.

    Attributes:
        counts: Packets, planes, rejections, gaps, missing planes and restarts so far.
        last_rejection: Why the latest refused packet was refused; empty before.
    """

    def __init__(self, *, check_bit_order: bool = True) -> None:
        self.counts = SpikePacketCounts()
        self.last_rejection = ''
        self._check, self._planes_to_look, self._scrambled = check_bit_order, 0, ''
        self._looked_at: tuple[int, int, PlaneLayout] | None = None
        self._last: SpikeStream | None = None

    def decode(
        self,
        payload: bytes | bytearray | memoryview | NDArray[np.uint8],
        *,
        time_base: int,
        height: int,
        width: int,
    ) -> SpikeStream | None:
        """The planes of one packet, or None where the packet had to be refused.

        Reconstructors see gaps by themselves, from ``first_plane_index`` of the streams that they get.
        """
        try:
            stream = parse_spike_planes(payload, time_base=time_base, height=height, width=width)
            self._refuse_scrambled(stream)
        except DataError as error:
            self._reject(str(error))
            return None
        missing, restarted = self._compare(stream)
        self.counts = replace(
            self.counts,
            packets=self.counts.packets + 1,
            planes=self.counts.planes + len(stream),
            gaps=self.counts.gaps + (missing > 0),
            missing_planes=self.counts.missing_planes + missing,
            restarts=self.counts.restarts + restarted,
        )
        self._last = stream[len(stream) :]
        return stream

    def _refuse_scrambled(self, stream: SpikeStream) -> None:
        """Refuse a wrongly declared bit order, as seen in the first packet and then every some planes."""
        kind = (stream.height, stream.width, stream.layout)
        if not self._check:
            return
        if self._planes_to_look <= 0 or kind != self._looked_at:
            self._looked_at, self._planes_to_look, self._scrambled = kind, CHECK_PLANES, ''
            try:
                refuse_wrong_bit_order(
                    stream.canonical(), height=stream.height, width=stream.width, where=ENCODING
                )
            except DataError as error:
                self._scrambled = str(error)
        self._planes_to_look -= len(stream)
        if self._scrambled:
            raise DataError(self._scrambled)

    def _compare(self, stream: SpikeStream) -> tuple[int, bool]:
        """Planes missing before this packet, and whether a new stream begins with it."""
        last = self._last
        if last is None:
            return 0, False
        same = all(
            getattr(last, name) == getattr(stream, name)
            for name in ('height', 'width', 'plane_period_ns', 'layout')
        )
        missing = (stream.first_plane_index or 0) - (last.first_plane_index or 0)
        return (missing, False) if same and missing >= 0 else (0, True)

    def _reject(self, reason: str) -> None:
        if reason != self.last_rejection:
            logger.warning('packet refused: %s', reason)
        self.last_rejection = reason
        self.counts = replace(self.counts, packets=self.counts.packets + 1, rejected=self.counts.rejected + 1)


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // ALIGNMENT) * ALIGNMENT
