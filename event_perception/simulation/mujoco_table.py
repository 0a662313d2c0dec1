# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A table top of round and square things with shading, one of them moving, for MuJoCo; drawn at random."""

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.motion.camera import CameraModel
from event_perception.simulation import trajectories
from event_perception.simulation.dvs_config import dvs_preset
from event_perception.simulation.moving_picture import noise_picture
from event_perception.simulation.mujoco_scene import MujocoScene
from event_perception.simulation.rotations import DAVIS346
from event_perception.simulation.sequence import SimulatedSequence

KINDS = ('box', 'cylinder', 'ellipsoid')
PICTURE_PX, BALL_M, SWING_M, SWING_HZ = 512, 0.15, 0.5, 0.5
HEAD = """<mujoco>
  <visual><headlight active="0"/><quality offsamples="4"/></visual>
  <asset>
    <texture name="floor" type="2d" file="floor.png"/>
    <texture name="thing" type="cube" file="thing.png"/>
    <material name="floor" texture="floor" texrepeat="2 2" specular="0"/>
    <material name="thing" texture="thing" specular="0"/>
  </asset>
  <worldbody>
    <light directional="true" dir="0.3 0.4 -1" diffuse="0.6 0.6 0.6" ambient="0.35 0.35 0.35" castshadow="false"/>
    <geom name="floor" type="plane" size="4 4 0.1" material="floor"/>
    <body name="ball" pos="0 0 0.9">
      <joint name="swing" type="slide" axis="0 1 0"/>
      <joint name="spin" type="hinge" axis="0 0 1"/>
      <geom name="ball" type="sphere" size="{ball}" material="thing"/>
    </body>
"""


def mujoco_sequence(
    *, seed: int, duration_s: float = 0.5, camera: CameraModel = DAVIS346, things: int = 8
) -> SimulatedSequence:
    """A camera that circles the table; a ball swings and spins above it.

    Args:
        seed: Of the things, their pictures and the sensor.
        duration_s: Length; drawing takes about 50 ms a frame without a graphics card.
        camera: Pinhole calibration.
        things: How many stand on the table.

    Raises:
        PluginError: If mujoco is not installed.
    """
    scene_seed, dvs_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
    rng = np.random.default_rng(scene_seed)
    body = ''.join(_thing(rng) for _ in range(things))
    xml = HEAD.format(ball=BALL_M) + body + '  </worldbody>\n</mujoco>\n'
    assets = {name: _picture(int(rng.integers(1 << 31))) for name in ('floor.png', 'thing.png')}
    return SimulatedSequence(
        name='mujoco',
        scene=MujocoScene(xml, set_state=swing, assets=assets),
        trajectory=trajectories.orbit(duration_s=duration_s, radius_m=1.8, rate_rad_s=0.5, height_m=1.1),
        camera=camera,
        dvs=dvs_preset('clean', seed=dvs_seed, input_transfer='log', random_initial_phase=True),
        duration_s=duration_s,
    )


def swing(model: object, data: object, t_s: float) -> None:
    """Places of the ball: there and back along y, turning at 2 rad/s."""
    rate = 2 * np.pi * SWING_HZ
    data.qpos[:] = (SWING_M * np.sin(rate * t_s), 2.0 * t_s)  # type: ignore[attr-defined]
    data.qvel[:] = (SWING_M * rate * np.cos(rate * t_s), 2.0)  # type: ignore[attr-defined]


def _thing(rng: np.random.Generator) -> str:
    kind = KINDS[rng.integers(len(KINDS))]
    size: NDArray = rng.uniform(0.08, 0.25, 3)
    x, y = rng.uniform(-0.9, 0.9, 2)
    height = size[1] if kind == 'cylinder' else size[2]
    place = f'{x:.4f} {y:.4f} {height:.4f}'
    sizes = ' '.join(f'{s:.4f}' for s in size)
    return (
        f'    <geom type="{kind}" size="{sizes}" pos="{place}" euler="0 0 {rng.uniform(0, 90):.2f}" '
        'material="thing"/>\n'
    )


def _picture(seed: int) -> bytes:
    grey = 40 + 200 * noise_picture(seed, height=PICTURE_PX, width=PICTURE_PX)
    return bytes(cv2.imencode('.png', cv2.merge([np.rint(grey).astype(np.uint8)] * 3))[1])
