# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Texture from playback: the mean of a window of planes, as the exposure of an ordinary camera.

Counts are kept in bit slices: bit b of the counts of all pixels is one packed plane, and adding a plane is a
carry that ripples through the slices, for eight pixels a byte. When the next window overlaps the last one the
counts slide; they are integers, so they equal the sum over the window however they came about.

Source: Zhu, Dong, Huang and Tian, A retina-inspired sampling method for visual texture reconstruction, ICME 2019.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.images.spike_kernels import add_planes, slide_planes
from event_perception.images.spike_reconstructor import SpikeOutputConfig, SpikeReconstructor


@dataclass(frozen=True, slots=True)
class TfpConfig:
    """The window."""

    window_planes: int = param(31, 'Planes averaged.', ge=1, le=65535)
    mode: Literal['centred', 'causal'] = param(
        'centred', 'Whether the window lies around the instant or ends there.'
    )
    output: SpikeOutputConfig = SpikeOutputConfig()


class Tfp(SpikeReconstructor):
    """Mean of a window of planes; at the ends of the stream, of that part of it which is there.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.
    """

    config_type: ClassVar[type[TfpConfig]] = TfpConfig

    def __init__(self, config: TfpConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or TfpConfig()
        super().__init__(config.output, height=height, width=width)
        self.lookahead_planes = (config.window_planes - 1) // 2 if config.mode == 'centred' else 0
        self._slices = np.zeros((config.window_planes.bit_length(), (height * width + 7) // 8), np.uint8)
        self._window = (0, 0, 0)  # generation, first and end of what is counted

    def _rates(self, plane: int) -> NDArray[np.float32]:
        end = min(plane + self.lookahead_planes + 1, self._history.end)
        first = max(plane + self.lookahead_planes + 1 - self.config.window_planes, self._history.first)
        self._move(first, end)
        return bit_sliced_counts(self._slices).astype(np.float32) / np.float32(end - first)

    def _move(self, first: int, end: int) -> None:
        """Make the counts those of planes first to end, by sliding where that is less work."""
        generation, old_first, old_end = self._window
        step = end - old_end
        slides = (
            generation == self._history.generation
            and first - old_first == step
            and 0 <= step < (end - first) // 2
            and old_first >= self._history.first
        )
        if slides:
            slide_planes(
                self._slices, self._history.planes(old_end, end), self._history.planes(old_first, first)
            )
        else:
            self._slices[:] = 0
            add_planes(self._slices, self._history.planes(first, end))
        self._window = (self._history.generation, first, end)


def bit_sliced_counts(slices: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Counts per pixel of bit slices (bits, bytes), uint16 (8 * bytes,)."""
    counts = np.zeros(slices.shape[1] * 8, np.uint16)
    for b, bits in enumerate(slices):
        counts += np.unpackbits(bits, bitorder='little').astype(np.uint16) << np.uint16(b)
    return counts
