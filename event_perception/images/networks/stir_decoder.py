# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Joint motion and intensity decoding of STIR: each level refines flow and image of the coarser one together.

Flow brings the features of past and future to the instant; the image of the coarser level and a few channels of its
hidden state guide the finer one. The finest level looks along three motions at once and needs no flow of its own.

Source: Fan et al., NeurIPS 2024.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.images.networks.stir_parts import ResidualBlock, conv_prelu, double, sample_along

GROUPS = 3


class Level(NamedTuple):
    """What a level hands to the finer one.

    Image (B, 1, H, W), hidden state, flows to left and right (B, 4, H, W), and the same flows as they came from
    the coarser level.
    """

    image: Tensor
    hidden: Tensor
    flows: Tensor
    coarse_flows: Tensor


class Sides(NamedTuple):
    """Features at one scale of the centre and of what came before and after it."""

    left: Tensor
    centre: Tensor
    right: Tensor

    def aligned(self, flows: Tensor) -> list[Tensor]:
        """Left and right where the flows (B, 4, H, W) say that the centre is in them."""
        return [sample_along(self.left, flows[:, :2]), sample_along(self.right, flows[:, 2:])]


class CoarsestDecoder(nn.Module):
    """Flow and image from what attention joined, (B, channels, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(conv_prelu(channels, channels, slopes=channels), ResidualBlock(channels))
        self.predict = nn.Conv2d(channels, 5, 3, padding=1)

    def forward(self, joined: Tensor) -> Level:
        """The first level."""
        hidden = self.hidden(joined)
        flows, image = self.predict(hidden).split([4, 1], dim=1)
        return Level(image, hidden, flows, flows)


class Decoder(nn.Module):
    """One level finer: flow as a residual to the doubled one, image afresh.

    Args:
        coarser: Channels of the features of the coarser level; its hidden state has three times as many.
        channels: Channels of the features of this level.
        hidden: Channels of the hidden state that are handed on.
    """

    def __init__(self, coarser: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.double_flows = double(4, 4)
        self.double_hidden = double(3 * coarser, hidden)
        self.fuse = fusion(3 * channels + 1 + hidden + 4, 3 * channels)
        self.predict = nn.Conv2d(3 * channels, 5, 3, padding=1)

    def forward(self, coarse: Level, sides: Sides) -> Level:
        """This level, from the coarser one and the features at this scale."""
        flows = self.double_flows(coarse.flows)
        seen = [doubled(coarse.image), sides.centre, *sides.aligned(flows)]
        hidden = self.fuse(torch.cat([*seen, self.double_hidden(coarse.hidden), flows], dim=1))
        residual, image = self.predict(hidden).split([4, 1], dim=1)
        return Level(image, hidden, flows + residual, flows)


class FinestDecoder(nn.Module):
    """The image at full size, from the representation itself seen along three motions."""

    def __init__(self, coarser: int, channels: int, hidden: int) -> None:
        super().__init__()
        more = 4 * (GROUPS - 1)
        self.more_flows = nn.Conv2d(3 * coarser, more, 3, padding=1)
        self.double_more_flows = double(more, more)
        self.double_flows = double(4, 4)
        self.double_hidden = double(3 * coarser, hidden)
        seen = (1 + 2 * GROUPS) * channels + 1 + hidden + 4 * GROUPS
        self.fuse = fusion(seen, 3 * channels)
        self.predict = nn.Conv2d(3 * channels, 1, 3, padding=1)

    def forward(self, coarse: Level, sides: Sides) -> Tensor:
        """(B, 1, H, W)."""
        repeated = coarse.coarse_flows.repeat(1, GROUPS - 1, 1, 1)
        more = self.double_more_flows(self.more_flows(coarse.hidden) + repeated)
        flows = self.double_flows(coarse.flows)
        aligned = [a for pair in (flows, *more.split(4, dim=1)) for a in sides.aligned(pair)]
        seen = [doubled(coarse.image), sides.centre, *aligned, self.double_hidden(coarse.hidden), flows, more]
        image: Tensor = self.predict(self.fuse(torch.cat(seen, dim=1)))
        return image


def fusion(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions and a residual block."""
    return nn.Sequential(
        conv_prelu(inputs, inputs, slopes=inputs),
        conv_prelu(inputs, outputs, slopes=outputs),
        ResidualBlock(outputs),
    )


def doubled(image: Tensor) -> Tensor:
    """The image at twice the size, bilinear."""
    return functional.interpolate(image, scale_factor=2.0, mode='bilinear', align_corners=False)
