# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""STIR: one network for motion and intensity of a spike stream, coarse to fine.

61 planes are seen as three blocks of 21, left, centre and right, that share one plane. A shared encoder makes five
scales of each; attention joins the coarsest ones; four decoders refine flow and image together.

Source: Fan, Yin, Dai, Xu, Huang and Shi, Spatio-temporal interactive learning for efficient image reconstruction of
spiking cameras, NeurIPS 2024; 5.11 M parameters in the paper, 5 107 960 here at width 16.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.errors import ConfigError
from event_perception.images.networks.motion_inference import central
from event_perception.images.networks.stir_attention import InteractiveAttention
from event_perception.images.networks.stir_decoder import CoarsestDecoder, Decoder, FinestDecoder, Sides
from event_perception.images.networks.stir_embedding import BLOCK_PLANES, HybridEmbedding
from event_perception.images.networks.stir_parts import ResidualBlock, conv_prelu

SCALE_PX = 16
"""Sizes are padded to multiples of this."""


class Stir(nn.Module):
    """Image (B, 1, H, W) of the middle of 61 spike planes.

    Args:
        width: Channels of the representation, even and at least 8; deeper levels have up to six times as many.

    Raises:
        ConfigError: If the width is odd or too small.
    """

    planes = 3 * BLOCK_PLANES - 2

    def __init__(self, *, width: int = 16) -> None:
        super().__init__()
        if width < 8 or width % 2:
            raise ConfigError(f'width={width}: give an even number of at least 8; the paper has 16')
        channels = (width, 3 * width // 2, 2 * width, 4 * width, 6 * width)
        hidden = width // 2
        self.embed = HybridEmbedding(width)
        self.encode = Encoder(channels)
        self.attend = InteractiveAttention(channels[-1])
        self.coarsest = CoarsestDecoder(3 * channels[-1])
        pairs = zip(channels[:1:-1], channels[-2:0:-1], strict=True)
        self.decoders = nn.ModuleList(Decoder(coarser, finer, hidden) for coarser, finer in pairs)
        self.finest = FinestDecoder(channels[1], channels[0], hidden)

    def forward(self, planes: Tensor) -> Tensor:
        """Spikes (B, N, H, W), 0 or 1, N at least 61, any size, to images (B, 1, H, W)."""
        return self.pyramid(planes)[0]

    def pyramid(self, planes: Tensor) -> list[Tensor]:
        """Images from full size to 1/16; the coarser ones cover the picture padded to a multiple of 16."""
        height, width = planes.shape[-2:]
        padded = pad_to_scale(central(planes, self.planes))
        represented = self.embed(blocks(padded))
        sides = [Sides(*scale.chunk(3)) for scale in (represented, *self.encode(represented))]
        level = self.coarsest(self.attend(*sides[-1]))
        images = [level.image]
        for decode, features in zip(self.decoders, sides[-2:0:-1], strict=True):
            level = decode(level, features)
            images.append(level.image)
        images.append(self.finest(level, sides[0])[..., :height, :width])
        return images[::-1]


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8 and 1/16 of the size.

    Args:
        channels: Of the representation and of each scale.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.first = conv_prelu(channels[0], channels[0], kernel=7)
        self.scales = nn.ModuleList(
            nn.Sequential(conv_prelu(a, b, stride=2), ResidualBlock(b)) for a, b in pairwise(channels)
        )

    def forward(self, represented: Tensor) -> list[Tensor]:
        """Fine to coarse."""
        x, features = self.first(represented), []
        for scale in self.scales:
            x = scale(x)
            features.append(x)
        return features


def blocks(planes: Tensor) -> Tensor:
    """Left, centre and right block one below the other, (B, 61, H, W) to (3 B, 21, H, W)."""
    step = BLOCK_PLANES - 1
    return torch.cat([planes[:, start : start + BLOCK_PLANES] for start in range(0, 3 * step, step)])


def pad_to_scale(planes: Tensor) -> Tensor:
    """The border repeated below and to the right up to multiples of 16."""
    height, width = planes.shape[-2:]
    return functional.pad(planes, (0, -width % SCALE_PX, 0, -height % SCALE_PX), mode='replicate')
