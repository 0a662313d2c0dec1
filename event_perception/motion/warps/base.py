# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a warp is: a family of motions with first and second derivatives of the warped points."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SceneEvents:
    """Events as warps take them, float64 (n,).

    Attributes:
        x: X/Z of the undistorted bearing.
        y: Y/Z.
        d: Event time minus reference time, s.
        w: Weight.
        q: Inverse depth, 1/m; 0 is infinitely far.
    """

    x: Vector
    y: Vector
    d: Vector
    w: Vector
    q: Vector

    def __len__(self) -> int:
        return self.x.shape[0]

    def every(self, step: int) -> 'SceneEvents':
        """Each ``step``-th event."""
        return SceneEvents(*(a[:: max(1, step)] for a in (self.x, self.y, self.d, self.w, self.q)))

    def thinned(self, n_max: int) -> 'SceneEvents':
        """At most ``n_max`` events, evenly chosen."""
        if len(self) <= n_max:
            return self
        chosen = np.arange(n_max) * len(self) // n_max
        return SceneEvents(*(a[chosen] for a in (self.x, self.y, self.d, self.w, self.q)))

    def referred_to(self, offset_s: float) -> 'SceneEvents':
        """The same events with the reference time moved later by ``offset_s``."""
        return SceneEvents(self.x, self.y, self.d - offset_s, self.w, self.q)


@dataclass(frozen=True, eq=False)
class Warped:
    """Warped points and their derivatives by k parameters.

    Attributes:
        points: X/Z and Y/Z, (2, n).
        inside: Whether the warp is defined there, (n,).
        first: (2, k, n).
        second: (2, k, k, n), or None if not asked for.
    """

    points: Vector
    inside: NDArray[np.bool_]
    first: Vector
    second: Vector | None


class WarpModel(Protocol):
    """A family of motions; zero parameters mean no motion."""

    names: tuple[str, ...]

    def warp(self, parameters: Vector, events: SceneEvents, order: int = 2) -> Warped:
        """Points at the reference time, with derivatives up to ``order``."""
        ...
