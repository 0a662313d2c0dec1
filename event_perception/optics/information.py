# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What event flow tells about the motion of a body: Fisher information of a twist from normal flow.

Events of a small patch see the flow along the gradient of brightness only, m = g . (flow, px/s), g a unit vector. In
a window T the patch gives N = |grad L| |m| T / threshold events; a pixel with a low-pass loses contrast with speed,
N / sqrt(1 + (m / m_0)^2), without which the best place of a camera is always as close to the floor as it gets. With relative noise rho of a speed from one event, a
floor s_0, and depth known to sigma(1/Z), independently for every pixel, the information is

    J = sum  N h h^T / (rho^2 m^2 + s_0^2 + s_Z^2),   h = dm / d(twist),   s_Z = |dm / d(1/Z)| sigma(1/Z).

Two limits matter where a camera comes near to what it sees. A window is of use only as long as a patch moves by no
more than a reach R before it has changed or left the search of an estimator: instead of T the events of

    T_R = T / sqrt(1 + (|m| T / R)^2)

count. And a texture has a finest detail: per pixel its gradient grows with the footprint p = Z / f of a pixel as
long as that is finer than the detail d, and with p^r beyond, where amplitudes of a texture that fall like
wavelength^r add up from the finest that a pixel resolves, |grad L| = g (p / d) (1 + (p / d)^2)^((r - 1) / 2).

The last term of J is the Schur complement of a nuisance depth of each pixel. An error of scale common to all depths
(a floor that is higher than assumed) is one more parameter and is eliminated in the same way, ``scale_sigma``.

Flow of a static scene (Longuet-Higgins and Prazdny 1980), normalised image, depth Z: A v / Z + B w with
A = [[-1, 0, x], [0, -1, y]] and B = [[x y, -(1 + x^2), y], [1 + y^2, -x y, -x]]. The noise model is ours; only
ratios of its results count.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.motion.camera import CameraModel
from event_perception.optics.mount import Body, Mount

COMPONENTS = ('vx', 'vy', 'vz', 'wx', 'wy', 'wz')
NEAREST_TO_NOTHING = 1e-3  # pixels a metre: what is farther shows no texture of its own
SOFT_M = 1e-9  # px/s: keeps |m| differentiable where there is no normal flow


@dataclass(frozen=True, slots=True)
class InformationConfig:
    """Sensor and window of the information model."""

    gradient_per_px: float = param(
        0.05, 'Gradient of log brightness, 1/px, the same everywhere.', ge=1e-6, le=10.0
    )
    threshold: float = param(0.2, 'Contrast threshold.', ge=1e-3, le=10.0)
    window_s: float = param(0.05, 'Window, s.', ge=1e-4, le=10.0)
    relative_noise: float = param(0.15, 'Relative noise of normal flow from one event, rho.', ge=0.0, le=10.0)
    floor_px_s: float = param(5.0, 'Noise floor of normal flow, s_0, px/s.', ge=1e-3, le=1e4)
    inverse_depth_sigma: float = param(
        0.0, 'Uncertainty of 1/Z of each pixel, 1/m; 0 = depth known.', ge=0.0, le=1e3
    )
    scale_sigma: float = param(
        0.0, 'Relative uncertainty of a scale common to all depths; 0 = known.', ge=0.0, le=1e3
    )
    speed_limit_px_s: float = param(
        3000.0, 'Normal flow at which a slow pixel has lost 3 dB of contrast, px/s; 0 = a fast pixel.', ge=0.0
    )
    reach_px: float = param(
        0.0, 'Displacement in a window beyond which more of it tells little, px; 0 = any.', ge=0.0, le=1e4
    )
    detail_m: float = param(
        0.0, 'Finest detail of textures, m; 0 = the same gradient per pixel at any distance.', ge=0.0, le=10.0
    )
    roughness: float = param(
        0.7, 'Exponent of the amplitude of a texture over wavelength, with detail_m.', ge=0.0, le=1.0
    )
    directions: int = param(4, 'Directions of the gradient that are averaged, over half a turn.', ge=2, le=64)
    stride_px: int = param(16, 'Every so many pixels along x and y stands for its block.', ge=1, le=64)
    edge_m: float = param(0.01, 'Softness of the silhouette of the body, m.', ge=1e-4, le=1.0)


@dataclass(frozen=True, eq=False)
class Planes:
    """A scene of planes n . X = offset in the world frame, the camera on the side where n . X > offset.

    Attributes:
        normals: (M, 3) unit vectors towards the free space.
        offsets_m: (M,).
    """

    normals: Tensor
    offsets_m: Tensor

    def inverse_depth(self, origin_m: Tensor, directions: Tensor) -> Tensor:
        """1 / Z along rays X = origin + Z direction, 0 where nothing is hit.

        Args:
            origin_m: (S, 3).
            directions: (S, P, 3), scaled to one unit of depth.
        """
        distance = origin_m @ self.normals.T - self.offsets_m
        approach = -directions @ self.normals.T
        return (approach / distance[:, None, :]).clamp(min=0).amax(-1)


def room(length_m: float, width_m: float, height_m: float) -> Planes:
    """Floor z = 0, four walls around the origin, ceiling."""
    normals = [(0, 0, 1), (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1)]
    offsets = [0.0, -length_m / 2, -length_m / 2, -width_m / 2, -width_m / 2, -height_m]
    return Planes(torch.tensor(normals, dtype=torch.float64), torch.tensor(offsets, dtype=torch.float64))


def floor_and_wall(drop_m: float, wall_m: float) -> Planes:
    """A floor below the origin and a wall ahead of it (x forward, z up)."""
    normals = torch.tensor([[0, 0, 1], [-1, 0, 0]], dtype=torch.float64)
    return Planes(normals, torch.tensor([-drop_m, -wall_m], dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Motion:
    """Poses and twists of a body at some instants.

    Attributes:
        rotation: R_world_base (S, 3, 3).
        position_m: (S, 3) base in the world.
        v_m_s: (S, 3) in the base frame.
        omega_rad_s: (S, 3) in the base frame.
    """

    rotation: Tensor
    position_m: Tensor
    v_m_s: Tensor
    omega_rad_s: Tensor


def still_pose(v_m_s: tuple[float, float, float], omega_rad_s: tuple[float, float, float]) -> Motion:
    """One instant at the origin of the world."""
    rows = [torch.tensor([v], dtype=torch.float64) for v in (v_m_s, omega_rad_s)]
    eye = torch.eye(3, dtype=torch.float64)[None]
    return Motion(eye, torch.zeros(1, 3, dtype=torch.float64), *rows)


def twist_information(
    mount: Mount,
    camera: CameraModel,
    scene: Planes,
    motion: Motion,
    config: InformationConfig | None = None,
    *,
    components: tuple[str, ...] = COMPONENTS,
    body: Body | None = None,
) -> Tensor:
    """Information on components of the body twist at every instant, (S, n, n), attached to the mount.

    Args:
        mount: Pose of the camera.
        camera: Its model; lens distortion is ignored.
        scene: What it sees.
        motion: Where the body is, and how it moves.
        config: Sensor and window.
        components: Which of ``COMPONENTS`` are estimated; the others are taken as known (a wheeled robot does not
            rise, roll or pitch).
        body: Hides what is behind it; None for nothing.

    Raises:
        ConfigError: If a component is unknown.
        DataError: If the camera is inside the body.
    """
    c = config or InformationConfig()
    unknown = sorted(set(components) - set(COMPONENTS))
    if unknown or not components:
        raise ConfigError(f'components {list(components)}: choose from {list(COMPONENTS)}')
    x, y = _bearings(camera, c.stride_px)
    rays = torch.stack([x, y, torch.ones_like(x)], -1) @ mount.rotation.T
    rotation = motion.rotation @ mount.rotation
    origin = motion.position_m + (motion.rotation @ mount.position_m)
    inverse_depth = scene.inverse_depth(origin, torch.stack([x, y, torch.ones_like(x)], -1) @ rotation.mT)
    seen = torch.ones_like(x)
    if body is not None:
        body.check(mount.position_m)
        seen = body.visible(mount.position_m, rays, c.edge_m)
    h, moved = _rows(mount, camera, x, y, inverse_depth, c.directions)
    twist = torch.cat([motion.v_m_s, motion.omega_rad_s], -1)
    m = (h @ twist[:, None, :, None])[..., 0]
    by_depth = (moved @ twist[:, None, :, None])[..., 0]  # dm / d(1/Z)
    events = _events(c, m, inverse_depth * camera.fx)
    if c.speed_limit_px_s > 0:
        events = events / (1 + (m / c.speed_limit_px_s) ** 2).sqrt()
    variance = (c.relative_noise * m) ** 2 + c.floor_px_s**2 + (by_depth * c.inverse_depth_sigma) ** 2
    weight = events / variance * (seen[:, None] * c.stride_px**2 / c.directions)
    chosen = h[..., [COMPONENTS.index(name) for name in components]].flatten(1, 2)
    weighted = chosen * weight.flatten(1)[..., None]
    information = weighted.mT @ chosen
    if c.scale_sigma == 0:
        return information
    by_scale = -(by_depth * inverse_depth[..., None]).flatten(1)  # depths times (1 + e): 1/Z falls by e / Z
    mixed = (weighted.mT @ by_scale[..., None])[..., 0]
    own = (weight.flatten(1) * by_scale**2).sum(1) + c.scale_sigma**-2
    return information - mixed[:, :, None] * mixed[:, None, :] / own[:, None, None]


def _events(c: InformationConfig, m: Tensor, pixels_per_m: Tensor) -> Tensor:
    """Events (S, P, K) of a window that are of use, of patches whose pixels have a footprint (S, P)."""
    gradient = torch.full_like(pixels_per_m, c.gradient_per_px)
    if c.detail_m > 0:
        fine = 1 / (pixels_per_m.clamp(min=NEAREST_TO_NOTHING) * c.detail_m)  # footprint over detail
        gradient = gradient * fine * (1 + fine**2) ** ((c.roughness - 1) / 2)
    speed = (m * m + SOFT_M**2).sqrt()
    events = gradient[..., None] * speed * c.window_s / c.threshold
    if c.reach_px > 0:
        events = events / (1 + (m * c.window_s / c.reach_px) ** 2).sqrt()
    return events


def _bearings(camera: CameraModel, stride_px: int) -> tuple[Tensor, Tensor]:
    """Normalised coordinates of every stride-th pixel, from the middle of the first block, (P,) each."""
    columns = torch.arange(stride_px // 2, camera.width, stride_px, dtype=torch.float64)
    rows = torch.arange(stride_px // 2, camera.height, stride_px, dtype=torch.float64)
    y, x = torch.meshgrid((rows - camera.cy) / camera.fy, (columns - camera.cx) / camera.fx, indexing='ij')
    return x.reshape(-1), y.reshape(-1)


def _rows(
    mount: Mount, camera: CameraModel, x: Tensor, y: Tensor, inverse_depth: Tensor, directions: int
) -> tuple[Tensor, Tensor]:
    """Derivatives of normal flow (px/s) by the body twist (S, P, K, 6), and of those by 1/Z (1, P, K, 6)."""
    angle = math.pi * (torch.arange(directions, dtype=torch.float64) + 0.5) / directions
    gx, gy = camera.fx * angle.cos(), camera.fy * angle.sin()
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    translation = torch.stack([torch.stack([-one, zero, x], -1), torch.stack([zero, -one, y], -1)])
    rotation = torch.stack(
        [torch.stack([x * y, -(1 + x * x), y], -1), torch.stack([1 + y * y, -x * y, -x], -1)]
    )
    along = [
        gx[:, None] * part[0][:, None] + gy[:, None] * part[1][:, None] for part in (translation, rotation)
    ]
    to_camera = mount.twist_matrix()
    moved, turned = along[0] @ to_camera[:3], along[1] @ to_camera[3:]
    return inverse_depth[..., None, None] * moved + turned, moved[None]


def log_det_loss(information: Tensor, scales: Tensor, prior: Tensor) -> Tensor:
    """Minus the mean log determinant, of components in units of their scales."""
    return -torch.logdet(_scaled(information, scales, prior)).mean()


def smallest_loss(information: Tensor, scales: Tensor, prior: Tensor) -> Tensor:
    """Minus the mean log of the smallest eigenvalue: the worst direction of motion decides."""
    return -torch.linalg.eigvalsh(_scaled(information, scales, prior))[:, 0].log().mean()


def task_variance_loss(information: Tensor, scales: Tensor, prior: Tensor) -> Tensor:
    """Log of the mean variance, components in units of their scales, summed."""
    covariance = torch.linalg.inv(_scaled(information, scales, prior))
    return covariance.diagonal(dim1=-2, dim2=-1).sum(-1).mean().log()


CRITERIA = {'log_det': log_det_loss, 'smallest': smallest_loss, 'task': task_variance_loss}


def standard_deviations(information: Tensor) -> Tensor:
    """Bounds on the standard deviations (S, n) of the components, m/s and rad/s (Cramer-Rao)."""
    return torch.linalg.inv(information).diagonal(dim1=-2, dim2=-1).sqrt()


def _scaled(information: Tensor, scales: Tensor, prior: Tensor) -> Tensor:
    """In units of the scales, with the information of a prior added, which bounds windows without motion."""
    return information * scales * scales[:, None] + torch.diag(prior)
