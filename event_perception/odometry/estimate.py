# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Pose and velocity of the camera as a value, and the protocol of what estimates them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from event_perception.events import DepthImage, EventWindow, ImuSample, TwistPrior
from event_perception.motion.gyro_prior import GyroPrior
from event_perception.motion.result import EgomotionResult


@dataclass(frozen=True, eq=False)
class OdometryEstimate:
    """Where the camera is and how it moves at one instant.

    Attributes:
        t_ns: The instant described.
        T_odom_camera: Pose (4, 4): maps camera optical frame coordinates to the odometry frame.
        pose_covariance: (6, 6), order (x, y, z, rotation about x, y, z), in the odometry frame.
        v_m_s: Velocity (3,) in the camera frame; 0 with a large variance where it is not observed.
        omega_rad_s: Angular velocity (3,) in the camera frame.
        twist_covariance: (6, 6), order (v, omega), camera frame.
        tracking: Whether this instant rests on a measurement; if not, on extrapolation.
        reason: One short sentence.
        status: 'tracking', 'degraded': going on without what usually corrects it, or 'lost'.
        correction_rad: By how much this pose was turned against what motion alone predicted; a jump, if large.
        correction_m: By how much a closed loop shifted it.
        unit_change: By what lengths are multiplied from this pose on, as the unit of length is known better; poses
            told before are in the old unit.
    """

    t_ns: int
    T_odom_camera: NDArray[np.float64]
    pose_covariance: NDArray[np.float64]
    v_m_s: NDArray[np.float64]
    omega_rad_s: NDArray[np.float64]
    twist_covariance: NDArray[np.float64]
    tracking: bool
    reason: str
    status: Literal['tracking', 'degraded', 'lost'] = 'tracking'
    correction_rad: float = 0.0
    correction_m: float = 0.0
    unit_change: float = 1.0


class Odometry(Protocol):
    """Integrates motion into a trajectory."""

    def update(
        self,
        window: EventWindow,
        egomotion: EgomotionResult,
        depth: DepthImage | None = None,
        imu: tuple[ImuSample, ...] = (),
    ) -> OdometryEstimate:
        """Pose at the reference instant of the window."""
        ...

    def reset(self) -> None:
        """Start again at the identity."""
        ...


@runtime_checkable
class Predicting(Protocol):
    """An odometry that knows what the twist of a window will be about, and so what the bias of a gyroscope is."""

    def expect(
        self, window: EventWindow, gyro: GyroPrior | None, imu: tuple[ImuSample, ...] = ()
    ) -> TwistPrior | None:
        """What egomotion should start from; to be asked right before egomotion and ``update`` of that window.

        Args:
            window: The window to come.
            gyro: Readings of a gyroscope; afterwards it has the bias that the odometry has found.
            imu: Readings before the end of the window, along the axes of the camera.
        """
        ...


@dataclass(frozen=True, eq=False)
class MapImage:
    """A picture of the map, float32 (H, W) in [0, 1], as it was at one instant."""

    t_ns: int
    value: NDArray[np.float32]


@runtime_checkable
class Mapping(Protocol):
    """An odometry that builds a map."""

    def panorama(self) -> NDArray[np.float32]:
        """The map as a picture, (H, W) in [0, 1]."""
        ...

    def save_map(self, path: Path) -> None:
        """Write that picture."""
        ...
