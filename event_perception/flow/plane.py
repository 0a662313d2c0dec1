# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow of a plane: floor, wall or ceiling, where no depth image is there but the plane is known.

Points X of the plane obey n . X = d, so along the ray of the bearing b they are at the depth d / (n . b). That depth
image goes into ``motion_field`` or ``residual`` as any other does, and their flow is that of the plane (a homography,
eight numbers; Longuet-Higgins, The visual ambiguity of a moving plane, Proc. R. Soc. 1984).
"""

import numpy as np
from numpy.typing import ArrayLike

from event_perception.errors import ConfigError
from event_perception.events import DepthImage
from event_perception.motion.camera import CameraModel


def plane_depth(camera: CameraModel, normal: ArrayLike, distance_m: float, *, t_ns: int) -> DepthImage:
    """Depth of the points of a plane that each pixel sees.

    Args:
        camera: Model of the camera.
        normal: Normal of the plane in the camera's optical frame (3,), from the camera towards the plane; any length.
        distance_m: Distance of the plane from the camera along the normal, m.
        t_ns: The instant that the plane is known for.

    Returns:
        Depth; nan where the ray does not meet the plane before the camera.

    Raises:
        ConfigError: If the normal is not three finite numbers or zero, or the distance is not positive.
    """
    n = np.asarray(normal, np.float64)
    if n.shape != (3,) or not np.isfinite(n).all() or not n.any():
        raise ConfigError(f'normal={normal!r}: need three finite numbers, not all zero')
    if not (np.isfinite(distance_m) and distance_m > 0):
        raise ConfigError(f'distance_m={distance_m}: a plane lies at a positive distance')
    n = n / np.linalg.norm(n)
    bearings = camera.bearings().astype(np.float64)
    towards = bearings[..., 0] * n[0] + bearings[..., 1] * n[1] + n[2]
    meets = towards > 0
    depth = np.full(towards.shape, np.nan, np.float32)
    depth[meets] = distance_m / towards[meets]
    return DepthImage(int(t_ns), depth)
