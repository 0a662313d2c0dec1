# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The two-stage non-blind-spot network of SSML: three windows, one shared U-net, attention, a second U-net.

It learns only from the blind-spot network beside it, and may therefore look at everything: also at a longer time.

Source: Chen et al., IJCAI 2022, section 3.2. The paper names windows of 41 planes (short term) and 27 (long term);
read here as three windows of 41 planes, 27 planes apart. The other reading, three windows of 27 planes that fill 41,
is ``planes=27, apart_planes=7``. Widths of the features are not printed; they follow the other layers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.images.networks.blind_spot import pointwise
from event_perception.images.networks.motion_inference import MotionInference, central
from event_perception.images.networks.non_local import NonLocalAttention
from event_perception.images.networks.shifted import LEAK
from event_perception.images.networks.spike_unet import SpikeUnet

WINDOWS = 3


class TwoStageNetwork(nn.Module):
    """Rate per pixel (B, 1, H, W) from spike planes around the instant.

    Args:
        planes: Planes of each of the three windows.
        apart_planes: From one window to the next.
        width: Channels of the outer layers of the U-nets, and features of each window.
    """

    def __init__(self, planes: int = 41, *, apart_planes: int = 27, width: int = 48) -> None:
        super().__init__()
        self.window_planes, self.apart_planes = planes, apart_planes
        self.planes = planes + (WINDOWS - 1) * apart_planes
        inferred = width // 3
        self.infer = MotionInference(planes, features=inferred)
        self.extract = SpikeUnet(planes + inferred, width, width=width)
        self.attend = NonLocalAttention(WINDOWS, width)
        self.fuse = SpikeUnet(WINDOWS * width, 2 * width, width=width)
        self.mix = pointwise(2 * width, 2 * width)
        self.read = nn.Conv2d(2 * width, 1, 1, bias=False)

    def forward(self, planes: Tensor) -> Tensor:
        """Spikes (B, N, H, W), 0 or 1, N at least ``planes``, to rates (B, 1, H, W)."""
        batch = planes.shape[0]
        windows = self._windows(central(planes, self.planes))
        features = self.extract(torch.cat([windows, self.infer(windows)], dim=1))
        joined = torch.cat(features.split(batch), dim=1)
        fused = functional.leaky_relu(self.mix(self.fuse(self.attend(joined))), LEAK)
        read: Tensor = self.read(fused)
        return read

    def _windows(self, planes: Tensor) -> Tensor:
        """The windows one below the other, (B, N, H, W) to (3 B, planes, H, W)."""
        starts = range(0, WINDOWS * self.apart_planes, self.apart_planes)
        return torch.cat([planes[:, start : start + self.window_planes] for start in starts])
