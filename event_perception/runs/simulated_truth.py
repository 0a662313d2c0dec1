# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What came out of the topics against the truth of the simulation: angular velocity, flow, orientation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.evaluation.metrics import angular_velocity_errors, flow_errors
from event_perception.evaluation.trajectory import trajectory_errors
from event_perception.flow.field import FlowField
from event_perception.io.seconds import ns_from_seconds
from event_perception.runs.topic_log import TwistTable, read_twists

COLUMNS = ('t_s', 'wx_rad_s', 'wy_rad_s', 'wz_rad_s', 'vx_m_s', 'vy_m_s', 'vz_m_s')
SAME_INSTANT_NS = 500_000  # flow fields further apart in time are not compared


@dataclass(frozen=True, eq=False)
class TrueMotion:
    """True motion of the camera in its own axes: ``t_ns`` (n,), ``omega_rad_s`` (n, 3), ``v_m_s`` (n, 3)."""

    t_ns: NDArray[np.int64]
    omega_rad_s: NDArray[np.float64]
    v_m_s: NDArray[np.float64]

    def omega_at(self, t_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Angular velocity (m, 3) at other instants by linear interpolation; nan outside."""
        since = (self.t_ns - self.t_ns[0]).astype(np.float64)
        wanted = (t_ns - self.t_ns[0]).astype(np.float64)
        columns = [np.interp(wanted, since, w, left=np.nan, right=np.nan) for w in self.omega_rad_s.T]
        return np.stack(columns, axis=1)


def read_true_motion(path: Path) -> TrueMotion:
    """Read what the truth recorder wrote.

    Raises:
        DataError: If it holds nothing.
    """
    lines = path.read_text(encoding='ascii').splitlines()[1:]
    if not lines:
        raise DataError(f'{path} holds no motion: was the stand-in running?')
    rows = [line.split(',') for line in lines]
    values = np.array([[float(value) for value in row[1:]] for row in rows])
    t_ns = np.array([ns_from_seconds(row[0]) for row in rows], np.int64)
    return TrueMotion(t_ns, values[:, :3], values[:, 3:])


def angular_velocity(directory: Path, truth: Path) -> tuple[TwistTable, NDArray[np.float64], dict[str, Any]]:
    """Twists received, the truth at their instants, and the errors."""
    twists = read_twists(directory / 'twist.csv')
    true_omega = read_true_motion(truth / 'motion.csv').omega_at(twists.t_ns)
    inside = np.isfinite(true_omega).all(axis=1)
    if not inside.any():
        raise DataError('no twist was received while the truth was known')
    errors = angular_velocity_errors(twists.omega_rad_s[inside], true_omega[inside])
    return twists, true_omega, {'twists compared': int(inside.sum())} | errors


def flow_pairs(directory: Path, truth: Path) -> list[tuple[FlowField, FlowField]]:
    """Flow fields received, each with the true field of the same instant."""
    ours = {int(file.stem): file for file in (directory / 'flow').glob('*.npz')}
    pairs = []
    for file in sorted((truth / 'flow').glob('*.npz'), key=lambda f: int(f.stem)):
        t_ns = int(file.stem)
        nearest = min(ours, key=lambda t, t_ns=t_ns: abs(t - t_ns), default=None)  # type: ignore[misc]
        if nearest is not None and abs(nearest - t_ns) <= SAME_INSTANT_NS:
            pairs.append((_field(ours[nearest]), _field(file)))
    return pairs


def flow(pairs: list[tuple[FlowField, FlowField]]) -> dict[str, Any]:
    """Errors of flow over all pixels that both fields of a pair know."""
    rows = []
    for ours, true in pairs:
        valid = ours.valid & true.valid
        if valid.any():
            speed = float(np.hypot(*true.flow_px_s[:, valid]).mean())
            errors = flow_errors(ours.flow_px_s, true.flow_px_s, valid)
            rows.append((int(valid.sum()), errors | {'true_speed_px_s': speed}))
    if not rows:
        return {'fields compared': 0}
    weights = [n for n, _ in rows]
    means = {k: float(np.average([e[k] for _, e in rows], weights=weights)) for k in rows[0][1]}
    return {'fields compared': len(rows)} | means


def orientation(directory: Path, truth: Path) -> dict[str, Any]:
    """Errors of orientation, after the best rotation as a whole and at the end from the start."""
    errors = trajectory_errors(truth / 'trajectory.tum', directory / 'trajectory.tum')
    names = ('pairs', 'orientation_rmse_deg', 'orientation_end_deg', 'rpe_rmse_deg')
    return {name: errors[name] for name in names}


def _field(file: Path) -> FlowField:
    with np.load(file) as content:
        return FlowField(int(file.stem), content['flow_px_s'], content['valid'])
