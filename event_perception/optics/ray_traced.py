# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The reference for every faster renderer: each pixel gathers rays through the lens, backwards.

From every pixel rays go to points of the exit pupil, through the reversed lens, and look up the pinhole frame in the
direction in which they leave. The irradiance is the integral of radiance cos^4 / l^2 over the exit pupil, l being
its distance from the sensor. Nothing is assumed of a point spread, so that the image and its derivatives are those
of the lens; it takes seconds a frame.
"""

import math

import torch
from torch import Tensor

from event_perception.motion.camera import CameraModel
from event_perception.optics.bundles import PUPIL_MARGIN, disc_points
from event_perception.optics.lens import Lens
from event_perception.optics.paraxial import first_order
from event_perception.optics.render import pixel_pitch_mm
from event_perception.optics.resample import lookup
from event_perception.optics.surface import Rays
from event_perception.optics.tracer import trace


class RayTracedRenderer:
    """Renders frame by frame, tracing all rays anew.

    Args:
        lens: What to trace.
        camera: As for ``LensRenderer``.
        rays: Rays a pixel and wavelength.
        exposure_pupil_mm: As for ``LensRenderer``.
        rows_at_once: Rows of the image traced together: memory.
        seed: Of a random turn of the pupil points in every pixel; None for the same points everywhere.
    """

    def __init__(
        self,
        lens: Lens,
        camera: CameraModel,
        *,
        rays: int = 64,
        exposure_pupil_mm: float | None = None,
        rows_at_once: int = 64,
        seed: int | None = None,
    ) -> None:
        self.lens, self.camera, self.rays = lens, camera, rays
        self.pitch_mm = pixel_pitch_mm(lens, camera)
        self._rows, self._seed = rows_at_once, seed
        own = float(first_order(lens).entrance_radius_mm.detach())
        self.exposure_pupil_mm = own if exposure_pupil_mm is None else exposure_pupil_mm

    def render(self, frames: Tensor) -> Tensor:
        """Frames (B, H, W) of linear light as the sensor gets them; the rays are traced at every call."""
        parts = []
        for top in range(0, self.camera.height, self._rows):
            rows = torch.arange(top, min(top + self._rows, self.camera.height))
            parts.append(self._band(frames, rows))
        return torch.cat(parts, dim=1)

    def _band(self, frames: Tensor, rows: Tensor) -> Tensor:
        camera, lens = self.camera, self.lens
        source = lens.reversed()
        start, geometry = self._start(rows)
        traced = trace(source, start, lens.wavelengths_um, to_sensor=False)
        r = traced.rays
        points = torch.stack([camera.cx - camera.fx * r.dx / r.dz, camera.cy - camera.fx * r.dy / r.dz], -1)
        colour = torch.tensor(lens.wavelength_weights, dtype=r.x.dtype, device=r.x.device)[
            :, None, None, None
        ]
        weight = traced.weight * colour * geometry
        where = torch.where(traced.alive[..., None], points, 0.0)
        looked_up = lookup(where, camera.height, camera.width)(frames)
        return (looked_up * weight).sum((1, 4))

    def _start(self, rows: Tensor) -> tuple[Rays, Tensor]:
        """Rays from the pixels of some rows to the exit pupil, (1, rows, W, N), and the light of each."""
        camera, lens = self.camera, self.lens
        pupils, like = first_order(lens), lens.gap
        y, x = torch.meshgrid(rows.to(like), torch.arange(camera.width).to(like), indexing='ij')
        x, y = (x - camera.cx)[..., None] * self.pitch_mm, (y - camera.cy)[..., None] * self.pitch_mm
        disc = self._disc(rows)
        radius = pupils.exit_radius_mm * PUPIL_MARGIN
        px, py = disc[..., 0] * radius, disc[..., 1] * radius
        l_mm = lens.gap[-1] - pupils.exit_pupil_mm  # from the sensor to the pupil, against the light
        # upright image: the sensor turned by 180 degrees about the axis, as everywhere in this folder
        dx, dy = (px - x) / l_mm, (py - y) / l_mm
        length = (dx * dx + dy * dy + 1).sqrt()
        z = (-lens.gap[-1]).expand_as(dx)
        rays = Rays(
            *(part[None] for part in torch.broadcast_tensors(x, y, z, dx / length, dy / length, 1 / length))
        )
        solid = (radius / l_mm) ** 2 / (self.exposure_pupil_mm / lens.focal_length_mm) ** 2
        return rays, (solid * length**-4 / disc.shape[-2])[None]

    def _disc(self, rows: Tensor) -> Tensor:
        points = torch.as_tensor(disc_points(self.rays)).to(self.lens.gap)
        if self._seed is None:
            return points
        generator = torch.Generator().manual_seed(self._seed + int(rows[0]))
        shape = (len(rows), self.camera.width, 1)
        turn = 2 * math.pi * torch.rand(shape, generator=generator, dtype=torch.float64).to(points)
        x, y = points[:, 0], points[:, 1]
        return torch.stack([x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()], -1)
