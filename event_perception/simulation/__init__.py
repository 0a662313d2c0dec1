# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Scenes, trajectories and sensors with exact truth. Names are loaded on first use."""

from event_perception.lazy import lazily

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
    'scenes': '',
    'soft_events': 'sigmoid_events',
    'spike_sensor': 'spikes',
    'trajectories': '',
}
__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazily(__name__, _PUBLIC)
