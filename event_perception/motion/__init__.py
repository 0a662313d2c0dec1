# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Camera models, warps, objectives, solvers, egomotion. Names load on first use: numba only when needed."""

from importlib import import_module
from typing import Any

_PUBLIC = {
    'BinGrid': 'grid',
    'CameraModel': 'camera',
    'EgomotionConfig': 'egomotion_config',
    'EgomotionEstimator': 'egomotion',
    'EgomotionResult': 'result',
    'GyroPrior': 'gyro_prior',
    'contrast_of': 'contrast',
    'image_of_warped_events': 'warped_image',
}

__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_PUBLIC[name]}'), name)


def __dir__() -> list[str]:
    return sorted(__all__)
