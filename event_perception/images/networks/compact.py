# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The compact network: what is to be added to `ati`, in units of how much `ati` is to be doubted.

out = ati + (doubt - what is sure) * network(features). Four pixels become channels of one, so that everything runs at half size; two
pairs of convolutions there, two at a quarter, where motion and large surfaces are seen, and one more at half size.
The last layer starts at zero: an untrained network is `ati`. Where `ati` is sure of itself nothing is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.images.compact_features import LARGEST_DOUBT, LEAST_DOUBT, N_FEATURES
from event_perception.learning.checkpoints import fill, read

TASK = 'spikes.compact'
LEAK = 0.1
SURE = 0.004  # of doubt: with less, `ati` stays as it is
N_INPUTS = N_FEATURES + 1
REACH_PX = 5  # side of the neighbourhood that `ati` is compared with
MOST_DOUBTS = 16.0  # of a difference; what differs by more is wrong, however much more


@dataclass(frozen=True, slots=True)
class CompactNetworkConfig:
    """Size of the network."""

    channels: int = param(32, 'Channels of every layer.', ge=4, le=256)


class CompactNetwork(nn.Module):
    """Features to light.

    Args:
        config: Size.
    """

    def __init__(self, config: CompactNetworkConfig | None = None) -> None:
        super().__init__()
        c = (config or CompactNetworkConfig()).channels
        self.head = nn.Conv2d(4 * N_INPUTS, c, 3, padding=1)
        self.fine = nn.Sequential(_Pair(c), _Pair(c))
        self.down = nn.Conv2d(c, c, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(_Pair(c), _Pair(c))
        self.blend = _Pair(c)
        self.tail = nn.Conv2d(c, 4, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Light of the brightest pixels = 1, (B, 1, H, W), of features (B, 23, H, W) of any size."""
        height, width = features.shape[2:]
        doubt = features[:, 1:2].clamp(LEAST_DOUBT, LARGEST_DOUBT)
        seen = functional.pad(in_doubts(features, doubt), (0, width % 2, 0, height % 2), mode='replicate')
        quarters = functional.pixel_unshuffle(seen, 2).contiguous(memory_format=torch.channels_last)
        fine = self.fine(_leaky(self.head(quarters)))
        coarse = self.coarse(_leaky(self.down(fine)))
        wide = functional.interpolate(coarse, scale_factor=2, mode='nearest')
        blended = self.blend(fine + wide[..., : fine.shape[2], : fine.shape[3]])
        change = functional.pixel_shuffle(self.tail(blended), 2)[..., :height, :width]
        return features[:, :1] + (doubt - SURE).clamp(min=0) * change.to(features.dtype)


def in_doubts(features: Tensor, doubt: Tensor) -> Tensor:
    """Estimates as differences from `ati` in units of its doubt, so that all light levels look alike, (B, 24, H, W).

    In order: ati; log of doubt and of noise; ati less the mean of its neighbourhood; all others less ati.
    """
    ati = features[:, :1]
    logs = features[:, 1:4:2].clamp(LEAST_DOUBT, LARGEST_DOUBT).log() / 4 + 1
    mean = functional.avg_pool2d(ati, REACH_PX, 1, REACH_PX // 2, count_include_pad=False)
    differences = (ati - mean, features[:, 2:3] - ati, features[:, 4:] - ati)
    others = [(d / (2 * doubt)).clamp(-MOST_DOUBTS / 2, MOST_DOUBTS / 2) for d in differences]
    return torch.cat([ati, logs, *others], dim=1)


def begin_with(network: CompactNetwork, path: Path) -> None:
    """Fill the network with weights that may know fewer inputs; those at the end that they lack weigh nothing.

    Raises:
        DataError: If the file cannot be read or holds another network.
    """
    tensors, _ = _read(path)
    known = tensors.get('head.weight')
    wanted = network.head.weight
    if known is not None and known.ndim == wanted.ndim and known.shape[1] < wanted.shape[1]:
        tensors = dict(tensors)
        tensors['head.weight'] = functional.pad(known, (0, 0, 0, 0, 0, wanted.shape[1] - known.shape[1]))
    fill(network, tensors, str(path))


class _Pair(nn.Module):
    """Two convolutions with a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return _leaky(x + self.second(_leaky(self.first(x))))


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAK)


def load_compact(
    path: Path, precision: Literal['float32', 'bfloat16'] = 'float32'
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The trained network as a function of features (23, H, W), giving light (H, W).

    Raises:
        DataError: If the file cannot be read or holds another network.
    """
    tensors, about = _read(path)
    network = CompactNetwork(CompactNetworkConfig(about['config']['network.channels']))
    fill(network, tensors, str(path))
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def light(features: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch.autocast('cpu', torch.bfloat16, enabled=precision == 'bfloat16'):
            return np.asarray(network(torch.from_numpy(features)[None])[0, 0].numpy(), np.float32)

    return light


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, about = read(path)
    if about.get('task') != TASK:
        raise DataError(
            f'{path} holds weights of {about.get("task")!r}; the compact network needs those of {TASK!r}'
        )
    return tensors, about
