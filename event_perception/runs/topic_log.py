# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What came out of the topics, and when: the outside view of a running system. No ROS here.

The latency of a twist is counted from the publication of the packet with the last event of its window to the
publication of the twist, by the time stamps that the middleware of the two publishers gives their messages.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.io.seconds import ns_from_seconds, seconds_text

TWIST_COLUMNS = ('t_s', 'wx_rad_s', 'wy_rad_s', 'wz_rad_s', 'published_s')


@dataclass(frozen=True, eq=False)
class TwistTable:
    """Twists as received: ``t_ns`` (n,), ``omega_rad_s`` (n, 3), ``published_s`` (n,) by the system clock."""

    t_ns: NDArray[np.int64]
    omega_rad_s: NDArray[np.float64]
    published_s: NDArray[np.float64]


class TopicLog:
    """Notes packets and twists.

    Args:
        window_s: Length of the windows that the twists describe the middle of, seconds.
    """

    def __init__(self, window_s: float) -> None:
        self._half_ns = round(window_s * 5e8)
        self._packets: list[tuple[int, int, float]] = []
        self._twists: list[tuple[int, tuple[float, ...], float]] = []
        self.events = 0

    def packet(self, first_ns: int, last_ns: int, count: int, published_s: float) -> None:
        """A packet of events from first to last was published, times as the twists are stamped."""
        self.events += count
        self._packets.append((first_ns, last_ns, published_s))

    def twist(self, t_ns: int, omega_rad_s: ArrayLike, published_s: float) -> None:
        """A twist was published."""
        omega = np.asarray(omega_rad_s, np.float64)
        self._twists.append((t_ns, tuple(float(w) for w in omega), published_s))

    @property
    def packets(self) -> int:
        """Packets seen."""
        return len(self._packets)

    def latencies_s(self) -> NDArray[np.float64]:
        """Latency of every twist whose window was seen whole, seconds."""
        first, last = (np.array([packet[k] for packet in self._packets], np.int64) for k in (0, 1))
        sent_s = np.array([packet[2] for packet in self._packets])
        late = []
        for t_ns, _, twist_s in self._twists:
            end_ns = t_ns + self._half_ns
            closing = int(np.searchsorted(last, end_ns))
            if closing < len(last):
                holds_last_event = closing if first[closing] < end_ns else max(0, closing - 1)
                late.append(twist_s - float(sent_s[holds_last_event]))
        return np.array(late)

    def write(self, path: Path) -> None:
        """Write the twists as CSV."""
        with path.open('x', encoding='ascii', newline='') as file:
            rows = csv.writer(file, lineterminator='\n')
            rows.writerow(TWIST_COLUMNS)
            for t_ns, omega, published_s in self._twists:
                rows.writerow([seconds_text(t_ns), *(f'{w:.9g}' for w in omega), f'{published_s:.6f}'])


def read_twists(path: Path) -> TwistTable:
    """Read what ``TopicLog.write`` wrote."""
    with path.open(encoding='ascii', newline='') as file:
        rows = list(csv.DictReader(file))
    omega = [[float(row[name]) for name in TWIST_COLUMNS[1:4]] for row in rows]
    return TwistTable(
        np.array([ns_from_seconds(row['t_s']) for row in rows], np.int64),
        np.array(omega, np.float64).reshape(-1, 3),
        np.array([float(row['published_s']) for row in rows]),
    )
