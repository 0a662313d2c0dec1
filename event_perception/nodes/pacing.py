# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The time of a recording against that of the wall: when a message is due, pauses, stops. No ROS here."""

import threading
from collections.abc import Callable
from time import monotonic

TICK_S = 0.005  # how often the time of the recording is told while waiting


class Pacer:
    """Waits until the next message is due.

    Args:
        rate: Speed against the recording.
        tick: Called with the time of the recording, ns, now and then and never backwards.
    """

    def __init__(self, rate: float, tick: Callable[[int], None]) -> None:
        self._rate, self._tick = rate, tick
        self._stop, self._running = threading.Event(), threading.Event()
        self._running.set()
        self._start: tuple[int, float] | None = None
        self._last_tick_s = 0.0

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` has been called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stop.set()
        self._running.set()

    def pause(self, paused: bool) -> None:
        """Hold, or go on from where it was held."""
        if paused:
            self._running.clear()
        else:
            self._running.set()

    def restart(self) -> None:
        """The next message is due at once, whatever its time: the recording begins again."""
        self._start = None

    def wait(self, seconds: float) -> bool:
        """Wait for a while; whether to go on."""
        return not self._stop.wait(seconds)

    def wait_until(self, t_ns: int) -> bool:
        """Wait until this time of the recording; whether to go on."""
        if self._start is None:
            self._start = (t_ns, monotonic())
        while not self._stop.is_set():
            self._hold()
            remaining_s = (t_ns - self._now_ns()) * 1e-9 / self._rate
            if remaining_s <= 0:
                self._tell(t_ns)
                return True
            self._tell(self._now_ns())
            self._stop.wait(min(remaining_s, TICK_S))
        return False

    def _now_ns(self) -> int:
        """Time of the recording now."""
        start_ns, start_s = self._start or (0, 0.0)
        return start_ns + round((monotonic() - start_s) * self._rate * 1e9)

    def _hold(self) -> None:
        if self._running.is_set() or self._start is None:
            return
        paused_s = monotonic()
        self._running.wait()
        start_ns, start_s = self._start
        self._start = (start_ns, start_s + monotonic() - paused_s)

    def _tell(self, t_ns: int) -> None:
        now_s = monotonic()
        if now_s - self._last_tick_s >= TICK_S:
            self._last_tick_s = now_s
            self._tick(t_ns)
