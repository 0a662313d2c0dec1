# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Poses of one topic of a bag, without reading its events."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_perception.errors import DataError
from event_perception.io.bag_storage import Bag, storage_kind
from event_perception.io.messages import pose_from_message
from event_perception.io.trajectory import Trajectory

ODOMETRY = 'nav_msgs/msg/Odometry'
TYPES = (ODOMETRY, 'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/PoseWithCovarianceStamped')


@dataclass(frozen=True, eq=False)
class BagPoses:
    """Poses of a topic in the order of their stamps.

    Attributes:
        topic: Where they come from.
        trajectory: The poses.
        pose_covariance: (n, 6, 6) as the messages tell it; None where they tell none.
    """

    topic: str
    trajectory: Trajectory
    pose_covariance: NDArray[np.float64] | None


def is_bag(path: Path) -> bool:
    """Whether a path is a bag, or a folder of one."""
    if path.is_file():
        return storage_kind(path) not in (None, 'zstd')
    return (path / 'metadata.yaml').is_file() or any(storage_kind(f) for f in path.iterdir() if f.is_file())


def poses_of_bag(path: Path, topic: str | None = None, *, odometry_first: bool = False) -> BagPoses:
    """Read one topic of poses.

    Args:
        path: A bag.
        topic: Which; None for the first by name, poses before odometry.
        odometry_first: Whether odometry comes before poses: what a robot said, rather than the truth beside it.

    Raises:
        DataError: If there is no such topic, or it holds no pose.
    """
    bag = Bag(path)
    known = {name: info.type for name, info in bag.topics().items() if info.type in TYPES and info.count != 0}
    wanted = topic or min(known, key=lambda t: ((known[t] == ODOMETRY) != odometry_first, t), default=None)
    if wanted is None or wanted not in known:
        raise DataError(f'{path}: no poses on {topic or "any topic"}; topics of poses: {sorted(known)}')
    messages = [bag.deserialize(raw) for raw in bag.messages([wanted])]
    poses = [pose_from_message(message) for message in messages]
    order = np.argsort([pose.t_ns for pose in poses], kind='stable')
    t_ns = np.array([pose.t_ns for pose in poses], np.int64)
    T = np.array([pose.T_world_body for pose in poses]).reshape(-1, 4, 4)
    told = [getattr(message.pose, 'covariance', None) for message in messages]
    covariance = None
    if told and all(c is not None and np.any(c) for c in told):
        covariance = np.array(told, np.float64).reshape(-1, 6, 6)[order]
    return BagPoses(wanted, Trajectory(t_ns[order], T[order]), covariance)
