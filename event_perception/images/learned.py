# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Networks as reconstructors: the planes around the instant in, rates out, and ``ati`` where a network has no say.

A method is its name and how its weights are loaded (`ssml`, `stir`).

A network knows the firing rates that it was trained on and a fixed number of planes. Where the mean rate is
another, or the stream does not reach that far to both sides, the image is made by the classical method instead;
that is logged the first time and counted.
"""

import logging
from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.events.spike_stream import SpikeStream
from event_perception.images.ati import Ati, AtiConfig
from event_perception.images.spike_reconstructor import SpikeOutputConfig, SpikeReconstructor

if TYPE_CHECKING:  # torch takes a second to load: only where a network is made
    from event_perception.images.networks.trained import TrainedNetwork

logger = logging.getLogger('event_perception')


@dataclass(frozen=True, slots=True)
class LightGuardConfig:
    """Where the network may be used, and where it computes."""

    least_rate: float = param(
        0.0,
        'Least mean rate that the network is used at, spikes per plane; 0: as in training.',
        ge=0.0,
        le=1.0,
    )
    largest_rate: float = param(
        0.0,
        'Largest mean rate that the network is used at, spikes per plane; 0: as in training.',
        ge=0.0,
        le=1.0,
    )
    device: Literal['cpu', 'cuda'] = param('cpu', 'Where the network computes.')


@dataclass(frozen=True, slots=True)
class LearnedConfig:
    """Weights, and where they hold."""

    weights: str = param('', 'File of weights: .safetensors of our training, or a published .pth that fits.')
    guard: LightGuardConfig = LightGuardConfig()
    output: SpikeOutputConfig = SpikeOutputConfig()


@dataclass(frozen=True, slots=True)
class LearnedCounts:
    """How images came about: by the network, or by ``ati`` because of the light or the end of the stream."""

    by_network: int = 0
    outside_light: int = 0
    too_few_planes: int = 0


class LearnedReconstructor(SpikeReconstructor):
    """A network over the planes around the instant.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Attributes:
        images: How the images so far came about.

    Raises:
        ConfigError: If no weights are set, the range of rates is empty, or there is no such device.
        DataError: If the weights cannot be read or do not fit.
    """

    config_type: ClassVar[type[LearnedConfig]] = LearnedConfig
    name: ClassVar[str]

    def __init__(self, config: LearnedConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or LearnedConfig()
        super().__init__(config.output, height=height, width=width)
        trained = self._load(Path(need_weights(self.name, config.weights)))
        self._trained = trained.on(config.guard.device)
        self._least = config.guard.least_rate or trained.least_rate
        self._largest = config.guard.largest_rate or trained.largest_rate
        if not self._least < self._largest:
            raise ConfigError(
                f'{self.name}: mean rates {self._least:g} to {self._largest:g} leave nothing; the weights say nothing '
                'about their light: set least_rate and largest_rate'
            )
        self._classical = Ati(AtiConfig(output=config.output), height=height, width=width)
        self.lookahead_planes = max(trained.planes // 2, self._classical.lookahead_planes)
        self.images = LearnedCounts()

    @staticmethod
    @abstractmethod
    def _load(path: Path) -> 'TrainedNetwork':
        """The network of a file of weights."""

    def push(self, stream: SpikeStream) -> None:
        """Add the next planes; a gap or another stream drops what came before and is counted.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        super().push(stream)
        self._classical.push(stream)

    def _rates(self, plane: int) -> NDArray[np.float32]:
        half = self._trained.planes // 2
        if plane - half < self._history.first or plane + half >= self._history.end:
            self._count('too_few_planes', f'{self._trained.planes} planes around the instant are not there')
            return self._classical._rates(plane)
        planes = self._unpacked(plane - half, plane + half + 1)
        mean = float(planes.mean())
        if not self._least <= mean <= self._largest:
            allowed = f'{self._least:.3g} to {self._largest:.3g}'
            self._count(
                'outside_light', f'mean rate {mean:.3g} is outside {allowed}, the rates of the training'
            )
            return self._classical._rates(plane)
        self.images = replace(self.images, by_network=self.images.by_network + 1)
        rates = self._trained(planes)
        return np.ascontiguousarray(rates[::-1] if self._history.flipped else rates).reshape(-1)

    def _unpacked(self, first: int, end: int) -> NDArray[np.uint8]:
        """Planes first to end as 0 or 1, (n, H, W), top row first."""
        bits = np.unpackbits(self._history.planes(first, end), axis=1, bitorder='little')
        planes = bits[:, : self._height * self._width].reshape(-1, self._height, self._width)
        return planes[:, ::-1] if self._history.flipped else planes

    def _count(self, reason: str, message: str) -> None:
        so_far = getattr(self.images, reason)
        if not so_far:
            logger.warning(
                '%s: %s; ati makes such images instead, and they are counted as %s',
                self.name,
                message,
                reason,
            )
        self.images = replace(self.images, **{reason: so_far + 1})


def need_weights(name: str, weights: str) -> str:
    """The path of the weights, if one is set.

    Raises:
        ConfigError: If not.
    """
    if weights:
        return weights
    raise ConfigError(
        f'{name}: no weights are set, and none come with the package; train them with `event-perception train spikes '
        f'--method {name} -o DIR` and set weights=DIR/weights.safetensors'
    )
