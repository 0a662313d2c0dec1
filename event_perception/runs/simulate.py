# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``simulate``: a scene with exact truth into a bag or a folder of the Event Camera Dataset's form."""

from pathlib import Path
from typing import Any

from event_perception.errors import DataError
from event_perception.simulation import scenes
from event_perception.simulation.write_bag import write_bag
from event_perception.simulation.write_ecd import write_ecd, write_truth


def simulate(
    scene: str, output: Path, *, seed: int = 0, duration_s: float | None = None, form: str = 'bag'
) -> dict[str, Any]:
    """Simulate a scene and write it.

    Args:
        scene: A name that ``scenes.names`` lists.
        output: A new folder.
        seed: Of everything random; the same seed gives the same bytes.
        duration_s: Length; None for that of the scene.
        form: 'bag' (rosbag2 with mcap, the truth on topics) or 'ecd' (text files). Beside a bag, the truth is also
            written to ``<output>_truth``, as ``eval --reference`` reads it.

    Returns:
        What was written.

    Raises:
        ConfigError: If the scene is unknown.
        DataError: If the folder exists.
    """
    if output.exists():
        raise DataError(f'{output} exists; give a new folder')
    sequence = scenes.create(scene, seed=seed, duration_s=duration_s)
    truth = output
    if form == 'ecd':
        events = write_ecd(sequence, output)
    else:
        events = write_bag(sequence, output)
        truth = output.with_name(f'{output.name}_truth')
        write_truth(sequence, truth)
    return {
        'scene': scene,
        'seed': seed,
        'duration_s': sequence.duration_s,
        'events': events,
        'written': str(output),
        'truth for eval': str(truth),
    }
