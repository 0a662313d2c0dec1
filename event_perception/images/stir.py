# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""STIR: a network that finds motion and intensity together, from the coarse to the fine.

Weights are those of `event-perception train spikes --method stir`.

Source: Fan, Yin, Dai, Xu, Huang and Shi, Spatio-temporal interactive learning for efficient image reconstruction of
spiking cameras, NeurIPS 2024.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from event_perception.config import param
from event_perception.images.learned import LearnedReconstructor, LightGuardConfig, need_weights
from event_perception.images.spike_reconstructor import SpikeOutputConfig


@dataclass(frozen=True, slots=True)
class StirConfig:
    """Weights, and where they hold."""

    weights: str = param('', 'File of weights: .safetensors of our training, or .pth with the same names.')
    guard: LightGuardConfig = LightGuardConfig()
    output: SpikeOutputConfig = SpikeOutputConfig()


class StirReconstructor(LearnedReconstructor):
    """STIR over 61 planes; ``ati`` outside of its light and at the ends of the stream.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Raises:
        ConfigError: If no weights are set.
        DataError: If they cannot be read or do not fit.
    """

    config_type: ClassVar[type[StirConfig]] = StirConfig

    def __init__(self, config: StirConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or StirConfig()
        path = Path(need_weights('stir', config.weights))
        from event_perception.images.networks.trained import load_stir

        super().__init__('stir', load_stir(path), config.guard, config.output, height=height, width=width)
