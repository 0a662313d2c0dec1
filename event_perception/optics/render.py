# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pinhole frames to the frames that a lens gives: distortion, point spread, vignetting; traced once a lens.

The lens is traced when a ``LensRenderer`` is made; a frame then costs a resampling, a convolution and a product.
All of it is attached to the parameters of the lens and to the frames. Frames are LINEAR light: take the logarithm
afterwards. The pinhole image is that of focal length ``lens.focal_length_mm``, a fixed number: if a parameter makes
the lens longer, the image grows, and a loss sees it. (A renderer with one PSF, centred, hides just that; see
docs/optics.md.)
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.config import param
from event_perception.errors import CalibrationError, DataError
from event_perception.motion.camera import CameraModel
from event_perception.optics.fan import Fan, trace_fan
from event_perception.optics.lens import Lens
from event_perception.optics.psf import PsfGrid, convolve, node_positions, psf_grid
from event_perception.optics.resample import Lookup, lookup

AUTOMATIC_COVER = 0.999  # share of the light that a kernel of automatic size holds


@dataclass(frozen=True, slots=True)
class LensRenderConfig:
    """How finely a lens is sampled for rendering."""

    fields: int = param(16, 'Fields traced from the axis to the corner.', ge=4, le=200)
    rays: int = param(400, 'Rays a field and wavelength.', ge=8, le=100_000)
    cell_px: int = param(
        32, 'Distance of the nodes between which point spreads are interpolated, px.', ge=4, le=512
    )
    psf_size_px: int = param(
        0, 'Side of a point spread kernel, px, odd; 0 = large enough for 99.9 %.', ge=0, le=101
    )
    max_psf_px: int = param(41, 'Largest side that 0 may choose, px.', ge=3, le=101)
    distance_m: float = param(0.0, 'Distance of the scene for focus, m; 0 = infinity.', ge=0.0, le=1e6)


class LensRenderer:
    """A lens in front of a sensor.

    Args:
        lens: Traced here, once; parameters with gradient stay attached.
        camera: The pinhole camera of the frames: its fx is ``lens.focal_length_mm`` in pixels, which fixes the
            pixel pitch; no distortion.
        config: How finely; None for the defaults.
        exposure_pupil_mm: Radius of the entrance pupil at which light 1 of the scene becomes 1 on the axis; None for
            that of this lens. Give a number when lenses shall be compared.
        dtype: Of the tables; None for that of the lens.

    Raises:
        CalibrationError: If the camera is not a pinhole with square pixels.
        DataError: If the lens does not cover the sensor, folds the image or is far out of focus.
    """

    def __init__(
        self,
        lens: Lens,
        camera: CameraModel,
        config: LensRenderConfig | None = None,
        *,
        exposure_pupil_mm: float | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.lens, self.camera, self.config = lens, camera, config or LensRenderConfig()
        self.pitch_mm = pixel_pitch_mm(lens, camera)
        nodes, cell = node_positions(camera.height, camera.width, self.config.cell_px)
        offsets = nodes.to(lens.gap) - lens.gap.new_tensor([camera.cx, camera.cy])
        self.fan = self._trace(float(offsets.norm(dim=-1).max()) * self.pitch_mm)
        size = self.config.psf_size_px or self._automatic_size()
        self.psf = psf_grid(self.fan, offsets, cell, self.pitch_mm, size | 1)
        pupil = self.fan.pupils.entrance_radius_mm
        reference = float(pupil.detach()) if exposure_pupil_mm is None else exposure_pupil_mm
        self.exposure_pupil_mm = reference
        self.source_px, self.light = self._maps((pupil / reference) ** 2)
        self._lookup = lookup(self.source_px, camera.height, camera.width)
        if dtype is not None:
            self._to(dtype)

    def render(self, frames: Tensor) -> Tensor:
        """Frames (B, H, W) or (H, W) of linear light as the sensor gets them, same shape; their type is ``dtype``.

        Raises:
            DataError: If they have another size than the camera.
        """
        size = (self.camera.height, self.camera.width)
        if frames.shape[-2:] != size or frames.dim() not in (2, 3):
            raise DataError(
                f'frames of shape {tuple(frames.shape)}; the camera has {size}: give (B, H, W) or (H, W)'
            )
        batch = frames.reshape(-1, *size)
        image = convolve(self._lookup(batch), self.psf)
        image = image.clamp(min=float(batch.detach().min()))  # cubic overshoot: glass makes nothing darker
        return (image * self.light).reshape(frames.shape)

    @property
    def report(self) -> dict[str, float | int]:
        """How well the model describes the lens, and what became of the rays."""
        return {
            'distortion_residual_px': self.fan.residual_mm / self.pitch_mm,
            'psf_size_px': self.psf.kernels.shape[-1],
            'psf_lost': self.psf.lost,
            **self.fan.spots.traced.counts,
        }

    def _to(self, dtype: torch.dtype) -> None:
        self.light = self.light.to(dtype)
        self.psf = PsfGrid(self.psf.kernels.to(dtype), self.psf.cell_px, self.psf.lost)
        self._lookup = Lookup(self._lookup.index, self._lookup.weight.to(dtype), self._lookup.shape)

    def _trace(self, height_mm: float) -> Fan:
        c = self.config
        distance_mm = c.distance_m * 1e3 or math.inf
        return trace_fan(self.lens, height_mm, fields=c.fields, rays=c.rays, distance_mm=distance_mm)

    def _automatic_size(self) -> int:
        """Smallest odd size that holds nearly all light of the worst field, and a pixel for the votes."""
        with torch.no_grad():
            radial, tangential, light = self.fan.hits(self.fan.tangents)
            reach = torch.maximum(radial.abs(), tangential.abs()) / self.pitch_mm
            order = reach.argsort(dim=1)
            covered = light.gather(1, order).cumsum(1) < AUTOMATIC_COVER
            last = covered.sum(1, keepdim=True).clamp(max=reach.shape[1] - 1)
            worst = float(reach.gather(1, order).gather(1, last).max())
        return min(2 * math.ceil(worst) + 3, self.config.max_psf_px)

    def _maps(self, exposure: Tensor) -> tuple[Tensor, Tensor]:
        """Where in the pinhole frame each pixel looks (H, W, 2), and how much light it gets (H, W).

        Light: the bundle that passes, foreshortened by cos, from a solid angle that is cos^3 / f^2 of the ideal image
        area, which the distortion stretches: E = passed cos^4 (f u / h) (f du / dh).
        """
        camera, f_mm = self.camera, self.lens.focal_length_mm
        y, x = torch.meshgrid(
            torch.arange(camera.height).to(self.lens.gap),
            torch.arange(camera.width).to(self.lens.gap),
            indexing='ij',
        )
        dx, dy = x - camera.cx, y - camera.cy
        height_mm = (dx * dx + dy * dy + 1e-12).sqrt() * self.pitch_mm
        ratio, slope = self.fan.tangent(height_mm)
        u = ratio * height_mm
        light = self.fan.passed(u) * (1 + u * u) ** -2 * (f_mm * ratio) * (f_mm * slope) * exposure
        source = torch.stack([camera.cx + f_mm * ratio * dx, camera.cy + f_mm * ratio * dy], dim=-1)
        return source, light


def pixel_pitch_mm(lens: Lens, camera: CameraModel) -> float:
    """Pixel pitch at which the nominal focal length of a lens is fx of a camera.

    Raises:
        CalibrationError: If the camera has distortion or pixels that are not square.
    """
    if camera.distortion_model != 'none' or abs(camera.fx / camera.fy - 1) > 1e-6:
        raise CalibrationError(
            f'a lens renderer needs frames of a pinhole camera with square pixels, not {camera.distortion_model!r} '
            f'with fx={camera.fx}, fy={camera.fy}; use camera.undistorted()'
        )
    return lens.focal_length_mm / camera.fx
