# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The whole chain as one differentiable function, junction by junction.

    body poses --mount--> camera poses --PlaneLight--> pinhole frames --LensRenderer--> light on the sensor
      --Photoreceptor--> log light --expected_events, weak binning--> slices --SliceEgomotion--> angular rate

``hard_slices`` replaces the relaxed sensor by the compiled emulator: what a design is judged by.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_perception.errors import DataError
from event_perception.events import concatenate
from event_perception.motion.camera import CameraModel
from event_perception.optics.lens import Lens
from event_perception.optics.mount import Mount
from event_perception.optics.render import LensRenderConfig, LensRenderer
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset
from event_perception.simulation.event_image import TimeBins, image_of
from event_perception.simulation.expected_events import WeightedEvents, expected_events
from event_perception.simulation.photoreceptor import Photoreceptor
from event_perception.simulation.plane_light import PlaneLight
from event_perception.simulation.threshold_spread import ThresholdSpread

DARKEST = 1e-3  # of white; a lens adds no negative light, and a sensor has a dark current


@dataclass(frozen=True, eq=False)
class Clip:
    """One window of motion before a scene.

    Attributes:
        light: Renders the scene.
        T_world_body: (F, 4, 4) poses of the body.
        omega_body: (3,) true angular rate at the middle, rad/s, body frame.
    """

    light: PlaneLight
    T_world_body: Tensor
    omega_body: Tensor


def pose_of(mount: Mount, *, body_radius_m: float = 0.0) -> Tensor:
    """T_body_camera (4, 4) of a mount.

    Args:
        mount: Attached to what it was made from.
        body_radius_m: Of a ball about the origin of the body in which no camera can be.

    Raises:
        DataError: If the mount is not finite or lies inside the body.
    """
    distance = float(mount.position_m.detach().norm())
    if not (math.isfinite(distance) and bool(torch.isfinite(mount.rotation).all())):
        raise DataError('the pose of the mount is not finite; check the turn and shift that made it')
    if distance < body_radius_m:
        raise DataError(
            f'mount {distance:.3f} m from the centre is inside the body of radius {body_radius_m:g} m; move it out'
        )
    top = torch.cat([mount.rotation, mount.position_m[:, None]], 1)
    return torch.cat([top, torch.tensor([[0.0, 0.0, 0.0, 1.0]]).to(top)])


def on_sensor(
    frames: Tensor, lens: Lens, camera: CameraModel, config: LensRenderConfig, pupil_mm: float
) -> Tensor:
    """Light behind a lens, (..., H, W) float64, relative to white; convolved in the type of the frames."""
    renderer = LensRenderer(lens, camera, config, exposure_pupil_mm=pupil_mm, dtype=frames.dtype)
    flat = frames.flatten(0, -3) if frames.ndim > 3 else frames
    return renderer.render(flat).reshape(frames.shape).to(torch.float64).clamp(min=DARKEST)


def log_light(light: Tensor, t_s: NDArray[np.float64], config: DvsConfig) -> Tensor:
    """What a pixel compares, (F, ...): linear light through the photoreceptor."""
    pixel = Photoreceptor(config)
    steps = np.diff(t_s, prepend=t_s[0])
    return torch.stack([pixel.push(frame, float(step)) for frame, step in zip(light, steps)])


def expected_slices(
    light: Tensor,
    t_s: NDArray[np.float64],
    spread: ThresholdSpread,
    bins: TimeBins,
    config: DvsConfig,
    *,
    samples: int,
    lines: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Expected slices (B, S, H, W) of B clips (B, F, H, W), and expected events a pixel (B,), attached."""
    slices, counts = [], []
    for clip in light:
        events = expected_events(
            log_light(clip, t_s, config), t_s, spread, samples=samples, lines=lines, seed=seed
        )
        slices.append(image_of(events, bins))
        counts.append(events.weight.sum() / (events.height * events.width))
    return torch.stack(slices), torch.stack(counts)


def hard_slices(
    light: Tensor, t_s: NDArray[np.float64], bins: TimeBins, config: DvsConfig
) -> tuple[Tensor, NDArray[np.float64]]:
    """Slices of the events of the compiled emulator, and events a pixel; every clip has a sensor of its own seed."""
    slices, counts = [], []
    for k, clip in enumerate(light.detach().numpy()):
        size = {'height': clip.shape[1], 'width': clip.shape[2]}
        emulator = DvsEmulator(**size, config=replace(config, seed=config.seed * 1000 + k))
        events = concatenate([emulator.push(f, round(t * 1e9)) for f, t in zip(clip, t_s)])
        pixel = torch.as_tensor(events.y.astype(np.int64) * size['width'] + events.x)
        p, ones = torch.as_tensor(events.p.astype(np.int64)), torch.ones(len(events), dtype=torch.float64)
        t = torch.as_tensor(events.t_ns * 1e-9)
        slices.append(image_of(WeightedEvents(t, pixel, p, ones, 0, **size), bins))
        counts.append(len(events) / pixel_count(size))
    return torch.stack(slices), np.array(counts)


def pixel_count(size: dict[str, int]) -> int:
    """Of a sensor."""
    return size['height'] * size['width']


def sensor_config(threshold: float, sigma: float, *, shot_noise_hz: float, seed: int) -> DvsConfig:
    """The hard sensor of the chain: mismatch, noise, a reference anywhere; linear light in."""
    return dvs_preset(
        'ideal', input_transfer='linear', threshold_on=threshold, threshold_off=threshold, threshold_sigma=sigma,
        shot_noise_rate_hz=shot_noise_hz, random_initial_phase=True, time_resolution_ns=1000, seed=seed,
        linlog_knee_dn=1.0,
    )  # fmt: skip
