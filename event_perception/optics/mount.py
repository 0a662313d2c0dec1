# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Where a camera sits on a robot: T_base_cam from a local rotation vector and a position, differentiable.

Base frame x forward, y left, z up; camera frame x right, y down, z forward. A body twist (v, w) at the origin of the
base is seen by a camera at p with orientation R as

    v_cam = R^T (v + w x p),   w_cam = R^T w.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.errors import DataError

FORWARD = ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0))  # columns: camera axes in the base


def hat(v: Tensor) -> Tensor:
    """The matrix [v]_x of vectors (..., 3), (..., 3, 3)."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape, 3)


def so3_exp(phi: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3), rad; smooth at 0 to every order that is used."""
    s = (phi * phi).sum(-1)[..., None, None]
    small = s < 1e-6
    a = torch.where(small, 1.0, s).sqrt()
    sine = torch.where(small, 1 - s / 6 * (1 - s / 20), a.sin() / a)
    cosine = torch.where(small, 0.5 - s / 24 * (1 - s / 30), (1 - a.cos()) / (a * a))
    h = hat(phi)
    return torch.eye(3, dtype=phi.dtype, device=phi.device) + sine * h + cosine * (h @ h)


@dataclass(frozen=True, eq=False)
class Mount:
    """A pose of the camera on the body.

    Attributes:
        rotation: R_base_cam (3, 3), attached to what it was made from.
        position_m: Camera centre in the base frame (3,).
    """

    rotation: Tensor
    position_m: Tensor

    def moved(self, phi: Tensor, shift_m: Tensor) -> 'Mount':
        """Turned by a rotation vector in the camera frame (pitch, yaw, roll about its x, y, z) and shifted in the base."""
        return Mount(self.rotation @ so3_exp(phi), self.position_m + shift_m)

    def camera_twist(self, v_m_s: Tensor, omega_rad_s: Tensor) -> tuple[Tensor, Tensor]:
        """Twists (..., 3) of the body as the camera has them."""
        at_camera = v_m_s + torch.linalg.cross(omega_rad_s, self.position_m.expand_as(omega_rad_s))
        return at_camera @ self.rotation, omega_rad_s @ self.rotation

    def twist_matrix(self) -> Tensor:
        """The (6, 6) matrix that takes (v, w) of the body to (v, w) of the camera."""
        transposed = self.rotation.T
        zero = torch.zeros_like(transposed)
        upper = torch.cat([transposed, -transposed @ hat(self.position_m)], 1)
        return torch.cat([upper, torch.cat([zero, transposed], 1)])

    @property
    def pitch_rad(self) -> Tensor:
        """Angle of the optical axis below the horizon of the body."""
        return torch.asin((-self.rotation[2, 2]).clamp(-1, 1))


def pitched_mount(pitch_rad: float, position_m: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mount:
    """A camera that looks forward, turned down by an angle: 0 is forward, pi/2 straight down."""
    forward = torch.tensor(FORWARD, dtype=torch.float64)
    turn = torch.tensor([-pitch_rad, 0.0, 0.0], dtype=torch.float64)
    return Mount(forward @ so3_exp(turn), torch.tensor(position_m, dtype=torch.float64))


@dataclass(frozen=True)
class Body:
    """The body of a robot as a box in the base frame.

    Attributes:
        low_m: Corner with the smallest x, y, z.
        high_m: Corner with the largest.
        clearance_m: Distance that the camera centre keeps.
    """

    low_m: tuple[float, float, float]
    high_m: tuple[float, float, float]
    clearance_m: float = 0.02

    def __post_init__(self) -> None:
        if not all(a < b for a, b in zip(self.low_m, self.high_m)):
            raise DataError(
                f'body from {self.low_m} to {self.high_m}: every low corner must be below the high one'
            )

    def check(self, position_m: Tensor) -> None:
        """Refuse a camera inside.

        Raises:
            DataError: If the position is in the box or nearer to it than the clearance.
        """
        low, high = self._grown(position_m)
        p = position_m.detach()
        if bool(((p > low + 1e-9) & (p < high - 1e-9)).all()):
            raise DataError(
                f'the camera at {[round(float(x), 3) for x in p]} m is inside the body ({self.low_m} to {self.high_m} m, '
                f'clearance {self.clearance_m} m); mount it outside'
            )

    def outside(self, position_m: Tensor, low_m: Tensor, high_m: Tensor) -> Tensor:
        """The nearest position outside the body and inside the allowed box.

        Raises:
            DataError: If the body fills the allowed box.
        """
        p = position_m.clamp(low_m, high_m)
        low, high = self._grown(p)
        if not bool(((p > low) & (p < high)).all()):
            return p
        options = []
        for axis in range(3):
            for face in (low[axis], high[axis]):
                if bool(low_m[axis] <= face <= high_m[axis]):
                    q = p.clone()
                    q[axis] = face
                    options.append(q)
        if not options:
            raise DataError(
                'the body fills the box in which the camera may sit; enlarge mount.low_m, mount.high_m'
            )
        return min(options, key=lambda q: float((q - p).abs().sum()))

    def visible(self, origin_m: Tensor, directions: Tensor, edge_m: float) -> Tensor:
        """How free of the body each view ray is, 1 free to 0 blocked, (...,) for directions (..., 3).

        The slab test, with the length of the stretch inside the box softened by ``edge_m``, so that a pose knows how
        to look past its own body.
        """
        low, high = directions.new_tensor(self.low_m), directions.new_tensor(self.high_m)
        length = directions.norm(dim=-1, keepdim=True)
        d = directions / length
        d = torch.where(d.abs() < 1e-9, 1e-9, d)
        a, b = (low - origin_m) / d, (high - origin_m) / d
        enter, leave = torch.minimum(a, b).amax(-1), torch.maximum(a, b).amin(-1)
        inside = torch.minimum(leave - enter.clamp(min=0), leave)
        return torch.sigmoid(-(inside / edge_m) - 3)

    def _grown(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return like.new_tensor(self.low_m) - self.clearance_m, like.new_tensor(self.high_m) + self.clearance_m
