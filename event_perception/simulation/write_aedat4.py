# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated recording as AEDAT4, written by iniVation's own library ``dv_processing``."""

from pathlib import Path
from typing import Any

from event_perception.errors import DataError, PluginError
from event_perception.simulation.export import ExportConfig
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.write_ecd import write_truth

CAMERA_NAME = 'simulated'
US_NS = 1000


def write_aedat4(sequence: SimulatedSequence, folder: Path, config: ExportConfig | None = None) -> int:
    """Write events.aedat4 (events only, microseconds) and the truth of ``write_truth``.

    Args:
        sequence: What to write; stamps are rounded down to microseconds.
        folder: A folder that does not exist yet.
        config: Which truth, how often.

    Returns:
        Number of events.

    Raises:
        DataError: If the folder exists.
        PluginError: If dv_processing is not installed.
    """
    dv = _dv_processing()
    if folder.exists():
        raise DataError(f'{folder} exists; recordings are never overwritten: give another name')
    folder.mkdir(parents=True)
    write_truth(sequence, folder, config)
    size = (sequence.camera.width, sequence.camera.height)
    form = dv.io.MonoCameraWriter.EventOnlyConfig(CAMERA_NAME, size)
    writer = dv.io.MonoCameraWriter(str(folder / 'events.aedat4'), form)  # closes its file when it goes
    n = 0
    for events in sequence.chunks():
        store = dv.EventStore()
        columns = (events.t_ns // US_NS, events.x, events.y, events.p > 0)
        for event in zip(*(column.tolist() for column in columns)):
            store.push_back(*event)
        if len(events):
            writer.writeEvents(store)
        n += len(events)
    return n


def _dv_processing() -> Any:
    try:
        import dv_processing
    except ImportError as error:
        raise PluginError(
            'AEDAT4 is written with dv_processing: pip install "event_perception[aedat-write]"'
        ) from error
    return dv_processing
