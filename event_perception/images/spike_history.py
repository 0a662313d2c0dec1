# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The latest planes of a spike stream, addressed by time, without copying them.

Pieces are kept as they come; planes get consecutive numbers until a gap or a restart, where everything older
is dropped, because no interval may be measured across planes that are missing.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events.spike_stream import SpikeStream


@dataclass(frozen=True, slots=True)
class SpikeHistoryCounts:
    """What was pushed so far: planes, gaps and the planes missing in them, and starts of another stream."""

    planes: int = 0
    gaps: int = 0
    missing_planes: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class _Piece:
    first: int
    stream: SpikeStream
    canonical: NDArray[np.uint8]


class SpikeHistory:
    """Keeps at least ``keep_planes`` of the latest planes, and every piece that reaches into them.

    Attributes:
        counts: What was pushed so far.
        generation: Number of times that the kept planes were dropped; per-pixel state is void when it changes.
    """

    def __init__(self, *, height: int, width: int, keep_planes: int) -> None:
        self._size = (height, width)
        self._keep = keep_planes
        self._pieces: deque[_Piece] = deque()
        self.counts = SpikeHistoryCounts()
        self.generation = 0
        self._scratch = np.zeros((0, 0), np.uint8)

    def push(self, stream: SpikeStream) -> list[tuple[int, NDArray[np.uint8]]]:
        """Add the next planes.

        Returns:
            Planes that left the history to make room, oldest first, with the number of the first of each run.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        if (stream.height, stream.width) != self._size:
            raise DataError(
                f'planes of {stream.width}x{stream.height} pixels pushed to a reconstructor of '
                f'{self._size[1]}x{self._size[0]}; make one for that size'
            )
        left: list[tuple[int, NDArray[np.uint8]]] = []
        if not len(stream):
            return left
        self._drop_if_not_next(stream)
        piece = _Piece(self.end if self._pieces else 0, stream, stream.canonical())
        self._pieces.append(piece)
        self.counts = replace(self.counts, planes=self.counts.planes + len(stream))
        while self.end - self._pieces[0].first - len(self._pieces[0].stream) >= self._keep:
            oldest = self._pieces.popleft()
            left.append((oldest.first, oldest.canonical))
        return left

    def _drop_if_not_next(self, stream: SpikeStream) -> None:
        if not self._pieces:
            return
        last = self._pieces[-1].stream
        same = last.plane_period_ns == stream.plane_period_ns and last.layout == stream.layout
        missing = planes_between(last, stream)
        if same and missing == 0:
            return
        self._pieces.clear()
        self.generation += 1
        counts = self.counts
        if same and missing > 0:
            self.counts = replace(
                counts, gaps=counts.gaps + 1, missing_planes=counts.missing_planes + missing
            )
        else:
            self.counts = replace(counts, restarts=counts.restarts + 1)

    @property
    def first(self) -> int:
        """Number of the oldest plane kept."""
        return self._pieces[0].first if self._pieces else 0

    @property
    def end(self) -> int:
        """Number behind that of the newest plane."""
        return self._pieces[-1].first + len(self._pieces[-1].stream) if self._pieces else 0

    @property
    def gain(self) -> float:
        """Spikes per plane at intensity 1 that the stream tells; 0 where it does not."""
        return self._pieces[-1].stream.gain if self._pieces else 0.0

    @property
    def flipped(self) -> bool:
        """Whether the bottom row is stored first."""
        return bool(self._pieces) and self._pieces[-1].stream.layout.flipped_rows

    def number(self, t_ns: int) -> int:
        """Number of the plane nearest to an instant; one period behind the newest still counts as it.

        Raises:
            DataError: If there are no planes, or the instant lies before or behind those that are kept.
        """
        if not self._pieces:
            raise DataError('no image without spike planes; push a stream first')
        oldest, newest = self._pieces[0].stream, self._pieces[-1].stream
        half = oldest.plane_period_ns // 2
        if not oldest.start_ns - half <= t_ns <= newest.next_ns:
            raise DataError(
                f't_ns={t_ns}: planes from {oldest.start_ns} to {newest.next_ns - newest.plane_period_ns} ns are '
                f'kept ({self.end - self.first} planes); push more, or raise history_planes for older images'
            )
        piece = next((p for p in reversed(self._pieces) if p.stream.start_ns - half <= t_ns), self._pieces[0])
        offset = (t_ns - piece.stream.start_ns + half) // piece.stream.plane_period_ns
        return piece.first + min(max(offset, 0), len(piece.stream) - 1)

    def planes(self, first: int, end: int) -> NDArray[np.uint8]:
        """Canonical planes first to end, as far as they are kept, uint8 (n, bytes); a view where it can be."""
        parts = self._parts(first, end)
        if not parts:
            return np.zeros((0, (self._size[0] * self._size[1] + 7) // 8), np.uint8)
        return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def words(self, first: int, end: int) -> NDArray[np.uint64]:
        """Canonical planes first to end as words of 64 pixels, zero behind the last pixel, (n, words).

        Valid until the next call: megabytes that are asked for again and again are not allocated anew.
        """
        n_pixels = self._size[0] * self._size[1]
        n_bytes, parts = (n_pixels + 7) // 8, self._parts(first, end)
        n = sum(map(len, parts))
        if len(self._scratch) < n:
            self._scratch = np.zeros((n, -(-n_bytes // 8) * 8), np.uint8)
        row = 0
        for part in parts:
            self._scratch[row : row + len(part), :n_bytes] = part
            row += len(part)
        beyond = n_bytes * 8 - n_pixels
        if beyond:
            self._scratch[:n, n_bytes - 1] &= np.uint8(0xFF >> beyond)
        return self._scratch[:n].view('<u8').astype(np.uint64, copy=False)

    def _parts(self, first: int, end: int) -> list[NDArray[np.uint8]]:
        """Planes first to end, as far as they are kept, piece by piece."""
        parts = (
            piece.canonical[max(first - piece.first, 0) : max(end - piece.first, 0)] for piece in self._pieces
        )
        return [part for part in parts if len(part)]


def planes_between(last: SpikeStream, following: SpikeStream) -> int:
    """Planes missing between two pieces: by their index where both have one, else by time; negative: a restart."""
    if last.first_plane_index is not None and following.first_plane_index is not None:
        return following.first_plane_index - last.first_plane_index - len(last)
    period = last.plane_period_ns
    return (following.start_ns - last.next_ns + period // 2) // period
