# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Spot diagrams with ONE definition: distances from the centroid of all wavelengths of a field, weighted by light.

Other programs measure from the chief ray or from the ideal image point; those numbers contain coma or distortion
and are not comparable with these.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.errors import DataError
from event_perception.optics.bundles import bundle
from event_perception.optics.lens import Lens
from event_perception.optics.paraxial import FirstOrder, first_order
from event_perception.optics.tracer import Traced, trace


@dataclass(frozen=True, eq=False)
class Spots:
    """Where the rays of each field meet the sensor.

    Attributes:
        x_mm: (W, F, N).
        y_mm: (W, F, N).
        weight: (W, F, N) light of each ray; the weights of the wavelengths are in it.
        centroid_mm: (F, 2).
        traced: The rays behind it.
    """

    x_mm: Tensor
    y_mm: Tensor
    weight: Tensor
    centroid_mm: Tensor
    traced: Traced

    @property
    def mean_square_mm2(self) -> Tensor:
        """Mean squared distance from the centroid, (F,)."""
        dx, dy = self.x_mm - self.centroid_mm[:, :1], self.y_mm - self.centroid_mm[:, 1:]
        return _mean((dx * dx + dy * dy), self.weight)

    @property
    def rms_mm(self) -> Tensor:
        """Its root, (F,)."""
        return self.mean_square_mm2.clamp(min=1e-18).sqrt()

    @property
    def passed(self) -> Tensor:
        """Share of the bundle that came through, (F,)."""
        return self.weight.sum(0).mean(-1)


def spots(lens: Lens, fields: Tensor, *, rays: int = 256, distance_mm: float = math.inf) -> Spots:
    """Trace bundles of all wavelengths of a lens.

    Args:
        lens: What to trace.
        fields: (F, 2) ideal image points at focal length 1.
        rays: About so many a field and wavelength.
        distance_mm: Of the scene.

    Raises:
        DataError: If nothing of some field comes through.
    """
    return spots_of(lens, fields, rays, distance_mm, first_order(lens))


def spots_of(lens: Lens, fields: Tensor, rays: int, distance_mm: float, pupils: FirstOrder) -> Spots:
    """``spots`` of a lens whose pupils are known."""
    traced = trace(lens, bundle(lens, fields, rays, distance_mm=distance_mm, known=pupils))
    colour = torch.tensor(lens.wavelength_weights, dtype=fields.dtype, device=fields.device)[:, None, None]
    weight = traced.weight * colour
    _refuse_dark_fields(lens, fields, weight)
    x, y = traced.rays.x, traced.rays.y
    centroid = torch.stack([_mean(x, weight), _mean(y, weight)], dim=1)
    return Spots(x, y, weight, centroid, traced)


def mean_square_spot(lens: Lens, fields: Tensor, *, rays: int = 256, distance_mm: float = math.inf) -> Tensor:
    """Mean over the fields of the mean squared distance from the centroid, mm^2, attached to the lens."""
    return spots(lens, fields, rays=rays, distance_mm=distance_mm).mean_square_mm2.mean()


def _mean(value: Tensor, weight: Tensor) -> Tensor:
    """Over wavelengths and rays, (W, F, N) to (F,)."""
    return (value * weight).sum((0, 2)) / weight.sum((0, 2))


def _refuse_dark_fields(lens: Lens, fields: Tensor, weight: Tensor) -> None:
    dark = weight.detach().sum((0, 2)) < 1e-6 * weight.shape[2]
    if bool(dark.any()):
        angles = [round(math.degrees(math.atan(float(f.detach().norm()))), 1) for f in fields[dark]]
        raise DataError(
            f'lens {lens.name!r}: no light of the fields at {angles} degrees reaches the sensor; use smaller field '
            'angles or larger semi-apertures'
        )
