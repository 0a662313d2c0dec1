# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How much light a network has seen: a histogram of firing rates that travels with its weights.

A network fed with planes knows only the firing rates that it was trained on. Outside of them its answers are
arbitrary, so that whoever uses it must know where they end.
"""

import torch
from torch import Tensor, nn

DECADES = 4
BINS_PER_DECADE = 16


class SeenLight(nn.Module):
    """Counts the mean firing rates of what was trained on, in bins of their logarithm, from 1e-4 to 1."""

    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('counts', torch.zeros(DECADES * BINS_PER_DECADE))

    @torch.no_grad()
    def see(self, planes: Tensor) -> None:
        """Count samples of spikes, (B, N, H, W)."""
        rates = planes.float().mean(dim=(1, 2, 3)).clamp(10.0**-DECADES, 1.0)
        bins = ((rates.log10() + DECADES) * BINS_PER_DECADE).long().clamp(max=len(self.counts) - 1)
        self.counts += torch.bincount(bins, minlength=len(self.counts)).to(self.counts)

    def range(self, share: float = 0.98) -> tuple[float, float]:
        """Lowest and highest mean rate of the middle ``share`` of all samples; (0, 0) if none were seen."""
        total = self.counts.cumsum(0)
        if total[-1] == 0:
            return 0.0, 0.0
        tail = (1 - share) / 2 * total[-1]
        first = int((total <= tail).sum())
        last = int((total < total[-1] - tail).sum())
        edges = [10 ** (i / BINS_PER_DECADE - DECADES) for i in (first, last + 1)]
        return edges[0], edges[1]
