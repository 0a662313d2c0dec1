# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What all spike reconstructors share: planes in, rates per pixel out, shown on one linear scale."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events.spike_stream import SpikeStream
from event_perception.images.spike_history import SpikeHistory, SpikeHistoryCounts


@dataclass(frozen=True, slots=True)
class SpikeOutputConfig:
    """The linear scale of the image, and how much of the past can be asked for."""

    full_scale_rate: float = param(
        1.0,
        'Spikes per plane shown as 1; 1 shows the rate itself, 0 takes the gain that the stream tells.',
        ge=0.0,
        live=True,
    )
    history_planes: int = param(1024, 'Planes kept, so that images of the past can be asked for.', ge=1)


class SpikeReconstructor(ABC):
    """A reconstructor of spike planes. The result does not depend on how the stream was cut into pieces.

    Args:
        output: Scale of the image and length of the history.
        height: Sensor rows.
        width: Sensor columns.
    """

    config: Any
    lookahead_planes: int = 0
    """Planes behind the wanted instant that an image is better with; ask for images this much later."""

    def __init__(self, output: SpikeOutputConfig, *, height: int, width: int) -> None:
        self._output = output
        self._height, self._width = height, width
        self._history = SpikeHistory(height=height, width=width, keep_planes=output.history_planes)

    @property
    def counts(self) -> SpikeHistoryCounts:
        """Planes, gaps, missing planes and restarts so far."""
        return self._history.counts

    def reconfigure(self, config: Any) -> None:
        """Take over live parameters: what is read anew for every image."""
        # One method may work for another, as for tfi: then only the scale is its own.
        if isinstance(config, getattr(type(self), 'config_type', object)):
            self.config = config
        self._output = config.output

    def push(self, stream: SpikeStream) -> None:
        """Add the next planes; a gap or another stream drops what came before and is counted.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        self._history.push(stream)

    def image(self, t_ns: int) -> NDArray[np.float32]:
        """Intensity at an instant, linear, float32 (H, W): rate / full_scale_rate, cut to [0, 1].

        Raises:
            DataError: If no planes of that instant are kept, or the scale is to come from a stream without gain.
        """
        rates = self.rate(t_ns)
        scale = self._output.full_scale_rate or self._history.gain
        if not scale:
            raise DataError(
                'full_scale_rate is 0, to take the gain of the stream, but the stream does not tell it: set '
                'full_scale_rate, or spikes.gain of a raw file'
            )
        return np.clip(rates / np.float32(scale), 0.0, 1.0, dtype=np.float32)

    def rate(self, t_ns: int) -> NDArray[np.float32]:
        """Spikes per plane at an instant, float32 (H, W).

        Raises:
            DataError: If no planes of that instant are kept.
        """
        n_pixels = self._height * self._width
        stored = self._rates(self._history.number(t_ns))[:n_pixels].reshape(self._height, self._width)
        return np.ascontiguousarray(stored[::-1] if self._history.flipped else stored)

    @abstractmethod
    def _rates(self, plane: int) -> NDArray[np.float32]:
        """Spikes per plane around a plane, in stored pixel order; may be longer than the pixels."""


class RecurrentSpikeReconstructor(SpikeReconstructor):
    """A reconstructor with state per pixel that every plane changes: images are asked for in time order."""

    def __init__(self, output: SpikeOutputConfig, *, height: int, width: int) -> None:
        super().__init__(output, height=height, width=width)
        self._n_states = 8 * ((height * width + 7) // 8)
        self._generation = self._history.generation
        self._done = 0
        self._reset()

    def push(self, stream: SpikeStream) -> None:
        """Add the next planes; those that leave the history without an image are worked in on the way out.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        left = self._history.push(stream)
        if self._history.generation != self._generation:
            self._generation, self._done = self._history.generation, 0
            self._reset()
        for first, planes in left:
            self._advance(planes[max(self._done - first, 0) :])
            self._done = max(self._done, first + len(planes))

    def _rates(self, plane: int) -> NDArray[np.float32]:
        if plane + 1 < self._done:
            raise DataError(
                f'this method keeps state and is {self._done - 1 - plane} planes past the instant asked for; ask '
                'for images in time order'
            )
        self._advance(self._history.planes(self._done, plane + 1))
        self._done = plane + 1
        return self._read()

    @abstractmethod
    def _reset(self) -> None:
        """Forget all pixels."""

    @abstractmethod
    def _advance(self, planes: NDArray[np.uint8]) -> None:
        """Work in the next canonical planes (n, bytes)."""

    @abstractmethod
    def _read(self) -> NDArray[np.float32]:
        """Spikes per plane after the last plane worked in, in stored pixel order."""
