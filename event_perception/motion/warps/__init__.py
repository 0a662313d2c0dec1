# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Warps: where an event would have been seen at the reference time, for one family of motions each."""

from event_perception.motion.warps.base import Warped, WarpModel
from event_perception.registry import Registry

WARPS = Registry(
    'warps',
    {
        'affine': 'event_perception.motion.warps.affine:Affine',
        'angular_acceleration': 'event_perception.motion.warps.rotation:AngularAcceleration',
        'homography': 'event_perception.motion.warps.homography:Homography',
        'rigid': 'event_perception.motion.warps.rigid:Rigid',
        'rotation': 'event_perception.motion.warps.rotation:Rotation',
        'rotation_first_order': 'event_perception.motion.warps.rigid:RotationFirstOrder',
        'translation': 'event_perception.motion.warps.rigid:Translation',
    },
)

__all__ = ['WARPS', 'WarpModel', 'Warped']
