# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes, trajectories and sensors with exact truth. Names are loaded on first use."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    'DifferentiableDvs': 'differentiable',
    'DvsConfig': 'dvs_config',
    'DvsEmulator': 'dvs',
    'ImuConfig': 'imu',
    'Motion': 'planes',
    'Panorama': 'panorama',
    'PlaneScene': 'planes',
    'Rectangle': 'planes',
    'SimulatedSequence': 'sequence',
    'SpikeEmulator': 'spikes',
    'SpikeSensorConfig': 'spikes',
    'SplineTrajectory': 'trajectories',
    'TextureConfig': 'textures',
    'ThresholdSpread': 'threshold_spread',
    'TimeBins': 'event_image',
    'diff_events': 'differentiable',
    'dvs_preset': 'dvs_config',
    'event_image': 'event_image',
    'expected_events': 'expected_events',
    'room_sequence': 'scenes',
    'rotation_sequence': 'rotations',
    'rotation_set': 'rotations',
    'soft_events': 'sigmoid_events',
    'spike_sensor': 'spikes',
}

_MODULES = ('scenes', 'trajectories')

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f'{__name__}.{_PUBLIC[name]}'), name)
    if name in _MODULES:
        return import_module(f'{__name__}.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted(__all__)
