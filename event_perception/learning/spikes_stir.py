# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of STIR on simulated spike streams with their truth.

The network gives rates, as every method here does: the truth is gain times light, and errors are divided by the
gain again, so that dark and bright streams count alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.images.networks.stir import SCALE_PX, Stir
from event_perception.images.networks.stir_training import LitStir, stir_loss
from event_perception.learning.spike_clips import SpikeClipConfig, SpikeClipMaker
from event_perception.learning.spike_validation import SpikeValidation
from event_perception.learning.task import Batch, Validation


@dataclass(frozen=True, slots=True)
class StirTaskConfig:
    """Network, streams and loss; the defaults are the recipe of the paper on our streams."""

    batch: int = param(8, 'Streams per step.', ge=1)
    width: int = param(16, 'Channels of the representation, even; the paper has 16.', ge=8, le=256)
    edge_weight: float = param(0.2, 'Weight of the edges.', ge=0.0, le=100.0)
    validation_clips: int = param(16, 'Streams of pictures not trained on that are validated with.', ge=1)
    label_planes: int = param(7, 'Planes of the mean that validation compares with, odd.', ge=1, le=401)
    clips: SpikeClipConfig = SpikeClipConfig(n_planes=61, height=96, width=96)


class StirTask:
    """Supervised training of STIR."""

    config_type: ClassVar[type] = StirTaskConfig
    training: ClassVar[Mapping[str, Any]] = {
        'steps': 200_000,
        'optimiser': 'adam',
        'learning_rate': 1e-4,
        'weight_decay': 4e-4,
        'schedule': 'milestones',
        'milestones': (50_000, 100_000, 150_000),
        'milestone_factor': 0.7,
    }

    def __init__(self, config: StirTaskConfig | None = None) -> None:
        self.config = config or StirTaskConfig()
        clips = self.config.clips
        if clips.n_planes < Stir.planes or clips.height % SCALE_PX or clips.width % SCALE_PX:
            raise ConfigError(
                f'clips of {clips.n_planes} planes of {clips.width}x{clips.height}: STIR needs {Stir.planes} planes '
                f'and, in training, sides that are multiples of {SCALE_PX}'
            )
        self._make = SpikeClipMaker(clips)

    def build(self) -> LitStir:
        """The network."""
        return LitStir(self.config.width)

    def batch(self, random: np.random.Generator) -> Batch:
        """Streams, their light and their gain."""
        clips = self._make(random, self.config.batch)
        return {'planes': clips.planes, 'light': clips.light, 'gain': clips.gain}

    def loss(self, network: nn.Module, batch: dict[str, Tensor], step: int) -> Tensor:
        """Difference to the light and to its edges, at five scales."""
        planes, gain = batch['planes'].float(), batch['gain'][:, None, None, None]
        network.light.see(planes)  # type: ignore[operator, union-attr]
        images = [rates / gain for rates in network.reader.pyramid(planes)]  # type: ignore[operator, union-attr]
        return stir_loss(images, batch['light'][:, None], edge_weight=self.config.edge_weight)

    def validate(self, network: nn.Module, device: str) -> Validation:
        """PSNR of the network and of classical methods, on pictures not trained on."""
        return self._validation({'reader': network.reader}, device)  # type: ignore[dict-item]

    @cached_property
    def _validation(self) -> SpikeValidation:
        return SpikeValidation(self.config.clips, self.config.validation_clips, self.config.label_planes)
