# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Messages of storage files that a crashed recorder or a full disk has cut off.

Both readers go from the beginning on without any index, give what is whole, and stop at the damage.
Formats: the MCAP specification (https://mcap.dev/spec) and SQLite's database file format.
"""

import io
import logging
import sqlite3
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from event_perception.errors import DataError

SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
MAGIC_BYTES = 8
LARGEST_RECORD = 1 << 32  # bytes; a larger length is damage, not data

logger = logging.getLogger('event_perception')

Found = tuple[str, str, int, bytes]


def salvage_mcap(path: Path) -> Iterator[Found]:
    """(topic, type, recording stamp in ns, bytes) of the whole messages of an mcap file, as they lie."""
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    with path.open('rb') as file:
        file.seek(MAGIC_BYTES)
        for kind, body in _all_records(file):
            if kind == SCHEMA:
                (number,) = struct.unpack_from('<H', body)
                schemas[number] = _string(body, 2)[0]
            elif kind == CHANNEL:
                number, schema = struct.unpack_from('<HH', body)
                channels[number] = (_string(body, 4)[0], schemas.get(schema, ''))
            elif kind == MESSAGE:
                number, _, log_time = struct.unpack_from('<HIQ', body)
                if number in channels:
                    yield (*channels[number], log_time, body[22:])


def _all_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Records in and outside of chunks."""
    for kind, body in _records(file):
        if kind == DATA_END:
            return
        if kind != CHUNK:
            yield kind, body
            continue
        inner = _chunk(body)
        if inner is None:
            return
        yield from _records(io.BytesIO(inner))


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    while len(head := file.read(9)) == 9:
        kind, length = struct.unpack('<BQ', head)
        if length > LARGEST_RECORD:
            return
        body = file.read(length)
        if len(body) < length and kind != CHUNK:
            return
        yield kind, body  # of a chunk also the beginning: uncompressed it holds whole messages


def _chunk(body: bytes) -> bytes | None:
    """Contents of a chunk record; None where they are damaged."""
    try:
        name, at = _string(body, 28)
        (length,) = struct.unpack_from('<Q', body, at)
        return _decompressor(name)(body[at + 8 : at + 8 + length])
    except DataError:
        raise
    except Exception as error:  # each compression library has errors of its own
        logger.warning('a damaged chunk of an mcap file was left out: %s', error)
        return None


def _decompressor(name: str) -> Callable[[bytes], bytes]:
    if name == '':
        return bytes
    if name == 'lz4':
        import lz4.frame

        return lambda data: bytes(lz4.frame.decompress(data))
    if name == 'zstd':
        return lambda data: bytes(_zstd().decompress(data))
    raise DataError(f'mcap chunk compression {name!r}: lz4 and zstd are supported')


def _zstd() -> Any:
    """The module that rosbags brings along."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _string(body: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from('<I', body, at)
    end = at + 4 + length
    return body[at + 4 : end].decode(errors='replace'), end


def salvage_sqlite3(path: Path) -> Iterator[Found]:
    """(topic, type, recording stamp in ns, bytes) of the readable messages of a sqlite3 bag, as they lie.

    Raises:
        DataError: If not even the table of topics is readable.
    """
    uri = f'{path.resolve().as_uri()}?mode=ro&immutable=1'
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        try:
            # Else SQLite refuses a file that is shorter than its header says.
            connection.execute('PRAGMA writable_schema=ON')
            topics = {row[0]: row[1:] for row in connection.execute('SELECT id, name, type FROM topics')}
        except sqlite3.DatabaseError as error:
            raise DataError(f'{path}: nothing can be read: {error}') from error
        try:
            for topic_id, t_ns, data in connection.execute('SELECT topic_id, timestamp, data FROM messages'):
                if topic_id in topics:
                    yield (*topics[topic_id], t_ns, data)
        except sqlite3.DatabaseError as error:
            logger.warning('%s: reading stopped at the damage: %s', path, error)
