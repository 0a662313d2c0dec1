# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Sensor clock to ROS clock, in integer nanoseconds.

A message tells two times: the sensor's, precise but of an unknown origin and rate, and the host's, which
is the sensor's plus offset plus a delay that is never negative but jumps about. So the offset is the lower
envelope of the differences. The envelope may rise only slowly (the clocks drift apart by some ppm), it
falls at once, and what is put out follows it at a bounded slew, so that mapped time never runs backwards.
Compare the one-way delay filters of Mills, "Internet time synchronization", IEEE Trans. Comm. 1991, and
the lower envelope of Zhang, Persson and Ruby, "Clock synchronization algorithms for network measurements",
INFOCOM 2002. Against a convex hull or a straight-line fit over a window this needs no window, no memory
and no assumption of constant skew; its error is bounded by forgetting rate times the time between two
messages of least delay.
"""

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError

EVT3_WRAP_NS = (1 << 24) * 1000
"""Sensor time of evt3 starts again after 16.777216 s when the decoder's state is lost."""
INT32_US_WRAP_NS = (1 << 32) * 1000
"""Times kept as int32 microseconds start again after 71.6 minutes (they turn negative at half of it)."""
PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class ClockConfig:
    """How the offset between sensor and ROS clock is estimated."""

    forgetting_ppm: int = param(
        200,
        'How fast the offset may rise, microseconds per second; above the drift of the clocks.',
        ge=0,
        le=100_000,
    )
    slew_ppm: int = param(
        10_000,
        'How fast mapped time may gain or lose while it follows the offset, microseconds per second.',
        ge=1,
        le=500_000,
    )
    disorder_s: float = param(
        0.1, 'A step back of either clock up to this is disorder, beyond it a new start, seconds.', ge=0.0
    )
    jump_s: float = param(0.5, 'A change of the difference beyond this is a jump, seconds.', ge=1e-3)
    confirm: int = param(
        5, 'Messages in a row that must agree before a longer delay counts as a jump of a clock.', ge=1
    )


@dataclass(frozen=True, slots=True)
class ClockCounts:
    """What the clock has seen.

    Attributes:
        updates: Messages.
        resets: New starts: a clock ran backwards or jumped.
        wraps: Wraps of the sensor clock.
        held: Messages delayed so much that they said nothing.
    """

    updates: int = 0
    resets: int = 0
    wraps: int = 0
    held: int = 0


class SensorClock:
    """Offset filter of one sensor. Deterministic: it sees only what it is given.

    A constant part of the delay (exposure, USB, driver) cannot be told from the offset and stays in it.

    Args:
        config: Parameters.
        wrap_ns: Period after which the sensor's times start again, if they do.

    Raises:
        DataError: If the period is not positive.
    """

    def __init__(self, config: ClockConfig | None = None, *, wrap_ns: int | None = None) -> None:
        if wrap_ns is not None and wrap_ns <= 0:
            raise DataError(f'wrap_ns={wrap_ns}: a period is positive; None for a clock that does not wrap')
        self.config = config or ClockConfig()
        self._wrap_ns = wrap_ns
        self._jump_ns = round(self.config.jump_s * 1e9)
        self._disorder_ns = round(self.config.disorder_s * 1e9)
        self._updates = self._resets = self._wraps = self._held = 0
        self._started = False
        self._far = self._epoch_ns = self._sensor_ns = self._stamp_ns = 0
        self._offset_ns = self._lowest_ns = self._lowest_at_ns = 0

    @property
    def counts(self) -> ClockCounts:
        """Running totals since construction."""
        return ClockCounts(self._updates, self._resets, self._wraps, self._held)

    @property
    def offset_ns(self) -> int:
        """ROS time minus sensor time, without wraps.

        Raises:
            DataError: Before the first update.
        """
        self._check_started()
        return self._offset_ns + self._epoch_ns

    def update(self, sensor_ns: int, stamp_ns: int) -> int:
        """Take one message.

        Args:
            sensor_ns: Sensor time of its first event.
            stamp_ns: ROS time at which the host got it.

        Returns:
            The offset to add to sensor times of now.
        """
        self._updates += 1
        sensor_ns, stamp_ns = int(sensor_ns), int(stamp_ns)
        if not self._started:
            self._start(sensor_ns, stamp_ns)
            return self.offset_ns
        epoch_ns = self._epoch_of(sensor_ns, stamp_ns)
        sensor = sensor_ns + epoch_ns
        behind = min(sensor - self._sensor_ns, stamp_ns - self._stamp_ns)
        excess = stamp_ns - sensor - self._envelope_at(sensor)
        if behind < -self._disorder_ns or excess < -self._jump_ns or self._is_late_for_good(excess):
            self._resets += 1
            self._start(sensor_ns, stamp_ns)
        elif excess > self._jump_ns:
            self._held += 1
        else:
            self._wraps += epoch_ns != self._epoch_ns
            self._epoch_ns = epoch_ns
            self._follow(sensor, stamp_ns)
        return self.offset_ns

    @overload
    def to_ros_ns(self, t_ns: int) -> int: ...
    @overload
    def to_ros_ns(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]: ...
    def to_ros_ns(self, t_ns: int | NDArray[np.int64]) -> int | NDArray[np.int64]:
        """Sensor times to ROS times; of a clock that wraps, the one nearest to the last message.

        Args:
            t_ns: One time, or int64 of any shape.

        Raises:
            DataError: Before the first update.
        """
        self._check_started()
        if self._wrap_ns is None:
            return t_ns + self._offset_ns
        half = self._wrap_ns // 2
        first = self._sensor_ns - half
        return first + (t_ns - first) % self._wrap_ns + self._offset_ns

    def _check_started(self) -> None:
        if not self._started:
            raise DataError('the sensor clock has seen no message yet; call update first')

    def _start(self, sensor_ns: int, stamp_ns: int) -> None:
        self._started = True
        self._epoch_ns = 0
        self._far = 0
        self._sensor_ns, self._stamp_ns = sensor_ns, stamp_ns
        self._offset_ns = self._lowest_ns = stamp_ns - sensor_ns
        self._lowest_at_ns = sensor_ns

    def _epoch_of(self, sensor_ns: int, stamp_ns: int) -> int:
        """What wraps have taken from the sensor's time, going by the host's clock."""
        if self._wrap_ns is None:
            return 0
        expected = self._sensor_ns + stamp_ns - self._stamp_ns
        epoch_ns = (expected - sensor_ns + self._wrap_ns // 2) // self._wrap_ns * self._wrap_ns
        fits = abs(sensor_ns + epoch_ns - expected) <= self._jump_ns
        return epoch_ns if fits else self._epoch_ns

    def _envelope_at(self, sensor_ns: int) -> int:
        # From the last minimum on, not step by step: rounding does not add up.
        age_ns = max(0, sensor_ns - self._lowest_at_ns)
        return self._lowest_ns + age_ns * self.config.forgetting_ppm // PPM

    def _is_late_for_good(self, excess_ns: int) -> bool:
        """A long delay is usual after a stall of the host; only if it stays has a clock jumped."""
        self._far = self._far + 1 if excess_ns > self._jump_ns else 0
        return self._far >= self.config.confirm

    def _follow(self, sensor_ns: int, stamp_ns: int) -> None:
        envelope = self._envelope_at(sensor_ns)
        difference = stamp_ns - sensor_ns
        if difference <= envelope:
            self._lowest_ns, self._lowest_at_ns, envelope = difference, sensor_ns, difference
        elapsed = max(0, sensor_ns - self._sensor_ns)
        most = elapsed * self.config.slew_ppm // PPM
        self._offset_ns += min(max(envelope - self._offset_ns, -most), most)
        self._sensor_ns = max(self._sensor_ns, sensor_ns)
        self._stamp_ns = max(self._stamp_ns, stamp_ns)
