# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of rotation SLAM."""

from dataclasses import dataclass, field

from event_perception.config import param
from event_perception.odometry.direction_map import DirectionMapConfig
from event_perception.odometry.event_lag import EventLagConfig
from event_perception.odometry.long_window import LongWindowConfig
from event_perception.odometry.loop_closure import LoopConfig
from event_perception.odometry.map_alignment import AlignmentConfig
from event_perception.odometry.relocalisation import RelocalisationConfig
from event_perception.odometry.rotation import RotationOdometryConfig
from event_perception.odometry.spline_smoother import SplineConfig


@dataclass(frozen=True, slots=True)
class GateConfig:
    """When an alignment is believed, and when a window may change the map."""

    least_known: float = param(
        0.3, 'The map is used where it covers at least this share of the view.', ge=0.0, le=1.0
    )
    least_agreement: float = param(
        0.25, 'How well events must follow the map, 1 is exactly.', ge=0.0, le=1.0, live=True
    )
    noise_agreement: float = param(
        0.07, 'Events that follow the map less than this are noise, and are not added to it.', ge=-1.0, le=1.0
    )
    sigma: float = param(
        4.0, 'A correction beyond so many standard deviations is refused the first time.', ge=1.0, le=100.0
    )
    alignment_std_rad: float = param(
        1e-3,
        'By how much alignments of neighbouring windows differ beside what they claim, rad.',
        ge=0.0,
        le=0.1,
    )
    repeats: int = param(
        2, 'Windows in a row that must want a refused correction for it to be taken.', ge=1, le=100
    )
    write_std_rad: float = param(
        0.01, 'Events that do not follow the map are added to it if the prediction is this certain, rad.',
        ge=1e-4, le=1.0,
    )  # fmt: skip
    min_events: int = param(
        1000, 'A window with fewer events is neither aligned nor voted.', ge=10, live=True
    )
    thin_events: int = param(
        300, 'A window whose own motion is not to be had is laid on the map from so many events on.', ge=10
    )
    thin_agreement: float = param(
        0.12,
        'How well the events of such a window must follow the map: many of them are noise.',
        ge=0.0,
        le=1.0,
    )
    lost_std_rad: float = param(
        0.05, 'Orientation less certain than this, against the map, is lost and searched for, rad.',
        ge=1e-3, le=3.0,
    )  # fmt: skip
    max_disagreeing: int = param(
        10, 'Windows in a row that do not fit the map until the orientation counts as lost.', ge=1, le=1000
    )
    give_up_s: float = param(5.0, 'After searching so long a new map is begun, seconds.', ge=0.0)


@dataclass(frozen=True, slots=True)
class RotationSlamConfig:
    """Orientation by egomotion, corrected on a map of directions."""

    alignment_std_rad: float = param(
        3e-4, 'No alignment is claimed to be better than this, rad.', ge=1e-6, le=0.1
    )
    lag: EventLagConfig = field(default_factory=EventLagConfig)
    front: RotationOdometryConfig = field(default_factory=RotationOdometryConfig)
    map: DirectionMapConfig = field(default_factory=DirectionMapConfig)
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    long_window: LongWindowConfig = field(default_factory=LongWindowConfig)
    spline: SplineConfig = field(default_factory=SplineConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    relocalisation: RelocalisationConfig = field(default_factory=RelocalisationConfig)
