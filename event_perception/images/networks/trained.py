# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Networks from files of weights, ready to reconstruct: ours, which say what they are, and those of others."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from event_perception.config import build
from event_perception.errors import ConfigError, DataError
from event_perception.images.networks.mutual import MutualPair, SsmlNetworkConfig
from event_perception.images.networks.simple import SimpleNetwork, own_name
from event_perception.images.networks.stir import Stir
from event_perception.images.networks.stir_training import LitStir
from event_perception.learning.checkpoints import fill, read
from event_perception.learning.foreign_weights import load_foreign_weights

PUBLISHED_LIGHT = (0.025, 0.1)
"""Mean rates where SpikeCV's simple network, trained on dim clips, was measured to be unbiased; see docs/spikes.md."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network that gives rates, the planes that it sees, and the mean rates that it was trained on."""

    network: nn.Module
    planes: int
    least_rate: float
    largest_rate: float
    device: str = 'cpu'

    def on(self, device: str) -> 'TrainedNetwork':
        """The same network on another device.

        Raises:
            ConfigError: If there is no such device.
        """
        if device == 'cuda' and not torch.cuda.is_available():
            raise ConfigError('device=cuda: torch sees no CUDA device; use cpu, or install torch with CUDA')
        return replace(self, network=self.network.to(device).eval(), device=device)

    def __call__(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Rates (H, W) of the middle of spike planes (N, H, W)."""
        with torch.inference_mode():
            spikes = torch.from_numpy(np.ascontiguousarray(planes)).to(self.device).float()
            rates = self.network(spikes[None])[0, 0]
        return np.asarray(rates.cpu().numpy(), np.float32)


def load_ssml(path: Path) -> TrainedNetwork:
    """The reconstructing network of SSML.

    Raises:
        DataError: If the file cannot be read, is of another task, or does not fit.
    """
    ours = _ours(path, 'spikes.ssml')
    if ours is None:
        simple = SimpleNetwork()
        load_foreign_weights(path, simple, own_name)
        return TrainedNetwork(simple, simple.planes, *PUBLISHED_LIGHT)
    tensors, config = ours
    pair = MutualPair(build(SsmlNetworkConfig, _branch(config, 'network.')))
    fill(pair, tensors, str(path))
    return TrainedNetwork(pair.reader, pair.reader.planes, *pair.light.range())


def load_stir(path: Path) -> TrainedNetwork:
    """STIR.

    Raises:
        DataError: If the file cannot be read, is of another task, or does not fit.
    """
    ours = _ours(path, 'spikes.stir')
    if ours is None:
        lit = LitStir(width=16)
        load_foreign_weights(path, lit)
    else:
        tensors, config = ours
        lit = LitStir(width=config['width'])
        fill(lit, tensors, str(path))
    return TrainedNetwork(lit.reader, Stir.planes, *lit.light.range())


def _ours(path: Path, task: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Tensors and task configuration of a file that our training wrote, None for a file of others."""
    if path.suffix != '.safetensors':
        return None
    tensors, about = read(path)
    if 'task' not in about:
        return None
    if about['task'] != task:
        raise DataError(f'{path} holds weights of {about["task"]!r}; this method needs those of {task!r}')
    return tensors, about['config']


def _branch(config: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in config.items() if name.startswith(prefix)}
