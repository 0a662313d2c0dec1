# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Bundles of rays from points of the scene, aimed at the entrance pupil.

A field is (u, v) = (X/Z, Y/Z), the ideal image point at focal length 1, with the signs of the upright image. The
entrance pupil follows the parameters of the lens, so a bundle fills the stop while the lens changes. It is taken
somewhat larger than the paraxial one: the stop itself, not the bundle, decides which rays pass (off the axis the
pupil is not where paraxial optics puts it).
"""

import math

import numpy as np
import torch
from torch import Tensor

from event_perception.optics.lens import Lens
from event_perception.optics.paraxial import FirstOrder, first_order
from event_perception.optics.surface import Rays

PUPIL_MARGIN = 1.15  # radius of a bundle in radii of the paraxial entrance pupil
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def disc_points(count: int) -> np.ndarray:
    """Points (n, 2) that fill the unit disc evenly: a sunflower, its own mirror images added for symmetry.

    The sum over the points of anything odd in x or in y is exactly 0, so that a bundle on the axis has its centroid
    on the axis.
    """
    quarter = max(1, count // 4)
    k = np.arange(quarter)
    r, a = np.sqrt((k + 0.5) / quarter), k * GOLDEN_ANGLE
    x, y = r * np.cos(a), r * np.sin(a)
    return np.stack([np.concatenate([x, -x, -x, x]), np.concatenate([y, y, -y, -y])], axis=1)


def bundle(
    lens: Lens,
    fields: Tensor,
    rays: int,
    *,
    distance_mm: float = math.inf,
    margin: float = PUPIL_MARGIN,
    known: FirstOrder | None = None,
) -> Rays:
    """Rays from scene points over the entrance pupil.

    Args:
        lens: Gives the entrance pupil.
        fields: (F, 2) ideal image points at focal length 1.
        rays: About so many a field.
        distance_mm: Of the scene, from the entrance pupil.
        margin: Radius of the bundle in entrance pupil radii.
        known: First-order properties, if they are known already.

    Returns:
        Tensors of shape (1, F, N), starting in the entrance pupil.
    """
    pupils = known or first_order(lens)
    pupil = torch.as_tensor(disc_points(rays), dtype=fields.dtype, device=fields.device)
    pupil = pupil * pupils.entrance_radius_mm * margin
    x, y = pupil[None, None, :, 0], pupil[None, None, :, 1]
    z = pupils.entrance_pupil_mm.expand_as(x)
    dx, dy = fields[None, :, None, 0], fields[None, :, None, 1]
    if math.isfinite(distance_mm):  # from the point (-u, -v, -1) distance to the point of the pupil
        dx, dy = dx + x / distance_mm, dy + y / distance_mm
    dx, dy, x, y, z = torch.broadcast_tensors(dx, dy, x, y, z)
    length = (dx * dx + dy * dy + 1).sqrt()
    return Rays(x, y, z, dx / length, dy / length, 1 / length)


def field_fan(half_angle_rad: float, count: int) -> Tensor:
    """Fields (count, 2) along the x axis from the centre to a half angle, evenly spaced in its tangent."""
    u = torch.linspace(0, math.tan(half_angle_rad), count, dtype=torch.float64)
    return torch.stack([u, torch.zeros_like(u)], dim=1)
