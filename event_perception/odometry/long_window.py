# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The last windows looked at together: slow motion gives few events, and less than a pixel of motion, in one."""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import EventWindow
from event_perception.motion import EgomotionConfig, EgomotionEstimator, EgomotionResult
from event_perception.motion.camera import CameraModel

LONGEST_GAP = 3.0  # windows between two rates whose difference is taken for the acceleration
MOST_CROWDED = 3.0  # a window with so many times the events of the last is not joined to it


@dataclass(frozen=True, slots=True)
class LongWindowConfig:
    """Slow motion gives thin windows: then the last ones are looked at together."""

    enough_events: int = param(8000, 'Events from which a window stands for itself.', ge=100)
    max_s: float = param(0.12, 'Most time looked at together, seconds; 0: off.', ge=0.0, le=1.0)
    acceleration_std_rad_s2: float = param(
        3.0, 'How the rate may change from the middle of a long window to its last part, rad/s^2.', ge=0.0
    )


@dataclass(frozen=True, eq=False)
class Look:
    """Events of one or several windows, referred to the instant of the last.

    Attributes:
        events: The events.
        motion: Their motion at that instant.
        acceleration_rad_s2: Its angular acceleration (3,).
    """

    events: EventWindow
    motion: EgomotionResult
    acceleration_rad_s2: NDArray[np.float64]


class LongWindow:
    """Remembers the last windows, and estimates their motion where that of the last alone is not to be had.

    Args:
        camera: The camera.
        config: Parameters.
    """

    def __init__(self, camera: CameraModel, config: LongWindowConfig) -> None:
        self.config = config
        self._estimator = EgomotionEstimator(camera, EgomotionConfig())
        self._recent: deque[EventWindow] = deque()
        self._before: tuple[int, NDArray[np.float64]] | None = None

    def reset(self) -> None:
        """Forget."""
        self._recent.clear()
        self._before = None
        self._estimator.reset()

    def look(self, window: EventWindow, egomotion: EgomotionResult) -> Look:
        """The events to use and their motion at the reference instant of the window.

        What does not converge is tried over as many of the last windows as it takes.
        """
        self.remember(window)
        if egomotion.converged or len(window) >= self.config.enough_events or len(self._recent) < 2:
            return Look(window, egomotion, self._acceleration(window, egomotion))
        joined = self._joined(window)
        result = self._estimator.update(_about_its_middle(joined))
        if not result.converged:
            return Look(window, egomotion, np.zeros(3))
        offset_s = (window.t_ref_ns - result.t_ref_ns) * 1e-9
        covariance = result.covariance.copy()
        covariance[3:, 3:] += (self.config.acceleration_std_rad_s2 * offset_s) ** 2 / 3 * np.eye(3)
        acceleration = self._estimator.acceleration_rad_s2
        self._before = None
        there = replace(
            result,
            t_ref_ns=window.t_ref_ns,
            omega=result.omega + offset_s * acceleration,
            covariance=covariance,
        )
        return Look(joined, there, acceleration)

    def _acceleration(self, window: EventWindow, egomotion: EgomotionResult) -> NDArray[np.float64]:
        """From this rate and the one before, where both are good and close together."""
        before, self._before = self._before, None
        if not egomotion.converged:
            return np.zeros(3)
        self._before = (window.t_ref_ns, egomotion.omega)
        gap_s = 0.0 if before is None else (window.t_ref_ns - before[0]) * 1e-9
        if before is None or not 0 < gap_s < LONGEST_GAP * window.duration_s:
            return np.zeros(3)
        return np.asarray((egomotion.omega - before[1]) / gap_s)

    def remember(self, window: EventWindow) -> None:
        """Keep a window for those that come."""
        limit_ns = round(self.config.max_s * 1e9)
        if self._recent and window.t0_ns - self._recent[-1].t1_ns > limit_ns:
            self.reset()
        self._recent.append(window)
        while window.t1_ns - self._recent[0].t0_ns > limit_ns and len(self._recent) > 1:
            self._recent.popleft()

    def _joined(self, window: EventWindow) -> EventWindow:
        """The newest windows that have enough events together, referred to the last one's instant."""
        parts: list[EventWindow] = []
        for part in reversed(self._recent):
            if len(part) > MOST_CROWDED * len(window):
                break  # of another motion: the camera has come to rest since
            parts.insert(0, part)
            if sum(map(len, parts)) >= self.config.enough_events:
                break
        offsets_s = [np.float32((part.t_ref_ns - window.t_ref_ns) * 1e-9) for part in parts]
        return replace(
            window,
            t0_ns=parts[0].t0_ns,
            x=np.concatenate([part.x for part in parts]),
            y=np.concatenate([part.y for part in parts]),
            p=np.concatenate([part.p for part in parts]),
            dt_s=np.concatenate([part.dt_s + offset for part, offset in zip(parts, offsets_s)]),
        )


def _about_its_middle(window: EventWindow) -> EventWindow:
    middle_ns = (window.t0_ns + window.t1_ns) // 2
    return replace(
        window, t_ref_ns=middle_ns, dt_s=window.dt_s + np.float32((window.t_ref_ns - middle_ns) * 1e-9)
    )
