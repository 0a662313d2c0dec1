# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Gates of an attention block: a map that weighs pixels, and a vector that weighs channels.

Source: Woo, Park, Lee and Kweon, CBAM: convolutional block attention module, ECCV 2018.
"""

import torch
from torch import Tensor, nn


class SpatialGate(nn.Module):
    """Weighs every pixel by what its neighbourhood shows: maximum and mean over channels, 7x7 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, padding_mode='replicate', bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) weighed by weights in (0, 1)."""
        summary = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(summary))


class ChannelGate(nn.Module):
    """Weighs every channel by its mean and its maximum over the picture, through one small shared network.

    Args:
        channels: Channels.
        reduction: How many times smaller the hidden layer is.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.weigh = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) weighed by weights in (0, 1)."""
        score = self.weigh(x.mean(dim=(2, 3))) + self.weigh(x.amax(dim=(2, 3)))
        return x * torch.sigmoid(score)[:, :, None, None]
