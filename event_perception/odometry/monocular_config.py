# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of monocular odometry."""

from dataclasses import dataclass, field
from typing import Literal

from event_perception.config import param
from event_perception.odometry.edge_climbing import ClimbingConfig
from event_perception.odometry.live_scale import LiveScaleConfig
from event_perception.odometry.motion_filter import MotionConfig
from event_perception.odometry.semi_dense_depth import SemiDenseConfig
from event_perception.odometry.view_search import ViewSearchConfig


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """When a map is built, and from what. Lengths are parts of the median depth."""

    least_baseline: float = param(
        0.1, 'No map is built from a stretch that the camera did not move this far in.', ge=0.01, le=1.0
    )
    start_baseline: float = param(
        0.02,
        'The same, and the distance that asks for a new map, until tracking has settled.',
        ge=0.01,
        le=1.0,
    )
    least_shift: float = param(0.1, 'Distance to the last map that asks for a new one.', ge=0.01, le=1.0)
    least_turn_rad: float = param(0.3, 'Turn against the last map that asks for a new one, rad.', ge=0.01)
    least_visible: float = param(
        0.7, 'A smaller visible share of the maps asks for a new one.', ge=0.0, le=1.0
    )
    new_events: int = param(20_000, 'Events that must be new since the last map.', ge=100)
    least_events: int = param(60_000, 'A stretch has at least so many events.', ge=100)
    most_events: int = param(300_000, 'Most events of a stretch, evenly chosen.', ge=1000)
    most_s: float = param(3.0, 'Longest stretch, seconds.', ge=0.05, le=60.0)
    packet: int = param(512, 'Events that share a pose.', ge=16, le=65_536)
    planes: int = param(100, 'Planes of inverse depth.', ge=10, le=500)
    nearest: float = param(0.3, 'Nearest plane, times the median depth.', ge=0.01, le=1.0)
    farthest: float = param(3.0, 'Farthest plane, times the median depth.', ge=1.0, le=100.0)


@dataclass(frozen=True, slots=True)
class MonocularConfig:
    """Six degrees of freedom from events and a gyroscope."""

    assumed_depth_m: float = param(
        2.0, 'Depth of the plane on which the first points are put; sets the unit of length.', ge=0.01
    )
    scale: Literal['assumed', 'imu'] = param(
        'assumed', 'Whether the unit of length stays assumed or is corrected after the accelerometer.'
    )
    step_s: float = param(
        0.02, 'Shorter windows are tracked together, once so much time has gone by, s.', ge=1e-3, le=0.2
    )
    window_events: int = param(8000, 'Most events of a step that are used, evenly chosen.', ge=100)
    map_delay_s: float = param(
        0.06, 'A map is made in the background and tracked on so long after it was begun, s.', ge=0.0, le=2.0
    )
    start_delay_s: float = param(0.02, 'The same until tracking has settled.', ge=0.0, le=2.0)
    tries_before_start: int = param(10, 'Steps of looking for lost maps before a new start.', ge=0, le=1000)
    least_events: int = param(1000, 'A step with fewer events does not tell the pose.', ge=10)
    maps: int = param(3, 'Maps that are tracked on, the newest.', ge=1, le=20)
    map_points: int = param(2000, 'Most points of a map, those with most votes.', ge=100, le=100_000)
    least_points: int = param(300, 'Visible points without which the pose counts as not measured.', ge=10)
    least_height: float = param(
        0.012,
        'How high points must stand on the edges, mean over `height_s`; 0 is chance, 1 the top of every edge.',
        ge=-1.0,
        le=1.0,
    )
    settled_height: float = param(
        0.1, 'Having stood so high, tracking counts as settled after a start.', ge=-1.0, le=1.0
    )
    settled_maps: int = param(3, 'And having made so many maps.', ge=0, le=100)
    height_s: float = param(0.1, 'Time constant of that mean, s.', ge=1e-3, le=10.0)
    gyro_noise: float = param(
        5e-4, 'Noise of the turn by the gyroscope, rad in the root of a second.', ge=1e-6, le=1.0
    )
    free_noise: float = param(
        0.035, 'The same of the turn by egomotion, where there is no gyroscope.', ge=1e-6, le=1.0
    )
    bias_std_rad_s: float = param(0.01, 'Bias of the gyroscope at the start, rad/s.', ge=0.0, le=1.0)
    start_bias_std_rad_s: float = param(
        1e-3,
        'The same until tracking has settled: how far it is learnt from the first maps, rad/s.',
        ge=0.0,
        le=1.0,
    )
    patience_s: float = param(0.2, 'After so long without a good window tracking is lost, s.', ge=0.0)
    give_up_s: float = param(0.5, 'After so long without a good window a new map is begun, s.', ge=0.0)
    drift: float = param(0.015, 'Error of the position, part of the path.', ge=0.0, le=1.0)
    drift_rad_m: float = param(0.02, 'Error of the orientation per depth travelled, rad.', ge=0.0, le=1.0)
    scale_std: float = param(0.5, 'Relative error of the unit of length while it is assumed.', ge=0.0)
    lost_velocity_std_m_s: float = param(0.5, 'What the velocity may be while lost, m/s.', ge=1e-3, le=50.0)
    motion: MotionConfig = field(
        default_factory=lambda: MotionConfig(velocity_walk_m_s=1.4, bias_walk_rad_s=5e-4)
    )
    search: ViewSearchConfig = field(default_factory=ViewSearchConfig)
    live_scale: LiveScaleConfig = field(default_factory=LiveScaleConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    semi_dense: SemiDenseConfig = field(default_factory=SemiDenseConfig)
    climbing: ClimbingConfig = field(default_factory=ClimbingConfig)
