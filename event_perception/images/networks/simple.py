# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The simple non-blind-spot network of SSML: one U-net on 41 planes, and the names of its published weights."""

import re

from torch import Tensor, nn

from event_perception.images.networks.motion_inference import central
from event_perception.images.networks.spike_unet import SpikeUnet

PUBLISHED_NAME = re.compile(r'(enc|dec)([123])\.conv([1234])\.conv\.weight')


class SimpleNetwork(nn.Module):
    """Rate per pixel (B, 1, H, W) from spike planes by one U-net; 904 176 parameters at width 48.

    The variant without motion inference and attention, whose weights SpikeCV publishes.

    Args:
        planes: Planes seen, in the middle of what is given.
        width: Channels of the outer layers.
    """

    def __init__(self, planes: int = 41, *, width: int = 48) -> None:
        super().__init__()
        self.planes = planes
        self.unet = SpikeUnet(planes, 1, width=width)

    def forward(self, planes: Tensor) -> Tensor:
        """Spikes (B, N, H, W), 0 or 1, N at least ``planes``, to rates (B, 1, H, W)."""
        rates: Tensor = self.unet(central(planes, self.planes))
        return rates


def own_name(published: str) -> str:
    """Name here of a weight of SpikeCV's checkpoint; any other name stays."""
    return PUBLISHED_NAME.sub(_own_name, published)


def _own_name(match: re.Match[str]) -> str:
    side, level, layer = match.groups()
    return f'unet.{"encode" if side == "enc" else "decode"}{level}.{int(layer) - 1}.conv.weight'
