# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""How far the camera turns between two windows, by a gyroscope whose bias is learnt from what tracking corrects.

turn = Exp((mean rate - bias) dt);  bias += K (correction / dt),  K = P / (P + R),  P <- (1 - K) P + walk^2 dt
"""

import numpy as np
from numpy.typing import NDArray

from event_perception.events import ImuSample
from event_perception.motion.lie import so3_exp

Vector = NDArray[np.float64]


class GyroTurn:
    """Integrates samples in the axes of the camera, with a bias of its own.

    Args:
        bias_std_rad_s: Bias at the start.
        walk_rad_s2: Its drift per square root of a second.
        noise_rad_s: Error of one correction as a measurement of the bias.
    """

    def __init__(self, bias_std_rad_s: float, walk_rad_s2: float, noise_rad_s: float) -> None:
        self._start, self._walk, self._noise = bias_std_rad_s, walk_rad_s2, noise_rad_s
        self.reset()

    def reset(self) -> None:
        """Forget the bias."""
        self.bias_rad_s, self._variance = np.zeros(3), self._start**2

    def rate(self, imu: tuple[ImuSample, ...], t0_ns: int, t1_ns: int) -> Vector | None:
        """Mean rate between two instants without bias (3,), rad/s; None if no sample lies there."""
        inside = []
        for sample in reversed(imu):
            if sample.t_ns < t0_ns:
                break
            if sample.t_ns < t1_ns and np.isfinite(sample.angular_velocity_rad_s).all():
                inside.append(sample.angular_velocity_rad_s)
        if not inside:
            return None
        mean: Vector = np.mean(inside, axis=0) - self.bias_rad_s
        return mean

    def learn(self, correction_rad: Vector, dt_s: float) -> None:
        """Take what tracking turned the prediction by, right of it (3,), for an error of the bias."""
        gain = self._variance / (self._variance + self._noise**2)
        self.bias_rad_s = self.bias_rad_s - gain * correction_rad / dt_s
        self._variance = (1 - gain) * self._variance + self._walk**2 * dt_s


def turned(R: NDArray[np.float64], rate_rad_s: Vector, dt_s: float) -> NDArray[np.float64]:
    """The orientation after turning at a rate for a time."""
    result: NDArray[np.float64] = R @ so3_exp(rate_rad_s * dt_s)
    return result


def mean_rate(imu: tuple[ImuSample, ...], t0_ns: int, t1_ns: int) -> Vector | None:
    """Mean rate between two instants (3,), rad/s; None if no sample lies there."""
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
