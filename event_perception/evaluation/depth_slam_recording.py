# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated room as sensors see it: events, a noisy slow depth camera, a gyroscope with bias; and what may go wrong.

The parts are kept, so that several runs get the same samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import merge
from typing import Any, Literal

import numpy as np
from scipy.spatial.transform import Rotation

from event_perception.events import DepthImage, EventArray, ImuSample
from event_perception.events.event_array import concatenate
from event_perception.simulation.imu import ImuConfig, ImuRecord
from event_perception.simulation.scenes import EYE_M
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.trajectories import LOOK_ALONG_X, SplineTrajectory

DEPTH_HZ = 30
NOISE_AT_2M = 0.01  # grows with the distance
HOLES = 0.03
PACKET_NS = 5_000_000
NOISE_EVENTS = 2_000_000  # a second, in a flood
LATE_NS = 60_000_000
CLOSED_RMS = 0.12  # m and rad

Fault = Literal['none', 'gap', 'noise', 'no_depth', 'late_depth']


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples of one sequence in time order.

    Attributes:
        sequence: Scene, motion and truth.
        seed: Of the noise of depth and inertial readings.
    """

    sequence: SimulatedSequence
    seed: int = 0

    @cached_property
    def events(self) -> EventArray:
        """All events."""
        return self.sequence.events()

    @cached_property
    def imu(self) -> ImuRecord:
        """Inertial readings."""
        return self.sequence.imu(ImuConfig(seed=self.seed))

    @cached_property
    def depth(self) -> list[DepthImage]:
        """Depth images with noise and holes; float16, as a depth camera has it."""
        rng, s = np.random.default_rng(self.seed), self.sequence
        times = range(s.start_ns, s.end_ns, 1_000_000_000 // DEPTH_HZ)
        return [_measured(s.depth(t_ns), rng) for t_ns in times]

    def samples(self, fault: Fault = 'none', packet_ns: int = PACKET_NS) -> Iterator[Any]:
        """Events in packets, depth, inertial readings; each when it is complete.

        Args:
            fault: What is wrong for a second in the middle: ``gap`` no events, ``noise`` a flood of events that
                have nothing to do with the scene, ``no_depth``, ``late_depth`` depth with a stamp 60 ms late.
            packet_ns: Span of a packet of events.
        """
        middle = (self.sequence.start_ns + self.sequence.end_ns) // 2
        bad = range(middle, middle + 10**9) if fault != 'none' else range(0)
        readings = ((reading.t_ns, reading) for reading in self.imu.samples())
        parts = merge(self._views(fault, bad), readings, self._packets(fault, bad, packet_ns), key=_instant)
        return (sample for _, sample in parts)

    def _packets(self, fault: Fault, bad: range, packet_ns: int) -> Iterator[tuple[int, EventArray]]:
        s = self.sequence
        edges = np.arange(s.start_ns, s.end_ns + packet_ns, packet_ns)
        cuts = np.searchsorted(self.events.t_ns, edges)
        for t0, t1, a, b in zip(edges, edges[1:], cuts, cuts[1:]):
            part = self.events[a:b]
            yield int(t1), _spoilt(part, int(t0), int(t1), fault) if int(t0) in bad else part

    def _views(self, fault: Fault, bad: range) -> Iterator[tuple[int, DepthImage]]:
        for depth in self.depth:
            view = DepthImage(depth.t_ns, depth.depth_m.astype(np.float32))
            if depth.t_ns not in bad or fault not in ('no_depth', 'late_depth'):
                yield depth.t_ns, view
            elif fault == 'late_depth':
                yield depth.t_ns, replace(view, t_ns=depth.t_ns + LATE_NS)

    def endless(self, minutes: float) -> Iterator[Any]:
        """The recording again and again, for so long."""
        s = self.sequence
        for k in range(int(np.ceil(60e9 * minutes / (s.end_ns - s.start_ns)))):
            for sample in self.samples():
                yield _later(sample, k * (s.end_ns - s.start_ns))


def _measured(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    z = depth.depth_m
    noisy = z * (1 + NOISE_AT_2M * (z / 2) * rng.standard_normal(z.shape))
    noisy[rng.random(z.shape) < HOLES] = np.nan
    return DepthImage(depth.t_ns, noisy.astype(np.float16))


def _spoilt(events: EventArray, t0_ns: int, t1_ns: int, fault: Fault) -> EventArray:
    if fault == 'gap':
        return events[:0]
    if fault != 'noise':
        return events
    rng, n = np.random.default_rng(t0_ns), round(NOISE_EVENTS * 1e-9 * (t1_ns - t0_ns))
    noise = EventArray(
        np.sort(rng.integers(t0_ns, t1_ns, n)), rng.integers(0, events.width, n), rng.integers(0, events.height, n),
        rng.choice(np.array([-1, 1], np.int8), n), height=events.height, width=events.width,
    )  # fmt: skip
    return concatenate([events[::10], noise]).sorted()


def _later(sample: Any, by_ns: int) -> Any:
    if isinstance(sample, EventArray):
        return sample.shifted(by_ns)
    if isinstance(sample, (DepthImage, ImuSample)):
        return replace(sample, t_ns=sample.t_ns + by_ns)
    return sample


def _instant(stamped: tuple[int, Any]) -> int:
    return stamped[0]


def closed_motion(seed: int, duration_s: float) -> SplineTrajectory:
    """A waved camera that ends as it began: where the recording begins again, nothing jumps."""
    rng, t = np.random.default_rng(seed), np.arange(-20, round(100 * duration_s) + 21) / 100
    waves = np.arange(1, max(2, round(duration_s)) + 1)  # up to 1 Hz, whole periods
    phase = rng.uniform(0, 2 * np.pi, (6, len(waves)))
    signals = (np.sin(2 * np.pi * waves * t[:, None, None] / duration_s + phase) / np.sqrt(waves)).sum(
        axis=-1
    )
    shift, turn = np.split(CLOSED_RMS * signals / signals.std(axis=0), 2, axis=1)
    return SplineTrajectory(t, np.asarray(EYE_M) + shift, LOOK_ALONG_X * Rotation.from_rotvec(turn))
