# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings of a camera that only turns, for the study of rotational egomotion."""

from dataclasses import dataclass, replace

import numpy as np

from event_perception.errors import ConfigError
from event_perception.motion.camera import CameraModel
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset
from event_perception.simulation.panorama import Panorama
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.textures import TextureConfig
from event_perception.simulation.trajectories import random_rotation

DAVIS240 = CameraModel(fx=200.0, fy=200.0, cx=119.5, cy=89.5, height=180, width=240)
DAVIS346 = CameraModel(fx=260.0, fy=260.0, cx=172.5, cy=129.5, height=260, width=346)
# the sensor of the accuracy study: mismatch, 0.5 Hz noise, 0.1 ms jitter; no bandwidth limit, no dead time
STUDY_DVS = dvs_preset(
    'ideal',
    threshold_on=0.25,
    threshold_off=0.25,
    threshold_sigma=0.03,
    shot_noise_rate_hz=0.5,
    shot_noise_bright_factor=1.0,
    random_initial_phase=True,
    time_jitter_s=1e-4,
    input_transfer='log',
)


@dataclass(frozen=True)
class RotationSet:
    """A named kind of rotation: how fast, how much texture, and how long 20 000 events last about.

    Attributes:
        omega_rms_deg_s: Root mean square over time and axes.
        contrast: Of the panorama; it sets the event rate.
        window_s: Duration of 20 000 events, mean over a recording.
        camera: Calibration.
    """

    omega_rms_deg_s: float
    contrast: float
    window_s: float
    camera: CameraModel


SETS = {
    'synA': RotationSet(125.0, 0.42, 5.1e-3, DAVIS346),
    'synB': RotationSet(59.0, 0.30, 34.6e-3, DAVIS240),
    'synC': RotationSet(92.0, 0.32, 10.1e-3, DAVIS346),
}


def rotation_sequence(
    *,
    seed: int,
    duration_s: float = 2.0,
    omega_rms_rad_s: float = 1.0,
    bandwidth_hz: float = 2.0,
    camera: CameraModel = DAVIS240,
    texture: TextureConfig | None = None,
    dvs: DvsConfig = STUDY_DVS,
    max_motion_px: float = 0.5,
    name: str = 'rotation',
) -> SimulatedSequence:
    """A camera that turns smoothly and randomly inside a textured sphere.

    Args:
        seed: Of panorama, motion, thresholds and noise: the same seed gives the same bytes.
        duration_s: Length.
        omega_rms_rad_s: Root mean square of the angular velocity over the recording and its three axes.
        bandwidth_hz: Highest frequency in the angular velocity.
        camera: Calibration.
        texture: Look of the panorama, lengths in radians.
        dvs: Pixels; its seed is replaced, its frames are logarithms.
        max_motion_px: Largest image motion between rendered frames.
        name: For reports.
    """
    seeds = np.random.SeedSequence(seed).generate_state(3)
    trajectory = random_rotation(
        np.random.default_rng(seeds[0]),
        duration_s=duration_s,
        omega_rms_rad_s=omega_rms_rad_s,
        bandwidth_hz=bandwidth_hz,
    )
    return SimulatedSequence(
        name=name,
        scene=Panorama(texture or TextureConfig(), seed=int(seeds[1]), focal_px=camera.fx),
        trajectory=trajectory,
        camera=camera,
        dvs=replace(dvs, seed=int(seeds[2]), input_transfer='log'),
        duration_s=duration_s,
        max_motion_px=max_motion_px,
    )


def rotation_set(name: str, *, seed: int, duration_s: float = 2.0) -> SimulatedSequence:
    """A recording like the sets of the accuracy study.

    Args:
        name: ``synA`` (125 deg/s, 20 000 events in about 5 ms), ``synB`` (59 deg/s, 35 ms) or ``synC``
            (92 deg/s, 10 ms).
        seed: Of everything random.
        duration_s: Length.

    Raises:
        ConfigError: If the name is unknown.
    """
    if name not in SETS:
        raise ConfigError(f'rotation set {name!r} is unknown; choose one of {sorted(SETS)}')
    chosen = SETS[name]
    return rotation_sequence(
        seed=seed,
        duration_s=duration_s,
        omega_rms_rad_s=float(np.deg2rad(chosen.omega_rms_deg_s)),
        camera=chosen.camera,
        texture=TextureConfig(contrast=chosen.contrast),
        name=name,
    )
