# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of STIR that several of its levels use: convolution with PReLU, residual block, and the warp by flow."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_prelu(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, slopes: int = 1
) -> nn.Sequential:
    """Convolution of unchanged size (stride 1) and a PReLU of one slope, or of one slope a channel."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.PReLU(slopes))


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), 3x3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        added: Tensor = self.second(functional.relu(self.first(x)))
        return x + added


def double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """Transposed convolution to twice the size."""
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


def sample_along(features: Tensor, flow: Tensor) -> Tensor:
    """Features (B, C, H, W) at x + flow (B, 2, H, W) px, bilinear; outside, those of the border."""
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=flow.dtype, device=flow.device),
        torch.arange(width, dtype=flow.dtype, device=flow.device),
        indexing='ij',
    )
    half = torch.tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2], dtype=flow.dtype, device=flow.device)
    grid = (torch.stack([x, y], dim=-1) + flow.permute(0, 2, 3, 1)) / half - 1
    return functional.grid_sample(features, grid, padding_mode='border', align_corners=True)
