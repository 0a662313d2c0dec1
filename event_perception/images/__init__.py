# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images from events and from spikes."""

from typing import Any

from event_perception.config import build
from event_perception.errors import ConfigError
from event_perception.images.frame import ReconstructedImage, Reconstructor
from event_perception.registry import Registry

__all__ = ['RECONSTRUCTORS', 'ReconstructedImage', 'Reconstructor', 'create']

RECONSTRUCTORS = Registry(
    'reconstructor',
    {
        'complementary': 'event_perception.images.complementary:ComplementaryFilter',
        'gradient': 'event_perception.images.gradient:GradientReconstructor',
        'highpass': 'event_perception.images.highpass:HighpassFilter',
        'ati': 'event_perception.images.ati:Ati',
        'compact': 'event_perception.images.compact:Compact',
        'ssml': 'event_perception.images.ssml:Ssml',
        'stir': 'event_perception.images.stir:StirReconstructor',
        'stp': 'event_perception.images.stp:Stp',
        'tfi': 'event_perception.images.tfi:Tfi',
        'tfi_adaptive': 'event_perception.images.tfi_adaptive:TfiAdaptive',
        'tfi_k': 'event_perception.images.tfi_k:TfiK',
        'tfp': 'event_perception.images.tfp:Tfp',
        'tvs': 'event_perception.images.tvs:Tvs',
    },
)


def create(name: str, *, height: int, width: int, **params: Any) -> Reconstructor:
    """Make a reconstructor by name.

    Args:
        name: A registered name: a class with a ``config_type``, constructed from (config, height=, width=).
        height: Sensor rows.
        width: Sensor columns.
        params: Fields of its configuration; what is not named keeps its default.

    Raises:
        PluginError: If the name is unknown.
        ConfigError: If a parameter is unknown or not allowed, or the size is not positive.
    """
    if height <= 0 or width <= 0:
        raise ConfigError(f'image size {width}x{height}: both sides must be positive')
    cls = RECONSTRUCTORS.load(name)
    reconstructor: Reconstructor = cls(build(cls.config_type, params), height=height, width=width)
    return reconstructor
