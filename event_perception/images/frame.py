# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A reconstructed image as a value, and the protocol of what reconstructs it."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ReconstructedImage:
    """Intensity at one instant: ``value`` float32 (H, W) in [0, 1]."""

    t_ns: int
    value: NDArray[np.float32]


class Reconstructor(Protocol):
    """Rebuilds intensity from a stream; the result does not depend on how the stream is cut into pieces."""

    def push(self, stream: Any) -> None:
        """Add the next piece: an EventArray or a SpikeStream."""
        ...

    def image(self, t_ns: int) -> NDArray[np.float32]:
        """Intensity at an instant not before the last event pushed, float32 (H, W) in [0, 1]."""
        ...
