# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Named recordings: a scene, a motion, a camera and a sensor that belong together."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from event_perception.errors import ConfigError
from event_perception.motion.camera import CameraModel
from event_perception.simulation import rooms, trajectories
from event_perception.simulation.dvs_config import DvsConfig, dvs_preset
from event_perception.simulation.planes import PlaneScene, Rectangle, facing
from event_perception.simulation.rotations import DAVIS240, DAVIS346, SETS, rotation_sequence, rotation_set
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.textures import TextureConfig
from event_perception.simulation.trajectories import LOOK_ALONG_X, SplineTrajectory

ROOM_DVS = dvs_preset('clean', threshold_on=0.3, threshold_off=0.3, random_initial_phase=True)
EYE_M = (-1.0, 0.0, 1.5)  # of the camera in the room


def room_sequence(
    *,
    seed: int,
    duration_s: float = 4.0,
    trajectory: SplineTrajectory | None = None,
    camera: CameraModel = DAVIS346,
    dvs: DvsConfig = ROOM_DVS,
    boxes: int = 3,
    panels: int = 5,
    walker_m_s: float = 0.0,
    texel_m: float = 0.008,
    name: str = 'room',
) -> SimulatedSequence:
    """A camera waved by hand in a furnished room: depth from about 1 to 3.5 m.

    Args:
        seed: Of everything random.
        duration_s: Length.
        trajectory: Motion to use instead of a random hand-held one.
        camera: Calibration.
        dvs: Pixels; its seed is replaced, its frames are logarithms.
        boxes: Boxes on the floor.
        panels: Panels in the air.
        walker_m_s: Top speed of a panel that moves on its own; 0: none.
        texel_m: Resolution of the textures.
        name: For reports.
    """
    motion_seed, scene_seed, dvs_seed = _seeds(seed)
    rng = np.random.default_rng(scene_seed)
    things = rooms.walls() + rooms.furniture(rng, boxes=boxes, panels=panels)
    if walker_m_s > 0:
        things.append(rooms.walker(rng, speed_m_s=walker_m_s))
    if trajectory is None:
        trajectory = trajectories.hand_held(
            np.random.default_rng(motion_seed),
            duration_s=duration_s,
            position_rms_m=0.12,
            rotation_rms_rad=0.12,
            centre_m=EYE_M,
        )
    return _sequence(name, things, trajectory, camera, dvs, duration_s, scene_seed, dvs_seed, texel_m)


def flow_clip(kind: str, *, seed: int, duration_s: float = 0.3, texel_m: float = 0.008) -> SimulatedSequence:
    """A short clip for optical flow, 346x260.

    Args:
        kind: ``occl`` sideways motion past near panels, ``fwd`` forward motion, ``indep`` slow sideways motion
            and a panel that moves the other way across the image, ``indep_slow`` slower still and a slower panel,
            ``gen`` fast turning and moving.
        seed: Of scene, sensor and details of the motion.
        duration_s: Length.
        texel_m: Resolution of the textures.

    Raises:
        ConfigError: If the kind is unknown.
    """
    motions = {
        'occl': ((0.0, -0.8, 0.1), (0.0, 0.0, 0.0)),
        'fwd': ((1.2, 0.0, 0.0), (0.0, 0.0, 0.0)),
        'indep': ((0.1, 0.4, 0.0), (0.0, 0.0, 0.0)),
        'indep_slow': ((0.1, -0.25, 0.0), (0.0, 0.0, 0.0)),
        'gen': ((0.6, -0.6, 0.3), (0.4, 1.0, -0.6)),
    }
    if kind not in motions:
        raise ConfigError(f'flow clip {kind!r} is unknown; choose one of {sorted(motions)}')
    velocity, omega = (np.asarray(m) for m in motions[kind])
    rng = np.random.default_rng(seed)
    t = np.linspace(-trajectories.MARGIN_S, duration_s + trajectories.MARGIN_S, 40)
    scale = rng.uniform(0.8, 1.2)
    path = np.asarray(EYE_M) + scale * velocity * t[:, None]
    turn = LOOK_ALONG_X * Rotation.from_rotvec(scale * omega * t[:, None])
    return room_sequence(
        seed=seed,
        duration_s=duration_s,
        trajectory=SplineTrajectory(t, path, turn),
        walker_m_s={'indep': 1.0, 'indep_slow': 0.5}.get(kind, 0.0),
        texel_m=texel_m,
        name=kind,
    )


def table_sequence(
    motion: str = 'orbit',
    *,
    seed: int,
    duration_s: float = 4.0,
    camera: CameraModel = DAVIS346,
    texel_m: float = 0.01,
) -> SimulatedSequence:
    """A camera that looks at boxes in the middle of a large room: one of ``TABLE_MOTIONS``.

    Raises:
        ConfigError: If the motion is unknown.
    """
    motions: dict[str, dict[str, float]] = {
        'orbit': {'radius_m': 1.5, 'rate_rad_s': 0.4},
        'orbit_fast': {'radius_m': 3.0, 'rate_rad_s': 0.8, 'height_m': 1.2},
        'orbit_varied': {
            'radius_m': 2.0,
            'rate_rad_s': 0.5,
            'rate_wobble': 0.5,
            'radial_m': 0.5,
            'radial_hz': 0.1,
        },
        'radial': {'radius_m': 2.0, 'rate_rad_s': 0.1, 'radial_m': 0.8, 'radial_hz': 0.2},
        'vertical': {'radius_m': 2.0, 'rate_rad_s': 0.1, 'vertical_m': 0.5, 'vertical_hz': 0.25},
    }
    if motion not in motions:
        raise ConfigError(f'motion {motion!r} is unknown; choose one of {sorted(motions)}')
    _, scene_seed, dvs_seed = _seeds(seed)
    rng = np.random.default_rng(scene_seed)
    things = rooms.walls((8.0, 8.0, 3.0))
    for _ in range(3):
        size = rng.uniform(0.25, 0.6, 3)
        x, y = rng.uniform(-0.5, 0.5, 2)
        things += rooms.box((x, y, size[2] / 2), (size[0], size[1], size[2]), rng.uniform(0, np.pi))
    path = trajectories.orbit(duration_s=duration_s, **motions[motion])
    return _sequence(motion, things, path, camera, ROOM_DVS, duration_s, scene_seed, dvs_seed, texel_m)


def loop_sequence(
    *,
    seed: int,
    duration_s: float = 24.0,
    rounds: float = 1.2,
    camera: CameraModel = DAVIS346,
    texel_m: float = 0.01,
) -> SimulatedSequence:
    """A camera carried round in the middle of a room, looking outwards: it comes back to where it began.

    Half-way round nothing is in view that was seen at the start; walls are 2 to 3.5 m away.
    """
    motion_seed, scene_seed, dvs_seed = _seeds(seed)
    trajectory = trajectories.walked_round(
        np.random.default_rng(motion_seed), duration_s=duration_s, rounds=rounds
    )
    things = rooms.walls((6.4, 6.0, 2.8))
    return _sequence('loop', things, trajectory, camera, ROOM_DVS, duration_s, scene_seed, dvs_seed, texel_m)


def slider_sequence(
    *,
    seed: int,
    duration_s: float = 2.0,
    speed_m_s: float = 0.3,
    depth_m: float = 0.6,
    camera: CameraModel = DAVIS240,
    texel_m: float = 0.003,
) -> SimulatedSequence:
    """A camera that slides sideways before one textured plane."""
    _, scene_seed, dvs_seed = _seeds(seed)
    length = 2.0 * depth_m * camera.width / camera.fx + speed_m_s * duration_s + 1.0
    poster = facing((depth_m, 0.0, 0.0), (0.0, 0.0, 0.0), (length, 2.0))
    texture = TextureConfig(largest=0.2, smallest=0.01, shapes_per_unit=150.0, shape_size=0.03)
    t = np.linspace(-trajectories.MARGIN_S, duration_s + trajectories.MARGIN_S, 40)
    path = np.stack([0 * t, -speed_m_s * (t - duration_s / 2), 0 * t], axis=-1)
    trajectory = SplineTrajectory(t, path, LOOK_ALONG_X * Rotation.from_rotvec(np.zeros((40, 3))))
    things = [replace(poster, texture=texture)]
    return _sequence(
        'slider', things, trajectory, camera, ROOM_DVS, duration_s, scene_seed, dvs_seed, texel_m
    )


def file_sequence(
    path: str | Path,
    *,
    seed: int,
    duration_s: float = 4.0,
    start_s: float = 0.0,
    camera: CameraModel = DAVIS346,
    texel_m: float = 0.008,
) -> SimulatedSequence:
    """The room, seen along a measured trajectory (TUM or ECD groundtruth.txt); its first pose goes to the eye.

    The first optical axis is laid along world x, so gravity is not that of the recording.
    """
    measured = trajectories.from_file(path, start_s=start_s, duration_s=duration_s)
    centred = trajectories.moved_to(measured, EYE_M, LOOK_ALONG_X)
    return room_sequence(
        seed=seed, duration_s=duration_s, trajectory=centred, camera=camera, texel_m=texel_m, name='file'
    )


def _mujoco_sequence(**arguments: Any) -> SimulatedSequence:
    """The table of ``mujoco_table``; MuJoCo is an extra and is loaded only here."""
    from event_perception.simulation.mujoco_table import mujoco_sequence

    return mujoco_sequence(**arguments)


TABLE_MOTIONS = ('orbit', 'orbit_fast', 'orbit_varied', 'radial', 'vertical')

_BUILDERS: dict[str, Callable[..., SimulatedSequence]] = {
    'loop': loop_sequence,
    'mujoco': lambda **k: _mujoco_sequence(**k),
    'room': room_sequence,
    'room_walker': lambda **k: room_sequence(walker_m_s=1.0, name='room_walker', **k),
    'rotation': rotation_sequence,
    'slider': slider_sequence,
    **{n: (lambda n=n, **k: rotation_set(n, **k)) for n in SETS},
    **{n: (lambda n=n, **k: flow_clip(n, **k)) for n in ('occl', 'fwd', 'indep', 'indep_slow', 'gen')},
    **{n: (lambda n=n, **k: table_sequence(n, **k)) for n in TABLE_MOTIONS},
}


def names() -> list[str]:
    """What ``create`` knows."""
    return sorted(_BUILDERS)


def create(name: str, *, seed: int = 0, duration_s: float | None = None) -> SimulatedSequence:
    """A named recording.

    Args:
        name: One of ``names()``.
        seed: Of everything random: the same seed gives the same bytes.
        duration_s: Length; the usual one of this recording when None.

    Raises:
        ConfigError: If the name is unknown.
    """
    if name not in _BUILDERS:
        raise ConfigError(f'scene {name!r} is unknown; choose one of {names()}')
    return _BUILDERS[name](seed=seed, **({} if duration_s is None else {'duration_s': duration_s}))


def _seeds(seed: int) -> tuple[int, int, int]:
    """Independent seeds of motion, scene and sensor."""
    motion, scene, dvs = (int(s) for s in np.random.SeedSequence(seed).generate_state(3))
    return motion, scene, dvs


def _sequence(
    name: str,
    things: list[Rectangle],
    trajectory: SplineTrajectory,
    camera: CameraModel,
    dvs: DvsConfig,
    duration_s: float,
    scene_seed: int,
    dvs_seed: int,
    texel_m: float,
) -> SimulatedSequence:
    return SimulatedSequence(
        name=name,
        scene=PlaneScene(things, seed=scene_seed, texel_m=texel_m),
        trajectory=trajectory,
        camera=camera,
        dvs=replace(dvs, seed=dvs_seed, input_transfer='log'),
        duration_s=duration_s,
    )
