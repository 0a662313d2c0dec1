# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Motions of a wheeled robot on a floor: a drawn figure of eight, or a recorded trajectory."""

import math
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from event_perception.errors import DataError
from event_perception.io.trajectory import read_trajectory
from event_perception.optics.information import Motion


def figure_eight(
    samples: int, *, length_m: float, width_m: float, speed_m_s: float, floor_to_base_m: float = 0.0
) -> Motion:
    """A robot that drives a lemniscate x = a sin s, y = b sin s cos s at constant speed.

    It heads where it drives, so v = (speed, 0, 0) and w = (0, 0, yaw rate).

    Args:
        samples: Instants, evenly spaced along the path.
        length_m: Full extent along x.
        width_m: Full extent along y.
        speed_m_s: Speed.
        floor_to_base_m: Height of the base frame over the floor z = 0.
    """
    a, b = length_m / 2, width_m
    s = np.linspace(0, 2 * math.pi, 4001)
    path_m = np.concatenate(
        [[0], np.cumsum(np.hypot(a * np.diff(np.sin(s)), b * np.diff(np.sin(s) * np.cos(s))))]
    )
    at = np.interp((np.arange(samples) + 0.5) / samples * path_m[-1], path_m, s)
    dx, dy = a * np.cos(at), b * np.cos(2 * at)
    ddx, ddy = -a * np.sin(at), -2 * b * np.sin(2 * at)
    curvature = (dx * ddy - dy * ddx) / (dx**2 + dy**2) ** 1.5
    yaw = np.arctan2(dy, dx)
    zero = np.zeros(samples)
    return _motion(
        Rotation.from_rotvec(yaw[:, None] * (0.0, 0.0, 1.0)).as_matrix(),
        np.stack([a * np.sin(at), b * np.sin(at) * np.cos(at), zero + floor_to_base_m], 1),
        np.stack([zero + speed_m_s, zero, zero], 1),
        np.stack([zero, zero, speed_m_s * curvature], 1),
    )


def recorded_motion(path: Path, samples: int) -> Motion:
    """Motion of a trajectory file (TUM form: t x y z qx qy qz qw of the base in the world, z up).

    Velocities are those between neighbouring poses, in the middle of the stretch.

    Raises:
        DataError: If there are fewer than two poses.
    """
    trajectory = read_trajectory(path)
    T, t_s = trajectory.T_world_body, (trajectory.t_ns - trajectory.t_ns[0]) * 1e-9
    if len(t_s) < 2:
        raise DataError(f'{path} holds {len(t_s)} poses; a motion needs at least two')
    chosen = np.unique(np.linspace(0, len(t_s) - 2, samples).round().astype(int))
    now, after, dt = T[chosen], T[chosen + 1], (t_s[chosen + 1] - t_s[chosen])[:, None]
    turned = Rotation.from_matrix(now[:, :3, :3].transpose(0, 2, 1) @ after[:, :3, :3]).as_rotvec()
    v = np.einsum('nji,nj->ni', now[:, :3, :3], after[:, :3, 3] - now[:, :3, 3]) / dt
    return _motion(now[:, :3, :3], now[:, :3, 3], v, turned / dt)


def _motion(rotation: np.ndarray, position: np.ndarray, v: np.ndarray, omega: np.ndarray) -> Motion:
    parts = [
        torch.as_tensor(np.ascontiguousarray(part), dtype=torch.float64)
        for part in (rotation, position, v, omega)
    ]
    return Motion(*parts)
