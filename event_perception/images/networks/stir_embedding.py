# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Hybrid embedding of STIR: means over nested windows, which are exact, beside channels that are learned.

Source: Fan, Yin, Dai, Xu, Huang and Shi, Spatio-temporal interactive learning for efficient image reconstruction of
spiking cameras, NeurIPS 2024.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCK_PLANES = 21
NESTED_PLANES = (21, 17, 13, 9, 5)


class HybridEmbedding(nn.Module):
    """Representation (B, channels, H, W) of a block of 21 planes: five means and what a residual block learns.

    Args:
        channels: Channels of the result, more than five.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        learned = channels - len(NESTED_PLANES)
        self.first = nn.Conv2d(BLOCK_PLANES, learned, 3, padding=1)
        self.first_norm = nn.BatchNorm2d(learned)
        self.second = nn.Conv2d(learned, learned, 3, padding=1)
        self.second_norm = nn.BatchNorm2d(learned)
        self.shortcut = nn.Conv2d(BLOCK_PLANES, learned, 1)

    def forward(self, block: Tensor) -> Tensor:
        """Spikes (B, 21, H, W) to the representation."""
        hidden = functional.relu(self.first_norm(self.first(block)))
        learned = functional.relu(self.second_norm(self.second(hidden)) + self.shortcut(block))
        means = [_middle_mean(block, n) for n in NESTED_PLANES]
        return torch.cat([*means, learned], dim=1)


def _middle_mean(block: Tensor, n: int) -> Tensor:
    first = (BLOCK_PLANES - n) // 2
    return block[:, first : first + n].mean(dim=1, keepdim=True)
