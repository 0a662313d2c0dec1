# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The events of one flow window, as the kernels take them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventWindow


@dataclass(frozen=True, eq=False)
class FlowEvents:
    """Contiguous float32 arrays (n,).

    Attributes:
        x: Columns, px.
        y: Rows, px.
        s: Time from the reference, s.
        half_s: Half the length of the window, s.
        height: Rows of the sensor.
        width: Columns of the sensor.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    s: NDArray[np.float32]
    half_s: float
    height: int
    width: int

    def __len__(self) -> int:
        return self.x.shape[0]

    @classmethod
    def of(cls, window: EventWindow, most: int | None = None, seed: int = 0) -> 'FlowEvents':
        """The events of a window, or a random selection of ``most`` of them in their order.

        A selection keeps the length of the window: motion shows in long windows, not in many events.
        """
        keep: slice | NDArray[np.intp] = slice(None)
        if most is not None and len(window) > most:
            chosen = np.random.default_rng(seed).choice(len(window), most, replace=False, shuffle=False)
            keep = np.sort(chosen)
        return cls(
            window.x[keep].astype(np.float32),
            window.y[keep].astype(np.float32),
            np.ascontiguousarray(window.dt_s[keep], np.float32),
            max(0.5 * window.duration_s, 1e-6),
            window.height,
            window.width,
        )

    def thinned(self, most: int) -> 'FlowEvents':
        """Every k-th event, so that at most ``most`` are left and more than half of it; themselves if they are few."""
        step = max(1, -(-len(self) // most))
        if step == 1:
            return self
        x, y, s = (np.ascontiguousarray(a[::step]) for a in (self.x, self.y, self.s))
        return FlowEvents(x, y, s, self.half_s, self.height, self.width)

    def shifted_back(self, flow_px_s: NDArray[np.float32]) -> 'FlowEvents':
        """The events moved to the reference time by a dense flow (2, H, W): what is left to explain is the rest."""
        column, row = np.rint(self.x).astype(np.intp), np.rint(self.y).astype(np.intp)
        dx, dy = flow_px_s[:, row, column]
        return FlowEvents(
            self.x - self.s * dx, self.y - self.s * dy, self.s, self.half_s, self.height, self.width
        )
