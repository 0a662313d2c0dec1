# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Prophesee raw files: a text header, then EVT2, EVT2.1 or EVT3 words until the end.

Format: Metavision SDK documentation, "RAW file format" and "Encoding formats".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from event_perception.errors import DataError
from event_perception.io.codecs.state import DecoderState
from event_perception.io.recording import Recording, RecordingConfig
from event_perception.io.recording_info import RecordingInfo, StreamInfo
from event_perception.io.stretch import Sample

BLOCK_BYTES = 1 << 18
FORMATS = {'2.0': 'evt2', '2': 'evt2', '2.1': 'evt21', '21': 'evt21', '3.0': 'evt3', '3': 'evt3'}
TITLES = {'evt2': 'EVT2', 'evt21': 'EVT2.1', 'evt21_legacy': 'EVT2.1 legacy', 'evt3': 'EVT3'}
WORD_BYTES = 8  # of the longest word; blocks of whole words
PLUGIN_SIZES = {
    'gen31': (480, 640),
    'gen3': (480, 640),
    'gen41': (720, 1280),
    'gen4': (720, 1280),
    'imx636': (720, 1280),
    'genx320': (320, 320),
}
"""Sensor (height, width) by a name in the plugin's, for headers that do not say it."""
EVT21_TYPES = (0x0, 0x1, 0x8, 0xA, 0xE, 0xF)
LOOK_AT_WORDS = 4096


@dataclass(frozen=True, slots=True)
class RawHeader:
    """What the text at the beginning says.

    Attributes:
        encoding: 'evt2', 'evt21', 'evt21_legacy' or 'evt3'.
        height: Sensor rows; None if it does not say.
        width: Sensor columns; None if it does not say.
        data_offset: Where the words begin, bytes.
    """

    encoding: str
    height: int | None
    width: int | None
    data_offset: int


class RawRecording(Recording):
    """A Prophesee raw file.

    Args:
        path: The file.
        config: How to read it; ``height`` and ``width`` where the header does not say.

    Raises:
        DataError: If the header names no known format, or no size is known.
    """

    _is_ordered = True

    def __init__(self, path: Path, config: RecordingConfig | None = None) -> None:
        super().__init__(path, config)
        self.header = read_header(path)
        height, width = self.header.height, self.header.width
        if self.config.height and self.config.width:
            height, width = self.config.height, self.config.width
        if height is None or width is None:
            raise DataError(
                f'{path}: the header does not say the size of the sensor; give '
                '--set recording.height=... --set recording.width=...'
            )
        self._height, self._width = height, width

    def _summary(self) -> RecordingInfo:
        encoding = self.header.encoding
        stream = StreamInfo(self.path.name, 'words', None, 'events', encoding)
        return RecordingInfo(
            self.path,
            f'Prophesee {TITLES[encoding]}',
            (stream,),
            self.path.name,
            self._height,
            self._width,
        )

    def _stream(self) -> Iterator[tuple[int, Sample]]:
        from event_perception.io.decode import decode_event_packet

        state: DecoderState | None = None
        step = self.config.chunk_events
        for block in self._blocks():
            events, _, state = decode_event_packet(
                self.header.encoding, block, height=self._height, width=self._width, state=state
            )
            for start in range(0, len(events), step):
                part = events[start : start + step]
                yield int(part.t_ns.max()), part
        if state is not None:
            self._count(state)

    def _blocks(self) -> Iterator[bytes]:
        with self.path.open('rb') as file:
            file.seek(self.header.data_offset)
            while block := file.read(BLOCK_BYTES):
                yield block

    def _count(self, state: DecoderState) -> None:
        counts = state.counts
        self._warnings['events_outside_sensor'] += counts.outside
        self._warnings['events_before_first_time'] += counts.before_time
        self._warnings['unknown_words'] += counts.unknown_words
        self._warnings['truncated_bytes'] += counts.truncated_bytes


def read_header(path: Path) -> RawHeader:
    """Read the lines that start with '% '; they end with '% end' or before the first other byte.

    Raises:
        DataError: If they name no known format.
    """
    fields: dict[str, str] = {}
    with path.open('rb') as file:
        offset = 0
        while (line := file.readline()).startswith(b'% '):
            offset += len(line)
            key, _, value = line[2:].decode(errors='replace').strip().partition(' ')
            fields[key.lower()] = value
            if key.lower() == 'end':
                break
    words = _format_words(fields)
    encoding = FORMATS.get(words.get('version', ''))
    if encoding is None:
        raise DataError(
            f'{path}: the header names no format of EVT2, EVT2.1 or EVT3 (it says {words.get("version", "nothing")!r})'
        )
    if encoding == 'evt21' and _has_swapped_halves(path, offset, words):
        encoding = 'evt21_legacy'
    height, width = _size(fields, words)
    return RawHeader(encoding, height, width, offset)


def _format_words(fields: dict[str, str]) -> dict[str, str]:
    """``% format EVT3;height=720;width=1280`` (newer) and ``% evt 3.0`` as one mapping."""
    name, *pairs = fields.get('format', '').split(';')
    words = dict(pair.split('=', 1) for pair in pairs if '=' in pair)
    version = name.upper().removeprefix('EVT') or fields.get('evt', '').strip()
    return words | {'version': version}


def _size(fields: dict[str, str], words: dict[str, str]) -> tuple[int | None, int | None]:
    geometry = re.fullmatch(r'(\d+)x(\d+)', fields.get('geometry', '').strip())
    if geometry:
        return int(geometry[2]), int(geometry[1])
    if words.get('height', '').isdigit() and words.get('width', '').isdigit():
        return int(words['height']), int(words['width'])
    text = ' '.join(
        fields.get(key, '') for key in ('plugin_name', 'sensor_name', 'plugin_integrator_name')
    ).lower()
    for name, size in PLUGIN_SIZES.items():
        if name in text:
            return size
    return None, None


def _has_swapped_halves(path: Path, offset: int, words: dict[str, str]) -> bool:
    """Whether EVT2.1 words have their 32-bit halves swapped: as the header says, else as the types say."""
    if 'endianness' in words:
        return words['endianness'].lower() == 'legacy'
    with path.open('rb') as file:
        file.seek(offset)
        data = file.read(LOOK_AT_WORDS * WORD_BYTES)
    halves = np.frombuffer(data[: len(data) // WORD_BYTES * WORD_BYTES], '<u4').reshape(-1, 2)
    # Only one half of each word holds a type; the other is a mask of any value.
    known = np.isin(halves >> 28, EVT21_TYPES).sum(axis=0)
    return bool(known[0] > known[1])
