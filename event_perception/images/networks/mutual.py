# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The two networks of SSML that teach each other, and what they are to agree on.

The blind one learns from a noisy picture made of the stream itself, the mean of seven planes; the other one learns
from the blind one alone, and hands back what only it can see. No truth is needed. Afterwards the blind one, which
is several times as dear, is put aside.

Source: Chen, Duan, Yu, Xiong and Huang, Self-supervised mutual learning for dynamic scene reconstruction of
spiking camera, IJCAI 2022, eq. 8 to 10. Equation 9 prints the blind estimate twice; the text says that it compares
the two networks.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from event_perception.config import param
from event_perception.images.networks.blind_spot import BlindSpotNetwork
from event_perception.images.networks.motion_inference import central
from event_perception.images.networks.seen_light import SeenLight
from event_perception.images.networks.simple import SimpleNetwork
from event_perception.images.networks.two_stage import TwoStageNetwork


@dataclass(frozen=True, slots=True)
class SsmlNetworkConfig:
    """Size and kind of both networks."""

    reader: Literal['two_stage', 'simple'] = param(
        'two_stage', 'The network that reconstructs: with motion inference and attention, or one U-net.'
    )
    motion_inference: bool = param(True, 'Whether the blind-spot network has motion inference.')
    width: int = param(48, 'Channels of the outer layers; the paper has 48.', ge=3, le=512)
    planes: int = param(41, 'Planes of a window, odd.', ge=27, le=401)
    apart_planes: int = param(
        27, 'Two stages: planes from one of the three windows to the next.', ge=1, le=400
    )


class MutualPair(nn.Module):
    """The blind-spot network, the reader beside it, and the light that they saw.

    Args:
        config: Size and kind.
    """

    def __init__(self, config: SsmlNetworkConfig) -> None:
        super().__init__()
        self.blind = BlindSpotNetwork(
            config.planes, width=config.width, motion_inference=config.motion_inference
        )
        self.reader: TwoStageNetwork | SimpleNetwork
        if config.reader == 'two_stage':
            self.reader = TwoStageNetwork(config.planes, apart_planes=config.apart_planes, width=config.width)
        else:
            self.reader = SimpleNetwork(config.planes, width=config.width)
        self.light = SeenLight()

    @property
    def planes(self) -> int:
        """Planes that both need."""
        return max(self.blind.planes, self.reader.planes)


def pseudo_label(planes: Tensor, window_planes: int) -> Tensor:
    """The noisy picture that is learned from: mean of the middle planes, (B, N, H, W) to (B, 1, H, W)."""
    return central(planes, window_planes).mean(dim=1, keepdim=True)


def mutual_loss(
    pair: MutualPair, planes: Tensor, *, window_planes: int, weight: float, blind_only: bool
) -> Tensor:
    """Squared error of the blind network against the label, and weight times that between both networks.

    Args:
        pair: The networks; gradients reach both.
        planes: Spikes (B, N, H, W), 0 or 1.
        window_planes: Planes of the label.
        weight: Of the mutual term, lambda in the paper.
        blind_only: The first stage, in which the blind network learns alone.
    """
    blind = pair.blind(planes)
    loss = mse_loss(blind, pseudo_label(planes, window_planes))
    return loss if blind_only else loss + weight * mse_loss(blind, pair.reader(planes))
