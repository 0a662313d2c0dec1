# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a scene of textured rectangles in torch, differentiable with respect to the camera pose.

Which rectangle a pixel centre sees is decided without gradient, as ``PlaneScene`` decides it; where on it the ray
lands is attached to the pose, and light there is looked up in textures that were smoothed in linear light.
A step between surfaces would have no derivative at pixel centres though it moves: so every pair of neighbouring
pixels that see different things is blended by where the boundary between them crosses the line that joins their
centres. Seen from a camera, boundaries are straight lines: edges of rectangles and lines where two planes meet are
zeros of functions linear in (x, y, 1). The image is then continuous in the pose, and its derivative complete.
After Laine et al., "Modular primitives for high-performance differentiable rendering", 2020 (antialiasing of pairs).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from event_perception.errors import DataError
from event_perception.motion.camera import CameraModel
from event_perception.simulation.planes import BACKGROUND, TEXTURE_BORDER, PlaneScene

WHITE_DN = 255.0
AT_ONCE = 1 << 18  # pixels of a batch of frames


@dataclass(frozen=True, eq=False)
class _Rays:
    """Rays of one batch: which rectangle each takes (n,), bearings (n, 3), poses of their frames (n, 3, 3), (n, 3)."""

    surface: Tensor
    bearing: Tensor
    R: Tensor
    p: Tensor


class PlaneLight:
    """Renders a ``PlaneScene`` at rest in linear light, attached to poses.

    Args:
        scene: What is seen; moving rectangles stay where they are at time 0.
        camera: Pinhole or distorting; its bearings are fixed.
        blur_m: Standard deviation of the smoothing of textures, metres: about half the footprint of a pixel at the
            usual distance, so that no texture is finer than what pixels can sample.
    """

    def __init__(self, scene: PlaneScene, camera: CameraModel, *, blur_m: float = 0.0) -> None:
        self.scene, self.camera = scene, camera
        table = camera.bearings().astype(np.float64).reshape(-1, 2)
        self._bearing = torch.cat([torch.as_tensor(table), torch.ones(len(table), 1)], -1).double()
        self._corner, self._u, self._v = (
            torch.tensor([getattr(r, name) for r in scene.rectangles], dtype=torch.float64)
            for name in ('corner_m', 'along_u', 'along_v')
        )
        self._size = torch.tensor([r.size_m for r in scene.rectangles], dtype=torch.float64)
        self._atlas = Atlas(scene, blur_m)

    def render(self, T_world_camera: Tensor) -> Tensor:
        """Linear light, white = 1.

        Args:
            T_world_camera: Poses (F, 4, 4), perhaps attached.

        Returns:
            (F, H, W) float64.

        Raises:
            DataError: If a pose is not finite or has another shape.
        """
        T = T_world_camera.to(torch.float64)
        if T.ndim != 3 or tuple(T.shape[1:]) != (4, 4) or not bool(torch.isfinite(T).all()):
            raise DataError(f'poses of shape {tuple(T.shape)}: give finite (F, 4, 4)')
        step = max(1, AT_ONCE // len(self._bearing))
        return torch.cat([self._batch(T[k : k + step]) for k in range(0, len(T), step)])

    def _batch(self, T: Tensor) -> Tensor:
        c = self.camera
        seen = [self.scene.surface(c, pose, 0.0) for pose in T.detach().numpy()]
        surface = torch.as_tensor(np.stack(seen).astype(np.int64))  # (F, H, W)
        pixel = torch.arange(c.height * c.width).repeat(len(T))
        frame = torch.arange(len(T)).repeat_interleave(c.height * c.width)
        rays = _Rays(surface.flatten(), self._bearing[pixel], T[frame, :3, :3], T[frame, :3, 3])
        light = self._light(rays)
        index = torch.arange(len(light)).reshape(surface.shape)
        blended = light
        for first, second in ((index[:, :, :-1], index[:, :, 1:]), (index[:, :-1], index[:, 1:])):
            p, q = first.flatten(), second.flatten()
            differ = rays.surface[p] != rays.surface[q]
            blended = blended + self._blend(rays, light, p[differ], q[differ])
        return blended.reshape(surface.shape)

    def _light(self, rays: _Rays) -> Tensor:
        """Texture where each ray lands."""
        hit = rays.surface >= 0
        k = rays.surface.clamp(min=0)
        inverse, u, v = self._forms(rays, k)
        safe = torch.where(hit, inverse, torch.ones_like(inverse))
        found = self._atlas.look_up(k, u / safe, v / safe)
        return torch.where(hit, found, torch.full_like(found, float(np.exp(BACKGROUND)) / WHITE_DN))

    def _forms(self, rays: _Rays, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of rectangle k along each ray: inverse depth, and both coordinates times it; all linear in the bearing."""
        direction = (rays.R @ rays.bearing[:, :, None])[:, :, 0]
        offset = rays.p - self._corner[k]
        normal = torch.linalg.cross(self._u[k], self._v[k])
        distance = (normal * offset).sum(-1)
        inverse = -(normal * direction).sum(-1) / torch.where(distance.abs() > 1e-9, distance, 1e-9)
        sides = [
            ((side[k] * offset).sum(-1) * inverse + (side[k] * direction).sum(-1))
            for side in (self._u, self._v)
        ]
        return inverse, sides[0], sides[1]

    def _edges(self, rays: _Rays, k: Tensor) -> Tensor:
        """Functions (n, 4) that are positive inside rectangle k."""
        inverse, u, v = self._forms(rays, k)
        su, sv = self._size[k].T
        return torch.stack([u, v, su * inverse - u, sv * inverse - v], -1)

    def _blend(self, rays: _Rays, light: Tensor, p: Tensor, q: Tensor) -> Tensor:
        """What neighbours p and q, which see different surfaces, give each other; an image to be added."""
        at_p, at_q = _chosen(rays, p), _chosen(rays, q)
        share = self._crossing(at_p, at_q)
        change = light[q] - light[p]
        to_p, to_q = (0.5 - share).clamp(min=0) * change, -(share - 0.5).clamp(min=0) * change
        return torch.zeros_like(light).index_add(0, p, to_p).index_add(0, q, to_q)

    def _crossing(self, at_p: _Rays, at_q: _Rays) -> Tensor:
        """Where between p (0) and q (1) the boundary of their surfaces is; 1/2 where the other pairs see it better."""
        a, b = at_p.surface.clamp(min=0), at_q.surface.clamp(min=0)
        edge_a, ends_a = self._first_edge(at_p, at_q, a)
        edge_b, ends_b = self._first_edge(at_q, at_p, b)
        ahead = [self._forms(at, a)[0] - self._forms(at, b)[0] for at in (at_p, at_q, _beside(at_p, at_q))]
        meet = _across(*ahead)
        nearer_a = (self._forms(at_p, a)[0] > self._forms(at_q, b)[0]) | (at_q.surface < 0)
        of_a = ends_a & (at_p.surface >= 0) & (nearer_a | ~ends_b)
        share = torch.where(of_a, edge_a, torch.where(ends_b & (at_q.surface >= 0), 1 - edge_b, meet))
        usable = torch.isfinite(share) & (share >= 0) & (share <= 1)
        return torch.where(usable, share, torch.full_like(share, 0.5))

    def _first_edge(self, inside: _Rays, outside: _Rays, k: Tensor) -> tuple[Tensor, Tensor]:
        """Where a rectangle that is seen at ``inside`` ends on the way to ``outside``, and whether it does."""
        f, g, h = (self._edges(rays, k) for rays in (inside, outside, _beside(inside, outside)))
        ends = (f >= 0) & (g < 0)
        change = torch.where(ends, f - g, torch.ones_like(f))
        first = torch.where(ends, f / change, torch.full_like(f, 2.0)).argmin(-1, keepdim=True)
        chosen = (values.gather(-1, first)[:, 0] for values in (f, g, h))
        return _across(*chosen), ends.any(-1)


class Atlas:
    """Textures of all rectangles in linear light, white = 1, smoothed; float64."""

    def __init__(self, scene: PlaneScene, blur_m: float) -> None:
        self._density = float(scene._density)
        self._stride, self._start = torch.as_tensor(scene._stride), torch.as_tensor(scene._start)
        ends = np.append(scene._start[1:], scene._texels.size)
        pictures = [
            _smoothed(scene._texels[first:last].reshape(-1, stride), blur_m * self._density)
            for first, last, stride in zip(scene._start, ends, scene._stride)
        ]
        self._rows = torch.tensor([p.shape[0] for p in pictures])
        self._texels = torch.as_tensor(np.concatenate([p.ravel() for p in pictures]))

    def look_up(self, k: Tensor, u_m: Tensor, v_m: Tensor) -> Tensor:
        """Light at places of rectangles k, bilinear."""
        s, t = (w * self._density + (TEXTURE_BORDER - 0.5) for w in (u_m, v_m))
        s = torch.minimum(s.clamp(min=0.0), (self._stride[k] - 1.001).to(s))
        t = torch.minimum(t.clamp(min=0.0), (self._rows[k] - 1.001).to(t))
        i, j = s.detach().floor(), t.detach().floor()
        fs, ft = s - i, t - j
        at = self._start[k] + j.long() * self._stride[k] + i.long()
        below = at + self._stride[k]
        x = self._texels
        top, low = x[at] + fs * (x[at + 1] - x[at]), x[below] + fs * (x[below + 1] - x[below])
        return top + ft * (low - top)


def _smoothed(log_dn: NDArray, sigma_texels: float) -> NDArray[np.float64]:
    light = np.exp(log_dn.astype(np.float64)) / WHITE_DN
    return gaussian_filter(light, sigma_texels, mode='nearest') if sigma_texels > 0 else light


def _across(f: Tensor, g: Tensor, h: Tensor) -> Tensor:
    """Share of the way from f to g at which a linear function is 0.

    1/2 where it changes more from f to h, a pixel aside: a line that runs along a pair of pixels passes it in an
    instant; pairs at a right angle to that one see it move steadily.
    """
    change = f - g
    aside = (change.abs() <= (f - h).abs()) | (change == 0)
    return torch.where(aside, torch.full_like(f, 0.5), f / torch.where(aside, torch.ones_like(f), change))


def _beside(p: _Rays, q: _Rays) -> _Rays:
    """The ray at a right angle, one pixel from p, if q is one pixel from p."""
    step = q.bearing - p.bearing
    turned = torch.stack([-step[:, 1], step[:, 0], step[:, 2]], -1)
    return _Rays(p.surface, p.bearing + turned, p.R, p.p)


def _chosen(rays: _Rays, index: Tensor) -> _Rays:
    return _Rays(rays.surface[index], rays.bearing[index], rays.R[index], rays.p[index])
