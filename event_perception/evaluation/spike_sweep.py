# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spike methods against exact truth over light levels, noise and motions, on streams made from a seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception import images
from event_perception.evaluation.image_quality import psnr, ssim
from event_perception.events.spike_stream import SpikeStream
from event_perception.simulation.moving_picture import PictureMotion, moving_picture, noise_picture
from event_perception.simulation.spikes import SpikeEmulator, spike_sensor

GAINS = (0.6, 0.2, 0.05)
SENSORS = ('clean', 'typical')
MOTIONS: tuple[PictureMotion, ...] = ('translation', 'rotation', 'zoom')
SPEEDS_PX_PLANE = (0.08, 0.3)
# What a user may choose instead of the adaptive method, each at the settings worth trying.
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f'tfp {w}': ('tfp', {'window_planes': w}) for w in (11, 21, 31, 41, 81, 161)},
    'tfi': ('tfi', {}),
    **{f'tfi_k {k}': ('tfi_k', {'intervals': k}) for k in (2, 3, 5, 7)},
    'stp': ('stp', {}),
    **{f'tvs {mode}': ('tvs', {'mode': mode}) for mode in ('intervals', 'hybrid', 'threshold')},
}


@dataclass(frozen=True, eq=False)
class SweepCell:
    """One stream of the sweep: its conditions, its planes, and the light at ``t_ns``, float32 (H, W)."""

    gain: float
    sensor: str
    motion: PictureMotion
    speed_px_plane: float
    stream: SpikeStream
    truth: NDArray[np.float32]
    t_ns: int

    def conditions(self) -> dict[str, Any]:
        """What distinguishes the cell."""
        return {
            'gain': self.gain,
            'sensor': self.sensor,
            'motion': self.motion,
            'speed_px_plane': self.speed_px_plane,
        }


def sweep(*, seed: int = 0, height: int = 128, width: int = 160, n_planes: int = 401) -> Iterator[SweepCell]:
    """All cells, every one with its own picture and its own noise."""
    cells = product(GAINS, SENSORS, MOTIONS, SPEEDS_PX_PLANE)
    for i, (gain, sensor, motion, speed) in enumerate(cells):
        yield sweep_cell(
            gain, sensor, motion, speed, seed=100 * seed + i, height=height, width=width, n_planes=n_planes
        )


def sweep_cell(
    gain: float,
    sensor: str,
    motion: PictureMotion,
    speed_px_plane: float,
    *,
    seed: int,
    height: int = 128,
    width: int = 160,
    n_planes: int = 401,
) -> SweepCell:
    """One stream; the truth is the light at its middle plane."""
    margin = 64
    picture = noise_picture(seed, height=height + 2 * margin, width=width + 2 * margin)
    frames = list(
        moving_picture(
            picture, motion, speed_px_plane=speed_px_plane, n_planes=n_planes, height=height, width=width
        )
    )
    config = spike_sensor(sensor, gain=gain, seed=seed)  # type: ignore[arg-type]
    stream = SpikeEmulator(config, height=height, width=width).emulate(frames)
    middle = n_planes // 2
    t_ns = middle * config.plane_period_ns
    return SweepCell(gain, sensor, motion, speed_px_plane, stream, frames[middle], t_ns)


def reconstruct(cell: SweepCell, name: str, params: Mapping[str, Any]) -> NDArray[np.float32]:
    """The image of the middle of a cell by one method, on the scale of its light."""
    reconstructor = images.create(
        name,
        height=cell.stream.height,
        width=cell.stream.width,
        **{'output.full_scale_rate': cell.gain},
        **params,
    )
    reconstructor.push(cell.stream)
    return reconstructor.image(cell.t_ns)


def compare(cell: SweepCell) -> dict[str, Any]:
    """PSNR of the adaptive method in one cell beside the best other one, dB."""
    others = {label: psnr(reconstruct(cell, *method), cell.truth) for label, method in OTHERS.items()}
    adaptive = reconstruct(cell, 'ati', {})
    best = max(others, key=lambda label: others[label])
    result = cell.conditions() | {
        'ati_db': psnr(adaptive, cell.truth),
        'ati_ssim': ssim(adaptive, cell.truth),
        'best_other': best,
        'best_other_db': others[best],
        'others_db': others,
    }
    return result | {'ahead_db': result['ati_db'] - others[best]}
