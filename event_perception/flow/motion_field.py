# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow that follows from egomotion: exact for a camera that turns, and with depth for one that moves.

A static point has Xdot = -omega x X - v. With the bearing (x, y, 1) of a pixel and its depth Z, the normalised
image moves by

    xdot = omega_x x y - omega_y (1 + x^2) + omega_z y + (x v_z - v_x) / Z
    ydot = omega_x (1 + y^2) - omega_y x y - omega_z x + (y v_z - v_y) / Z

and the pixel by J (xdot, ydot), J being the derivative of the lens and the intrinsics at this bearing. All of it
is linear in omega and v, so one image per component, computed once, gives any flow.

Source: Longuet-Higgins and Prazdny, The interpretation of a moving retinal image, Proc. R. Soc. 1980.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.errors import DataError
from event_perception.events import DepthImage, EventWindow
from event_perception.flow.field import FlowField
from event_perception.motion.camera import CameraModel
from event_perception.motion.result import EgomotionResult

STEP = 1e-5  # of the central difference through the lens: its error is below 1e-8 px for any real lens


@dataclass(frozen=True, slots=True)
class MotionFieldConfig:
    """What the flow from egomotion accepts."""

    max_depth_age_s: float = param(
        0.15, 'Depth images older than this are not used, seconds.', ge=0.0, le=10.0
    )


class MotionField:
    """Flow of the pixel grid of the camera, lens distortion included.

    Where nothing is known it says so: no pixel is valid if egomotion did not converge; with an estimated
    translation only pixels of known depth are; and never one that the lens model cannot invert.

    Args:
        config: Parameters; None for the defaults.
        camera: Model of the camera.
    """

    config_type: ClassVar[type[MotionFieldConfig]] = MotionFieldConfig

    def __init__(self, config: MotionFieldConfig | None, camera: CameraModel) -> None:
        self.config = config or MotionFieldConfig()
        self._shape = (camera.height, camera.width)
        rotation, translation = flow_basis(camera)
        finite = np.isfinite(rotation) & np.isfinite(translation)
        self._invertible = np.asarray(finite.all(axis=(0, 1)))
        self._rotation = np.where(self._invertible, rotation, 0.0).astype(np.float32)
        self._translation = np.where(self._invertible, translation, 0.0).astype(np.float32)

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult | None = None,
        depth: DepthImage | None = None,
    ) -> FlowField:
        """Flow at the reference instant of the window.

        Raises:
            DataError: If egomotion is missing, or the depth image is of another size than the camera.
        """
        if egomotion is None:
            raise DataError('flow from egomotion needs an EgomotionResult; run the egomotion stage before it')
        if not egomotion.converged:
            return self._nothing(window.t_ref_ns)
        if np.isnan(egomotion.v).any():
            return self._field(window.t_ref_ns, self.rotational(egomotion.omega), self._invertible.copy())
        if depth is None or window.t_ref_ns - depth.t_ns > self.config.max_depth_age_s * 1e9:
            return self._nothing(window.t_ref_ns)
        inverse_depth, known = self.inverse_depth(depth)
        flow = self.rotational(egomotion.omega)
        flow += inverse_depth * self.translational(egomotion.v)
        return self._field(window.t_ref_ns, flow, known & self._invertible)

    def rotational(self, omega: NDArray[np.float64]) -> NDArray[np.float32]:
        """Flow of a camera that turns at ``omega`` (3,) rad/s: float32 (2, H, W), px/s."""
        return _combined(omega, self._rotation)

    def translational(self, v: NDArray[np.float64]) -> NDArray[np.float32]:
        """Flow of a camera that moves at ``v`` (3,) m/s before points 1 m deep: float32 (2, H, W), px/s."""
        return _combined(v, self._translation)

    def basis_at(
        self, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Flow of some pixels for unit omega and for unit v at 1 m: two of (n, 2, 3); nan without an inverse."""
        known = self._invertible[rows, columns][:, None, None]
        at = (np.moveaxis(b[:, :, rows, columns], -1, 0) for b in (self._rotation, self._translation))
        rotation, translation = (np.where(known, np.swapaxes(b, 1, 2), np.nan).astype(np.float64) for b in at)
        return rotation, translation

    def inverse_depth(self, depth: DepthImage) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """1 / depth (H, W), 0 where it is not known, and where it is.

        Raises:
            DataError: If the depth image is of another size than the camera.
        """
        if depth.depth_m.shape != self._shape:
            raise DataError(
                f'a depth image of shape {depth.depth_m.shape} for a camera of shape {self._shape}; '
                'register the depth to this camera first'
            )
        known = np.isfinite(depth.depth_m) & (depth.depth_m > 0)
        inverse = np.zeros(self._shape, np.float32)
        np.divide(1.0, depth.depth_m, out=inverse, where=known)
        return inverse, known

    def _nothing(self, t_ref_ns: int) -> FlowField:
        return FlowField(t_ref_ns, np.zeros((2, *self._shape), np.float32), np.zeros(self._shape, bool))

    @staticmethod
    def _field(t_ref_ns: int, flow: NDArray[np.float32], valid: NDArray[np.bool_]) -> FlowField:
        if not valid.all():
            flow *= valid
        return FlowField(t_ref_ns, flow, valid)


def _combined(motion: NDArray[np.float64], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """sum_k motion_k basis_k, (2, H, W).

    Element by element: as a matrix product it goes to a BLAS whose threads wait by spinning, and takes the other
    core from whoever needs it.
    """
    a, b, c = np.asarray(motion, np.float32)
    flow: NDArray[np.float32] = a * basis[0]
    flow += b * basis[1]
    flow += c * basis[2]
    return flow


def flow_basis(camera: CameraModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Flow of every pixel for unit motions.

    Returns:
        For omega = e_k: (3, 2, H, W), px per rad. For v = e_k at depth 1 m: (3, 2, H, W), px per m. Not finite
        where the lens model has no inverse.
    """
    bearings = camera.bearings().astype(np.float64)
    x, y = bearings[..., 0], bearings[..., 1]
    zero, one = np.zeros_like(x), np.ones_like(x)
    rotation = [(x * y, 1 + y * y), (-(1 + x * x), -x * y), (y, -x)]
    translation = [(-one, zero), (zero, -one), (x, y)]
    along_x, along_y = _projection_jacobian(camera, bearings)
    through_lens = [[along_x * u + along_y * v for u, v in basis] for basis in (rotation, translation)]
    return np.stack(through_lens[0]), np.stack(through_lens[1])


def _projection_jacobian(
    camera: CameraModel, bearings: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel per normalised coordinate x and y, each (2, H, W), by central differences through any lens model."""

    def derivative(step: tuple[float, float]) -> NDArray[np.float64]:
        flat = bearings.reshape(-1, 2)
        difference = camera.project(flat + step) - camera.project(flat - np.array(step))
        return np.moveaxis(difference.reshape(bearings.shape), -1, 0) / (2 * STEP)

    return derivative((STEP, 0.0)), derivative((0.0, STEP))
