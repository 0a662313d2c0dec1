# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a run can be compared with, recognised by content: another run, bags, trajectories, gyro files, flow, images."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.io.bag_poses import is_bag, poses_of_bag
from event_perception.io.egomotion_csv import read_egomotion
from event_perception.io.flow_truth import DSEC_TIMES
from event_perception.io.trajectory import Trajectory, read_trajectory

RATE_STEP_S = 0.02  # span over which poses are differentiated: motion capture at 200 Hz is too noisy below it


@dataclass(frozen=True, eq=False)
class AngularVelocity:
    """Angular velocity over time: ``t_s`` (n,), ``omega_rad_s`` (n, 3) in the camera frame, and its origin."""

    t_s: NDArray[np.float64]
    omega_rad_s: NDArray[np.float64]
    source: str

    def at(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Linear interpolation (m, 3); nan outside the span."""
        columns = [
            np.interp(t_s, self.t_s, column, left=np.nan, right=np.nan) for column in self.omega_rad_s.T
        ]
        return np.stack(columns, axis=1)


@dataclass(frozen=True, eq=False)
class Reference:
    """What was found: any of angular velocity, a mean angular velocity, a trajectory, folders of flow, images."""

    omega: AngularVelocity | None = None
    mean_omega_rad_s: NDArray[np.float64] | None = None
    trajectory: Trajectory | None = None
    flow: Path | None = None
    images: Path | None = None


def seconds(t_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Times as float64 seconds: exact to a microsecond even since 1970, enough to interpolate."""
    return t_ns.astype(np.float64) * 1e-9


def find_reference(path: Path, topic: str | None = None) -> Reference:
    """Look at a file or folder and say what it offers as truth.

    Args:
        path: A file or a folder.
        topic: Of the poses, for a bag that has several; None for the first by name, poses before odometry.

    Raises:
        DataError: If nothing in it can serve as a reference.
    """
    if not path.exists():
        raise DataError(f'{path}: no such file or folder to compare with')
    if is_bag(path):
        return _from_bag(path, topic)
    found = _from_folder(path) if path.is_dir() else _from_file(path)
    if all(getattr(found, f.name) is None for f in fields(found)):
        raise DataError(
            f'{path} holds no reference; known: egomotion.csv, trajectory.tum or another TUM file, '
            'groundtruth.txt, imu.txt, motion.txt, flow/*.npz, forward_timestamps.txt of DSEC-Flow, '
            'npz of MVSEC, images/<t_ns>.png or .npy, a bag with poses'
        )
    return found


def _from_folder(folder: Path) -> Reference:
    file = _first(folder, ('trajectory.tum', 'groundtruth.txt', 'groundtruth.tum'))
    trajectory = None if file is None else read_trajectory(file)
    omega: AngularVelocity | None = None
    if (folder / 'egomotion.csv').is_file():
        omega = _from_csv(folder / 'egomotion.csv')
    elif (folder / 'imu.txt').is_file():
        omega = _from_imu_file(folder / 'imu.txt')
    elif file is not None and trajectory is not None:
        omega = _from_poses(trajectory, file.name)
    mean = folder / 'motion.txt'
    return Reference(
        omega,
        np.loadtxt(mean).reshape(3) if mean.is_file() else None,
        trajectory,
        _flow(folder),
        next((place for place in (folder / 'images', folder) if image_files(place)), None),
    )


def image_files(folder: Path) -> dict[int, Path]:
    """Pictures of a folder that are named by their instants, ns to file; of two forms the float one."""
    files = (path for kind in ('*.png', '*.npy') for path in folder.glob(kind))
    return {int(path.stem): path for path in files if path.stem.isdigit()}


def _flow(folder: Path) -> Path | None:
    """Flow that a folder holds: of DSEC, itself or below it, or files as a run writes them."""
    for place in (folder, folder / 'flow'):
        if (place / DSEC_TIMES).is_file():
            return place
    return folder / 'flow' if (folder / 'flow').is_dir() else None


def _from_file(path: Path) -> Reference:
    if path.suffix == '.npz':
        return Reference(flow=path)
    first = path.read_text(encoding='utf-8', errors='replace').partition('\n')[0]
    if first.startswith('t_s,wx_rad_s'):
        return Reference(omega=_from_csv(path))
    trajectory = read_trajectory(path)
    return Reference(omega=_from_poses(trajectory, path.name), trajectory=trajectory)


def _from_bag(path: Path, topic: str | None) -> Reference:
    found = poses_of_bag(path, topic)
    return Reference(omega=_from_poses(found.trajectory, found.topic), trajectory=found.trajectory)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _from_csv(path: Path) -> AngularVelocity:
    table = read_egomotion(path)
    return AngularVelocity(seconds(table.t_ns), table.omega_rad_s, path.name)


def _from_imu_file(path: Path) -> AngularVelocity:
    """ECD layout: t ax ay az gx gy gz."""
    rows = np.loadtxt(path, ndmin=2)
    return AngularVelocity(rows[:, 0], rows[:, 4:7], path.name)


def _from_poses(trajectory: Trajectory, name: str) -> AngularVelocity | None:
    """Body rates from a trajectory by central differences over ``RATE_STEP_S``; None if it has no two poses."""
    if len(trajectory) < 2:
        return None
    t_s = seconds(trajectory.t_ns - trajectory.t_ns[0])
    step = max(1, round(RATE_STEP_S / float(np.median(np.diff(t_s)))))
    rotation = Rotation.from_matrix(trajectory.T_world_body[:, :3, :3])
    turned = (rotation[:-step].inv() * rotation[step:]).as_rotvec()
    omega = turned / (t_s[step:] - t_s[:-step])[:, None]
    middle = (t_s[step:] + t_s[:-step]) / 2 + float(trajectory.t_ns[0]) * 1e-9
    return AngularVelocity(middle, omega, f'{name}, differentiated over {RATE_STEP_S * 1e3:g} ms')
