# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A stretch of events around a reference instant: what every stage works on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.events.event_array import EventArray


@dataclass(frozen=True, eq=False)
class EventWindow:
    """Events of [t0, t1) with times relative to the reference instant.

    Attributes:
        t0_ns: Start of the window, inclusive.
        t1_ns: End of the window, exclusive.
        t_ref_ns: The instant that every output of this window describes.
        x: Columns, uint16 (n,).
        y: Rows, uint16 (n,).
        p: Polarities, int8 (n,), -1 or +1.
        dt_s: Event time minus reference time, float32 (n,); subtracted in int64 before the cast.
        height: Sensor rows.
        width: Sensor columns.
    """

    t0_ns: int
    t1_ns: int
    t_ref_ns: int
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.int8]
    dt_s: NDArray[np.float32]
    height: int
    width: int

    def __len__(self) -> int:
        return self.x.shape[0]

    @property
    def duration_s(self) -> float:
        """Length of the window, seconds."""
        return (self.t1_ns - self.t0_ns) * 1e-9

    @classmethod
    def from_events(
        cls,
        events: EventArray,
        *,
        t0_ns: int | None = None,
        t1_ns: int | None = None,
        t_ref_ns: int | None = None,
    ) -> 'EventWindow':
        """Make a window of all these events; the reference is the middle unless given.

        Raises:
            DataError: If there are no events and the span is not given.
        """
        if not len(events) and (t0_ns is None or t1_ns is None):
            raise DataError('a window without events needs t0_ns and t1_ns')
        t0 = int(events.t_ns.min()) if t0_ns is None else int(t0_ns)
        t1 = int(events.t_ns.max()) + 1 if t1_ns is None else int(t1_ns)
        t_ref = (t0 + t1) // 2 if t_ref_ns is None else int(t_ref_ns)
        dt_s = ((events.t_ns - np.int64(t_ref)) * 1e-9).astype(np.float32)
        return cls(t0, t1, t_ref, events.x, events.y, events.p, dt_s, events.height, events.width)
