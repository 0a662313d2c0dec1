# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Paraxial quantities of a lens: focal lengths and pupils from two ray heights, attached to its parameters.

A paraxial ray (y, u) refracts to u' = (n u - (n' - n) c y) / n' and moves to y + u' gap. Source: Smith, Modern
Optical Engineering, ch. 2. At a vertex an asphere has curvature c + 2 a_2.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.errors import DataError
from event_perception.optics.glass import LINE_D_UM
from event_perception.optics.lens import Lens


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """First-order properties; scalar tensors.

    Attributes:
        efl_mm: Effective focal length.
        bfl_mm: From the last vertex to the focus of an object at infinity.
        entrance_pupil_mm: From the first vertex to the image of the stop seen from the object (negative: before).
        entrance_radius_mm: Its radius.
        exit_pupil_mm: From the last vertex to the image of the stop seen from the sensor.
        exit_radius_mm: Its radius.
    """

    efl_mm: Tensor
    bfl_mm: Tensor
    entrance_pupil_mm: Tensor
    entrance_radius_mm: Tensor
    exit_pupil_mm: Tensor
    exit_radius_mm: Tensor

    @property
    def f_number(self) -> Tensor:
        """Focal length over entrance pupil diameter."""
        return self.efl_mm / (2 * self.entrance_radius_mm)


def first_order(lens: Lens, wavelength_um: float = LINE_D_UM) -> FirstOrder:
    """Compute the first-order properties of a lens in air.

    Raises:
        DataError: If the lens has no power.
    """
    one, zero = torch.ones_like(lens.gap[0]), torch.zeros_like(lens.gap[0])
    y, u = _through(lens, wavelength_um, one, zero, 0, lens.surfaces)
    if float(u.detach().abs()) < 1e-12:
        raise DataError(
            f'lens {lens.name!r} has no power: its focal length is infinite; change its curvatures'
        )
    entrance, entrance_radius = _pupil_before(lens, wavelength_um)
    exit_pupil, exit_radius = _pupil_after(lens, wavelength_um)
    return FirstOrder(-1 / u, -y / u, entrance, entrance_radius, exit_pupil, exit_radius)


def _vertex_curvature(lens: Lens) -> Tensor:
    return lens.curvature + 2 * lens.asphere[:, 0] if lens.asphere.shape[1] else lens.curvature


def _through(
    lens: Lens, wavelength_um: float, y: Tensor, u: Tensor, first: int, last: int
) -> tuple[Tensor, Tensor]:
    """Height and slope just after surface last - 1, from those just before surface ``first``."""
    n, curvature = lens.indices(wavelength_um), _vertex_curvature(lens)
    for k in range(first, last):
        u = (n[k] * u - (n[k + 1] - n[k]) * curvature[k] * y) / n[k + 1]
        if k + 1 < last:
            y = y + u * lens.gap[k]
    return y, u


def _pupil_after(lens: Lens, wavelength_um: float) -> tuple[Tensor, Tensor]:
    """Image of the stop by what follows it: distance from the last vertex, and radius."""
    stop, radius = lens.stop, lens.semi_aperture[lens.stop]
    one, zero = torch.ones_like(radius), torch.zeros_like(radius)
    if stop == lens.surfaces - 1:
        return zero, radius
    y_centre, u_centre = _through(lens, wavelength_um, lens.gap[stop] * one, one, stop + 1, lens.surfaces)
    y_rim, u_rim = _through(lens, wavelength_um, one, zero, stop + 1, lens.surfaces)
    distance = -y_centre / u_centre
    return distance, (radius * (y_rim + u_rim * distance)).abs()


def _pupil_before(lens: Lens, wavelength_um: float) -> tuple[Tensor, Tensor]:
    """Image of the stop by what precedes it: that of the reversed lens, seen from the other end."""
    distance, radius = _pupil_after(lens.reversed(), wavelength_um)
    return -distance, radius
