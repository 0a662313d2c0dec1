# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of a camera that turns and comes back: what a map of directions is for.

sway    turned to and fro by hand about one direction
tumble  turning smoothly into all directions, never the same way twice
turns   full turns about the vertical with a wobble, ending where they began
slow    like tumble at a sixth of the speed, with less texture
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from event_perception.errors import ConfigError
from event_perception.motion.camera import CameraModel
from event_perception.simulation.panorama import Panorama
from event_perception.simulation.rotations import DAVIS240, STUDY_DVS
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.textures import TextureConfig
from event_perception.simulation.trajectories import (
    LOOK_ALONG_X,
    SplineTrajectory,
    hand_held,
    random_rotation,
)

TURN_S = 7.5  # of one full turn


@dataclass(frozen=True)
class Tour:
    """How a camera turns, and how much texture it sees.

    Attributes:
        trajectory: From a generator of random numbers and a duration.
        contrast: Of the panorama; it sets the event rate.
    """

    trajectory: Callable[[np.random.Generator, float], SplineTrajectory]
    contrast: float = 0.3


def _sway(rng: np.random.Generator, duration_s: float) -> SplineTrajectory:
    return hand_held(rng, duration_s=duration_s, position_rms_m=0.0, rotation_rms_rad=0.25, bandwidth_hz=2.5)


def _tumble(rng: np.random.Generator, duration_s: float) -> SplineTrajectory:
    return random_rotation(rng, duration_s=duration_s, omega_rms_rad_s=1.2, bandwidth_hz=1.5)


def _slow(rng: np.random.Generator, duration_s: float) -> SplineTrajectory:
    return random_rotation(rng, duration_s=duration_s, omega_rms_rad_s=0.2, bandwidth_hz=1.0)


def _turns(rng: np.random.Generator, duration_s: float) -> SplineTrajectory:
    """Whole turns, as many as come closest to one in ``TURN_S``; the wobble fades at both ends."""
    wobble = hand_held(
        rng, duration_s=duration_s, position_rms_m=0.0, rotation_rms_rad=0.15, bandwidth_hz=1.5,
        orientation=Rotation.identity(),
    )  # fmt: skip
    knots = wobble.knots_s
    rate = 2 * np.pi * max(1, round(duration_s / TURN_S)) / duration_s
    fade = np.clip(np.minimum(knots, duration_s - knots), 0, 1)
    turned = Rotation.from_rotvec(np.outer(rate * knots, [0, 0, 1]))
    shaken = (
        Rotation.from_matrix(wobble.pose(knots)[:, :3, :3]).as_rotvec() * (fade**2 * (3 - 2 * fade))[:, None]
    )
    return SplineTrajectory(
        knots, np.zeros((knots.size, 3)), turned * LOOK_ALONG_X * Rotation.from_rotvec(shaken)
    )


TOURS = {'sway': Tour(_sway), 'tumble': Tour(_tumble), 'turns': Tour(_turns), 'slow': Tour(_slow, 0.2)}


def panorama_tour(
    name: str, *, seed: int, duration_s: float = 60.0, camera: CameraModel = DAVIS240
) -> SimulatedSequence:
    """A recording of one of the ``TOURS``; the same seed gives the same bytes.

    Raises:
        ConfigError: If the name is unknown.
    """
    if name not in TOURS:
        raise ConfigError(f'tour {name!r} is unknown; choose one of {sorted(TOURS)}')
    tour, seeds = TOURS[name], np.random.SeedSequence(seed).generate_state(3)
    return SimulatedSequence(
        name=name,
        scene=Panorama(TextureConfig(contrast=tour.contrast), seed=int(seeds[1]), focal_px=camera.fx),
        trajectory=tour.trajectory(np.random.default_rng(seeds[0]), duration_s),
        camera=camera,
        dvs=replace(STUDY_DVS, seed=int(seeds[2]), input_transfer='log'),
        duration_s=duration_s,
    )
