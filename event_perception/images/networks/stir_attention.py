# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Symmetric interactive attention of STIR: the centre asks the past and the future for what they have in common.

Attention runs between channels, so that its cost grows with the pixels only; queries and keys have unit length
along the pixels, and each head learns how sharply it chooses.

Source: Fan et al., NeurIPS 2024; channel attention and gated feed-forward part after Zamir et al., Restormer,
CVPR 2022.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FEED_FORWARD_EXPANSION = 2.66


class InteractiveAttention(nn.Module):
    """(left, centre, right), each (B, C, H, W), to (B, 3 C, H, W): both sides as the centre sees them around it.

    Args:
        channels: Channels of each input, a multiple of the heads.
        heads: Attention heads.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ChannelNorm(channels) for _ in range(3))
        self.query = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=channels, bias=False),
        )
        self.sides = nn.ModuleList(SideAttention(channels, heads) for _ in range(2))
        self.out_norm = ChannelNorm(channels)
        self.feed_forward = GatedFeedForward(channels)

    def forward(self, left: Tensor, centre: Tensor, right: Tensor) -> Tensor:
        """The sides, attended to and refined, with the centre as it was between them."""
        queries = self.query(self.norms[1](centre)).chunk(2, dim=1)
        sides = (self.norms[0](left), self.norms[2](right))
        seen = [attend(q, side) for attend, q, side in zip(self.sides, queries, sides, strict=True)]
        refined = [self.feed_forward(self.out_norm(s)) for s in seen]
        return torch.cat([refined[0], centre, refined[1]], dim=1)


class SideAttention(nn.Module):
    """Channels of one side, mixed by their cosines with the channels of the query."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.key_value = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels, bias=False),
        )

    def forward(self, query: Tensor, side: Tensor) -> Tensor:
        """(B, C, H, W) each, to the same shape."""
        key, value = (self._split(x) for x in self.key_value(side).chunk(2, dim=1))
        cosine = functional.normalize(self._split(query), dim=-1) @ functional.normalize(
            key, dim=-1
        ).transpose(-2, -1)
        weights = (cosine * self.temperature).softmax(dim=-1)
        return (weights @ value).reshape(side.shape)

    def _split(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, heads, C / heads, H W)."""
        return x.flatten(2).unflatten(1, (self.heads, -1))


class GatedFeedForward(nn.Module):
    """Two halves of a wider representation, one of which opens the other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = int(channels * FEED_FORWARD_EXPANSION)
        self.widen = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.mix = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.narrow = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        gate, value = self.mix(self.widen(x)).chunk(2, dim=1)
        narrowed: Tensor = self.narrow(functional.gelu(gate) * value)
        return narrowed


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        normed: Tensor = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return normed
