# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What flow is trained towards: the truth of a simulator, or the sharpness of the events that it aligns.

Without truth: loss = - sum_r w_r S_r / S_r(0) + smoothness, S_r = sum |grad h_r|^2 of the image h_r of events warped
along the flow to the instant r of the window. At one instant alone events can be made to collapse; at the first, the
middle and the last together that does not pay. The derivative of the binning is a choice: weak, raw or surrogate.

Source: focus at several instants after Shiba, Klose, Aoki and Gallego, Secrets of event-based optical flow, TPAMI
2024; gradient magnitude after Gallego, Gehrig, Scaramuzza, Focus is all you need, CVPR 2019; weak derivatives after
arXiv 2602.12590.
"""

import torch
from torch import Tensor

from event_perception.binning import bin_events
from event_perception.flow.networks.recurrent import warp_to_middle

INSTANTS = ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25))  # fraction of the window, weight
CHARBONNIER_PX = 0.01


def end_point_loss(flow: Tensor, truth: Tensor, seen: Tensor, unseen_weight: float) -> Tensor:
    """Mean length of the error, px.

    Args:
        flow: (B, 2, H, W).
        truth: Same shape.
        seen: (B, H, W), whether a pixel had an event.
        unseen_weight: Weight of the others.
    """
    error = ((flow - truth).square().sum(1) + CHARBONNIER_PX**2).sqrt()
    weight = torch.where(seen, 1.0, unseen_weight)
    return (weight * error).sum() / weight.sum()


def pixels_with_events(points: Tensor, polarity: Tensor, height: int, width: int) -> Tensor:
    """(B, H, W): whether any event that counts lies on the pixel."""
    count = bin_events(points[..., :2], polarity.abs(), height=height, width=width, kernel='rect')
    return count > 0


def focus(
    points: Tensor,
    polarity: Tensor,
    flow: Tensor,
    *,
    at: float,
    bin_px: float,
    reconstruction: str | None = 'linear',
) -> Tensor:
    """Sharpness of the events warped to one instant, (B,): S = sum |grad h|^2, central differences.

    Args:
        points: (B, N, 3) as (x px, y px, fraction of the window).
        polarity: (B, N), 0 for padding.
        flow: (B, 2, H, W) displacement over the window.
        at: Instant, fraction of the window.
        bin_px: Side of a bin. Unblurred bins of 1 px favour rest, as unwarped events lie on their centres.
        reconstruction: Derivative of the vote, as in ``bin_events``.
    """
    height, width = (round(n / bin_px) for n in flow.shape[-2:])
    warped = (warp_to_middle(points, flow, at) + 0.5) / bin_px - 0.5
    h = bin_events(warped, polarity.abs(), height=height, width=width, reconstruction=reconstruction)
    along_x = 0.5 * (h[..., 2:] - h[..., :-2])
    along_y = 0.5 * (h[..., 2:, :] - h[..., :-2, :])
    return along_x.square().sum((1, 2)) + along_y.square().sum((1, 2))


def focus_loss(
    points: Tensor, polarity: Tensor, flow: Tensor, *, bin_px: float, reconstruction: str | None
) -> Tensor:
    """Minus the gain of focus over no motion, mean over the batch; -1 where nothing is gained."""
    still = torch.zeros_like(flow)
    total = flow.new_zeros(())
    for at, weight in INSTANTS:
        moved = focus(points, polarity, flow, at=at, bin_px=bin_px, reconstruction=reconstruction)
        with torch.no_grad():
            start = focus(points, polarity, still, at=at, bin_px=bin_px)
        total = total - weight * (moved / start.clamp(min=1e-6)).mean()
    return total


def roughness(flow: Tensor) -> Tensor:
    """Charbonnier mean of the differences between neighbours, px per px."""
    along_x, along_y = flow[..., 1:] - flow[..., :-1], flow[..., 1:, :] - flow[..., :-1, :]
    return sum(
        (difference.square().sum(1) + CHARBONNIER_PX**2).sqrt().mean() - CHARBONNIER_PX
        for difference in (along_x, along_y)
    )  # type: ignore[return-value]
