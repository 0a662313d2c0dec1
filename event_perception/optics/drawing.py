# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Drawings of a lens as SVG text: its layout with rays, and its spot diagrams."""

import math

import numpy as np
import torch
from torch import Tensor

from event_perception.evaluation.plots import COLOURS, STYLE
from event_perception.optics.bundles import field_fan
from event_perception.optics.lens import Lens
from event_perception.optics.paraxial import first_order
from event_perception.optics.spot import spots
from event_perception.optics.surface import Rays, sag_of
from event_perception.optics.tracer import trace

WIDTH, HEIGHT = 640, 300
RAYS_DRAWN = 7
LINE_COLOURS = ('#2563a8', '#2f8f5b', '#c8472d')  # short, middle and long wavelengths


def layout_svg(lens: Lens, half_angle_rad: float, *, fields: int = 3) -> str:
    """The lens cut along its axis, with rays of some fields from the axis to a half angle."""
    lens = _detached(lens)
    z = lens.vertices().numpy()
    with torch.no_grad():
        paths = _ray_paths(lens, field_fan(half_angle_rad, fields))
    reach = max(float(lens.semi_aperture.max()), max(float(np.abs(p[:, 1]).max()) for _, p in paths)) * 1.1
    left = -0.25 * (z[-1] - z[0])
    scale = min((WIDTH - 30) / (z[-1] - left), (HEIGHT - 20) / (2 * reach))

    def point(zz: float, yy: float) -> str:
        return f'{15 + (zz - left) * scale:.2f} {HEIGHT / 2 - yy * scale:.2f}'

    parts = [f'<path d="M{point(left, 0)}L{point(z[-1], 0)}" stroke="#b7bec8" stroke-dasharray="7 4"/>']
    for field, path in paths:
        corners = 'L'.join(point(a, b) for a, b in path if a >= left - 1e-9)
        parts.append(f'<path d="M{corners}" fill="none" stroke="{COLOURS[field]}" stroke-width=".8"/>')
    parts += [_glass_path(lens, s, point) for s in range(lens.surfaces - 1) if lens.media[s].n_d > 1]
    parts.append(_stop_path(lens, z, reach, point))
    half = max(abs(path[-1, 1]) for _, path in paths)
    parts.append(f'<path d="M{point(z[-1], half)}L{point(z[-1], -half)}" stroke="#1d2430" stroke-width="2"/>')
    return _svg(parts, WIDTH, HEIGHT, f'layout of {lens.name}')


def spot_svg(lens: Lens, half_angle_rad: float, *, fields: int = 4, rays: int = 400) -> str:
    """Where the rays of some fields meet the sensor, in one scale, coloured by wavelength."""
    lens = _detached(lens)
    fan = field_fan(half_angle_rad, fields)
    with torch.no_grad():
        found = spots(lens, fan, rays=rays)
    x = (found.x_mm - found.centroid_mm[:, :1]).numpy() * 1e3
    y = (found.y_mm - found.centroid_mm[:, 1:]).numpy() * 1e3
    seen = found.weight.numpy() > 0.3 * float(found.weight.max())
    reach = max(1e-3, float(np.hypot(x, y)[seen].max()))
    side = WIDTH / fields
    parts = []
    for f in range(fields):
        cx, cy, scale = (f + 0.5) * side, 0.5 * side, 0.45 * side / reach
        for w in range(x.shape[0]):
            colour = LINE_COLOURS[w % len(LINE_COLOURS)]
            dots = ''.join(
                f'<circle cx="{cx + a * scale:.1f}" cy="{cy + b * scale:.1f}" r=".9"/>'
                for a, b in zip(x[w, f][seen[w, f]], y[w, f][seen[w, f]])
            )
            parts.append(f'<g fill="{colour}" fill-opacity=".6">{dots}</g>')
        angle, rms = math.degrees(math.atan(float(fan[f, 0]))), float(found.rms_mm[f]) * 1e3
        text = f'{angle:.1f}°, rms {rms:.1f} µm'
        parts.append(f'<text x="{cx:.0f}" y="{side + 14:.0f}" text-anchor="middle">{text}</text>')
    bar = f'the box of each spot is {2 * reach / 0.9:.0f} µm wide'
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{side + 32:.0f}" text-anchor="middle">{bar}</text>')
    return _svg(parts, WIDTH, side + 40, f'spots of {lens.name}')


def _detached(lens: Lens) -> Lens:
    return lens.with_parameters({n: v.detach() for n, v in lens.parameters.items()}).to(torch.float64, 'cpu')


def _ray_paths(lens: Lens, fields: Tensor) -> list[tuple[int, np.ndarray]]:
    """For every field, rays across the pupil in the plane of the drawing: (field, points (n, 2) of (z, y))."""
    pupil = first_order(lens)
    t = torch.linspace(-1, 1, RAYS_DRAWN, dtype=torch.float64) * pupil.entrance_radius_mm
    v = fields[:, 0]
    y, slope = torch.meshgrid(t, v, indexing='ij')
    length = (1 + slope**2).sqrt()
    zero = torch.zeros_like(y)
    start = Rays(zero, y, zero + pupil.entrance_pupil_mm, zero, slope / length, 1 / length)
    points: list[tuple[Tensor, Tensor, Tensor]] = []
    middle = (lens.wavelengths_um[len(lens.wavelengths_um) // 2],)
    done = trace(lens, Rays(*(part[None] for part in start)), middle, path=points)
    before = -0.25 * float(lens.gap.sum())
    paths = []
    for i in range(len(t)):
        for f in range(len(v)):
            if float(done.weight[0, i, f]) < 0.3:
                continue
            first = (before, float(y[i, f] + slope[i, f] * (before - pupil.entrance_pupil_mm)))
            rest = [(float(p[2][0, i, f]), float(p[1][0, i, f])) for p in points]
            paths.append((f, np.array([first, *rest])))
    return paths


def _glass_path(lens: Lens, s: int, point: object) -> str:
    """The outline of the element between surfaces s and s + 1."""
    z, outline = lens.vertices(), []
    for surface, order in ((s, 1), (s + 1, -1)):
        r = torch.linspace(-1, 1, 41, dtype=torch.float64) * lens.semi_aperture[surface] * order
        sag, _ = sag_of(r * r, lens.curvature[surface], lens.conic[surface], lens.asphere[surface])
        outline += [(float(z[surface] + a), float(b)) for a, b in zip(sag, r)]
    corners = 'L'.join(point(a, b) for a, b in outline)  # type: ignore[operator]
    return f'<path d="M{corners}Z" fill="#a9c6e8" fill-opacity=".4" stroke="#47698f"/>'


def _stop_path(lens: Lens, z: np.ndarray, reach: float, point: object) -> str:
    r, at = float(lens.semi_aperture[lens.stop]), float(z[lens.stop])
    ends = [(at, sign * r, sign * min(reach, 1.35 * r)) for sign in (1, -1)]
    d = ''.join(f'M{point(a, b)}L{point(a, c)}' for a, b, c in ends)  # type: ignore[operator]
    return f'<path d="{d}" stroke="#1d2430" stroke-width="2.5"/>'


def _svg(parts: list[str], width: float, height: float, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{label}" style="{STYLE}">{"".join(parts)}</svg>'
    )
