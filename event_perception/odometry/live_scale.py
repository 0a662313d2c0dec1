# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The unit of length while the odometry runs: asked of the accelerometer again and again, believed if it agrees.

every half second: factor of the last seconds, from poses and specific forces (closed form)
certain enough, gravity as it is, and the one before within a few per cent: the unit is corrected
afterwards again where the new factor is much more certain, or clearly another one
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import ImuSample
from event_perception.odometry.imu_scale import ImuScale, ImuScaleConfig, scale_from_imu

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LiveScaleConfig:
    """When the accelerometer is asked, and believed."""

    window_s: float = param(5.0, 'Stretch of motion that is looked at, s.', ge=1.0, le=60.0)
    least_s: float = param(3.0, 'No shorter stretch, s.', ge=1.0, le=60.0)
    period_s: float = param(0.5, 'Time between two questions, s.', ge=0.05, le=10.0)
    agreement: float = param(
        0.05, 'Two successive factors must agree so well, part of them.', ge=1e-3, le=1.0
    )
    better: float = param(
        0.7,
        'A later factor is taken over if its standard deviation is below this share of the last.',
        ge=0.0,
        le=1.0,
    )
    closed_form: ImuScaleConfig = field(default_factory=ImuScaleConfig)


class LiveScale:
    """Remembers the last seconds of poses and specific forces.

    Args:
        config: Parameters.

    Attributes:
        std: Relative standard deviation of the unit; infinite until it was corrected.
        last: What the accelerometer said last.
    """

    def __init__(self, config: LiveScaleConfig) -> None:
        self.config = config
        self._poses: deque[tuple[int, Matrix]] = deque()
        self._forces: deque[tuple[int, Matrix]] = deque()
        self.forget()

    def forget(self) -> None:
        """The unit is another one from here on."""
        self.restart()
        self.std = float('inf')

    def restart(self) -> None:
        """The trajectory was interrupted: poses before do not go with those to come."""
        self._poses.clear()
        self._forces.clear()
        self._asked_ns: int | None = None
        self.last: ImuScale | None = None

    def hear(self, imu: Sequence[ImuSample]) -> None:
        """Take what is new of the readings, camera axes, rising in time."""
        newest_ns = self._forces[-1][0] if self._forces else -(2**62)
        new = []
        for sample in reversed(imu):
            if sample.t_ns <= newest_ns:
                break
            new.append((sample.t_ns, sample.linear_acceleration_m_s2))
        self._forces.extend(reversed(new))
        while self._forces and self._forces[-1][0] - self._forces[0][0] > (self.config.window_s + 1) * 1e9:
            self._forces.popleft()

    def see(self, t_ns: int, T: Matrix) -> float | None:
        """Take a tracked pose; the factor by which lengths are to be multiplied, if it is to be believed now."""
        c = self.config
        self._poses.append((t_ns, T.copy()))
        while t_ns - self._poses[0][0] > c.window_s * 1e9:
            self._poses.popleft()
        due = self._asked_ns is None or t_ns - self._asked_ns >= c.period_s * 1e9
        if not due or t_ns - self._poses[0][0] < c.least_s * 1e9 or not self._covered():
            return None
        self._asked_ns = t_ns
        return self._believed(self._asked())

    def rescale(self, factor: float, std: float) -> None:
        """The unit was corrected."""
        for _, T in self._poses:
            T[:3, 3] *= factor
        self.std, self.last = std, None

    def _covered(self) -> bool:
        margin_ns = 50_000_000
        return (
            len(self._forces) > 0
            and self._forces[0][0] <= self._poses[0][0] + margin_ns
            and self._forces[-1][0] >= self._poses[-1][0] - margin_ns
        )

    def _asked(self) -> ImuScale:
        start_ns = self._poses[0][0]
        t_s = np.array([(t - start_ns) * 1e-9 for t, _ in self._poses])
        imu_t_s = np.array([(t - start_ns) * 1e-9 for t, _ in self._forces])
        forces = np.array([f for _, f in self._forces])
        first, last = np.searchsorted(t_s, [imu_t_s[0], imu_t_s[-1]])
        poses = np.array([T for _, T in self._poses])
        return scale_from_imu(t_s[first:last], poses[first:last], imu_t_s, forces, self.config.closed_form)

    def _believed(self, now: ImuScale) -> float | None:
        before, self.last = self.last, now
        if before is None or not (before.accepted and now.accepted):
            return None
        if abs(np.log(now.factor / before.factor)) > self.config.agreement:
            return None
        std = now.std / now.factor
        other = abs(np.log(now.factor)) > 3 * np.hypot(std, self.std)
        return now.factor if std < self.config.better * self.std or other else None
