# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Adaptive motion inference: features from means over windows for what rests, from intervals for what moves.

The stationary branch weighs the planes of three windows by learned masks, as an exposure of adjustable length; the
motion branch takes the interval that holds the instant. Gates choose between them per pixel and per channel.
The blind path leaves the gates out, because they look at the pixel itself and at the whole picture.

Source: Chen et al., IJCAI 2022, eq. 4 to 7, the three masks being windows of 11, 19 and 27 planes.
"""

import torch
from torch import Tensor, nn

from event_perception.errors import ConfigError
from event_perception.images.networks.gates import ChannelGate, SpatialGate
from event_perception.images.networks.shifted import ConvUnit

WINDOWS_PLANES = (11, 19, 27)
SEARCH_PLANES = 12


class MotionInference(nn.Module):
    """Features (B, features, H, W) of a window of planes.

    Args:
        planes: Planes of the window, odd.
        features: Channels of the result.
        blind: Whether it may only see rows at and above a pixel's own, which excludes the gates.

    Raises:
        ConfigError: If the window is shorter than the longest mask, or even.
    """

    def __init__(self, planes: int, *, features: int = 16, blind: bool = False) -> None:
        super().__init__()
        if planes < max(WINDOWS_PLANES) or planes % 2 == 0:
            raise ConfigError(f'planes={planes}: give an odd window of at least {max(WINDOWS_PLANES)} planes')
        self.blind = blind
        self.exposures = nn.ModuleList(plain_mean(w) for w in WINDOWS_PLANES)
        self.stationary = ConvUnit(len(WINDOWS_PLANES), features, blind=blind)
        self.moving = nn.Conv2d(1, features, 1, bias=False)
        if not blind:
            self.gates = nn.ModuleList((SpatialGate(), SpatialGate()))
            self.choose = ChannelGate(features)

    def forward(self, planes: Tensor) -> Tensor:
        """Spikes (B, planes, H, W), 0 or 1, to features."""
        means = [mix(central(planes, w)) for mix, w in zip(self.exposures, WINDOWS_PLANES, strict=True)]
        rest = self.stationary(torch.cat(means, dim=1))
        motion = self.moving(interval_rate(planes))
        if self.blind:
            return rest + motion
        chosen: Tensor = self.choose(self.gates[0](rest) + self.gates[1](motion))
        return chosen


def plain_mean(n: int) -> nn.Conv2d:
    """A mask over n planes that begins as their mean."""
    conv = nn.Conv2d(n, 1, 1, bias=False)
    nn.init.constant_(conv.weight, 1 / n)
    return conv


def central(planes: Tensor, n: int) -> Tensor:
    """The n planes in the middle of (B, N, H, W); N - n is even."""
    first = (planes.shape[1] - n) // 2
    return planes[:, first : first + n]


def interval_rate(planes: Tensor) -> Tensor:
    """1 / the interval that holds the middle plane, at most 24 planes long, (B, N, H, W) to (B, 1, H, W)."""
    middle = planes.shape[1] // 2
    left = _distance(planes[:, middle - SEARCH_PLANES + 1 : middle + 1].flip(1), first=0)
    right = _distance(planes[:, middle + 1 : middle + SEARCH_PLANES + 1], first=1)
    return 1 / (left + right)


def _distance(outwards: Tensor, first: int) -> Tensor:
    """Planes to the nearest spike, the nearest plane being ``first`` away; at most the length of the search."""
    n = outwards.shape[1]
    nearness = SEARCH_PLANES - torch.arange(first, first + n, dtype=outwards.dtype, device=outwards.device)
    return SEARCH_PLANES - (outwards * nearness[:, None, None]).amax(dim=1, keepdim=True)
