# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the egomotion stage."""

from dataclasses import dataclass, field
from typing import Literal

from event_perception.config import param
from event_perception.motion.newton import NewtonConfig


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """The search before the refinement: coarse bins see far, and a part of the events is enough there."""

    bin_sizes_px: tuple[float, ...] = param(
        (8.0, 4.0), 'Bin sizes of the search levels, coarse to fine, image pixels.', ge=1.0, le=64.0
    )
    max_events: int = param(
        4000, 'Most events on a search level; evenly thinned beyond.', ge=100, le=10_000_000, live=True
    )
    max_evaluations: int = param(8, 'Most evaluations of each start on a level.', ge=1, le=100)


@dataclass(frozen=True, slots=True)
class EgomotionConfig:
    """Angular velocity by contrast maximisation with weak Newton steps."""

    kernel: Literal['bilinear', 'rect', 'gaussian'] = param(
        'bilinear', 'How an event votes; bilinear or gaussian suit 1 px bins, rect wants 2 px.'
    )
    bin_size_px: float = param(2.0, 'Side of a bin in image pixels.', ge=0.25, le=32.0)
    max_bins: int = param(
        250_000, 'Bins grow in steps of two until the image has no more than this many.', ge=1000
    )
    margin: float = param(
        0.1, 'Border of the image of warped events on each side, as a fraction of the sensor.', ge=0.0, le=1.0
    )
    min_events: int = param(300, 'A window with fewer events is not estimated.', ge=4, live=True)
    min_gain: float = param(
        1.02, 'Least objective relative to zero motion for the estimate to count.', ge=1.0, le=10.0, live=True
    )
    max_rate_rad_s: float = param(60.0, 'A faster estimate is discarded, rad/s.', ge=0.1, le=1000.0)
    newton: NewtonConfig = field(default_factory=NewtonConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
