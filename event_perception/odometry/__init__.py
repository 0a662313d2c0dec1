# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""From motion to a trajectory."""

from typing import TYPE_CHECKING, Any

from event_perception.config import build
from event_perception.odometry.estimate import Odometry, OdometryEstimate
from event_perception.registry import Registry

if TYPE_CHECKING:
    from event_perception.motion.camera import CameraModel

__all__ = ['ODOMETRIES', 'Odometry', 'OdometryEstimate', 'create']

ODOMETRIES = Registry(
    'odometry',
    {
        'depth_slam': 'event_perception.odometry.depth_slam:DepthSlam',
        'monocular': 'event_perception.odometry.monocular:MonocularOdometry',
        'rotation': 'event_perception.odometry.rotation:RotationOdometry',
        'rotation_slam': 'event_perception.odometry.rotation_slam:RotationSlam',
    },
)


def create(name: str, camera: 'CameraModel', **params: Any) -> Odometry:
    """Make an odometry by name.

    Args:
        name: A registered name: a class with a ``config_type``, constructed from (config, camera).
        camera: Model of the camera.
        params: Fields of its configuration; what is not named keeps its default.

    Raises:
        PluginError: If the name is unknown.
        ConfigError: If a parameter is unknown or not allowed.
    """
    cls = ODOMETRIES.load(name)
    made: Odometry = cls(build(cls.config_type, params), camera)
    return made
