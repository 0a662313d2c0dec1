# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a simulated recording writes beside its events, and when."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.events import EventArray
from event_perception.simulation.imu import ImuConfig
from event_perception.simulation.sequence import SimulatedSequence


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """Rates of the streams; 0 leaves a stream out."""

    image_rate_hz: float = param(25.0, 'Grey images a second, linear light in 8 bits.', ge=0.0)
    depth_rate_hz: float = param(20.0, 'Depth images a second.', ge=0.0)
    flow_rate_hz: float = param(0.0, 'True flow fields a second.', ge=0.0)
    pose_rate_hz: float = param(200.0, 'True poses and velocities a second.', ge=0.0)
    packet_s: float = param(0.004, 'Longest event packet of a bag, seconds.', ge=1e-4)
    imu: ImuConfig = ImuConfig()


def instants(sequence: SimulatedSequence, rate_hz: float) -> NDArray[np.int64]:
    """Stamps of a stream: start, start + 1 / rate, ... up to the end."""
    if rate_hz == 0:
        return np.zeros(0, np.int64)
    n = int(sequence.duration_s * rate_hz + 1e-9) + 1
    return sequence.start_ns + np.rint(np.arange(n) * (1e9 / rate_hz)).astype(np.int64)


def packets(events: EventArray, packet_s: float) -> Iterator[EventArray]:
    """Cut sorted events at multiples of the packet length; empty stretches give nothing."""
    number = events.t_ns // round(packet_s * 1e9)
    cuts = np.flatnonzero(np.diff(number)) + 1
    for first, last in zip([0, *cuts], [*cuts, len(events)]):
        if last > first:
            yield events[first:last]


def grey_image(sequence: SimulatedSequence, t_ns: int) -> NDArray[np.uint8]:
    """Linear light in dn, 8 bits."""
    return np.rint(255.0 * sequence.image(t_ns).value).astype(np.uint8)
