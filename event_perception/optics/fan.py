# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What a lens does to the image, from one fan of fields: distortion, vignetting, and the point spread in between.

A rotationally symmetric lens is known from the fields along one radius. From the rays of these fields follow

* distortion: the height h(u) of the centroid over the tangent u of the field; its inverse u(h), which a renderer
  needs, is an odd polynomial fitted to the traced pairs, attached;
* vignetting: the share of the bundle that passes, linear in between;
* the point spread anywhere: the hits of a ray of given pupil coordinates change smoothly with the field, so hits
  are interpolated between the two next fields and turned to the azimuth of the image point.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.errors import DataError
from event_perception.optics.bundles import PUPIL_MARGIN
from event_perception.optics.lens import Lens
from event_perception.optics.paraxial import FirstOrder, first_order
from event_perception.optics.spot import Spots, spots_of

TERMS = 5  # of the odd polynomial u(h): below 1e-3 px for the shipped lenses
GROWTH = 1.12  # of the fan, until it reaches the corner of the sensor
MAX_FIELD = math.tan(math.radians(75))


@dataclass(frozen=True, eq=False)
class Fan:
    """Fields u_k along +x, evenly spaced from 0, and their spots.

    Attributes:
        tangents: (K,) u_k.
        spots: Hits (W, K, N), mm.
        pupils: First-order properties of the lens.
        coefficients: Of u(h) in odd powers of h / height_mm, (TERMS,).
        height_mm: Scale of h.
        light: (K,) share of the paraxial entrance pupil that passes, 1 on the axis of a good lens.
        residual_mm: Largest misfit of the polynomial, as a height.
    """

    tangents: Tensor
    spots: Spots
    pupils: FirstOrder
    coefficients: Tensor
    height_mm: float
    light: Tensor
    residual_mm: float

    def tangent(self, height_mm: Tensor) -> tuple[Tensor, Tensor]:
        """Ratio u / h and slope du / dh at image heights h >= 0, 1/mm: finite on the axis too."""
        s = (height_mm / self.height_mm) ** 2
        ratio, slope, power = torch.zeros_like(s), torch.zeros_like(s), torch.ones_like(s)
        for j, a in enumerate(self.coefficients):
            ratio, slope, power = ratio + a * power, slope + (2 * j + 1) * a * power, power * s
        return ratio / self.height_mm, slope / self.height_mm

    def passed(self, tangent: Tensor) -> Tensor:
        """Share of the light that passes at field tangents, interpolated."""
        low, share = self._between(tangent)
        return torch.lerp(self.light[low], self.light[low + 1], share)

    def hits(self, tangent: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Radial and tangential offset from the centroid (mm) and light of all rays at field tangents (n,).

        Returns:
            Each (n, W * N); the light of a field sums to 1.
        """
        low, share = self._between(tangent)
        radial = self.spots.x_mm - self.spots.centroid_mm[:, :1]
        tangential = self.spots.y_mm - self.spots.centroid_mm[:, 1:]
        parts = []
        for table in (radial, tangential, self.spots.weight):
            flat = table.transpose(0, 1).reshape(len(self.tangents), -1)
            parts.append(torch.lerp(flat[low], flat[low + 1], share[:, None]))
        light = parts[2] / parts[2].sum(1, keepdim=True)
        centre = [(part * light).sum(1, keepdim=True) for part in parts[:2]]
        return parts[0] - centre[0], parts[1] - centre[1], light

    def _between(self, tangent: Tensor) -> tuple[Tensor, Tensor]:
        step = self.tangents[1]
        position = (tangent / step).clamp(0, len(self.tangents) - 1)
        low = position.detach().floor().long().clamp(max=len(self.tangents) - 2)
        return low, position - low


def trace_fan(lens: Lens, height_mm: float, *, fields: int, rays: int, distance_mm: float = math.inf) -> Fan:
    """Trace fields along a radius until their images reach a height.

    Args:
        lens: What to trace.
        height_mm: Of the farthest image point that is wanted.
        fields: Number of fields K.
        rays: About so many a field and wavelength.
        distance_mm: Of the scene.

    Raises:
        DataError: If the image circle is too small for this height, or the image folds back on itself.
    """
    pupils = first_order(lens)
    u_max = _reaching(lens, pupils, height_mm, distance_mm)
    u = torch.linspace(0, u_max, fields, dtype=lens.curvature.dtype, device=lens.curvature.device)
    found = spots_of(lens, _fields(u), rays, distance_mm, pupils)
    h = found.centroid_mm[:, 0]
    if not bool((h[1:] > h[:-1]).all()):
        raise DataError(
            f'lens {lens.name!r}: image heights {[round(float(v), 3) for v in h]} mm do not grow with the field; it folds'
        )
    coefficients, residual = _fit(u, h, height_mm)
    light = found.passed * PUPIL_MARGIN**2
    return Fan(u, found, pupils, coefficients, height_mm, light, residual)


def _fields(u: Tensor) -> Tensor:
    return torch.stack([u, torch.zeros_like(u)], dim=1)


def _reaching(lens: Lens, pupils: FirstOrder, height_mm: float, distance_mm: float) -> float:
    """A field whose image lies beyond a height, without gradient; from that of an ideal lens on."""
    with torch.no_grad():
        u = height_mm / lens.focal_length_mm  # nominal: parameters must not move the traced fields
        while u < MAX_FIELD:
            try:
                found = spots_of(lens, _fields(lens.gap.new_tensor([0.0, u])), 64, distance_mm, pupils)
            except DataError:
                break
            if float(found.centroid_mm[1, 0]) > height_mm:
                return u
            u *= GROWTH
    raise DataError(
        f'lens {lens.name!r}: no field is imaged as far out as {height_mm:.3g} mm, the corner of the sensor; its image '
        'circle is too small: use a smaller sensor (a larger camera.fx), or larger semi-apertures'
    )


def _fit(u: Tensor, h: Tensor, height_mm: float) -> tuple[Tensor, float]:
    """Least squares of u over odd powers of h / height, through QR, attached."""
    s = h / height_mm
    matrix = torch.stack([s ** (2 * j + 1) for j in range(min(TERMS, len(u) - 1))], dim=1)
    q, r = torch.linalg.qr(matrix)
    coefficients = torch.linalg.solve_triangular(r, (q.T @ u)[:, None], upper=True)[:, 0]
    misfit = (matrix @ coefficients - u).detach().abs().max()
    return coefficients, float(misfit) * height_mm / float(u[-1])
