# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""What else enters the pipeline beside events, one value a measurement. Times are ROS or sensor ns, as the input's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ImuSample:
    """Gyroscope and accelerometer at one instant, in the frame ``frame_id``."""

    t_ns: int
    angular_velocity_rad_s: NDArray[np.float64]
    linear_acceleration_m_s2: NDArray[np.float64]
    frame_id: str = ''


@dataclass(frozen=True, eq=False)
class DepthImage:
    """Depth along the optical axis, float32 (H, W), metres; not finite or <= 0 where unknown."""

    t_ns: int
    depth_m: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FrameImage:
    """A grey frame of an ordinary shutter, float32 (H, W) in [0, 1]."""

    t_ns: int
    value: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TwistPrior:
    """A velocity of the camera from another source, optical frame.

    ``covariance`` is (6, 6) in the order (v, omega), as ROS has it.
    """

    t_ns: int
    v_m_s: NDArray[np.float64]
    omega_rad_s: NDArray[np.float64]
    covariance: NDArray[np.float64]
