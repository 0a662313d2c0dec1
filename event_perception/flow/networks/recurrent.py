# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A compact recurrent network for flow that looks twice: it estimates, moves the events back, and estimates the rest.

For each pass:
    warp events to the middle of the window along the flow so far   (zero, or that of the window before)
    vote them into slices of bins of 2 px                          (weak derivatives lead back to the flow)
    encode at 1/2, 1/4, 1/8 of the size; a gated recurrent cell at 1/8 keeps what was seen before
    decode a correction at 1/4 of the size; flow += correction

A large motion is met when it has become a small one, so few layers do. Sources: the idea of deblurring iteratively
is that of IDNet (Wu, Paredes-Valles, de Croon, Lightweight event-based optical flow estimation via iterative
deblurring, ICRA 2024); the network is our own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.flow.networks.slices import sliced

STRIDE = 16  # sizes are padded to a multiple of it
OUTPUT_STRIDE = 4
BIN_PX = 2  # shared votes keep where in the bin an event lies
LEAK = 0.1


class RecurrentFlow(nn.Module):
    """Displacement over a window of events.

    Args:
        slices: Slices of each half of the window.
        width: Channels at half of the size; 3/2 and 2 times as many at 1/4 and 1/8.
        iterations: How often it looks at the events.
        scale_px: A correction of 1 from the last layer, pixels.
        reconstruction: Derivative of the vote of warped events, as in ``bin_events``.
        output_std: Spread of the weights of the last layer at the start; 0: the first estimate is no correction.
    """

    def __init__(
        self,
        slices: int = 5,
        width: int = 32,
        iterations: int = 2,
        scale_px: float = 8.0,
        reconstruction: str | None = 'linear',
        output_std: float = 0.0,
    ) -> None:
        super().__init__()
        a, b, c = width, 3 * width // 2, 2 * width
        self.slices, self.iterations, self.scale_px = slices, iterations, scale_px
        self.reconstruction, self.state_channels = reconstruction, c
        self.encode_half = _convolution(4 * slices, a)
        self.encode_quarter = nn.Sequential(_convolution(a + 2, b, stride=2), _convolution(b, b))
        self.encode_eighth = nn.Sequential(_convolution(b, c, stride=2), _convolution(c, c))
        self.memory = ConvGRU(c)
        self.encode_sixteenth = nn.Sequential(_convolution(c, c, stride=2), _convolution(c, c))
        self.join_eighth = _convolution(2 * c, c)
        self.join_quarter = _convolution(c + b, b)
        self.correction = nn.Conv2d(b, 2, 3, padding=1)
        nn.init.normal_(self.correction.weight, std=output_std)
        nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]

    def forward(
        self,
        points: Tensor,
        polarity: Tensor,
        *,
        height: int,
        width: int,
        start: Tensor | None = None,
        state: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor | None]:
        """Displacements after each look, and the state for the next window.

        Args:
            points: (B, N, 3) as (x px, y px, fraction of the window in [0, 1]).
            polarity: (B, N): -1, +1, or 0 for padding.
            height: Rows.
            width: Columns.
            start: (B, 2, H, W) displacement to begin with; None for zero.
            state: From the window before; None to begin.

        Returns:
            Fields (B, 2, H, W) in px over the window, and the state.
        """
        padded = height + -height % STRIDE, width + -width % STRIDE
        coarse = tuple(n // OUTPUT_STRIDE for n in padded)
        flow = points.new_zeros(points.shape[0], 2, *coarse) if start is None else _shrink(start, padded)
        fields = []
        for _ in range(self.iterations):
            events = self._input(points, polarity, flow, padded)
            correction, state = self._look(events, flow, state)
            flow = flow + correction
            fields.append(_grow(flow, padded)[..., :height, :width])
        return fields, state

    def _input(
        self,
        points: Tensor,
        polarity: Tensor,
        flow: Tensor,
        padded: tuple[int, int],
    ) -> Tensor:
        """Warped events in slices, (B, 4T, H'/2, W'/2), scaled so that an active voxel counts 1 in the mean."""
        warped = (warp_to_middle(points, _grow(flow, padded)) + 0.5) / BIN_PX - 0.5
        position = 2 * self.slices * points[..., 2:] - 0.5
        grid = sliced(
            torch.cat([warped, position], dim=-1),
            polarity,
            height=padded[0] // BIN_PX,
            width=padded[1] // BIN_PX,
            slices=self.slices,
            reconstruction=self.reconstruction,
        )
        grid = grid.movedim(-1, 2).flatten(1, 2)
        with torch.no_grad():
            active = (grid > 0).sum((1, 2, 3), keepdim=True).clamp(min=1)
            mean = grid.sum((1, 2, 3), keepdim=True) / active
        return grid / mean.clamp(min=1e-6)

    def _look(self, events: Tensor, flow: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        half = self.encode_half(events)
        seen = functional.interpolate(flow / self.scale_px, scale_factor=2.0, mode='nearest')
        quarter = self.encode_quarter(torch.cat([half, seen], dim=1))
        eighth = self.encode_eighth(quarter)
        state = self.memory(eighth, state)
        sixteenth = functional.interpolate(self.encode_sixteenth(state), scale_factor=2.0, mode='nearest')
        eighth = self.join_eighth(torch.cat([state, sixteenth], dim=1))
        up = functional.interpolate(eighth, scale_factor=2.0, mode='bilinear', align_corners=False)
        features = self.join_quarter(torch.cat([up, quarter], dim=1))
        return self.scale_px * self.correction(features), state


class ConvGRU(nn.Module):
    """A gated recurrent unit whose products are convolutions; the state starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.candidate = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def forward(self, x: Tensor, state: Tensor | None) -> Tensor:
        """The new state, of the shape of ``x``."""
        h = torch.zeros_like(x) if state is None else state
        update, reset = torch.sigmoid(self.gates(torch.cat([x, h], dim=1))).chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([x, reset * h], dim=1)))
        return (1 - update) * h + update * candidate


def warp_to_middle(points: Tensor, flow: Tensor, at: float | Tensor = 0.5) -> Tensor:
    """Move events along the flow at their own pixel to one instant of the window.

    Args:
        points: (B, N, 3) as (x px, y px, fraction of the window).
        flow: (B, 2, H, W) displacement over the window, px; differentiable.
        at: Fraction of the window to move to.

    Returns:
        (B, N, 2).
    """
    height, width = flow.shape[-2:]
    column = points[..., 0].round().long().clamp(0, width - 1)
    row = points[..., 1].round().long().clamp(0, height - 1)
    index = (row * width + column).unsqueeze(1).expand(-1, 2, -1)
    displacement = flow.flatten(2).gather(2, index).transpose(1, 2)
    return points[..., :2] - (points[..., 2:] - at) * displacement


def _convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1), nn.LeakyReLU(LEAK)
    )


def _grow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(flow, size=size, mode='bilinear', align_corners=False)


def _shrink(flow: Tensor, padded: tuple[int, int]) -> Tensor:
    """A full-size field at the size of the output; the last row and column go on into the padding."""
    right, below = padded[1] - flow.shape[-1], padded[0] - flow.shape[-2]
    whole = functional.pad(flow, (0, right, 0, below), mode='replicate')
    return functional.avg_pool2d(whole, OUTPUT_STRIDE)
