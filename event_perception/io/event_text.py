# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Events as text, ``t[s] x y polarity`` a line, read in blocks and digit by digit.

Times become nanoseconds without passing through a float. A line that the fast parser does not understand
(an exponent, a comment) is looked at once more by the slow one; what neither understands is counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.io.seconds import NS, ns_from_seconds

BLOCK_BYTES = 1 << 22
LARGEST_S = 9_000_000_000  # int64 nanoseconds end behind it
SHORTEST_LINE = 8  # '0 0 0 0\n'
NEWLINE, SPACE, TAB, RETURN, COMMA = b'\n'[0], b' '[0], b'\t'[0], b'\r'[0], b','[0]
POINT, MINUS, PLUS, ZERO, NINE = b'.'[0], b'-'[0], b'+'[0], b'0'[0], b'9'[0]


@dataclass(frozen=True, eq=False)
class TextEvents:
    """One block: t_ns int64 (n,), x, y, p int64 (n,) as written (p 0, 1 or -1), lines that were no event."""

    t_ns: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    p: NDArray[np.int64]
    unreadable: int


def read_events_text(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[TextEvents]:
    """The events of a file, a block at a time. Lines are of any length; memory is a few blocks.

    Raises:
        DataError: If a line is longer than a block: this is no such text.
    """
    with path.open('rb') as file:
        rest = b''
        while block := file.read(block_bytes):
            text = rest + block
            end = text.rfind(b'\n') + 1
            rest = text[end:]
            if len(rest) > block_bytes:
                raise DataError(f'{path}: a line of more than {block_bytes} bytes: not a text of events')
            if end:
                yield parse_events(text[:end])
        if rest.strip():
            yield parse_events(rest + b'\n')


def parse_events(text: bytes) -> TextEvents:
    """All events of whole lines."""
    data = np.frombuffer(text, np.uint8)
    room = len(text) // SHORTEST_LINE + 1
    t_ns = np.empty(room, np.int64)
    x, y, p = (np.empty(room, np.int64) for _ in range(3))
    odd = np.empty((text.count(b'\n') + 1, 3), np.int64)
    n, n_odd = _parse(data, t_ns, x, y, p, odd)
    fast = TextEvents(t_ns[:n], x[:n], y[:n], p[:n], 0)
    return _with_odd_lines(fast, text, odd[:n_odd]) if n_odd else fast


def _with_odd_lines(fast: TextEvents, text: bytes, odd: NDArray[np.int64]) -> TextEvents:
    """Insert what the slow parser makes of the lines that the fast one left."""
    at, rows, unreadable = [], [], 0
    for start, end, index in odd.tolist():
        line = text[start:end].strip()
        if not line or line.startswith(b'#'):
            continue
        row = _slow(line)
        if row is None:
            unreadable += 1
        else:
            at.append(index)
            rows.append(row)
    table = np.array(rows, np.int64).reshape(-1, 4)
    t_ns, x, y, p = (
        np.insert(column, at, values) for column, values in zip((fast.t_ns, fast.x, fast.y, fast.p), table.T)
    )
    return TextEvents(t_ns, x, y, p, unreadable)


def _slow(line: bytes) -> tuple[int, int, int, int] | None:
    try:
        t, x, y, p = line.decode('ascii').replace(',', ' ').split()
        values = [float(value) for value in (x, y, p)]
        if not all(value.is_integer() for value in values):
            return None
        t_ns = ns_from_seconds(t)
        if abs(t_ns) > LARGEST_S * NS:
            return None
        return (t_ns, *(int(value) for value in values))  # type: ignore[return-value]
    except (ValueError, UnicodeDecodeError):
        return None


@njit(cache=True, nogil=True)
def _skip_blanks(data: NDArray, i: int) -> int:
    while data[i] == SPACE or data[i] == TAB or data[i] == COMMA or data[i] == RETURN:
        i += 1
    return i


@njit(cache=True, nogil=True)
def _integer(data: NDArray, i: int) -> tuple[int, int]:
    """Value and next index; the index stays where there is no digit."""
    start = i
    negative = data[i] == MINUS
    if negative or data[i] == PLUS:
        i += 1
    first, value = i, 0
    while ZERO <= data[i] <= NINE and i - first < 18:
        value = value * 10 + int(data[i] - ZERO)
        i += 1
    if i == first:
        return 0, start
    return (-value if negative else value), i


@njit(cache=True, nogil=True)
def _next_integer(data: NDArray, i: int) -> tuple[int, int, bool]:
    """Value behind at least one blank, next index, and whether both were there."""
    j = _skip_blanks(data, i)
    value, end = _integer(data, j)
    return value, end, j > i and end > j


@njit(cache=True, nogil=True)
def _nanoseconds(data: NDArray, i: int) -> tuple[int, int]:
    """Seconds as a decimal number, to nanoseconds, rounded half up beyond nine digits."""
    start = i
    negative = data[i] == MINUS
    seconds, i = _integer(data, i)
    if i == start or abs(seconds) > LARGEST_S:
        return 0, start
    fraction, scale = 0, NS
    if data[i] == POINT:
        i += 1
        first = i
        while ZERO <= data[i] <= NINE:
            if scale > 1:
                fraction = fraction * 10 + int(data[i] - ZERO)
                scale //= 10
            elif i - first == 9 and data[i] >= ZERO + 5:
                fraction += 1
            i += 1
    nanoseconds = abs(seconds) * NS + fraction * scale
    return (-nanoseconds if negative else nanoseconds), i


@njit(cache=True, nogil=True)
def _parse(data: NDArray, t_ns: NDArray, x: NDArray, y: NDArray, p: NDArray, odd: NDArray) -> tuple[int, int]:
    """Fill the columns; lines that do not fit go to ``odd`` as (start, end, index of the next event)."""
    n = n_odd = 0
    start, size = 0, data.size
    while start < size:
        i = _skip_blanks(data, start)
        j = i
        t, i = _nanoseconds(data, i)
        fine = i > j
        column, i, fine_x = _next_integer(data, i)
        row, i, fine_y = _next_integer(data, i)
        polarity, i, fine_p = _next_integer(data, i)
        i = _skip_blanks(data, i)
        if fine and fine_x and fine_y and fine_p and data[i] == NEWLINE:
            t_ns[n], x[n], y[n], p[n] = t, column, row, polarity
            n += 1
            start = i + 1
            continue
        end = start
        while data[end] != NEWLINE:
            end += 1
        odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2] = start, end, n
        n_odd += 1
        start = end + 1
    return n, n_odd
