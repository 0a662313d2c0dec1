# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a spike camera records of a simulated scene: a ``.dat`` file of planes, and its truth.

Every plane needs light of its own. A frame is rendered whenever the image has moved by ``motion_px``, and serves
the planes nearest in time to it, so light is off by less than half of that motion.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.io.spike_dat import dat_layout
from event_perception.simulation.export import ExportConfig, instants
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.spikes import SpikeEmulator, SpikeSensorConfig
from event_perception.simulation.write_ecd import write_truth

PLANES_AT_ONCE = 256
SCALED = (
    'ati',
    'tfp',
    'tfi',
    'tfi_adaptive',
    'tfi_k',
    'stp',
    'tvs',
)  # methods whose images spikes.yaml scales


@dataclass(frozen=True, slots=True)
class SpikeExportConfig:
    """The sensor, and how its light is rendered."""

    motion_px: float = param(0.05, 'Largest image motion from one rendered frame to the next, px.', ge=1e-3)
    kind: Literal['camera', 'camera_header', 'plain'] = param('camera', 'Order of bits; see dat_layout.')
    sensor: SpikeSensorConfig = SpikeSensorConfig()


def write_spikes(
    sequence: SimulatedSequence,
    folder: Path,
    config: ExportConfig | None = None,
    spikes: SpikeExportConfig | None = None,
) -> int:
    """Write spikes.dat, spikes.yaml (what the file does not say itself), the truth of ``write_truth`` and true images.

    Args:
        sequence: What to write; its light is linear, white = 1, whatever its DVS is.
        folder: A folder that does not exist yet.
        config: Which truth, how often.
        spikes: Sensor and rendering.

    Returns:
        Number of planes.

    Raises:
        DataError: If the folder exists or the layout cannot hold the width.
    """
    spikes = spikes or SpikeExportConfig()
    camera = sequence.camera
    if folder.exists():
        raise DataError(f'{folder} exists; recordings are never overwritten: give another name')
    layout = dat_layout(spikes.kind, width=camera.width)
    layout.minimum_bytes(height=camera.height, width=camera.width)  # refuses widths that do not fit
    folder.mkdir(parents=True)
    (folder / 'spikes.yaml').write_text(_description(sequence, spikes), encoding='utf-8')
    write_truth(sequence, folder, config)
    _write_images(sequence, folder, config or ExportConfig())
    emulator = SpikeEmulator(spikes.sensor, height=camera.height, width=camera.width)
    n = 0
    with (folder / 'spikes.dat').open('xb') as file:
        for batch in _batches(plane_light(sequence, spikes)):
            stream = emulator.emulate(batch)
            file.write(layout.pack(stream.unpack(0, len(stream))).tobytes())
            n += len(stream)
    return n


def plane_light(sequence: SimulatedSequence, spikes: SpikeExportConfig) -> Iterator[NDArray[np.float32]]:
    """Light of every plane, that of the middle of its exposure; plane k ends k periods after the start."""
    period_ns = spikes.sensor.plane_period_ns
    end_ns = np.arange(sequence.start_ns, sequence.end_ns, period_ns)
    middle_ns = np.maximum(end_ns - period_ns // 2, sequence.start_ns)
    frames_ns = replace(sequence, max_motion_px=spikes.motion_px).frame_times_ns()
    nearest = np.searchsorted(0.5 * (frames_ns[1:] + frames_ns[:-1]), middle_ns)
    shown, light = -1, np.zeros(0, np.float32)
    for k in nearest:
        if k != shown:
            shown, light = k, sequence.image(int(frames_ns[k])).value
        yield light


def _batches(frames: Iterator[NDArray[np.float32]]) -> Iterator[list[NDArray[np.float32]]]:
    batch: list[NDArray[np.float32]] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == PLANES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _description(sequence: SimulatedSequence, spikes: SpikeExportConfig) -> str:
    """A configuration file for ``run spikes.dat --config spikes.yaml``; the rest in comments."""
    sensor, camera = spikes.sensor, sequence.camera
    size = {'height': camera.height, 'width': camera.width, 'plane_period_ns': sensor.plane_period_ns}
    known = size | {'kind': spikes.kind, 'gain': sensor.gain}
    scale = {'output': {'full_scale_rate': 0.0}}  # the gain that the stream tells
    tree = {'spikes': known, 'images': dict.fromkeys(SCALED, scale)}
    header = f'# {sequence.name}: plane k ends {sequence.start_ns} ns + k periods; images show white as 1\n'
    return header + yaml.safe_dump(json.loads(json.dumps(tree)), sort_keys=False)


def _write_images(sequence: SimulatedSequence, folder: Path, config: ExportConfig) -> None:
    """True light, linear, 16 bits, named by the time of the recording, which begins with its first plane."""
    (folder / 'images').mkdir()
    for t in instants(sequence, config.image_rate_hz):
        value = np.rint(sequence.image(int(t)).value * 65535).astype(np.uint16)
        cv2.imwrite(str(folder / 'images' / f'{int(t) - sequence.start_ns}.png'), value)
