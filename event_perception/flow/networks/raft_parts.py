# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Encoders and update cell of the recurrent all-pairs network; names of weights as in RAFT.

Source: Teed, Deng, RAFT: Recurrent all-pairs field transforms for optical flow, ECCV 2020.
"""

import torch
from torch import Tensor, nn

HIDDEN, CONTEXT, FEATURES = 128, 128, 256
LEVELS, RADIUS = 4, 4
SEEN = LEVELS * (2 * RADIUS + 1) ** 2  # correlations that a pixel looks up


def _norm(kind: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if kind == 'batch' else nn.InstanceNorm2d(channels)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, normalised."""

    def __init__(self, channels_in: int, channels: int, norm: str, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, stride=stride)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1, self.norm2 = _norm(norm, channels), _norm(norm, channels)
        self.downsample: nn.Module | None = None
        if stride > 1:
            narrow = nn.Conv2d(channels_in, channels, 1, stride=stride)
            self.downsample = nn.Sequential(narrow, _norm(norm, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H / stride, W / stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        return torch.relu((x if self.downsample is None else self.downsample(x)) + y)


class Encoder(nn.Module):
    """Features at 1/8 of the size."""

    def __init__(self, channels_in: int, channels_out: int, norm: str) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(norm, 64), nn.Conv2d(channels_in, 64, 7, stride=2, padding=3)
        self.layer1 = _stage(64, 64, norm, 1)
        self.layer2 = _stage(64, 96, norm, 2)
        self.layer3 = _stage(96, 128, norm, 2)
        self.conv2 = nn.Conv2d(128, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_out, H / 8, W / 8)."""
        x = torch.relu(self.norm1(self.conv1(x)))
        y: Tensor = self.conv2(self.layer3(self.layer2(self.layer1(x))))
        return y


def _stage(channels_in: int, channels: int, norm: str, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(channels_in, channels, norm, stride), ResidualBlock(channels, channels, norm, 1)
    )


class MotionEncoder(nn.Module):
    """Correlations and flow to 128 channels, the flow itself among them."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1, self.convc2 = nn.Conv2d(SEEN, 256, 1), nn.Conv2d(256, 192, 3, padding=1)
        self.convf1, self.convf2 = nn.Conv2d(2, 128, 7, padding=3), nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, 128 - 2, 3, padding=1)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        """(B, 128, h, w)."""
        c = torch.relu(self.convc2(torch.relu(self.convc1(correlation))))
        f = torch.relu(self.convf2(torch.relu(self.convf1(flow))))
        return torch.cat([torch.relu(self.conv(torch.cat([c, f], dim=1))), flow], dim=1)


class SeparableGRU(nn.Module):
    """A gated recurrent unit along rows, then along columns."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 2 * HIDDEN + CONTEXT
        for i, (kernel, padding) in enumerate((((1, 5), (0, 2)), ((5, 1), (2, 0))), start=1):
            for gate in 'zrq':
                setattr(self, f'conv{gate}{i}', nn.Conv2d(inputs, HIDDEN, kernel, padding=padding))

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        """The new state."""
        for i in (1, 2):
            hx = torch.cat([h, x], dim=1)
            z = torch.sigmoid(getattr(self, f'convz{i}')(hx))
            r = torch.sigmoid(getattr(self, f'convr{i}')(hx))
            q = torch.tanh(getattr(self, f'convq{i}')(torch.cat([r * h, x], dim=1)))
            h = (1 - z) * h + z * q
        return h


class FlowHead(nn.Module):
    """A correction of the flow from the state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """(B, 2, h, w)."""
        correction: Tensor = self.conv2(torch.relu(self.conv1(h)))
        return correction


class UpdateBlock(nn.Module):
    """One step: state, weights of the upsampling, correction."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.gru, self.flow_head = MotionEncoder(), SeparableGRU(), FlowHead()
        self.mask = nn.Sequential(nn.Conv2d(HIDDEN, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 64 * 9, 1))

    def forward(
        self, h: Tensor, context: Tensor, correlation: Tensor, flow: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """State, upsampling weights (B, 576, h, w), correction of the flow in units of 8 px."""
        h = self.gru(h, torch.cat([context, self.encoder(flow, correlation)], dim=1))
        return h, 0.25 * self.mask(h), self.flow_head(h)
