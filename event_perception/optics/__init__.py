# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Optics as design variables: a lens ray tracer, the image a lens gives, and where the camera sits on a robot.

Everything here is torch and differentiable: radii, thicknesses, conics, aspheres and the sensor distance of a lens;
position and orientation of a mount. Units are mm inside a lens, m outside.
"""

from event_perception.lazy import lazily

_PUBLIC = {
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

__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazily(__name__, _PUBLIC)
