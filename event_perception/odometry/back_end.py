# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The sliding window behind rotation SLAM: every window of the last moments is judged again with those after it.

    window aligned with the map  ->  its weak Hessian by rate and orientation, into the spline
    on new ground                ->  its rate, into the spline
    gyroscope, where it is trusted, into the spline with its bias
    smooth; the newest instant of the spline is the orientation
    a window that leaves the lag is taken out of the map where it was voted, and voted where it was

Events are voted at once, as fast motion needs the newest ground; votes are sums, so they can be taken back.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventWindow, ImuSample
from event_perception.motion.lie import so3_log
from event_perception.motion.result import EgomotionResult
from event_perception.odometry.direction_map import DirectionMap
from event_perception.odometry.gyro_trust import GyroTrust, mean_reading
from event_perception.odometry.map_alignment import Alignment, MapAligner
from event_perception.odometry.sharpening import Sharpened, sharpened_at
from event_perception.odometry.spline_smoother import Seen, SplineConfig, SplineSmoother

Matrix = NDArray[np.float64]

GYRO_MEAN_NS = 5_000_000  # readings are averaged over this before they enter
MOVED_TEXELS = 0.05  # votes that would move by less stay where they are
START_RATE_STD_RAD_S = 0.1  # of the rate where the spline begins
TORN_RAD = 0.02  # an orientation this far from the spline is another story: it begins anew


@dataclass(frozen=True, eq=False)
class Vote:
    """What was voted into the map, and how."""

    events: Sharpened
    R: Matrix
    weight: float


class BackEnd:
    """Smooths, and keeps the map as the smoothed past has it.

    Args:
        config: Parameters.
        directions: The map.
        aligner: Tells what a window says of rate and orientation.
    """

    def __init__(self, config: SplineConfig, directions: DirectionMap, aligner: MapAligner) -> None:
        self.config, self._map, self._aligner = config, directions, aligner
        self.smoother, self.gyro = SplineSmoother(config), GyroTrust()
        self.forget()

    def forget(self) -> None:
        """Start again, without a bias."""
        self.smoother.forget()
        self.gyro.forget()
        self.interrupt()

    def interrupt(self) -> None:
        """The past is not connected with what comes; the bias stays known."""
        self.smoother.running = False
        self._votes: deque[Vote] = deque()
        self._gyro_until_ns = 0

    @property
    def active(self) -> bool:
        """Whether windows are to be smoothed now."""
        return self.config.use == 'always' or (self.config.use == 'gyro' and self.gyro.trusted)

    def rate_by_gyro(self, imu: tuple[ImuSample, ...], t0_ns: int, t1_ns: int) -> Matrix | None:
        """Mean rate without bias, where a trusted gyroscope has readings and its bias has been learnt."""
        if not (self.active and self.gyro.trusted and self.smoother.running):
            return None
        reading = mean_reading(imu, t0_ns, t1_ns)
        return None if reading is None else reading - self.smoother.bias

    def watch(self, window: EventWindow, egomotion: EgomotionResult, imu: tuple[ImuSample, ...]) -> None:
        """Compare the gyroscope with what the events say."""
        if self.config.use != 'never' and egomotion.converged:
            reading = mean_reading(imu, window.t0_ns, window.t1_ns)
            self.gyro.watch(reading, self.smoother.bias, egomotion.omega)
        if not self.active:
            self.interrupt()

    def voted(self, events: Sharpened, R: Matrix, weight: float) -> None:
        """Remember what went into the map."""
        if self.smoother.running:
            self._votes.append(Vote(events, R, weight))

    def smoothed(
        self,
        events: Sharpened,
        R: Matrix,
        rate_covariance: Matrix | None,
        aligned: Alignment | None,
        imu: tuple[ImuSample, ...],
        variance: float,
    ) -> Matrix:
        """Add a window.

        Args:
            events: Its events, moved by its rate.
            R: Orientation after its alignment (3, 3).
            rate_covariance: Of its rate (3, 3); None where that is no measurement.
            aligned: Its place on the map; None on new ground.
            imu: Readings up to its end, along the axes of the camera; some may have been given before.
            variance: Of the orientation, if the spline begins here.

        Returns:
            The orientation (3, 3).
        """
        t_ns, smoother = events.t_ns, self.smoother
        if smoother.running and np.linalg.norm(so3_log(smoother.at(t_ns)[0].T @ R)) > TORN_RAD:
            self.interrupt()
        if not smoother.running:
            smoother.begin(t_ns, R, events.omega, variance, START_RATE_STD_RAD_S**2)
            self._gyro_until_ns = t_ns
        if self.gyro.trusted:
            self._feel(imu, t_ns)
        smoother.add(self._seen(events, R, rate_covariance, aligned))
        smoother.solve()
        self._revote()
        smoother.let_go()
        return smoother.at(t_ns)[0]

    def _seen(
        self, events: Sharpened, R: Matrix, rate_covariance: Matrix | None, aligned: Alignment | None
    ) -> Seen:
        """What the window says: on the map as its weak derivatives have it, and its own rate."""
        weight, pull = np.zeros((6, 6)), np.zeros(6)
        if aligned is not None:
            weight, pull = self._aligner.expanded(events.points, events.dt_s, aligned.theta)
            floor = np.diag(np.repeat([0.0, self.config.turn_std_rad**2], 3))
            less = np.linalg.inv(np.eye(6) + weight @ floor)
            weight, pull = less @ weight, less @ pull
        if rate_covariance is not None:
            weight[:3, :3] += np.linalg.inv(rate_covariance) / self.config.rate_factor
        return Seen(events.t_ns, events.omega, R, weight, pull)

    def _feel(self, imu: tuple[ImuSample, ...], t_ns: int) -> None:
        """Means of the readings that are new, up to the instant of the window."""
        since_ns = self._gyro_until_ns
        new = [s for s in imu if since_ns <= s.t_ns <= t_ns and np.isfinite(s.angular_velocity_rad_s).all()]
        if not new:
            return
        self._gyro_until_ns = new[-1].t_ns + 1
        later_ns = np.array([s.t_ns - new[0].t_ns for s in new], np.int64)
        rates = np.array([s.angular_velocity_rad_s for s in new])
        _, group = np.unique(later_ns // GYRO_MEAN_NS, return_inverse=True)
        count = np.bincount(group)
        mean_ns = new[0].t_ns + (np.bincount(group, later_ns) / count).astype(np.int64)
        mean = np.stack([np.bincount(group, rate) / count for rate in rates.T], axis=1)
        self.smoother.add_gyro(mean_ns, mean)

    def _revote(self) -> None:
        """Move the votes of windows that will not change any more."""
        while self._votes and self._votes[0].events.t_ns < self.smoother.settled_ns:
            vote = self._votes.popleft()
            R, omega = self.smoother.at(vote.events.t_ns)
            if np.linalg.norm(so3_log(vote.R.T @ R)) * self._map.texels_per_rad < MOVED_TEXELS:
                continue
            again = sharpened_at(vote.events, omega)
            self._map.move(vote.events.newest, vote.R, again.newest, R, vote.weight)
