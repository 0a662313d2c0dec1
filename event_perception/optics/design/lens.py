# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``design lens``: sharper spots over the field at a given focal length.

loss = (mean over the fields of the mean squared spot) / pixel^2 + weight ((EFL - target) / target)^2
       + weight sum of (lacking thickness / mm)^2

Curvatures, gaps (that to the sensor among them) and, where the lens has them, conics and aspheres are free.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.evaluation.pictures import grey_picture, png_bytes
from event_perception.motion.camera import CameraModel
from event_perception.optics.bundles import field_fan
from event_perception.optics.design.problem import Assessment, Picture, Values
from event_perception.optics.drawing import layout_svg, spot_svg
from event_perception.optics.lens import PARAMETERS, Lens
from event_perception.optics.lens_file import read_lens, shipped_lens, shipped_lenses, write_lens
from event_perception.optics.paraxial import first_order
from event_perception.optics.render import LensRenderConfig, LensRenderer
from event_perception.optics.spot import mean_square_spot, spots
from event_perception.optics.surface import sag_of

PICTURE_SIZE = (96, 128)


@dataclass(frozen=True, slots=True)
class LensDesignConfig:
    """What is optimised in a lens, and against what."""

    lens: str = param('cooke_triplet', 'Name of a shipped lens, or a lens file, YAML or DeepLens JSON.')
    half_field_deg: float = param(20.0, 'Half of the field of view, degrees.', ge=0.1, le=75.0)
    fields: int = param(5, 'Fields from the axis to the half field of view.', ge=1, le=100)
    rays: int = param(128, 'Rays a field and wavelength.', ge=8, le=100_000)
    pixel_um: float = param(20.0, 'Pixel pitch: unit of the spots, um.', ge=0.1, le=1000.0)
    focal_length_mm: float = param(0.0, 'Wanted focal length, mm; 0: the nominal one of the lens.', ge=0.0)
    focal_length_weight: float = param(
        1e6, 'Weight of the squared relative error of the focal length.', ge=0.0
    )
    thickness_weight: float = param(10.0, 'Weight of squared thickness below the least, 1/mm^2.', ge=0.0)
    least_gap_mm: float = param(
        0.3, 'Smallest distance between two surfaces, on the axis and at the rim, mm.', ge=0.0
    )
    perturbation: float = param(
        0.02, 'Relative random change of curvatures and gaps at the start.', ge=0.0, le=0.5
    )
    seed: int = param(0, 'Seed of that change.', ge=0)
    free: tuple[str, ...] = param(('curvature', 'gap'), 'What may change: curvature, gap, conic, asphere.')
    curvature_rate: float = param(2e-3, 'Step of a curvature, relative to 1 / focal length.', ge=0.0, le=1.0)
    gap_rate: float = param(2e-4, 'Step of a gap, relative to the focal length.', ge=0.0, le=1.0)
    shape_rate: float = param(
        1e-2, 'Step of a conic, and of what an asphere adds at the rim, in um.', ge=0.0, le=10.0
    )


class LensDesign:
    """The problem for the design loop; variables are those of ``Lens.parameters`` that are free.

    Raises:
        ConfigError: If something that is not a lens parameter shall be free.
    """

    config_type: ClassVar[type[LensDesignConfig]] = LensDesignConfig
    loop: ClassVar[Mapping[str, Any]] = {'steps': 400}

    def __init__(self, config: LensDesignConfig) -> None:
        self.config = config
        unknown = sorted(set(config.free) - set(PARAMETERS))
        if unknown or not config.free:
            raise ConfigError(f'lens.free={list(config.free)}: choose from {list(PARAMETERS)}')
        known = config.lens in shipped_lenses()
        self.published = shipped_lens(config.lens) if known else read_lens(Path(config.lens))
        self._fields = field_fan(math.radians(config.half_field_deg), config.fields)
        self._target_mm = config.focal_length_mm or self.published.focal_length_mm

    def start(self) -> Values:
        """The published lens, curvatures and gaps changed at random."""
        generator = torch.Generator().manual_seed(self.config.seed)
        values = {name: self.published.parameters[name].clone() for name in self.config.free}
        for name in ('curvature', 'gap'):
            if name in values:
                noise = torch.randn(values[name].shape, generator=generator, dtype=torch.float64)
                values[name] = values[name] * (1 + self.config.perturbation * noise)
        return values

    def rates(self) -> dict[str, Tensor | float]:
        """Steps in units of the focal length; a plane of a stop stays plane, absent aspheres stay absent."""
        c, lens, f_mm = self.config, self.published, self.published.focal_length_mm
        bent = (lens.curvature != 0).to(torch.float64)
        power = 2 * torch.arange(1, lens.asphere.shape[1] + 1)
        rim = lens.semi_aperture[:, None] ** power
        used = (lens.asphere != 0).any(1, keepdim=True).to(torch.float64)
        return {
            'curvature': bent * c.curvature_rate / f_mm,
            'gap': c.gap_rate * f_mm,
            'conic': bent * c.shape_rate,
            'asphere': used * c.shape_rate * 1e-3 / rim,
        }

    def lens(self, values: Values) -> Lens:
        """The lens that some values describe."""
        return self.published.with_parameters(values)

    def loss(self, values: Values, step: int) -> tuple[Tensor, dict[str, float]]:
        """See the top of the file."""
        c, lens = self.config, self.lens(values)
        spot = mean_square_spot(lens, self._fields, rays=c.rays)
        efl = first_order(lens).efl_mm
        focal = ((efl - self._target_mm) / self._target_mm) ** 2
        lacking = (c.least_gap_mm - clearances(lens)).clamp(min=0).square().sum()
        loss = spot / (c.pixel_um * 1e-3) ** 2 + c.focal_length_weight * focal + c.thickness_weight * lacking
        return loss, {'rms_spot_um': 1e3 * float(spot.detach()) ** 0.5, 'efl_mm': float(efl.detach())}

    def project(self, values: Values) -> Values:
        """Gaps stay above 0."""
        if 'gap' not in values:
            return values
        return values | {'gap': values['gap'].clamp(min=1e-3)}

    def assess(self, values: Values) -> Assessment:
        """Spots at more fields and rays than the loss has, first-order properties, drawings and an image."""
        lens = self.lens({n: v.detach() for n, v in values.items()})
        half = math.radians(self.config.half_field_deg)
        with torch.no_grad():
            rms_um = spots(lens, field_fan(half, 9), rays=1000).rms_mm * 1e3
            order = first_order(lens)
        figures = {
            'rms spot, mean over the field, um': float(rms_um.square().mean().sqrt()),
            'rms spot on the axis, um': float(rms_um[0]),
            'rms spot at the corner, um': float(rms_um[-1]),
            'focal length, mm': float(order.efl_mm),
            'f-number': float(order.f_number),
            'smallest clearance, mm': float(clearances(lens).min()),
        }
        pictures: list[Picture] = [(layout_svg(lens, half), 'layout'), (spot_svg(lens, half), 'spots')]
        return Assessment(figures, [*pictures, self._image(lens)])

    def write(self, values: Values, folder: Path) -> None:
        """The result as a lens file."""
        write_lens(self.lens(values), folder / 'lens.yaml')

    def _image(self, lens: Lens) -> Picture:
        """A target of rings and bars through the lens, at the pixel pitch of the configuration."""
        height, width = PICTURE_SIZE
        f_mm, half = self.published.focal_length_mm, math.radians(self.config.half_field_deg)
        fx = math.hypot(height, width) / 2 / math.tan(half)
        camera = CameraModel(
            fx=fx, fy=fx, cx=(width - 1) / 2, cy=(height - 1) / 2, height=height, width=width
        )
        config = LensRenderConfig(rays=200, max_psf_px=61)
        with torch.no_grad():
            image = LensRenderer(lens, camera, config).render(bar_target(height, width))
        pitch_um = 1e3 * f_mm / fx
        return png_bytes(grey_picture(image.numpy())), f'image at {pitch_um:.0f} um a pixel, {width}x{height}'


def clearances(lens: Lens) -> Tensor:
    """Distances between neighbouring surfaces on the axis and at their common rim, and to the sensor; mm."""
    gap = lens.gap
    rim = torch.minimum(lens.semi_aperture[:-1], lens.semi_aperture[1:]) ** 2
    sags = []
    for shift in (0, 1):
        rows = [
            sag_of(s, lens.curvature[k + shift], lens.conic[k + shift], lens.asphere[k + shift])[0]
            for k, s in enumerate(rim)
        ]
        sags.append(torch.stack(rows) if rows else gap[:0])
    return torch.cat([gap, gap[:-1] + sags[1] - sags[0]])


def bar_target(height: int, width: int) -> Tensor:
    """Light 0.1 to 1: bars of four widths in four quarters, and a cross of lines."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    bars = torch.where(
        y < height // 2, x // torch.where(x < width // 2, 2, 3), y // torch.where(x < width // 2, 4, 6)
    )
    image = 0.1 + 0.9 * (bars % 2).to(torch.float64)
    image[height // 2 - 2 : height // 2 + 2] = 1.0
    image[:, width // 2 - 2 : width // 2 + 2] = 1.0
    return image
