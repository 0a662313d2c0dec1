# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of flow of egomotion with residual tiles."""

from dataclasses import dataclass

from event_perception.config import param


@dataclass(frozen=True, slots=True)
class ResidualConfig:
    """What flow of egomotion with residual tiles accepts; the tiles take theirs from ``flow.tiles``."""

    max_depth_age_s: float = param(
        0.15, 'Depth images older than this are not used, seconds.', ge=0.0, le=10.0
    )
    max_speed_px_s: float = param(300.0, 'Fastest motion beside that of the camera, px/s.', ge=1.0, le=1e5)
    keep: float = param(
        0.08, 'By what fraction a residual tile must raise the focus to be believed.', ge=0.0, le=10.0
    )
    bonus: float = param(0.1, 'As keep, for the cells at motion edges.', ge=0.0, le=10.0)
    min_events: int = param(40, 'Tiles with fewer events move as the camera says.', ge=1)
    max_events: int = param(
        30_000, 'Most events used of a window, chosen at random: they bound the time it takes.', ge=100
    )
    confidence_px_s: float = param(
        30.0, 'Disagreement of neighbouring tiles at which confidence is one half, px/s.', ge=0.01
    )
