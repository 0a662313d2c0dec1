# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What kind of recording a path is, by its content; names and suffixes are not looked at."""

from pathlib import Path

from event_perception.errors import DataError
from event_perception.io.bag_storage import storage_kind
from event_perception.io.recording import Recording, RecordingConfig, SpikeFormat

AEDAT4_MAGIC = b'#!AER-DAT4.0\r\n'
HEAD_BYTES = 4096
KNOWN = (
    'a rosbag2 folder or file (mcap, sqlite3), a ROS 1 bag, a folder with events.txt, Prophesee raw (EVT2, EVT2.1, '
    'EVT3), aedat4, and spike planes'
)


def open_recording(
    path: Path | str,
    *,
    events_topic: str | None = None,
    config: RecordingConfig | None = None,
    spikes: SpikeFormat | None = None,
) -> Recording:
    """Open a recording of any known kind.

    Args:
        path: A rosbag2 folder or one of its files, a ROS 1 bag, an ECD folder or its events.txt, a Prophesee raw
            file, an aedat4 file, or a raw spike file.
        events_topic: The topic of the events, for a bag that has several; None for the first by name.
        config: How to read it.
        spikes: Size and period of a raw spike file, which says nothing about itself.

    Raises:
        DataError: If there is nothing, or nothing known, or the topic is asked of something without topics.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f'{path} does not exist')
    recording = _open_folder(path, events_topic, config) if path.is_dir() else None
    recording = recording or _open_file(path, events_topic, config, spikes)
    if events_topic is not None and not hasattr(recording, 'events_topic'):
        raise DataError(f'{path} has no topics: leave out the topic {events_topic!r}')
    return recording


def _open_folder(path: Path, events_topic: str | None, config: RecordingConfig | None) -> Recording:
    if (path / 'events.txt').is_file():
        from event_perception.io.ecd import EcdRecording

        return EcdRecording(path, config)
    files = [file for file in path.iterdir() if file.is_file()]
    if (path / 'metadata.yaml').is_file() or any(storage_kind(file) for file in files):
        from event_perception.io.bag import BagRecording

        return BagRecording(path, config, events_topic=events_topic)
    raise DataError(f'{path}: this folder is no recording; known are {KNOWN}')


def _open_file(
    path: Path, events_topic: str | None, config: RecordingConfig | None, spikes: SpikeFormat | None
) -> Recording:
    with path.open('rb') as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise DataError(f'{path} is empty')
    kind = storage_kind(path)
    if kind == 'zstd':
        raise DataError(f'{path} is compressed with zstd: give the folder of the bag, or decompress it first')
    if kind is not None:
        from event_perception.io.bag import BagRecording

        return BagRecording(path, config, events_topic=events_topic)
    if head.startswith(AEDAT4_MAGIC):
        from event_perception.io.aedat4 import Aedat4Recording

        return Aedat4Recording(path, config)
    if head.startswith(b'% '):
        from event_perception.io.prophesee_raw import RawRecording

        return RawRecording(path, config)
    if _is_text_of_events(head):
        from event_perception.io.ecd import EcdRecording

        return EcdRecording(path, config)
    return _open_spikes(path, config, spikes)


def _is_text_of_events(head: bytes) -> bool:
    """Whether the first whole lines are four numbers each, behind an optional size and comments."""
    lines = [line.split() for line in head.replace(b',', b' ').split(b'\n')[:-1]]
    rows = [line for line in lines[:20] if line and not line[0].startswith(b'#')]
    if rows and len(rows[0]) == 2:
        rows = rows[1:]
    try:
        return bool(rows) and all(len(row) == 4 and [float(word) for word in row] for row in rows)
    except ValueError:
        return False


def _open_spikes(path: Path, config: RecordingConfig | None, spikes: SpikeFormat | None) -> Recording:
    if spikes is None or not (spikes.height and spikes.width):
        raise DataError(
            f'{path}: nothing in it says what it is; known are {KNOWN}. A raw spike file has no header: for one, '
            'give --set spikes.height=... --set spikes.width=... (250 and 400 for a Vidar camera)'
        )
    from event_perception.io.spike_recording import SpikeRecording

    return SpikeRecording(path, config, spikes)
