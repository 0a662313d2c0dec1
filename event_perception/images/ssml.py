# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""SSML: a network that learned from spike streams alone, by mutual learning with a blind-spot network.

Weights are those of `event-perception train spikes --method ssml`, or a user's checkpoint of the simple network
such as SpikeCV's ``nbsn_83000_simple.pth`` (Apache-2.0), which holds for dark streams only.

Source: Chen, Duan, Yu, Xiong and Huang, Self-supervised mutual learning for dynamic scene reconstruction of
spiking camera, IJCAI 2022.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from event_perception.config import param
from event_perception.images.learned import LearnedReconstructor, LightGuardConfig, need_weights
from event_perception.images.spike_reconstructor import SpikeOutputConfig


@dataclass(frozen=True, slots=True)
class SsmlConfig:
    """Weights, and where they hold."""

    weights: str = param('', 'File of weights: .safetensors of our training, or .pth of the simple network.')
    guard: LightGuardConfig = LightGuardConfig()
    output: SpikeOutputConfig = SpikeOutputConfig()


class Ssml(LearnedReconstructor):
    """The non-blind-spot network of SSML; ``ati`` outside of its light and at the ends of the stream.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Raises:
        ConfigError: If no weights are set.
        DataError: If they cannot be read or do not fit.
    """

    config_type: ClassVar[type[SsmlConfig]] = SsmlConfig

    def __init__(self, config: SsmlConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or SsmlConfig()
        path = Path(need_weights('ssml', config.weights))
        from event_perception.images.networks.trained import load_ssml

        super().__init__('ssml', load_ssml(path), config.guard, config.output, height=height, width=width)
