# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions that look only upwards, and quarter turns: what makes a network blind to its own pixel.

A convolution whose input is moved down sees its own row and those above. If every layer does so, the receptive
field is a half plane; moved down by one more row, it ends above the pixel. Four turned copies of the picture see
the four half planes, which together are everything but the pixel itself.

Source: Laine, Karras, Lehtinen and Aila, High-quality self-supervised deep image denoising, NeurIPS 2019.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.1


class ConvUnit(nn.Module):
    """3x3 convolution without bias and leaky ReLU; replicate padding, or, blind, only rows at and above its own.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        blind: Whether the convolution looks only upwards; above the picture it then sees zeros.
    """

    def __init__(self, inputs: int, outputs: int, *, blind: bool) -> None:
        super().__init__()
        self.blind = blind
        self.conv = nn.Conv2d(inputs, outputs, 3, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, a=LEAK)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        sides = functional.pad(x, (1, 1, 0, 0), mode='replicate')
        if self.blind:
            padded = functional.pad(sides, (0, 0, 2, 0))
        else:
            padded = functional.pad(sides, (0, 0, 1, 1), mode='replicate')
        return functional.leaky_relu(self.conv(padded), LEAK)


class Halve(nn.Module):
    """Maximum over 2x2 pixels; blind, over pixels moved down by a row, so that no row below is seen."""

    def __init__(self, *, blind: bool) -> None:
        super().__init__()
        self.blind = blind

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H // 2, W // 2)."""
        return functional.max_pool2d(move_down(x) if self.blind else x, 2)


def move_down(x: Tensor) -> Tensor:
    """The picture one row lower, (B, C, H, W), zeros on top."""
    return functional.pad(x, (0, 0, 1, 0))[..., :-1, :]


def quarter_turns(x: Tensor) -> Tensor:
    """Square pictures turned by 0, 90, 180 and 270 degrees, one below the other: (B, C, N, N) to (4 B, C, N, N)."""
    return torch.cat([torch.rot90(x, turns, (-2, -1)) for turns in range(4)])


def turned_back(x: Tensor) -> Tensor:
    """Pictures of ``quarter_turns`` upright again, side by side in the channels: (4 B, C, N, N) to (B, 4 C, N, N)."""
    parts = x.chunk(4)
    return torch.cat([torch.rot90(part, -turns, (-2, -1)) for turns, part in enumerate(parts)], dim=1)
