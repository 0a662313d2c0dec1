# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A lens as tensors: rotationally symmetric surfaces along the axis, first to last as the light meets them.

The sag of a surface at distance r from the axis is

    z(r) = c r^2 / (1 + sqrt(1 - (1 + k) c^2 r^2)) + a_2 r^2 + a_4 r^4 + ...

with curvature c = 1 / radius, conic constant k and even coefficients a. What can be designed are the five fields of
``PARAMETERS``; everything computed from a lens stays attached to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from event_perception.errors import DataError
from event_perception.optics.glass import AIR, LINE_C_UM, LINE_D_UM, LINE_F_UM, Glass

PARAMETERS = ('curvature', 'conic', 'asphere', 'gap')


@dataclass(frozen=True, eq=False)
class Lens:
    """Surfaces, media between them, and the stop.

    Attributes:
        name: For reports.
        curvature: (S,) 1/mm; 0 is a plane.
        conic: (S,); 0 is a sphere, -1 a parabola.
        asphere: (S, K) coefficients a_2, a_4, ... in mm^-1, mm^-3, ...; K may be 0.
        gap: (S,) mm from each vertex to the next one; the last to the sensor.
        semi_aperture: (S,) mm; beyond it a ray is cut off.
        media: The medium after each surface.
        stop: Index of the surface that is the aperture stop.
        focal_length_mm: Nominal focal length: a FIXED number that says how a pinhole image is scaled to the
            sensor. It does not follow the parameters; ``first_order`` gives the one that does.
        wavelengths_um: (W,) traced for a grey image.
        wavelength_weights: (W,) sum 1.
        source: Where the prescription was published.
    """

    name: str
    curvature: Tensor
    conic: Tensor
    asphere: Tensor
    gap: Tensor
    semi_aperture: Tensor
    media: tuple[Glass, ...]
    stop: int
    focal_length_mm: float
    wavelengths_um: tuple[float, ...] = (LINE_F_UM, LINE_D_UM, LINE_C_UM)
    wavelength_weights: tuple[float, ...] = (0.25, 0.5, 0.25)
    source: str = ''

    def __post_init__(self) -> None:
        n = len(self.media)
        shapes = {name: tuple(getattr(self, name).shape[:1]) for name in (*PARAMETERS, 'semi_aperture')}
        if n == 0 or set(shapes.values()) != {(n,)}:
            raise DataError(f'lens {self.name!r}: {n} media for surfaces of shapes {shapes}; give one each')
        if not 0 <= self.stop < n:
            raise DataError(f'lens {self.name!r}: stop={self.stop}, there are surfaces 0 to {n - 1}')
        if not (torch.isfinite(self.curvature).all() and torch.isfinite(self.gap).all()):
            raise DataError(f'lens {self.name!r}: a curvature or gap is not finite')
        if self.media[-1].n_d != 1:
            raise DataError(
                f'lens {self.name!r}: the medium before the sensor must be air, not {self.media[-1].name}'
            )
        if not bool((self.semi_aperture > 0).all()):
            raise DataError(f'lens {self.name!r}: semi_aperture must be above 0 everywhere')
        weights = self.wavelength_weights
        if len(weights) != len(self.wavelengths_um) or abs(sum(weights) - 1) > 1e-6:
            raise DataError(f'lens {self.name!r}: one weight a wavelength, sum 1, not {weights}')

    @property
    def surfaces(self) -> int:
        """Number of surfaces, the stop included."""
        return len(self.media)

    @property
    def parameters(self) -> dict[str, Tensor]:
        """What can be designed: the tensors named in ``PARAMETERS``."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def with_parameters(self, values: Mapping[str, Tensor]) -> 'Lens':
        """The same lens with some of its tensors replaced.

        Raises:
            DataError: If a name is not one of ``PARAMETERS``.
        """
        unknown = sorted(set(values) - set(PARAMETERS))
        if unknown:
            raise DataError(f'lens parameters {unknown} are unknown; choose from {list(PARAMETERS)}')
        fields: dict[str, Any] = dict(values)
        return replace(self, **fields)

    def to(self, dtype: torch.dtype | None = None, device: Any = None) -> 'Lens':
        """The lens with its tensors elsewhere."""
        moved: dict[str, Any] = {
            name: getattr(self, name).to(dtype=dtype, device=device)
            for name in (*PARAMETERS, 'semi_aperture')
        }
        return replace(self, **moved)

    def scaled(self, factor: float) -> 'Lens':
        """The lens with all lengths times a factor: focal length and spots grow by it, angles and f-number stay."""
        powers = torch.arange(self.asphere.shape[1]) * 2 + 1
        return replace(
            self,
            curvature=self.curvature / factor,
            asphere=self.asphere * (float(factor) ** (-powers)).to(self.asphere),
            gap=self.gap * factor,
            semi_aperture=self.semi_aperture * factor,
            focal_length_mm=self.focal_length_mm * factor,
        )

    def reversed(self) -> 'Lens':
        """The lens seen from the sensor: last surface first; the last gap is 0."""
        entering = (AIR, *self.media[:-1])
        zero = torch.zeros_like(self.gap[:1])
        return replace(
            self,
            curvature=-self.curvature.flip(0),
            conic=self.conic.flip(0),
            asphere=-self.asphere.flip(0),
            gap=torch.cat([self.gap[:-1].flip(0), zero]),
            semi_aperture=self.semi_aperture.flip(0),
            media=tuple(reversed(entering)),
            stop=self.surfaces - 1 - self.stop,
        )

    def vertices(self) -> Tensor:
        """Positions of the vertices on the axis, the first at 0, and of the sensor: (S + 1,) mm."""
        return torch.cat([torch.zeros_like(self.gap[:1]), torch.cumsum(self.gap, 0)])

    def indices(self, wavelength_um: float) -> list[float]:
        """Index before the first surface and after each one, S + 1 numbers."""
        return [1.0, *(medium.index(wavelength_um) for medium in self.media)]


def lens_of(
    name: str,
    rows: Sequence[tuple[float, float, str | Glass, float]],
    *,
    stop: int,
    focal_length_mm: float,
    **others: Any,
) -> Lens:
    """A spherical lens from rows (radius mm, gap mm, medium after, semi-aperture mm); radius 0 is a plane."""
    from event_perception.optics.glass import glass

    table = torch.tensor([[row[0], row[1], row[3]] for row in rows], dtype=torch.float64)
    radius = table[:, 0]
    curvature = torch.where(radius == 0, 0.0, 1 / torch.where(radius == 0, 1.0, radius))
    return Lens(
        name=name,
        curvature=curvature,
        conic=torch.zeros_like(curvature),
        asphere=torch.zeros(len(rows), 0, dtype=torch.float64),
        gap=table[:, 1],
        semi_aperture=table[:, 2],
        media=tuple(row[2] if isinstance(row[2], Glass) else glass(row[2]) for row in rows),
        stop=stop,
        focal_length_mm=focal_length_mm,
        **others,
    )
