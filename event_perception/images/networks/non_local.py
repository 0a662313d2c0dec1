# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Non-local attention over space, channels and time, each on the joined features of several windows.

Space: every pixel looks along its row and its column; twice in a row, it has seen the whole picture.
Channels and time: similarity of whole feature maps, as cosines, so that it does not grow with the picture.
Each adds its result to the input by a learned share that begins at zero.

Source: Huang, Wang, Huang, Huang, Wei and Liu, CCNet: criss-cross attention for semantic segmentation, ICCV 2019;
Fu et al., Dual attention network for scene segmentation, CVPR 2019. Their union is Chen et al., IJCAI 2022, which
leaves open how they are joined; here their shares are summed.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class NonLocalAttention(nn.Module):
    """Criss-cross, channel and temporal attention side by side on (B, windows * features, H, W).

    Args:
        windows: Windows whose features are joined.
        features: Features of each.
    """

    def __init__(self, windows: int, features: int) -> None:
        super().__init__()
        self.windows = windows
        self.criss_cross = CrissCrossAttention(windows * features)
        self.shares = nn.Parameter(torch.zeros(3))
        self.temperatures = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        """The features with what attention adds, same shape."""
        space = self.criss_cross(self.criss_cross(x))
        channels = map_attention(x, self.temperatures[0])
        frames = x.unflatten(1, (self.windows, -1)).flatten(2)  # one token a window
        time = map_attention(frames[..., None], self.temperatures[1]).reshape(x.shape)
        return x + self.shares[0] * space + self.shares[1] * channels + self.shares[2] * time


class CrissCrossAttention(nn.Module):
    """Every pixel gathers values along its row and its column, weighed by similarity of query and key.

    Args:
        channels: Channels; query and key have an eighth of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        height, width = x.shape[-2:]
        query, key, value = self.query(x), self.key(x), self.value(x)
        column = torch.einsum('bchw,bcgw->bhwg', query, key)
        row = torch.einsum('bchw,bchv->bhwv', query, key)
        own = torch.eye(height, dtype=torch.bool, device=x.device)[:, None, :]
        column = column.masked_fill(own, -torch.inf)  # the pixel itself is in the row already
        weights = torch.cat([column, row], dim=-1).softmax(dim=-1)
        along_column, along_row = weights.split([height, width], dim=-1)
        gathered = torch.einsum('bhwg,bcgw->bchw', along_column, value)
        return gathered + torch.einsum('bhwv,bchv->bchw', along_row, value)


def map_attention(x: Tensor, temperature: Tensor) -> Tensor:
    """Maps (B, C, H, W) mixed by the softmax of their cosines, sharpened by the temperature."""
    flat = x.flatten(2)
    unit = functional.normalize(flat, dim=-1)
    weights = (temperature * unit @ unit.transpose(1, 2)).softmax(dim=-1)
    return (weights @ flat).reshape(x.shape)
