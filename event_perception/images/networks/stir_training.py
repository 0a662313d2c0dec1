# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What STIR is trained towards: the light, its edges, and the light at four coarser scales.

The paper adds a distance of VGG-19 features, whose weights are a download. In its place stand edges: the absolute
difference of Sobel gradients. Flow is not supervised. Images are not cut to [0, 1] before they are compared, as
where they are cut no gradient would bring them back.

Source: Fan et al., NeurIPS 2024, for all but the edges.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.images.networks.seen_light import SeenLight
from event_perception.images.networks.stir import Stir

COARSER_WEIGHTS = (0.5 / 4, 0.25 / 4, 0.25 / 4, 0.25 / 4)
"""Of the images at 1/2, 1/4, 1/8 and 1/16."""


class LitStir(nn.Module):
    """STIR with the light that it saw.

    Args:
        width: Channels of the representation.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reader = Stir(width=width)
        self.light = SeenLight()


def stir_loss(images: Sequence[Tensor], truth: Tensor, *, edge_weight: float) -> Tensor:
    """Mean absolute difference at every scale, and of the edges at the finest one.

    Args:
        images: Output of ``Stir.pyramid``, (B, 1, H / 2^i, W / 2^i).
        truth: (B, 1, H, W), H and W multiples of 16.
        edge_weight: Of the edges.
    """
    loss = functional.l1_loss(images[0], truth)
    loss = loss + edge_weight * functional.l1_loss(sobel(images[0]), sobel(truth))
    for weight, image in zip(COARSER_WEIGHTS, images[1:], strict=True):
        truth = functional.avg_pool2d(truth, 2)
        loss = loss + weight * functional.l1_loss(image, truth)
    return loss


def sobel(image: Tensor) -> Tensor:
    """Gradients in x and y per pixel, (B, 1, H, W) to (B, 2, H, W), the border repeated."""
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=image.device) / 8
    kernels = torch.stack([across, across.T])[:, None].to(image.dtype)
    return functional.conv2d(functional.pad(image, (1, 1, 1, 1), mode='replicate'), kernels)
