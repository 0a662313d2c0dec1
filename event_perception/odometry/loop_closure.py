# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Return to ground mapped long ago, with more drift than an alignment can reach.

Tracking goes on, as the ground mapped a moment ago agrees; the old ground, coming into view beside it, does not. So
now and then the events are laid on the old part of the map alone: if they do not follow it where they should, but do
somewhere near, and in the next window again with the same offset, the offset is the drift.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.lie import so3_log
from event_perception.odometry.direction_map import DirectionMap
from event_perception.odometry.map_alignment import MapAligner
from event_perception.odometry.relocalisation import Place, Relocaliser

Matrix = NDArray[np.float64]
Float32 = NDArray[np.float32]

SAME_RAD = 0.02  # two offsets are the same if they differ by less


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """Closing loops against the map while tracking."""

    period_s: float = param(0.2, 'Time between looks at the old part of the map, seconds; 0: never.', ge=0.0)
    old_s: float = param(2.0, 'What was mapped so long ago is old, seconds.', ge=0.1)
    least_known: float = param(0.25, 'The old part must cover this share of the view.', ge=0.01, le=1.0)
    least_turn_rad: float = param(
        0.01, 'Smaller offsets are left to the alignment of every window, rad.', ge=1e-4, le=1.0
    )
    most_agreement: float = param(
        0.4, 'Events that follow the old map better than this, where they are, give no reason to search.',
        ge=0.0, le=1.0,
    )  # fmt: skip
    worth: float = param(
        1.5, 'There the events must follow the old map so many times better than here.', ge=1.0, le=100.0
    )


@dataclass(frozen=True, eq=False)
class Closure:
    """A place found again, when the ground there was mapped on average, seconds, and how well it was known, rad^2."""

    place: Place
    mapped_s: float
    variance: float


class LoopCloser:
    """Looks for offsets, and believes one that it finds twice.

    Args:
        config: Parameters.
        directions: The map.
        aligner: Tells how well events follow it.
        relocaliser: Finds places on it.
    """

    def __init__(
        self, config: LoopConfig, directions: DirectionMap, aligner: MapAligner, relocaliser: Relocaliser
    ) -> None:
        self.config, self._map, self._aligner, self._relocaliser = config, directions, aligner, relocaliser
        self.forget()

    def forget(self) -> None:
        """No offset is suspected."""
        self._offset: Matrix | None = None
        self._looked_s = -np.inf

    def look(self, points: Float32, R: Matrix, t_s: float) -> Closure | None:
        """A place that was found twice.

        Args:
            points: Normalised image coordinates of sharpened events, float32 (2, n).
            R: Orientation.
            t_s: Now, in the time of the map.
        """
        config = self.config
        waiting = self._offset is None and t_s - self._looked_s < config.period_s
        if (
            not config.period_s or waiting
        ):  # a suspicion is looked at again at once: the drift is being mapped
            return None
        self._looked_s, until_s = t_s, t_s - config.old_s
        old = self._map.render(R, until_s=until_s)
        if old.known < config.least_known:
            self._offset = None
            return None
        mapped_s, variance = old.t_s, old.variance  # the picture itself is drawn over by the next one
        here = self._aligner.align(points, old, config.least_turn_rad**2 * np.eye(3)).agreement
        before, self._offset = self._offset, None
        if before is None and here > config.most_agreement:
            return None
        place = self._relocaliser.nearby(points, R, until_s)
        if place is None or place.alignment.agreement < config.worth * here:
            return None
        offset = place.R @ R.T
        if np.linalg.norm(so3_log(offset)) < config.least_turn_rad:
            return None
        self._offset = offset
        if before is None or np.linalg.norm(so3_log(before.T @ offset)) > SAME_RAD:
            return None
        self._offset = None
        return Closure(place, mapped_s, variance)
