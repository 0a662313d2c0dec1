# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the egomotion stage."""

from dataclasses import dataclass, field
from typing import Literal

from event_perception.config import param
from event_perception.motion.newton import NewtonConfig


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """The search before the refinement: coarse bins see far, and a part of the events is enough there."""

    bin_sizes_px: tuple[float, ...] = param(
        (8.0,), 'Bin sizes of the search levels, coarse to fine, image pixels.', ge=1.0, le=64.0
    )
    min_events: int = param(1000, 'A search level has at least this many events, or all.', ge=10)
    max_events: int = param(
        3000, 'A search level has a quarter of the events, but at most this many.', ge=100, live=True
    )
    max_evaluations: int = param(6, 'Most evaluations of each start on a level.', ge=1, le=100)
    tolerance: float = param(0.05, 'A shorter step ends a level, bins at the end of the window.', ge=0.0)
    cold_radius_px: float = param(
        12.0, 'Cold starts lie at zero and this far from it along each axis, px at the window end.', ge=0.0
    )


@dataclass(frozen=True, slots=True)
class UncertaintyConfig:
    """How the covariance follows from the curvature; measured on simulated rotations with exact truth."""

    noise_factor: float = param(0.22, 'Scale of the part due to event noise.', ge=0.0)
    noise_floor: float = param(
        0.68, 'Neighbours per event of a window without any structure: what says nothing of motion.', ge=0.0
    )
    jerk_rad_s3: float = param(
        100.0, 'Unmodelled change of the angular acceleration, standard deviation, rad/s^3.', ge=0.0
    )


@dataclass(frozen=True, slots=True)
class RobustConfig:
    """Down-weighting of parts of the image that move by themselves."""

    iterations: int = param(
        0, 'Times that weights are set and the motion is solved again; 0: off.', ge=0, le=10, live=True
    )
    tile_px: float = param(16.0, 'Side of the tiles that are judged, image pixels.', ge=2.0)
    power: float = param(4.0, 'How fast the weight falls with lost sharpness.', ge=0.0, le=20.0)


@dataclass(frozen=True, slots=True)
class RigidConfig:
    """Rate and velocity together, where depth is given."""

    bin_sizes_px: tuple[float, ...] = param(
        (8.0, 4.0, 1.5, 1.0), 'Bin sizes of the levels, coarse to fine, image pixels.', ge=0.25, le=64.0
    )
    dense_events: int = param(15_000, 'Windows with fewer events go without the last level.', ge=1, live=True)
    search_every: int = param(3, 'All levels but the last take every n-th event.', ge=1, le=100)
    max_events: int = param(10_000, 'Most events used of a window, evenly chosen.', ge=100, live=True)
    independent_events: int = param(
        5000,
        'So many events tell what all of them do: more err together and are not taken for more knowledge.',
        ge=100,
    )
    tolerance: float = param(
        0.1, 'A shorter step ends the search on a level, bins at the end of the window.', ge=0.0
    )
    acceleration_m_s2: float = param(
        5.0, 'How much the velocity changes, standard deviation, m/s per second.', ge=1e-3, le=1000.0
    )


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """When an estimate may not be used."""

    min_events: int = param(300, 'A window with fewer events is not estimated.', ge=4, live=True)
    min_gain: float = param(
        1.02,
        'Least objective relative to zero motion, where the motion is visible.',
        ge=1.0,
        le=10.0,
        live=True,
    )
    visible_px: float = param(
        1.0, 'Motion at the window end below which sharpness says nothing, image pixels.', ge=0.0
    )
    max_sigma_px: float = param(
        1.0, 'Largest uncertainty of the motion at the window end, image pixels.', ge=0.01, live=True
    )
    max_rate_rad_s: float = param(60.0, 'A faster estimate is discarded, rad/s.', ge=0.1, le=1000.0)


@dataclass(frozen=True, slots=True)
class EgomotionConfig:
    """Angular velocity by contrast maximisation with weak Newton steps."""

    kernel: Literal['bilinear', 'rect', 'gaussian'] = param(
        'bilinear', 'How an event votes; bilinear and gaussian suit bins of 1 to 2 px, rect wants 2 px.'
    )
    own_votes: Literal['kept', 'removed'] = param(
        'kept', "Whether an event counts as its own neighbour; 'removed': only meetings of two events count."
    )
    hessian: Literal['exact', 'approximate'] = param(
        'approximate', 'Second derivatives; the approximate ones are faster and as good for the search.'
    )
    bin_size_px: float = param(1.5, 'Side of a bin in image pixels.', ge=0.25, le=32.0)
    max_bins: int = param(
        250_000, 'Bins grow in steps of two until the image has no more than this many.', ge=1000
    )
    margin: float = param(
        0.1, 'Border of the image of warped events on each side, as a fraction of the sensor.', ge=0.0, le=1.0
    )
    acceleration: bool = param(True, 'Estimate the change of the rate over the window as well.')
    acceleration_sigma_rad_s2: float = param(
        10.0, 'How much the angular acceleration changes from window to window, rad/s^2.', ge=1e-3
    )
    max_motion_px: float = param(
        40.0,
        'A window with more image motion is shortened to its newest events if the motion is known beforehand; '
        'else its rate is taken as constant, image pixels.',
        ge=1.0,
    )
    max_prior_age_s: float = param(
        0.1, 'A prior further than this from the reference instant is not used, seconds.', ge=0.0
    )
    uncertainty: UncertaintyConfig = field(default_factory=UncertaintyConfig)
    newton: NewtonConfig = field(default_factory=NewtonConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    robust: RobustConfig = field(default_factory=RobustConfig)
    rigid: RigidConfig = field(default_factory=RigidConfig)
    health: HealthConfig = field(default_factory=HealthConfig)
