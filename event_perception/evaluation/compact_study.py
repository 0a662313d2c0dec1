# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The compact network beside `ati` at every light level and speed, on pictures that it was not trained on.

    python -m event_perception.evaluation.compact_study [--pictures FOLDER] [--seeds 1 2] [--weights FILE]

prints PSNR of `ati` and how far the network is ahead, dB. Without a folder, pictures are drawn from seeds that no
training uses; the pictures of a folder are each used once per seed.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception import images
from event_perception.evaluation.image_quality import psnr
from event_perception.events.spike_stream import SpikeStream
from event_perception.learning.pictures import folder_pictures, own_pictures
from event_perception.simulation.moving_picture import moving_picture
from event_perception.simulation.spikes import SpikeEmulator, spike_sensor

MEAN_RATES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
SPEEDS_PX_PLANE = (0.0, 0.1, 0.45)
SENSORS = ('clean', 'typical')
HEIGHT, WIDTH, N_PLANES, MARGIN = 128, 160, 401, 100
LARGEST_GAIN = 0.95  # brighter, and white pixels fire at every plane
PICTURE_SEED = 9_000


@dataclass(frozen=True)
class LightCell:
    """One condition: mean rate in spikes per plane, speed of a slide, and noise of the sensor."""

    mean_rate: float
    speed_px_plane: float
    sensor: str


def cells() -> Iterator[LightCell]:
    """Every rate with every speed and sensor."""
    return (LightCell(*values) for values in product(MEAN_RATES, SPEEDS_PX_PLANE, SENSORS))


def streams(
    cell: LightCell, picture: NDArray[np.float32], seed: int
) -> tuple[SpikeStream, NDArray[np.float32], float]:
    """Spikes under a cell's conditions, the light at their middle, and the gain."""
    mean = float(picture.mean())
    if (
        cell.mean_rate > LARGEST_GAIN * mean
    ):  # a rate that the picture cannot give without saturation: lighten it
        lighter = (cell.mean_rate / LARGEST_GAIN - mean) / (1 - mean)
        picture = np.float32(lighter) + np.float32(1 - lighter) * picture
        mean = float(picture.mean())
    gain = cell.mean_rate / mean
    frames = moving_picture(
        picture,
        'translation',
        speed_px_plane=cell.speed_px_plane,
        n_planes=N_PLANES,
        height=HEIGHT,
        width=WIDTH,
    )
    light = list(frames)
    config = spike_sensor(cell.sensor, gain=gain, seed=seed)  # type: ignore[arg-type]
    stream = SpikeEmulator(config, height=HEIGHT, width=WIDTH).emulate(light)
    return stream, light[N_PLANES // 2], gain


def compare_cell(
    cell: LightCell, pictures: Sequence[NDArray[np.float32]], seeds: Sequence[int], weights: str = ''
) -> dict[str, Any]:
    """Mean PSNR of `ati` and of the network over pictures and seeds, and its least advantage, dB."""
    scores = []
    for (k, picture), seed in product(enumerate(pictures), seeds):
        stream, truth, gain = streams(cell, picture, 1000 * seed + k)
        ati, compact = (
            psnr(_image(name, stream, gain, more), truth)
            for name, more in (('ati', {}), ('compact', {'weights': weights}))
        )
        scores.append((ati, compact))
    ati_db, compact_db = np.array(scores).T
    return {
        'mean_rate': cell.mean_rate,
        'speed_px_plane': cell.speed_px_plane,
        'sensor': cell.sensor,
        'ati_db': float(ati_db.mean()),
        'compact_db': float(compact_db.mean()),
        'ahead_db': float((compact_db - ati_db).mean()),
        'least_ahead_db': float((compact_db - ati_db).min()),
    }


def _image(name: str, stream: SpikeStream, gain: float, more: dict[str, Any]) -> NDArray[np.float32]:
    reconstructor = images.create(
        name, height=stream.height, width=stream.width, **{'output.full_scale_rate': gain}, **more
    )
    reconstructor.push(stream)
    return reconstructor.image(stream.start_ns + N_PLANES // 2 * stream.plane_period_ns)


def unseen_pictures(count: int) -> list[NDArray[np.float32]]:
    """Pictures drawn from a seed that no training uses, shapes and 1/f noise in turn, larger than the view."""
    return own_pictures(PICTURE_SEED, count, WIDTH + 2 * MARGIN)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line for every rate and sensor, a column for every speed."""
    speeds = sorted({row['speed_px_plane'] for row in rows})
    lines = [
        '| mean rate, sensor | ' + ' | '.join(f'{s:g} px/plane' for s in speeds) + ' |',
        '|-' * (len(speeds) + 1) + '|',
    ]
    for rate, sensor in dict.fromkeys((row['mean_rate'], row['sensor']) for row in rows):
        chosen = [row for row in rows if (row['mean_rate'], row['sensor']) == (rate, sensor)]
        cells = [f'{row["ati_db"]:.2f} {row["ahead_db"]:+.2f}' for row in chosen]
        lines.append(f'| {rate:g} {sensor} | ' + ' | '.join(cells) + ' |')
    least = min(rows, key=lambda row: row['least_ahead_db'])
    lines.append(
        f'\nLeast advantage of any one stream: {least["least_ahead_db"]:+.2f} dB, at {least["mean_rate"]:g} '
        f'{least["sensor"]}, {least["speed_px_plane"]:g} px/plane.'
    )
    return '\n'.join(lines)


def bench_compact() -> dict[str, Any]:
    """The study on two pictures, for `event-perception bench`."""
    rows = [compare_cell(cell, unseen_pictures(2), (1,)) for cell in cells()]
    return {'cells': rows, 'least_ahead_db': min(row['least_ahead_db'] for row in rows)}


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--pictures', type=Path, help='folder of pictures; they must not have been trained on'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[1])
    parser.add_argument('--weights', default='', help='a file of weights instead of those of the package')
    options = parser.parse_args(arguments)
    pictures = folder_pictures(options.pictures) if options.pictures else unseen_pictures(2)
    return table([compare_cell(cell, pictures, options.seeds, options.weights) for cell in cells()])


if __name__ == '__main__':
    print(main())  # noqa: T201
