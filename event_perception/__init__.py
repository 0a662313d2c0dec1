# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 perception for event cameras and spike cameras.

Importing this package is cheap: no ROS, no torch, no numba. Public names are loaded on first use.
"""

from event_perception.lazy import lazily

__version__ = '0.1.0'

_PUBLIC = {
    'CameraModel': 'motion',
    'EgomotionConfig': 'motion',
    'EgomotionEstimator': 'motion',
    'EventArray': 'events',
    'EventPerceptionError': 'errors',
    'Pipeline': 'pipeline',
    'PipelineConfig': 'pipeline',
    'SpikeStream': 'events',
    'bin_events': 'binning',
    'decode_event_packet': 'io',
    'read_camera': 'io',
}

__all__ = ['__version__', *_PUBLIC]
__getattr__, __dir__ = lazily(__name__, _PUBLIC)
