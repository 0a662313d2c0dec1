# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""One refracting surface: where a ray meets it, its normal there, and how the ray goes on.

A ray is six tensors of one shape; the vertex of the surface is the origin. The intersection with a conic is in
closed form, in the form that stays stable as c goes to 0. On an asphere Newton's method runs without gradient from
the conic, and ONE attached step t = t* - F(t*) / F'(t*) with F' detached gives the derivative of the root by the
implicit function theorem. Refraction is Snell's law in vector form: with mu = n / n' and g = N.d,
d' = mu d + (sqrt(1 - mu^2 (1 - g^2)) - mu g) N. Source: Spencer and Murty, J. Opt. Soc. Am. 52, 1962.

Where there is no intersection or total reflection a ray is marked; its numbers stay finite, so that no gradient
becomes nan.
"""

from typing import NamedTuple

import torch
from torch import Tensor

NEWTON_STEPS = 12
NEWTON_TOLERANCE = 1e-9  # relative to 1 mm: far below a wavelength; a ray that misses it is marked as missed


class Rays(NamedTuple):
    """Positions (mm) and unit directions, tensors of one shape."""

    x: Tensor
    y: Tensor
    z: Tensor
    dx: Tensor
    dy: Tensor
    dz: Tensor

    def along(self, t: Tensor) -> 'Rays':
        """The same rays, t mm further."""
        return self._replace(x=self.x + t * self.dx, y=self.y + t * self.dy, z=self.z + t * self.dz)

    def at_plane(self, z: Tensor | float) -> 'Rays':
        """Where they cross the plane at z, which becomes the origin."""
        moved = self.along((z - self.z) / self.dz)
        return moved._replace(z=torch.zeros_like(moved.z))


def intersect(rays: Rays, c: Tensor, k: Tensor, asphere: Tensor) -> tuple[Rays, Tensor]:
    """Rays that start on the vertex plane (z = 0), moved onto the surface, and which of them meet it.

    Args:
        rays: Start on the plane z = 0.
        c: Curvature, 1/mm, scalar.
        k: Conic constant, scalar.
        asphere: Coefficients a_2, a_4, ... (K,).
    """
    q = 1 + k
    a = c * (rays.dx**2 + rays.dy**2 + q * rays.dz**2)
    b = c * (rays.x * rays.dx + rays.y * rays.dy) - rays.dz
    e = c * (rays.x**2 + rays.y**2)
    square = b * b - a * e
    met = square > 0
    root = -b + torch.where(met, square, 1.0).sqrt()
    near = e / torch.where(root.abs() > 1e-12, root, 1.0)
    far = root / torch.where(a.abs() > 1e-12, a, 1.0)
    # of the two roots the one on the side of the vertex: near the centre of a deep meniscus that may be the farther
    right = 1 - q * c * near * rays.dz > 0
    other = ~right & (1 - q * c * far * rays.dz > 0) & (a.abs() > 1e-12)
    met = met & (right | other) & (root.detach().abs() > 1e-12)
    on_conic = rays.along(torch.where(met, torch.where(other, far, near), 0.0))
    if asphere.numel() == 0:
        return on_conic, met
    return _newton(rays, on_conic.z, met, c, k, asphere)


def _newton(
    rays: Rays, z_start: Tensor, met: Tensor, c: Tensor, k: Tensor, asphere: Tensor
) -> tuple[Rays, Tensor]:
    with torch.no_grad():
        t = z_start / rays.dz
        for _ in range(NEWTON_STEPS):
            error, slope = _residual(rays.along(t), c, k, asphere)
            t = t - error / slope
        error, slope = _residual(rays.along(t), c, k, asphere)
        met = met & (error.abs() < NEWTON_TOLERANCE * (1e4 if t.dtype == torch.float32 else 1))
        t = torch.where(met, t, 0.0)
        slope = torch.where(met, slope, 1.0)
    error, _ = _residual(rays.along(t), c, k, asphere)
    return rays.along(torch.where(met, t - error / slope, 0.0)), met


def _residual(rays: Rays, c: Tensor, k: Tensor, asphere: Tensor) -> tuple[Tensor, Tensor]:
    """Height over the surface at the rays, and its derivative along them, kept away from 0."""
    s = rays.x**2 + rays.y**2
    sag, d_sag = sag_of(s, c, k, asphere)
    slope = rays.dz - 2 * d_sag * (rays.x * rays.dx + rays.y * rays.dy)
    return rays.z - sag, torch.where(slope.abs() < 1e-6, 1e-6, slope)


def sag_of(s: Tensor, c: Tensor, k: Tensor, asphere: Tensor) -> tuple[Tensor, Tensor]:
    """Sag and its derivative with respect to s = r^2; beyond the rim of a conic, as at its rim."""
    root = (1 - (1 + k) * c * c * s).clamp(min=1e-6).sqrt()
    sag, d_sag = c * s / (1 + root), c / (2 * root)
    power = torch.ones_like(s)
    for j, a in enumerate(asphere, start=1):
        d_sag = d_sag + j * a * power
        power = power * s
        sag = sag + a * power
    return sag, d_sag


def refract(rays: Rays, c: Tensor, k: Tensor, asphere: Tensor, mu: Tensor | float) -> tuple[Rays, Tensor]:
    """Directions behind a surface on which the rays lie, and which of them are not totally reflected.

    Args:
        rays: On the surface.
        c: Curvature, 1/mm.
        k: Conic constant.
        asphere: Coefficients (K,).
        mu: Index before over index after, broadcast over the rays.
    """
    nx, ny, nz = _normal(rays, c, k, asphere)
    g = nx * rays.dx + ny * rays.dy + nz * rays.dz
    square = 1 - mu * mu * (1 - g * g)
    passed = square > 0
    push = torch.where(passed, square, 1.0).sqrt() - mu * g
    bent = rays._replace(
        dx=mu * rays.dx + push * nx, dy=mu * rays.dy + push * ny, dz=mu * rays.dz + push * nz
    )
    kept = [torch.where(passed, new, old) for new, old in zip(bent, rays)]
    return Rays(*kept), passed


def _normal(rays: Rays, c: Tensor, k: Tensor, asphere: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit normal, along the light."""
    if asphere.numel():
        _, d_sag = sag_of(rays.x**2 + rays.y**2, c, k, asphere)
        nx, ny, nz = -2 * d_sag * rays.x, -2 * d_sag * rays.y, torch.ones_like(rays.z)
    else:
        nx, ny, nz = -c * rays.x, -c * rays.y, 1 - (1 + k) * c * rays.z
    length = (nx * nx + ny * ny + nz * nz).sqrt()
    return nx / length, ny / length, nz / length
