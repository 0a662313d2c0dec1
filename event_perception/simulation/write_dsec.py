# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated recording as HDF5 in the layout of the DSEC data set (Gehrig et al., RA-L 2021).

``events.h5``: ``events/{p,t,x,y}``, t in microseconds after the scalar ``t_offset``; ``ms_to_idx[k]`` is the first
event at or after k milliseconds. ``rectify_map.h5``: ``rectify_map[y, x]`` is the undistorted place (x, y) of a
pixel. Truth lies beside them as ``eval`` reads it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from event_perception.errors import DataError, PluginError
from event_perception.events import EventArray
from event_perception.motion.camera import CameraModel
from event_perception.simulation.export import ExportConfig
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.write_ecd import write_truth

US_NS, MS_US = 1000, 1000
LONGEST_US = 2**32 - 1  # times are stored as uint32, as in the original
COLUMNS = {'p': np.uint8, 't': np.uint32, 'x': np.uint16, 'y': np.uint16}
EVENTS_PER_BLOCK = 1 << 16
# lossless and known to every HDF5 library; no times, so that equal content gives equal bytes
STORAGE = {'compression': 'gzip', 'compression_opts': 1, 'shuffle': True, 'track_times': False}


def write_dsec(sequence: SimulatedSequence, folder: Path, config: ExportConfig | None = None) -> int:
    """Write events.h5, rectify_map.h5 and the truth of ``write_truth``.

    Args:
        sequence: What to write; stamps are rounded down to microseconds.
        folder: A folder that does not exist yet.
        config: Which truth, how often.

    Returns:
        Number of events.

    Raises:
        DataError: If the folder exists or the recording is longer than 71 minutes.
        PluginError: If h5py is not installed.
    """
    h5py = _h5py()
    if folder.exists():
        raise DataError(f'{folder} exists; recordings are never overwritten: give another name')
    if sequence.duration_s * 1e6 > LONGEST_US:
        raise DataError(f'{sequence.duration_s:g} s do not fit into 32 bits of microseconds; write a bag')
    folder.mkdir(parents=True)
    with h5py.File(folder / 'rectify_map.h5', 'x') as file:
        file.create_dataset('rectify_map', data=rectify_map(sequence.camera), **STORAGE)
    write_truth(sequence, folder, config)
    with h5py.File(folder / 'events.h5', 'x') as file:
        return _write_events(file, sequence)


def rectify_map(camera: CameraModel) -> np.ndarray:
    """Where a camera without distortion of the same focal lengths and centre sees each pixel: (H, W, 2), x first."""
    focal, centre = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
    return np.asarray(camera.bearings()[..., :2] * focal + centre, np.float32)


def _write_events(file: Any, sequence: SimulatedSequence) -> int:
    offset_us = sequence.start_ns // US_NS
    columns = {
        name: file.create_dataset(
            f'events/{name}', (0,), dtype, maxshape=(None,), chunks=(EVENTS_PER_BLOCK,), **STORAGE
        )
        for name, dtype in COLUMNS.items()
    }
    n, first = 0, [0]  # first[k]: number of events before k ms
    for events in sequence.chunks():
        t_us = events.t_ns // US_NS - offset_us
        first += _new_milliseconds(t_us, n, len(first))
        _append(columns, events, t_us, n)
        n += len(events)
    last_ms = (sequence.end_ns // US_NS - offset_us) // MS_US
    first += [n] * (last_ms + 1 - len(first))
    file.create_dataset('ms_to_idx', data=np.asarray(first, np.uint64), **STORAGE)
    file.create_dataset('t_offset', data=np.int64(offset_us), track_times=False)
    return n


def _new_milliseconds(t_us: np.ndarray, before: int, known: int) -> list[int]:
    """Indices of the first events at or after those milliseconds that these events decide."""
    if not t_us.size:
        return []
    milliseconds = np.arange(known, t_us[-1] // MS_US + 1)
    return (before + np.searchsorted(t_us, milliseconds * MS_US)).tolist()


def _append(columns: dict[str, Any], events: EventArray, t_us: np.ndarray, at: int) -> None:
    values = {'p': events.p > 0, 't': t_us, 'x': events.x, 'y': events.y}
    for name, column in columns.items():
        column.resize((at + len(events),))
        column[at:] = values[name].astype(COLUMNS[name])


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise PluginError('HDF5 is written with h5py: pip install "event_perception[hdf5]"') from error
    return h5py
