# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""ROS 2 perception for event cameras and spike cameras.

Importing this package is cheap: no ROS, no torch, no numba. Public names are loaded on first use.
"""

from importlib import import_module
from typing import Any

__version__ = '0.1.0'

_PUBLIC = {
    'CameraModel': 'event_perception.motion',
    'EgomotionConfig': 'event_perception.motion',
    'EgomotionEstimator': 'event_perception.motion',
    'EventArray': 'event_perception.events',
    'EventPerceptionError': 'event_perception.errors',
    'Pipeline': 'event_perception.pipeline',
    'PipelineConfig': 'event_perception.pipeline',
    'SpikeStream': 'event_perception.events',
    'bin_events': 'event_perception.binning',
    'decode_event_packet': 'event_perception.io',
    'read_camera': 'event_perception.io',
}

__all__ = ['__version__', *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
