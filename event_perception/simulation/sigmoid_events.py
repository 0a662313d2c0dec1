# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Smooth event counts of frames: every threshold a sigmoid instead of a step.

The signal of a pixel, log light minus its reference, reaches d at a frame. A hard pixel counts the levels
k c <= d; a soft one adds sigmoid(sharpness (d - k c)) over the first ``levels`` levels, and the same of -d for OFF.
``soft_events`` is the case of one level and of a reference that jumps to every frame.

Biases to know: at rest, d = 0, every level gives sigmoid(-sharpness k c) > 0, so still pixels seem to fire; the
slope is that of the sigmoid, not of event times; times are those of frames. Use ``diff_events`` for times.
"""

import torch
from torch import Tensor

from event_perception.errors import DataError
from event_perception.simulation.differentiable import signed_counts


def soft_counts(
    frames: Tensor,
    *,
    threshold_on: Tensor | float,
    threshold_off: Tensor | float,
    sharpness: float = 50.0,
    levels: int = 1,
    memory: bool = False,
    epsilon: float = 1e-6,
) -> tuple[Tensor, Tensor]:
    """Smooth numbers of ON and OFF events in every frame interval.

    Args:
        frames: Light (F, H, W), linear.
        threshold_on: ON threshold, ln units, scalar or (H, W).
        threshold_off: OFF threshold, alike.
        sharpness: Slope of the sigmoid, 1 / ln units.
        levels: Most events of one polarity, pixel and frame.
        memory: Whether what is left over below a threshold counts for the next frame, as in a real pixel.
        epsilon: Least light.

    Returns:
        ON and OFF (F - 1, H, W).

    Raises:
        DataError: If there are not two frames or more, or no level.
    """
    if frames.ndim != 3 or len(frames) < 2 or levels < 1:
        raise DataError(f'frames {tuple(frames.shape)}, levels={levels}: give (F >= 2, H, W) and 1 or more')
    log_light = torch.log(frames.clamp_min(epsilon))
    on, off = (torch.as_tensor(t, dtype=frames.dtype) for t in (threshold_on, threshold_off))
    d = _with_memory(log_light, on, off) if memory else log_light[1:] - log_light[:-1]
    return _steps(d, on, sharpness, levels), _steps(-d, off, sharpness, levels)


def soft_events(
    I: Tensor,  # noqa: E741  (the name that callers of the original use)
    thr: float | Tensor = 0.1,
    sharpness: float = 50.0,
    eps: float = 1e-6,
) -> tuple[Tensor, Tensor]:
    """Probabilities of an ON and of an OFF event, from the difference of consecutive frames.

    dL = ln max(I', eps) - ln max(I, eps); ON sigmoid(sharpness (dL - thr)), OFF sigmoid(sharpness (-dL - thr)).

    Args:
        I: Light (F, H, W).
        thr: Threshold, ln units.
        sharpness: Slope of the sigmoid.
        eps: Least light.

    Returns:
        ON and OFF (F - 1, H, W), in [0, 1].
    """
    return soft_counts(I, threshold_on=thr, threshold_off=thr, sharpness=sharpness, epsilon=eps)


def _steps(d: Tensor, threshold: Tensor, sharpness: float, levels: int) -> Tensor:
    return sum(
        (torch.sigmoid(sharpness * (d - k * threshold)) for k in range(1, levels + 1)), torch.zeros_like(d)
    )


def _with_memory(log_light: Tensor, on: Tensor, off: Tensor) -> Tensor:
    """Signal minus reference at every frame after the first; the hard pixel moves the reference."""
    reference, found = log_light[0], []
    for level in log_light[1:]:
        d = level - reference
        found.append(d)
        n = signed_counts(d, on, off)
        reference = reference + n.clamp(min=0) * on + n.clamp(max=0) * off
    return torch.stack(found)
