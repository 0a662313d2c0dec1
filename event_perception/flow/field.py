# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Dense optical flow as a value, and the protocol of what estimates it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from event_perception.events import DepthImage, EventWindow, SpikeStream
from event_perception.motion.result import EgomotionResult


@dataclass(frozen=True, eq=False)
class FlowField:
    """Velocity of the image at one instant.

    Attributes:
        t_ref_ns: The instant described.
        flow_px_s: float32 (2, H, W), pixels per second; channel 0 is x. 0 where not valid, never nan.
        valid: bool (H, W).
        confidence: float32 (H, W), 0 where not valid to 1; None if the estimator does not tell.
    """

    t_ref_ns: int
    flow_px_s: NDArray[np.float32]
    valid: NDArray[np.bool_]
    confidence: NDArray[np.float32] | None = None


class FlowEstimator(Protocol):
    """Estimates flow window by window."""

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult | None = None,
        depth: DepthImage | None = None,
    ) -> FlowField:
        """Flow at the reference instant of the window."""
        ...


class SpikeFlowEstimator(Protocol):
    """Estimates flow from spikes, at instants of its own."""

    def push(self, spikes: SpikeStream) -> Iterator[FlowField]:
        """Add planes; yields the flow of every instant that has been seen far enough beyond."""
        ...
