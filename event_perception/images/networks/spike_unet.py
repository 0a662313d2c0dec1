# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The U-net of SSML: three scales, no biases, its raw input joined again at the finest one.

Without biases the network is positively homogeneous, which denoisers generalise better with; its input is binary,
so that this gives no scaling with light here.

Source: Chen, Duan, Yu, Xiong and Huang, Self-supervised mutual learning for dynamic scene reconstruction of
spiking camera, IJCAI 2022; layers after Laine et al., NeurIPS 2019.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.images.networks.shifted import ConvUnit, Halve


class SpikeUnet(nn.Module):
    """U-net from ``inputs`` planes or features to ``outputs`` channels.

    With 41 inputs, 1 output and width 48 it is the simple non-blind-spot network, 904 176 parameters.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        width: Channels of the outer layers; the inner ones have twice as many.
        blind: Whether every layer sees only rows at and above its own.
    """

    def __init__(self, inputs: int, outputs: int, *, width: int = 48, blind: bool = False) -> None:
        super().__init__()
        one, two = width, 2 * width
        self.encode1 = chain((inputs, one, one, one), blind)
        self.encode2 = chain((one, one, one, one), blind)
        self.encode3 = chain((one, two, two, one), blind)
        self.decode2 = chain((one + one, two, two, two, two), blind)
        self.decode1 = chain((two + inputs, two, two, two, outputs), blind)
        self.halve = Halve(blind=blind)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W), any size from 4 x 4."""
        half = self.halve(self.encode1(x))
        quarter = self.halve(self.encode2(half))
        up = twice(self.encode3(quarter), half)
        up = twice(self.decode2(torch.cat([up, half], dim=1)), x)
        decoded: Tensor = self.decode1(torch.cat([up, x], dim=1))
        return decoded


def chain(channels: tuple[int, ...], blind: bool) -> nn.Sequential:
    """Convolution units from each number of channels to the next."""
    return nn.Sequential(*(ConvUnit(a, b, blind=blind) for a, b in pairwise(channels)))


def twice(x: Tensor, like: Tensor) -> Tensor:
    """Every pixel as four, with zeros below and to the right up to the size of ``like``."""
    big = functional.interpolate(x, scale_factor=2, mode='nearest')
    return functional.pad(big, (0, like.shape[-1] - big.shape[-1], 0, like.shape[-2] - big.shape[-2]))
