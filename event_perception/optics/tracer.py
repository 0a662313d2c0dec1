# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Rays through a lens, surface by surface, with soft rims and a count of what was lost.

At every surface a ray is weighted by sigmoid((R - r) / delta), R the semi-aperture, delta a small share of that of
the stop. With hard rims a ray would vanish in one step when a parameter moves it over the edge, and no derivative
would know of it; with soft rims the weight is smooth and vignetting is differentiable. A ray that meets no surface
or is totally reflected has weight 0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.errors import DataError
from event_perception.optics.lens import Lens
from event_perception.optics.surface import Rays, intersect, refract

RIM_SOFTNESS = 0.02  # width of the soft rims, in semi-apertures of the stop
FALSE_PATH = 1e-4  # mean weight below which nothing can be said to pass


@dataclass(frozen=True, eq=False)
class Traced:
    """Rays at the sensor plane (or behind the last surface).

    Attributes:
        rays: Positions, z relative to the sensor, and directions.
        weight: Share of each ray that passed all rims, in [0, 1], attached.
        alive: Which rays met every surface and were refracted.
        missed: Number of rays that met no surface.
        reflected: Number of rays totally reflected.
        clipped: Number of further rays with a weight below a half.
    """

    rays: Rays
    weight: Tensor
    alive: Tensor
    missed: int
    reflected: int
    clipped: int

    @property
    def counts(self) -> dict[str, int]:
        """How many rays there were and what became of them."""
        return {
            'rays': self.alive.numel(),
            'missed': self.missed,
            'reflected': self.reflected,
            'clipped': self.clipped,
        }


def trace(
    lens: Lens,
    rays: Rays,
    wavelengths_um: tuple[float, ...] | None = None,
    *,
    to_sensor: bool = True,
    rim_softness: float = RIM_SOFTNESS,
    path: list[tuple[Tensor, Tensor, Tensor]] | None = None,
) -> Traced:
    """Trace rays from object space, coordinates of the first vertex.

    Args:
        lens: What they pass.
        rays: Tensors of shape (W, ...), or (1, ...) to trace the same rays at every wavelength.
        wavelengths_um: W wavelengths; None for those of the lens.
        to_sensor: Whether to go on to the sensor plane after the last surface.
        rim_softness: Width of the soft rims, in semi-apertures of the stop.
        path: A list that receives positions at every surface, for drawings.

    Raises:
        DataError: If no ray comes through.
    """
    wavelengths = wavelengths_um or lens.wavelengths_um
    shape = (len(wavelengths), *rays.x.shape[1:])
    rays = Rays(*(part.expand(shape) for part in rays))
    delta = rim_softness * lens.semi_aperture[lens.stop]
    n = _indices(lens, wavelengths, rays.x)
    alive, weight = torch.ones(shape, dtype=torch.bool, device=rays.x.device), torch.ones_like(rays.x)
    vertex, missed, reflected = lens.vertices(), 0, 0
    flat: Tensor | float = 0.0
    for s in range(lens.surfaces):
        c, k, asphere = lens.curvature[s], lens.conic[s], lens.asphere[s]
        asphere = asphere if bool((asphere != 0).any()) or asphere.requires_grad else asphere[:0]
        rays, met = intersect(rays.at_plane(flat), c, k, asphere)
        if path is not None:
            path.append((rays.x, rays.y, rays.z + vertex[s]))
        radius = (rays.x**2 + rays.y**2 + 1e-24).sqrt()
        weight = weight * torch.sigmoid((lens.semi_aperture[s] - radius) / delta)
        passed = met
        if s == 0 or lens.media[s] != lens.media[s - 1]:
            rays, passed = refract(rays, c, k, asphere, n[s] / n[s + 1])
        missed += int((alive & ~met).sum())
        reflected += int((alive & met & ~passed).sum())
        alive = alive & met & passed
        flat = lens.gap[s]
    if to_sensor:
        rays = rays.at_plane(flat)
        if path is not None:
            path.append((rays.x, rays.y, rays.z + vertex[-1]))
    weight = torch.where(alive, weight, 0.0)
    clipped = int((alive & (weight.detach() < 0.5)).sum())
    _refuse_darkness(lens, weight, missed, reflected)
    return Traced(rays, weight, alive, missed, reflected, clipped)


def _indices(lens: Lens, wavelengths_um: tuple[float, ...], like: Tensor) -> list[Tensor]:
    """Before and after every surface, each (W, 1, ...) to broadcast over the rays."""
    table = torch.tensor([lens.indices(w) for w in wavelengths_um], dtype=like.dtype, device=like.device)
    return [column.reshape(-1, *[1] * (like.dim() - 1)) for column in table.T]


def _refuse_darkness(lens: Lens, weight: Tensor, missed: int, reflected: int) -> None:
    if float(weight.detach().mean()) < FALSE_PATH:
        raise DataError(
            f'lens {lens.name!r}: all {weight.numel()} rays are lost ({missed} meet no surface, {reflected} are '
            'totally reflected, the others are cut off by the rims); enlarge semi-apertures, flatten curvatures or '
            'use smaller field angles'
        )
