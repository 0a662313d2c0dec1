# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Angular rate from slices of event images by least squares, with filters that can be learned.

Slices of signed events are images of the rate of change of log light; between slices this pattern moves with the
flow. So for every learned filter, with slopes over columns, rows and slices,

    g_x xdot + g_y ydot + g_t = 0,   (xdot, ydot) = f (B omega + A v / z)

is one equation a pixel, weighted, in the six numbers (omega, v / z), z one depth for all. After Lucas and Kanade
1981 and Longuet-Higgins and Prazdny 1980. Learned are the filters, the weight of each, how strongly large slopes
are played down, the trust in v = 0, and a gain that undoes the bias of least squares with noisy slopes. It is a
network of few weights that knows geometry: it learns from dozens of windows, and can be trained jointly with a lens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from event_perception.errors import DataError
from event_perception.motion.camera import CameraModel

BORDER_PX = 4  # rows and columns not used: filters and lenses see past the border there
LEAST = 1e-9


class SliceEgomotion(nn.Module):
    """Slices to angular rates.

    Args:
        camera: Pinhole camera of the slices.
        slice_s: Time from one slice to the next.
        filters: Number of filters.
        size_px: Side of a filter, odd.
    """

    def __init__(self, camera: CameraModel, *, slice_s: float, filters: int = 4, size_px: int = 7) -> None:
        super().__init__()
        self.slice_s, self.focal_px = slice_s, camera.fx
        half = size_px // 2
        r2 = ((torch.arange(size_px) - half) ** 2).double()
        width = torch.linspace(0.8, 2.0, filters, dtype=torch.float64)[:, None, None]
        kernel = torch.exp(-(r2[:, None] + r2) / (2 * width**2))
        self.kernel = nn.Parameter(kernel / kernel.sum((1, 2), keepdim=True))
        self.log_weight = nn.Parameter(torch.zeros(filters, dtype=torch.float64))
        self.log_floor = nn.Parameter(torch.full((filters,), -4.0, dtype=torch.float64))
        self.log_still = nn.Parameter(torch.tensor(-3.0, dtype=torch.float64))
        self.gain = nn.Parameter(torch.ones(3, dtype=torch.float64))
        bearings = torch.as_tensor(camera.bearings().copy()).double()[
            BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX
        ]
        self.register_buffer('flow_px', camera.fx * _flow_of_unit_motion(bearings), persistent=False)
        self.flow_px: Tensor

    def forward(self, slices: Tensor) -> Tensor:
        """Angular rates (B, 3), rad/s, camera frame, of signed event images (B, slices, H, W).

        Raises:
            DataError: If there are fewer than two slices, or the size is not that of the camera.
        """
        size = tuple(n + 2 * BORDER_PX for n in self.flow_px.shape[1:3])
        if slices.ndim != 4 or slices.shape[1] < 2 or tuple(slices.shape[2:]) != size:
            raise DataError(f'slices {tuple(slices.shape)}: give (B, 2 or more, {size[0]}, {size[1]})')
        gx, gy, gt = self._slopes(slices.double())
        row = gx[..., None] * self.flow_px[0] + gy[..., None] * self.flow_px[1]  # (B, K, h, w, 6)
        floor = self.log_floor.exp()[:, None, None]
        weight = self.log_weight.exp()[:, None, None] / (floor + gx**2 + gy**2 + gt**2)
        normal = torch.einsum('bkyx,bkyxi,bkyxj->bij', weight, row, row)
        right = -torch.einsum('bkyx,bkyxi,bkyx->bi', weight, row, gt / self.slice_s)
        return self.gain * torch.linalg.solve(self._stiffened(normal), right)[:, :3]

    def _slopes(self, slices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Over columns, rows and slices (B, K, h, w), border left out."""
        n, b = slices.shape[1], BORDER_PX
        half = self.kernel.shape[-1] // 2
        images = functional.conv2d(slices.flatten(0, 1)[:, None], self.kernel[:, None], padding=half)
        images = images.unflatten(0, (-1, n))  # (B, S, K, H, W)
        mean = images.mean(1)
        time = torch.arange(n, dtype=images.dtype) - (n - 1) / 2
        gt = torch.einsum('s,bskyx->bkyx', time / (time**2).sum(), images)
        gx, gy = torch.zeros_like(mean), torch.zeros_like(mean)
        gx[..., 1:-1] = (mean[..., 2:] - mean[..., :-2]) / 2
        gy[..., 1:-1, :] = (mean[..., 2:, :] - mean[..., :-2, :]) / 2
        return gx[..., b:-b, b:-b], gy[..., b:-b, b:-b], gt[..., b:-b, b:-b]

    def _stiffened(self, normal: Tensor) -> Tensor:
        """A trust in v = 0 relative to what the window says, and enough that empty windows give zero."""
        size = normal.diagonal(dim1=1, dim2=2).mean(1)[:, None]
        still = torch.cat([torch.zeros(3), torch.ones(3)]).to(normal) * self.log_still.exp()
        return normal + torch.diag_embed(size * (still + 1e-6) + LEAST)


def _flow_of_unit_motion(bearings: Tensor) -> Tensor:
    """Normalised flow (2, H, W, 6) of unit angular rates and of unit velocities at depth 1."""
    x, y = bearings[..., 0], bearings[..., 1]
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    columns = torch.stack([x * y, -(1 + x * x), y, -one, zero, x], -1)
    rows = torch.stack([1 + y * y, -x * y, -x, zero, -one, y], -1)
    return torch.stack([columns, rows])
