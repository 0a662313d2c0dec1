# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Two trajectories at the same instants: nearest poses as evo pairs them, or the denser one interpolated.

Positions are judged on nearest poses, so that figures agree with evo's. Orientations are not: a nearest pose 2.5 ms
away is off by 0.7 degrees at 5 rad/s.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from event_perception.io.trajectory import Trajectory

Vectors = NDArray[np.float64]


def associate(
    first_ns: NDArray[np.int64], second_ns: NDArray[np.int64], max_difference_ns: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of pairs: each instant of the shorter series with the nearest one of the longer (sorted)."""
    if len(second_ns) > len(first_ns):
        of_second, of_first = associate(second_ns, first_ns, max_difference_ns)
        return of_first, of_second
    if not len(second_ns):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    right = np.minimum(np.searchsorted(first_ns, second_ns), len(first_ns) - 1)
    left = np.maximum(right - 1, 0)
    nearer_left = second_ns - first_ns[left] <= first_ns[right] - second_ns
    nearest = np.where(nearer_left, left, right)
    close = np.abs(first_ns[nearest] - second_ns) <= max_difference_ns
    return nearest[close], np.flatnonzero(close)


def at_common_instants(
    reference: Trajectory, estimate: Trajectory, max_gap_ns: int
) -> tuple[NDArray[np.int64], Vectors, Vectors]:
    """Both at the instants of the one with fewer poses, as far as the other has poses on both sides of them.

    Returns:
        Instants (n,), poses of the reference (n, 4, 4), poses of the estimate (n, 4, 4).
    """
    if len(estimate) > len(reference):
        t_ns, ours, truth = at_common_instants(estimate, reference, max_gap_ns)
        return t_ns, truth, ours
    index = covered(reference.t_ns, estimate.t_ns, max_gap_ns)
    t_ns = estimate.t_ns[index]
    return t_ns, interpolated(reference, t_ns), estimate.T_world_body[index]


def interpolated(trajectory: Trajectory, t_ns: NDArray[np.int64]) -> Vectors:
    """Poses (n, 4, 4) at instants inside the trajectory: turned evenly and moved straight between neighbours."""
    increasing = np.concatenate([[True], np.diff(trajectory.t_ns) > 0])
    start_ns = trajectory.t_ns[0]
    known_s, T = (trajectory.t_ns[increasing] - start_ns) * 1e-9, trajectory.T_world_body[increasing]
    wanted_s = (t_ns - start_ns) * 1e-9
    result = np.tile(np.eye(4), (len(t_ns), 1, 1))
    result[:, :3, :3] = Slerp(known_s, Rotation.from_matrix(T[:, :3, :3]))(wanted_s).as_matrix()
    for axis in range(3):
        result[:, axis, 3] = np.interp(wanted_s, known_s, T[:, axis, 3])
    return result


def covered(known_ns: NDArray[np.int64], t_ns: NDArray[np.int64], max_gap_ns: int) -> NDArray[np.intp]:
    """Indices of instants that are known, or lie between known ones which are not too far apart."""
    if not len(known_ns):
        return np.zeros(0, np.intp)
    after = np.minimum(np.searchsorted(known_ns, t_ns), len(known_ns) - 1)
    before = np.maximum(after - 1, 0)
    between = (known_ns[before] < t_ns) & (t_ns < known_ns[after])
    near = between & (known_ns[after] - known_ns[before] <= max_gap_ns)
    return np.flatnonzero(near | (known_ns[after] == t_ns))
