# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The blind-spot network of SSML: every pixel from its surroundings in space and time, never from itself.

What it is trained towards is as noisy as what it sees, but the noise of a pixel cannot be guessed from other
pixels. So it learns the mean, a clean picture, without ever seeing one.

Source: Chen et al., IJCAI 2022, section 3.2; Laine et al., NeurIPS 2019.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.images.networks.motion_inference import MotionInference, central
from event_perception.images.networks.shifted import LEAK, move_down, quarter_turns, turned_back
from event_perception.images.networks.spike_unet import SpikeUnet


class BlindSpotNetwork(nn.Module):
    """Rate per pixel (B, 1, H, W) from spike planes, blind to the planes of that pixel.

    With the plain embedding and width 48 it has 1 170 672 parameters.

    Args:
        planes: Planes seen, in the middle of what is given.
        width: Channels of the outer layers of the U-net.
        motion_inference: Whether features of windows and intervals join the planes.
    """

    def __init__(self, planes: int = 41, *, width: int = 48, motion_inference: bool = True) -> None:
        super().__init__()
        self.planes = planes
        features = width // 3 if motion_inference else 0
        self.infer = MotionInference(planes, features=features, blind=True) if motion_inference else None
        self.unet = SpikeUnet(planes + features, 2 * width, width=width, blind=True)
        self.mix = nn.ModuleList(pointwise(a * width, b * width) for a, b in ((8, 8), (8, 2)))
        self.read = nn.Conv2d(2 * width, 1, 1, bias=False)

    def forward(self, planes: Tensor) -> Tensor:
        """Spikes (B, N, H, W), 0 or 1, N at least ``planes``, to rates (B, 1, H, W)."""
        height, width = planes.shape[-2:]
        square, (top, left) = squared(central(planes, self.planes))
        turned = quarter_turns(square)
        if self.infer is not None:
            turned = torch.cat([turned, self.infer(turned)], dim=1)
        x = turned_back(move_down(self.unet(turned)))
        for mix in self.mix:
            x = functional.leaky_relu(mix(x), LEAK)
        read: Tensor = self.read(x)
        return read[..., top : top + height, left : left + width]


def squared(x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """(B, C, H, W) in the middle of a square of zeros, and the row and column where it begins."""
    height, width = x.shape[-2:]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return functional.pad(x, (left, side - width - left, top, side - height - top)), (top, left)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1x1 convolution without bias, begun so that a leaky ReLU behind it keeps the variance."""
    conv = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.kaiming_normal_(conv.weight, a=LEAK)
    return conv
