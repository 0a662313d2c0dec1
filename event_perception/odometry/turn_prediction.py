# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How fast the camera turned between two instants, by a gyroscope."""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import ImuSample

Vector = NDArray[np.float64]


def mean_rate(imu: tuple[ImuSample, ...], t0_ns: int, t1_ns: int) -> Vector | None:
    """Mean rate between two instants (3,), rad/s, its bias included; None if no sample lies there.

    Args:
        imu: Rising in time; what is not finite is left out.
        t0_ns: From here.
        t1_ns: To here, exclusive.
    """
    inside = []
    for sample in reversed(imu):
        if sample.t_ns < t0_ns:
            break
        if sample.t_ns < t1_ns and np.isfinite(sample.angular_velocity_rad_s).all():
            inside.append(sample.angular_velocity_rad_s)
    if not inside:
        return None
    mean: Vector = np.mean(inside, axis=0)
    return mean
