# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Optics as design variables: a lens ray tracer, the image a lens gives, and where the camera sits on a robot.

Everything here is torch and differentiable: radii, thicknesses, conics, aspheres and the sensor distance of a lens;
position and orientation of a mount. Units are mm inside a lens, m outside.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    'Lens': 'lens',
    'read_lens': 'lens_file',
    'write_lens': 'lens_file',
    'shipped_lens': 'lens_file',
    'shipped_lenses': 'lens_file',
    'first_order': 'paraxial',
    'trace': 'tracer',
    'spots': 'spot',
    'mean_square_spot': 'spot',
    'LensRenderer': 'render',
    'LensRenderConfig': 'render',
    'RayTracedRenderer': 'ray_traced',
}

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_NAMES[name]}'), name)
