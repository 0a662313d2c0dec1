# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Training of SSML on spike streams alone: simulated ones, or those of a recording; truth serves validation only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.images.networks.mutual import MutualPair, SsmlNetworkConfig, mutual_loss
from event_perception.learning.spike_clips import SpikeClipConfig, SpikeClipMaker
from event_perception.learning.spike_recordings import RecordedPieces, SpikeRecordingConfig
from event_perception.learning.spike_validation import SpikeValidation
from event_perception.learning.task import Batch, Validation

StreamMaker: TypeAlias = Callable[[np.random.Generator, int], NDArray[np.uint8]]
"""So many streams from a generator, uint8 (count, planes, H, W)."""


@dataclass(frozen=True, slots=True)
class SsmlTaskConfig:
    """Networks, streams and loss; the defaults are the recipe of the paper."""

    batch: int = param(4, 'Streams per step.', ge=1)
    label_planes: int = param(
        7, 'Planes averaged to the noisy picture that is learned from, odd.', ge=1, le=401
    )
    mutual_weight: float = param(0.01, 'Weight of the difference between both networks.', ge=0.0, le=100.0)
    blind_steps: int = param(15_000, 'Steps that the blind-spot network learns alone first.', ge=0)
    validation_clips: int = param(16, 'Streams of pictures not trained on that are validated with.', ge=1)
    network: SsmlNetworkConfig = SsmlNetworkConfig()
    clips: SpikeClipConfig = SpikeClipConfig(n_planes=95, height=40, width=40)
    recording: SpikeRecordingConfig = SpikeRecordingConfig()


class SsmlTask:
    """Mutual learning of a blind-spot network and the network that reconstructs."""

    config_type: ClassVar[type] = SsmlTaskConfig
    training: ClassVar[Mapping[str, Any]] = {
        'steps': 115_000,
        'optimiser': 'adam',
        'learning_rate': 1e-3,
        'weight_decay': 0.0,
        'schedule': 'constant',
    }

    def __init__(self, config: SsmlTaskConfig | None = None) -> None:
        self.config = config or SsmlTaskConfig()
        needed = self.build().planes
        if self.config.clips.n_planes < needed:
            raise ConfigError(
                f'clips.n_planes={self.config.clips.n_planes}: these networks see {needed} planes; give at least that'
            )
        self._make = self._recorded() if self.config.recording.path else self._simulated()

    def build(self) -> MutualPair:
        """Both networks."""
        return MutualPair(self.config.network)

    def batch(self, random: np.random.Generator) -> Batch:
        """Streams, and nothing else."""
        return {'planes': self._make(random, self.config.batch)}

    def _simulated(self) -> StreamMaker:
        clips = SpikeClipMaker(self.config.clips)
        return lambda random, count: clips(random, count).planes

    def _recorded(self) -> StreamMaker:
        size = self.config.clips
        return RecordedPieces(
            self.config.recording, n_planes=size.n_planes, height=size.height, width=size.width
        )

    def loss(self, network: nn.Module, batch: dict[str, Tensor], step: int) -> Tensor:
        """The blind network against the label; after the first stage, also both against each other."""
        c, pair = self.config, network
        planes = batch['planes'].float()
        pair.light.see(planes)  # type: ignore[operator, union-attr]
        return mutual_loss(
            pair,  # type: ignore[arg-type]
            planes,
            window_planes=c.label_planes,
            weight=c.mutual_weight,
            blind_only=step < c.blind_steps,
        )

    def validate(self, network: nn.Module, device: str) -> Validation:
        """PSNR of both networks, of the label and of classical methods, on pictures not trained on."""
        return self._validation(
            {'reader': network.reader, 'blind': network.blind},  # type: ignore[dict-item]
            device,
        )

    @cached_property
    def _validation(self) -> SpikeValidation:
        return SpikeValidation(self.config.clips, self.config.validation_clips, self.config.label_planes)
