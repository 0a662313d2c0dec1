# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a scene of textured rectangles in torch, differentiable with respect to the camera pose.

The light of a pixel is the sum over the rectangles that show in it of the area they cover times the light of their
texture where the ray through its centre meets their plane. Areas are exact (``coverage_kernels``): so frames are
continuous in the pose, also where edges, corners and surfaces thinner than a pixel come into view. Both factors are
attached: where a ray lands, and where boundaries between surfaces are. Textures are smoothed in linear light.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, spline_filter
from torch import Tensor

from event_perception.errors import DataError
from event_perception.motion.camera import CameraModel
from event_perception.simulation import coverage_kernels
from event_perception.simulation.planes import BACKGROUND, IN_PLANE_M, TEXTURE_BORDER, PlaneScene

WHITE_DN = 255.0
NOTHING_LIGHT = float(np.exp(BACKGROUND)) / WHITE_DN
SPLINE_VARIANCE = 0.25  # of quadratic B-splines, texels
AT_ONCE = 1 << 18  # pixels of a batch of frames
RAYS_A_SIDE = 6  # of a pixel, that look for what shows in it
LEAST_INVERSE_DEPTH = 1e-3  # 1/m: planes seen so far along them end at the edge of their texture


@dataclass(frozen=True, eq=False)
class _Forms:
    """Of every rectangle in every frame, linear in the bearing.

    Attributes:
        inverse: (F, K, 3) inverse depth.
        side: (F, K, 2, 3) both coordinates on the rectangle, times inverse depth.
        edge: (F, K, 4, 3) positive inside its four edges.
    """

    inverse: Tensor
    side: Tensor
    edge: Tensor


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
        self._corner_of_cell = _cell_corners(camera)
        self._bearing = _bearing(torch.as_tensor(camera.bearings().astype(np.float64).reshape(-1, 2)))
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
        c, forms = self.camera, self._forms(T)
        fine = c.scaled(RAYS_A_SIDE)
        seen = np.stack([self.scene.surface(fine, pose, 0.0) for pose in T.detach().numpy()])
        row, share = self._shares(seen, forms)
        frame, cell, k = row.T
        light = self._light(forms, frame, self._bearing[cell], k)
        place, size = frame * len(self._bearing) + cell, len(T) * len(self._bearing)
        total, whole = (
            torch.zeros(size, dtype=torch.float64).index_add(0, place, v) for v in (share * light, share)
        )
        image = total + (1 - whole) * NOTHING_LIGHT  # where no rectangle is
        return image.reshape(len(T), c.height, c.width)

    def _shares(self, seen: NDArray, forms: _Forms) -> tuple[Tensor, Tensor]:
        """Rows (frame, cell, rectangle) (n, 3) and the share of the cell (n,), attached."""
        n_rows, n_lines = 2 * len(seen) * len(self._bearing), 4 * len(seen) * len(self._bearing)
        edge, inverse = (np.ascontiguousarray(v.detach().numpy()) for v in (forms.edge, forms.inverse))
        while True:
            row, share = np.empty((n_rows, 3), np.int64), np.empty(n_rows)
            line, change = np.empty((n_lines, 5), np.int64), np.empty((n_lines, 3))
            needed = coverage_kernels.cover(
                seen, RAYS_A_SIDE, self._corner_of_cell, edge, inverse, row, share, line, change
            )
            if needed[0] <= n_rows and needed[1] <= n_lines:
                break
            n_rows, n_lines = needed
        rows, lines = torch.as_tensor(row[: needed[0]]), torch.as_tensor(line[: needed[1]])
        slope, at = torch.as_tensor(change[: needed[1], :1])[:, 0], torch.as_tensor(change[: needed[1], 1:])
        return rows, _attached(torch.as_tensor(share[: needed[0]]), forms, lines, slope, _bearing(at))

    def _light(self, forms: _Forms, frame: Tensor, bearing: Tensor, k: Tensor) -> Tensor:
        """Texture where rays meet the planes of rectangles k; beyond their edges that of the edge."""
        inverse = (forms.inverse[frame, k] * bearing).sum(-1)
        safe = torch.where(inverse > LEAST_INVERSE_DEPTH, inverse, LEAST_INVERSE_DEPTH)
        u, v = ((forms.side[frame, k, i] * bearing).sum(-1) / safe for i in range(2))
        return self._atlas.look_up(k, u, v)

    def _forms(self, T: Tensor) -> _Forms:
        """See there."""
        R, offset = T[:, None, :3, :3], T[:, None, :3, 3] - self._corner  # (F, 1, 3, 3), (F, K, 3)
        normal = torch.linalg.cross(self._u, self._v)
        distance = (normal * offset).sum(-1, keepdim=True)
        seen = distance.abs() > IN_PLANE_M
        turned = (normal[:, None] @ R)[..., 0, :]
        inverse = torch.where(seen, -turned / torch.where(seen, distance, 1.0), 0.0)
        u, v = (
            (side * offset).sum(-1, keepdim=True) * inverse + (side[:, None] @ R)[..., 0, :]
            for side in (self._u, self._v)
        )
        su, sv = self._size[:, :1], self._size[:, 1:]
        edge = torch.stack([u, v, su * inverse - u, sv * inverse - v], 2)
        return _Forms(inverse, torch.stack([u, v], 2), edge)


def _attached(share: Tensor, forms: _Forms, line: Tensor, slope: Tensor, bearing: Tensor) -> Tensor:
    """Shares with the derivative of the lines that bound them."""
    row, frame, k, e, other = line.T
    if not forms.inverse.requires_grad:
        return share
    form = torch.where(
        (e >= 0)[:, None],
        forms.edge[frame, k, e.clamp(min=0)],
        forms.inverse[frame, k] - forms.inverse[frame, other],
    )
    f = (form * bearing).sum(-1)
    return share.index_add(0, row, slope * (f - f.detach()))


def _bearing(at: Tensor) -> Tensor:
    return torch.cat([at, torch.ones(len(at), 1, dtype=torch.float64)], -1)


def _cell_corners(camera: CameraModel) -> NDArray[np.float64]:
    """Bearings (H + 1, W + 1, 2) of the corners of pixels."""
    x, y = np.meshgrid(np.arange(camera.width + 1) - 0.5, np.arange(camera.height + 1) - 0.5)
    table = camera.undistort(np.stack([x, y], -1).reshape(-1, 2))
    return np.ascontiguousarray(table.reshape(camera.height + 1, camera.width + 1, 2))


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
        """Light at places of rectangles k, by quadratic B-splines: its slope has no jumps from texel to texel."""
        columns, rows = self._stride[k], self._rows[k]
        s, i = self._nearest(u_m, columns)
        t, j = self._nearest(v_m, rows)
        across, down = _spline(s - i), _spline(t - j)
        at = self._start[k] + j.long() * columns + i.long()
        lines = [
            sum(w * self._texels[at + (m - 1) * columns + (n - 1)] for n, w in enumerate(across))
            for m in range(len(down))
        ]
        return torch.stack([weight * line for weight, line in zip(down, lines)]).sum(0)

    def _nearest(self, place_m: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """In texels, and the texel; both away from the border."""
        s = place_m * self._density + (TEXTURE_BORDER - 0.5)
        s = torch.minimum(s.clamp(min=0.501), (size - 1.501).to(s))
        return s, (s.detach() + 0.5).floor()


def _spline(offset: Tensor) -> list[Tensor]:
    """Weights of the texels before, at and after the nearest one; the blur of a variance of 1/4 texel is known."""
    return [0.5 * (0.5 - offset) ** 2, 0.75 - offset**2, 0.5 * (0.5 + offset) ** 2]


def _smoothed(log_dn: NDArray, sigma_texels: float) -> NDArray[np.float64]:
    """Linear light; what the splines of the look-up smooth is not smoothed again."""
    light = np.exp(log_dn.astype(np.float64)) / WHITE_DN
    if sigma_texels**2 <= SPLINE_VARIANCE:
        return np.asarray(
            spline_filter(light, order=2, mode='mirror')
        )  # the splines then pass through the texels
    return gaussian_filter(light, np.sqrt(sigma_texels**2 - SPLINE_VARIANCE), mode='nearest')
