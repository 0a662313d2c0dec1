# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Raw messages of a bag, whatever holds them: mcap, sqlite3, ROS 1, whole or cut off.

The storage is recognised from the first bytes of each file, never from the suffix or from metadata.yaml, so
a bag reads without its metadata.yaml or with a wrong one. What a crashed recorder left is read as far as
it goes.
"""

import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from event_perception.errors import DataError
from event_perception.io.bag_salvage import salvage_mcap, salvage_sqlite3

MCAP_MAGIC = b'\x89MCAP0\r\n'
SQLITE3_MAGIC = b'SQLite format 3\x00'
ROS1_MAGIC = b'#ROSBAG V2.0\n'
ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'

logger = logging.getLogger('event_perception')


class RawMessage(NamedTuple):
    """One message as it lies in the bag: topic, type in ROS 2 spelling, recording stamp, bytes."""

    topic: str
    type: str
    t_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """Type and number of messages of a topic; the number is None where an index is missing."""

    type: str
    count: int | None


def storage_kind(path: Path) -> str | None:
    """'mcap', 'sqlite3', 'ROS 1' or 'zstd' by the first bytes of a file; None for anything else."""
    with path.open('rb') as file:
        head = file.read(len(SQLITE3_MAGIC))
    for magic, kind in (
        (MCAP_MAGIC, 'mcap'),
        (SQLITE3_MAGIC, 'sqlite3'),
        (ROS1_MAGIC, 'ROS 1'),
        (ZSTD_MAGIC, 'zstd'),
    ):
        if head.startswith(magic):
            return kind
    return None


class Bag:
    """Reads the messages of a bag in the order of their recording stamps.

    Args:
        path: A rosbag2 folder, one of its files, or a ROS 1 bag.

    Attributes:
        kind: 'rosbag2 mcap', 'rosbag2 sqlite3' or 'ROS 1 bag'.
        warnings: What could not be read, by name.

    Raises:
        DataError: If there is no storage file, or one is of an unknown kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: Counter[str] = Counter()
        self._compressed = _compression(path)
        self._files = _storage_files(path)
        kinds = {storage_kind(file) for file in self._files}
        if len(kinds) != 1 or None in kinds:
            raise DataError(f'{path}: storage files of kinds {sorted(map(str, kinds))}; one kind is expected')
        self._storage = str(kinds.pop())
        self.ros1 = self._storage == 'ROS 1'
        self.kind = 'ROS 1 bag' if self.ros1 else f'rosbag2 {self._storage}'
        self._broken: set[Path] = set()

    def topics(self) -> dict[str, TopicInfo]:
        """All topics, sorted by name."""
        topics: dict[str, TopicInfo] = {}
        for file in self._sources():
            for topic, info in self._topics_of(file).items():
                known = topics.get(topic)
                counts = [info.count] + ([known.count] if known else [])
                total = None if None in counts else sum(count or 0 for count in counts)
                topics[topic] = TopicInfo(info.type, total)
        return dict(sorted(topics.items()))

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """The messages of some topics."""
        for file in self._sources():
            yield from self._messages_of(file, set(topics))

    def deserialize(self, message: RawMessage) -> Any:
        """The message as an object.

        Raises:
            DataError: If the bytes are not of that type.
        """
        from event_perception.io.bag_types import typestore

        store = typestore(self.ros1)
        decode = store.deserialize_ros1 if self.ros1 else store.deserialize_cdr
        try:
            return decode(message.data, message.type)
        except Exception as error:  # what rosbags raises on bad bytes is not limited to its own errors
            raise DataError(f'{message.topic}: not a {message.type}: {error}') from error

    def knows(self, type_name: str) -> bool:
        """Whether messages of this type can be deserialised."""
        from event_perception.io.bag_types import typestore

        return type_name in typestore(self.ros1).fielddefs

    def _sources(self) -> list[Path]:
        return [self.path] if self._compressed else self._files

    def _topics_of(self, file: Path) -> dict[str, TopicInfo]:
        if file not in self._broken:
            try:
                with closing(self._open(file)) as reader:
                    return _merged(reader.connections)
            except Exception as error:
                self._mark_broken(file, error)
        found: dict[str, TopicInfo] = {}
        counts: Counter[str] = Counter()
        for message in self._salvage(file):
            counts[message.topic] += 1
            found[message.topic] = TopicInfo(message.type, counts[message.topic])
        return found

    def _messages_of(self, file: Path, topics: set[str]) -> Iterator[RawMessage]:
        delivered = 0
        if file not in self._broken:
            try:
                for message in self._indexed(file, topics):
                    delivered += 1
                    yield message
                return
            except Exception as error:
                self._mark_broken(file, error)
        self.warnings['truncated_files'] += 1
        for i, message in enumerate(m for m in self._salvage(file) if m.topic in topics):
            if i >= delivered:
                yield message

    def _indexed(self, file: Path, topics: set[str]) -> Iterator[RawMessage]:
        with closing(self._open(file)) as reader:
            wanted = [connection for connection in reader.connections if connection.topic in topics]
            if not wanted:
                return
            for connection, t_ns, data in reader.messages(wanted):
                yield RawMessage(connection.topic, connection.msgtype, t_ns, data)

    def _open(self, file: Path) -> Any:
        from rosbags import rosbag1, rosbag2

        if self.ros1:
            reader: Any = rosbag1.Reader(file)
        elif self._compressed:
            reader = rosbag2.Reader(file)
        else:
            # By content: rosbags itself chooses by the suffix.
            suffix = {'mcap': '.mcap', 'sqlite3': '.db3'}[self._storage]
            reader = rosbag2.Reader.STORAGE_PLUGINS[suffix](file)
        reader.open()
        return reader

    def _mark_broken(self, file: Path, error: Exception) -> None:
        if self.ros1 or self._compressed:
            remedy = 'run `rosbag reindex` on it' if self.ros1 else 'decompress it first'
            raise DataError(f'{file}: cannot be read ({error}); {remedy}') from error
        logger.warning('%s is damaged (%s): reading what can be read', file, error)
        self._broken.add(file)

    def _salvage(self, file: Path) -> Iterator[RawMessage]:
        rescue = salvage_mcap if self._storage == 'mcap' else salvage_sqlite3
        for topic, type_name, t_ns, data in rescue(file):
            yield RawMessage(topic, type_name, t_ns, data)


def _merged(connections: Any) -> dict[str, TopicInfo]:
    topics: dict[str, TopicInfo] = {}
    for connection in connections:
        count = connection.msgcount
        if connection.topic in topics:
            count += topics[connection.topic].count or 0
        topics[connection.topic] = TopicInfo(connection.msgtype, count)
    return topics


def _metadata(path: Path) -> dict[str, Any]:
    """What metadata.yaml says, or nothing: it is a help, not a condition."""
    import yaml

    file = path / 'metadata.yaml'
    if not path.is_dir() or not file.is_file():
        return {}
    try:
        tree = yaml.safe_load(file.read_text(encoding='utf-8', errors='replace'))
    except yaml.YAMLError as error:
        logger.warning('%s cannot be read (%s): going by the files', file, error)
        return {}
    found = tree.get('rosbag2_bagfile_information') if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else {}


def _compression(path: Path) -> bool:
    return str(_metadata(path).get('compression_mode') or 'none').lower() != 'none'


def _storage_files(path: Path) -> list[Path]:
    """The storage files of a bag in the order of recording."""
    if path.is_file():
        return [path]
    named = [path / Path(name).name for name in _metadata(path).get('relative_file_paths') or ()]
    files = [file for file in named if file.is_file()]
    if not files:
        files = [f for f in sorted(path.iterdir(), key=_natural) if f.is_file() and storage_kind(f)]
    if not files:
        raise DataError(f'{path}: no mcap, sqlite3 or ROS 1 file in this folder')
    missing = sorted(str(file) for file in set(named) - set(files))
    if missing and len(files) < len(named):
        logger.warning('%s: files named in metadata.yaml are missing: %s', path, missing)
    return files


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """bag_10 after bag_9."""
    parts = re.split(r'(\d+)', path.name)
    return [(1, int(part), '') if part.isdigit() else (0, 0, part) for part in parts]
