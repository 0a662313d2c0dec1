# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The hybrid network of Spike-FlowNet: a spiking encoder, an ordinary decoder.

Every slice of the input drives four layers of integrate-and-fire neurons: the membrane adds up its input, and above
the threshold it sends a spike and starts again at zero. What has flowed into a layer over all slices is what the
decoder sees. A spike has no derivative; backward it passes 1 / threshold where it was sent.

Source: Lee, Kosta, Zhu, Chaney, Daniilidis, Roy, Spike-FlowNet: Event-based optical flow estimation with
energy-efficient hybrid neural networks, ECCV 2020.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from event_perception.flow.networks.slices import sliced

ENCODER_STRIDE = 16
LEAK = 0.1


class Fire(Function):
    """1 where the membrane is above the threshold, else 0."""

    @staticmethod
    def forward(ctx: Any, membrane: Tensor, threshold: float) -> Tensor:
        """Spikes, 0 or 1."""
        spikes = (membrane > threshold).to(membrane.dtype)
        ctx.save_for_backward(spikes)
        ctx.threshold = threshold
        return spikes

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, None]:
        """1 / threshold for neurons that fired: the mean slope of input to spikes."""
        (spikes,) = ctx.saved_tensors
        return cotangent * spikes / ctx.threshold, None


def integrate_and_fire(membrane: Tensor, current: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """One step of neurons without leak.

    Returns:
        Spikes, and the membranes after it: 0 where a spike was sent. The reset passes no gradient.
    """
    charged = membrane + current
    spikes = Fire.apply(charged, threshold)
    return spikes, charged * (1 - spikes.detach())


class SpikingEncoder(nn.Module):
    """Four strided convolutions with integrate-and-fire neurons.

    Args:
        width: Channels of the first layer; each further one has twice as many.
        threshold: Of every neuron.
    """

    def __init__(self, width: int, threshold: float) -> None:
        super().__init__()
        channels = [4, width, 2 * width, 4 * width, 8 * width]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False) for a, b in pairwise(channels)
        )
        self.threshold = threshold

    def forward(self, slices: Tensor) -> tuple[list[Tensor], Tensor]:
        """Total input currents of the four layers, and the share of neurons that fired a slice.

        Args:
            slices: (B, 4, H, W, T).
        """
        membranes: list[Any] = [0.0] * len(self.layers)
        totals: list[Any] = [0.0] * len(self.layers)
        activity = slices.new_zeros(())
        for t in range(slices.shape[-1]):
            signal = slices[..., t]
            for i, layer in enumerate(self.layers):
                current = layer(signal)
                signal, membranes[i] = integrate_and_fire(membranes[i], current, self.threshold)
                totals[i] = totals[i] + current
                activity = activity + signal.detach().mean() / (len(self.layers) * slices.shape[-1])
        return totals, activity


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        return functional.leaky_relu(x + self.second(functional.leaky_relu(self.first(x), LEAK)), LEAK)


class HybridFlow(nn.Module):
    """Flow at four scales from slices; 13.04 M weights at the width of the paper.

    Args:
        width: Channels of the first encoder layer, 64 in the paper.
        threshold: Of the neurons: .75 for windows of one frame interval, .5 for four, in the paper.
        slices: Slices of each half of the window.
    """

    def __init__(self, width: int = 64, threshold: float = 0.75, slices: int = 5) -> None:
        super().__init__()
        w, self.slices = width, slices
        self.encoder = SpikingEncoder(w, threshold)
        self.residual = nn.Sequential(Residual(8 * w), Residual(8 * w))
        skips, ups = [4 * w, 2 * w, w], [2 * w, w, max(w // 16, 2)]
        inputs = [8 * w] + [s + u + 2 for s, u in zip(skips, ups)]
        self.up = nn.ModuleList(_deconvolution(a, b) for a, b in zip(inputs, ups))
        self.flow_features = nn.ModuleList(_deconvolution(a, max(w // 2, 4)) for a in inputs)
        self.flow = nn.ModuleList(nn.Conv2d(max(w // 2, 4), 2, 1, bias=False) for _ in inputs)

    def forward(
        self,
        points: Tensor,
        polarity: Tensor,
        *,
        height: int,
        width: int,
        start: Tensor | None = None,
        state: Tensor | None = None,
    ) -> tuple[list[Tensor], None]:
        """Displacements over the window, coarse to fine; see ``FlowNetwork``. It has no memory and needs no start."""
        padded = height + -height % ENCODER_STRIDE, width + -width % ENCODER_STRIDE
        position = torch.cat([points[..., :2], 2 * self.slices * points[..., 2:] - 0.5], dim=-1)
        events = sliced(position, polarity, height=padded[0], width=padded[1], slices=self.slices)
        fields = [
            functional.interpolate(field, size=padded, mode='bilinear', align_corners=False)
            for field in self.decode(events)
        ]
        return [field[..., :height, :width] for field in fields], None

    def decode(self, slices: Tensor) -> list[Tensor]:
        """Displacements from slices.

        Args:
            slices: (B, 4, H, W, T) with H and W multiples of 16.

        Returns:
            Four fields (B, 2, h, w) in px of the full image, at 1/8, 1/4, 1/2 and full size.
        """
        (one, two, three, four), _ = self.encoder(slices)
        features, flows = self.residual(four), list[Tensor]()
        for i, skip in enumerate((three, two, one, None)):
            flows.append(self.flow[i](functional.leaky_relu(self.flow_features[i](features), LEAK)))
            if skip is not None:
                up = functional.leaky_relu(self.up[i](features), LEAK)
                features = torch.cat([skip, up, flows[-1]], dim=1)
        return flows


def _deconvolution(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1, bias=False)
