# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What every flow network does, so that training and estimation know one of them only."""

from typing import Any, Protocol

from torch import Tensor


class FlowNetwork(Protocol):
    """Events of one window in, displacement over the window out."""

    def __call__(
        self,
        points: Tensor,
        polarity: Tensor,
        *,
        height: int,
        width: int,
        start: Tensor | None = None,
        state: Any = None,
    ) -> tuple[list[Tensor], Any]:
        """Displacements, the last one the best, and what the network remembers for the next window.

        Args:
            points: (B, N, 3) as (x px, y px, fraction of the window in [0, 1]).
            polarity: (B, N): -1, +1, or 0 for padding.
            height: Rows.
            width: Columns.
            start: (B, 2, H, W) displacement to begin with; None for zero.
            state: What it remembered from the window before; None to begin.

        Returns:
            Fields (B, 2, H, W) in px over the window, in the middle of it; and the state.
        """
        ...
