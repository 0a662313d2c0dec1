# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A data set for training: five camera trajectories around a table, with everything there is to know.

A folder a trajectory, ``0_orbit`` to ``4_vertical`` (orbits at two radii and speeds, one that varies in both, radial
and vertical oscillation), each in a room of its own. In it, for n frames:

``images.npy`` uint8 (n, H, W), linear light, white = 255; ``depth_m.npy`` float32 (n, H, W); ``flow_px.npy`` float32
(n - 1, H, W) x 2, where what a pixel of frame k shows lies in frame k + 1, minus where it is, channel 0 = x (nan
behind the camera; nothing is said about cover); ``surface.npy`` int16 (n, H, W), which rectangle of
``surfaces.json`` each pixel shows, -1 for none; ``T_world_camera.npy`` (n, 4, 4); ``twist.npy`` (n, 6) as
v in m/s, omega in rad/s, camera frame; ``t_ns.npy``; ``segment_id.npy``, the number of the trajectory, so that a
window that spans two can be told; ``events.npz`` with t_ns, x, y, p.

A trajectory appears under its name when it is complete, so a second call goes on where the first was stopped.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.motion.camera import CameraModel
from event_perception.simulation.export import grey_image
from event_perception.simulation.planes import PlaneScene
from event_perception.simulation.scenes import TABLE_MOTIONS, table_sequence
from event_perception.simulation.sequence import SimulatedSequence
from event_perception.simulation.truth import displacement

FORMAT = 1
PAUSE_NS = 1_000_000_000  # between trajectories: no time is used twice
DESCRIPTION, CHECKSUMS = 'dataset.json', 'SHA256SUMS'


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """Size of the data set."""

    frames: int = param(600, 'Frames of every trajectory.', ge=2)
    rate_hz: float = param(60.0, 'Frames a second.', ge=1.0)
    height: int = param(256, 'Rows.', ge=8, le=2048)
    width: int = param(256, 'Columns.', ge=8, le=2048)
    view_rad: float = param(1.0472, 'Horizontal field of view, rad.', ge=0.2, le=2.5)
    texel_m: float = param(0.01, 'Resolution of the textures, m.', ge=0.001)


def write_dataset(folder: Path, *, seed: int = 0, config: DatasetConfig | None = None) -> dict[str, Any]:
    """Write the five trajectories, or those that an earlier call with the same arguments did not finish.

    Args:
        folder: A folder that does not exist yet, or one that such a call left incomplete.
        seed: Of everything random: equal arguments give equal bytes.
        config: Size.

    Returns:
        What was written.

    Raises:
        DataError: If the folder is complete, or holds anything but the same data set.
    """
    config = config or DatasetConfig()
    _claim(folder, {'format': FORMAT, 'seed': seed, **asdict(config), 'trajectories': list(TABLE_MOTIONS)})
    events = 0
    for number, motion in enumerate(TABLE_MOTIONS):
        final = folder / f'{number}_{motion}'
        if not final.exists():
            partial = folder / f'{final.name}.partial'
            if partial.exists():
                shutil.rmtree(partial)  # of an earlier call that was stopped
            partial.mkdir()
            _write_trajectory(partial, trajectory(number, seed, config), number, config)
            partial.rename(final)
        with np.load(final / 'events.npz') as columns:
            events += len(columns['p'])
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    sums = ''.join(f'{_sha256(path)}  {path.relative_to(folder).as_posix()}\n' for path in files)
    (folder / CHECKSUMS).write_text(sums, encoding='ascii')
    n = len(TABLE_MOTIONS)
    return {'trajectories': n, 'frames': n * config.frames, 'events': events, 'written': str(folder)}


def trajectory(number: int, seed: int, config: DatasetConfig) -> SimulatedSequence:
    """The sequence of one trajectory; it starts one second after the last frame of the one before."""
    focal = 0.5 * config.width / np.tan(0.5 * config.view_rad)
    camera = CameraModel(
        fx=focal, fy=focal, cx=0.5 * (config.width - 1), cy=0.5 * (config.height - 1),
        height=config.height, width=config.width,
    )  # fmt: skip
    own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    made = table_sequence(
        TABLE_MOTIONS[number],
        seed=own_seed,
        duration_s=(config.frames - 1) / config.rate_hz,
        camera=camera,
        texel_m=config.texel_m,
    )
    return replace(made, start_ns=number * (round(config.frames * 1e9 / config.rate_hz) + PAUSE_NS))


def _claim(folder: Path, description: dict[str, Any]) -> None:
    """Make the folder, or see that it is the same data set, not complete."""
    text = json.dumps(description, indent=2) + '\n'
    if folder.exists():
        there = folder / DESCRIPTION
        if not there.is_file() or there.read_text(encoding='ascii') != text:
            raise DataError(
                f'{folder} exists and is not this data set; data is never overwritten: give a new folder'
            )
        if (folder / CHECKSUMS).exists():
            raise DataError(f'{folder} is complete; give a new folder')
        return
    folder.mkdir(parents=True)
    (folder / DESCRIPTION).write_text(text, encoding='ascii')


def _write_trajectory(folder: Path, sequence: SimulatedSequence, number: int, config: DatasetConfig) -> None:
    t_ns = sequence.start_ns + np.rint(np.arange(config.frames) * (1e9 / config.rate_hz)).astype(np.int64)
    t_ns[-1] = min(t_ns[-1], sequence.end_ns)
    poses = sequence.pose(t_ns)
    _save(folder, 't_ns', t_ns)
    _save(folder, 'segment_id', np.full(t_ns.size, number, np.int16))
    _save(folder, 'T_world_camera', poses)
    _save(folder, 'twist', np.concatenate([sequence.v(t_ns), sequence.omega(t_ns)], axis=1))
    c = sequence.camera
    _save(folder, 'camera_matrix', np.array([[c.fx, 0, c.cx], [0, c.fy, c.cy], [0, 0, 1]]))
    _write_fields(folder, sequence, t_ns, poses)
    parts = list(sequence.chunks())
    t, x, y, p = (np.concatenate([getattr(e, name) for e in parts]) for name in ('t_ns', 'x', 'y', 'p'))
    np.savez(folder / 'events.npz', t_ns=t, x=x, y=y, p=p)
    _write_surfaces(folder / 'surfaces.json', sequence)


def _write_fields(folder: Path, sequence: SimulatedSequence, t_ns: NDArray, poses: NDArray) -> None:
    """Everything that has a value at every pixel, frame by frame."""
    n, size = t_ns.size, (sequence.camera.height, sequence.camera.width)
    images = _array(folder, 'images', np.uint8, (n, *size))
    depths = _array(folder, 'depth_m', np.float32, (n, *size))
    surfaces = _array(folder, 'surface', np.int16, (n, *size))
    flows = _array(folder, 'flow_px', np.float32, (n - 1, 2, *size))
    for k, t in enumerate(t_ns):
        images[k] = grey_image(sequence, int(t))
        depths[k] = sequence.depth(int(t)).depth_m
        surfaces[k] = _table(sequence).surface(sequence.camera, poses[k], (int(t) - sequence.start_ns) * 1e-9)
        if k + 1 < n:
            flows[k] = displacement(sequence.camera, depths[k], poses[k], poses[k + 1])


def _write_surfaces(path: Path, sequence: SimulatedSequence) -> None:
    """Place, size and texture of every rectangle, in the order of the surface numbers."""
    rectangles = [asdict(rectangle) for rectangle in _table(sequence).rectangles]
    path.write_text(json.dumps(rectangles, indent=1, default=float) + '\n', encoding='ascii')


def _table(sequence: SimulatedSequence) -> PlaneScene:
    if not isinstance(sequence.scene, PlaneScene):
        raise DataError(f'{sequence.name}: {type(sequence.scene).__name__} has no numbered surfaces')
    return sequence.scene


def _array(folder: Path, name: str, dtype: type, shape: tuple[int, ...]) -> NDArray:
    return np.lib.format.open_memmap(folder / f'{name}.npy', mode='w+', dtype=dtype, shape=shape)


def _save(folder: Path, name: str, array: NDArray) -> None:
    np.save(folder / f'{name}.npy', array)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        for block in _blocks(file):
            digest.update(block)
    return digest.hexdigest()


def _blocks(file: Any) -> Iterator[bytes]:
    while block := file.read(1 << 20):
        yield block
