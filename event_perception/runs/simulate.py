# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``simulate``: a scene with exact truth into a bag, a folder of files, or the data set of five trajectories."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from event_perception.errors import ConfigError, DataError
from event_perception.simulation import scenes
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.write_ecd import write_truth

WRITERS = {
    'bag': 'write_bag:write_bag',
    'ecd': 'write_ecd:write_ecd',
    'dsec': 'write_dsec:write_dsec',
    'aedat4': 'write_aedat4:write_aedat4',
    'spikes': 'write_spikes:write_spikes',
}
DATASET = 'dataset'


def simulate(
    scene: str, output: Path, *, seed: int = 0, duration_s: float | None = None, form: str = 'bag'
) -> dict[str, Any]:
    """Simulate a scene and write it.

    Args:
        scene: A name that ``scenes.names`` lists, or 'dataset' (see ``write_dataset``; it has a form of its own).
        output: A new folder.
        seed: Of everything random; the same seed gives the same bytes.
        duration_s: Length; None for that of the scene.
        form: 'bag' (rosbag2 with mcap, the truth on topics), 'ecd' (text files), 'dsec' (HDF5), 'aedat4' or
            'spikes' (planes of a spike camera). The truth is written into the folder as ``eval --reference`` reads
            it, or beside a bag, to ``<output>_truth``.

    Returns:
        What was written.

    Raises:
        ConfigError: If the scene or the form is unknown.
        DataError: If the folder exists.
        PluginError: If a package that the form needs is not installed.
    """
    if scene == DATASET:
        return _dataset(output, seed, duration_s)
    if output.exists():
        raise DataError(f'{output} exists; give a new folder')
    write = _writer(form)
    sequence = scenes.create(scene, seed=seed, duration_s=duration_s)
    n, truth = write(sequence, output), output
    if form == 'bag':
        truth = output.with_name(f'{output.name}_truth')
        write_truth(sequence, truth)
    return {
        'scene': scene,
        'seed': seed,
        'duration_s': sequence.duration_s,
        'planes' if form == 'spikes' else 'events': n,
        'written': str(output),
        'truth for eval': str(truth),
    }


def _writer(form: str) -> Callable[[SimulatedSequence, Path], int]:
    if form not in WRITERS:
        raise ConfigError(f'form={form!r}: choose one of {sorted(WRITERS)}')
    module, _, name = WRITERS[form].partition(':')
    write: Callable[[SimulatedSequence, Path], int] = getattr(
        import_module(f'event_perception.simulation.{module}'), name
    )
    return write


def _dataset(output: Path, seed: int, duration_s: float | None) -> dict[str, Any]:
    from event_perception.simulation.write_dataset import DatasetConfig, write_dataset

    config = DatasetConfig()
    if duration_s is not None:
        config = DatasetConfig(frames=round(duration_s * config.rate_hz))
    return write_dataset(output, seed=seed, config=config)
