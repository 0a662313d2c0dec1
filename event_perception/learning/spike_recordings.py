# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pieces of recorded spike streams to learn from without truth: a random stretch of time, a random window, mirrored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import ConfigError, DataError
from event_perception.events import SpikeStream

ANY_PERIOD_NS = 25_000  # planes are all that is learned from


@dataclass(frozen=True, slots=True)
class SpikeRecordingConfig:
    """A raw recording, or none."""

    path: str = param('', 'Raw spike file (.dat) to learn from; empty: simulated streams.')
    height: int = param(250, 'Its rows, px.', ge=1, le=65535)
    width: int = param(400, 'Its columns, px.', ge=1, le=65535)
    kind: Literal['camera', 'camera_header', 'pcie', 'plain'] = param(
        'camera', 'Its layout, see docs/spikes.md.'
    )


class RecordedPieces:
    """Random pieces of a recording; may be used by several threads.

    Args:
        config: The recording.
        n_planes: Planes of a piece.
        height: Rows of a piece, px.
        width: Columns of a piece, px.

    Raises:
        ConfigError: If a piece does not fit into the sensor.
        DataError: If the recording cannot be read or is shorter than a piece.
    """

    def __init__(self, config: SpikeRecordingConfig, *, n_planes: int, height: int, width: int) -> None:
        if height > config.height or width > config.width:
            raise ConfigError(
                f'pieces of {width}x{height} px do not fit into {config.width}x{config.height}; make them smaller'
            )
        if not Path(config.path).is_file():
            raise DataError(f'{config.path}: no such recording')
        self._stream = SpikeStream.from_dat(
            config.path,
            height=config.height,
            width=config.width,
            plane_period_ns=ANY_PERIOD_NS,
            kind=config.kind,
        )
        if len(self._stream) < n_planes:
            raise DataError(f'{config.path} holds {len(self._stream)} planes; a piece takes {n_planes}')
        self._size = (n_planes, height, width)

    def __call__(self, random: np.random.Generator, count: int) -> NDArray[np.uint8]:
        """So many pieces, 0 or 1, uint8 (count, planes, H, W)."""
        return np.stack([self._piece(random) for _ in range(count)])

    def _piece(self, random: np.random.Generator) -> NDArray[np.uint8]:
        n, height, width = self._size
        first = int(random.integers(len(self._stream) - n + 1))
        top = int(random.integers(self._stream.height - height + 1))
        left = int(random.integers(self._stream.width - width + 1))
        planes = self._stream.unpack(first, first + n)[:, top : top + height, left : left + width]
        steps = random.choice((-1, 1), 3)  # time, rows and columns run either way
        return planes[:: steps[0], :: steps[1], :: steps[2]]
