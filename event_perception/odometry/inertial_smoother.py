# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Poses and an inertial unit in a fixed-lag smoother on GTSAM: velocity, biases and the direction of gravity.

    readings between two poses are summed up into one factor on pose, velocity and biases at both ends
    each measured pose is a factor of its own; where none comes, the readings go on alone
    gravity is one more state, of known size; states older than the lag are marginalised
    between poses the readings carry the last state on, with the covariance that it and they have

Poses must not rest on the same readings: what an alignment took from a prediction must be taken out before.
Sources: Forster and others, On-manifold preintegration, T-RO 2017; Kaess and others, iSAM2, IJRR 2012.
"""

from collections.abc import Sequence
from typing import Any

import gtsam
import numpy as np
from gtsam.symbol_shorthand import B, G, V, X

from event_perception.events import ImuSample
from event_perception.odometry.graph_isam import SWAPPED, gaussian
from event_perception.odometry.imu_readings import ImuReadings
from event_perception.odometry.inertial_state import InertialConfig, InertialState, Matrix

GRAVITY = G(0)
START_VELOCITY_M_S = 3.0  # standard deviations of the first state
START_GRAVITY_RAD = 0.3
LEAST_POSES = 4


class InertialSmoother:
    """See ``Inertial``.

    Args:
        config: Parameters.
    """

    def __init__(self, config: InertialConfig) -> None:
        self.config = config
        self._readings = ImuReadings(config.lag_s + config.gather_s + config.bridge_s)
        self._bias = gtsam.imuBias.ConstantBias()
        self._bias_spread = np.diag([config.accel_bias_m_s2**2] * 3 + [config.gyro_bias_rad_s**2] * 3)
        self.restart()

    def push(self, samples: Sequence[ImuSample]) -> None:
        """See ``Inertial``."""
        self._readings.push(samples)

    def measure(self, t_ns: int, T: Matrix, covariance: Matrix) -> InertialState | None:
        """See ``Inertial``."""
        claimed = self.config.claim_factor**2 * covariance
        if self._last_ns is not None and not self._bridged(t_ns):
            self.restart()
        if self._node < 0:
            return self._collect(t_ns, T, claimed)
        try:
            self._extend(t_ns, T, claimed)
            self._read_out()
        except RuntimeError:  # the smoother is lost then; its last biases are not
            self.restart()
            return None
        return self._state_at(t_ns, self._nav, self._spread[:9, :9])

    def predict(self, t_ns: int) -> InertialState | None:
        """See ``Inertial``."""
        last_ns = self._last_ns
        if self._node < 0 or last_ns is None or t_ns <= last_ns or not self._bridged(t_ns):
            return None
        summed, dt_s = self._summed(last_ns, t_ns), (t_ns - last_ns) * 1e-9
        by_state, by_bias = np.zeros((9, 9), order='F'), np.zeros((9, 6), order='F')
        then = summed.predict(self._nav, self._bias, by_state, by_bias)
        fall = then.attitude().matrix().T @ self._gravity.basis() * self.config.gravity_m_s2
        by_gravity = np.concatenate([np.zeros((3, 2)), 0.5 * dt_s**2 * fall, dt_s * fall])
        J = np.concatenate([by_state, by_bias, by_gravity], axis=1)
        return self._state_at(t_ns, then, J @ self._spread @ J.T + summed.preintMeasCov()[:9, :9])

    def restart(self) -> None:
        """See ``Inertial``."""
        self._waiting: list[tuple[int, Matrix, Matrix]] = []
        self._node = -1
        self._last_ns: int | None = None
        parameters = gtsam.ISAM2Params()
        parameters.setRelinearizeThreshold(0.01)
        parameters.relinearizeSkip = 1
        parameters.findUnusedFactorSlots = True
        self._smoother = gtsam.IncrementalFixedLagSmoother(self.config.lag_s, parameters)

    def _bridged(self, t_ns: int) -> bool:
        """Whether readings lead from the last pose to this instant, and not for too long."""
        last_ns = self._last_ns
        if last_ns is None or t_ns - last_ns > self.config.bridge_s * 1e9:
            return False
        return self._readings.cover(last_ns, t_ns)

    def _collect(self, t_ns: int, T: Matrix, covariance: Matrix) -> InertialState | None:
        """Wait for enough poses to guess velocity and gravity from; then put them all in."""
        self._waiting.append((t_ns, T, covariance))
        self._last_ns = t_ns
        first_ns = self._waiting[0][0]
        if t_ns - first_ns < self.config.gather_s * 1e9 or len(self._waiting) < LEAST_POSES:
            return None
        if not self._readings.cover(first_ns, t_ns):
            self.restart()
            return None
        poses, self._waiting = self._waiting, []
        try:
            self._begin(*poses[0], velocity=_velocity(poses), gravity=self._guessed_gravity(poses))
            for pose in poses[1:]:
                self._extend(*pose)
            self._read_out()
        except RuntimeError:
            self.restart()
            return None
        return self._state_at(t_ns, self._nav, self._spread[:9, :9])

    def _begin(self, t_ns: int, T: Matrix, covariance: Matrix, *, velocity: Matrix, gravity: Matrix) -> None:
        factors, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
        self._node, self._last_ns, self._gravity = 0, t_ns, gtsam.Unit3(gravity)
        self._nav = gtsam.NavState(gtsam.Pose3(T), velocity)
        noise = gtsam.noiseModel
        factors.add(gtsam.PriorFactorPose3(X(0), gtsam.Pose3(T), gaussian(covariance)))
        factors.add(gtsam.PriorFactorVector(V(0), velocity, noise.Isotropic.Sigma(3, START_VELOCITY_M_S)))
        spread = noise.Gaussian.Covariance(self._bias_spread)
        factors.add(gtsam.PriorFactorConstantBias(B(0), self._bias, spread))
        factors.add(
            gtsam.PriorFactorUnit3(GRAVITY, self._gravity, noise.Isotropic.Sigma(2, START_GRAVITY_RAD))
        )
        values.insert(X(0), gtsam.Pose3(T))
        values.insert(V(0), velocity)
        values.insert(B(0), self._bias)
        values.insert(GRAVITY, self._gravity)
        self._update(factors, values, t_ns)

    def _extend(self, t_ns: int, T: Matrix, covariance: Matrix) -> None:
        """One more pose: a factor for the readings since the last one, and one for itself."""
        i, j, last_ns = self._node, self._node + 1, self._last_ns or 0
        summed = self._summed(last_ns, t_ns)
        then = summed.predict(self._nav, self._bias)
        factors, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
        factors.add(
            gtsam.CombinedImuFactorWithGravityDirection(
                X(i), V(i), X(j), V(j), B(i), B(j), GRAVITY, summed, self.config.gravity_m_s2
            )
        )
        huber = gtsam.noiseModel.mEstimator.Huber.Create(self.config.outlier_sigma)
        robust = gtsam.noiseModel.Robust.Create(huber, gaussian(covariance))
        factors.add(gtsam.PriorFactorPose3(X(j), gtsam.Pose3(T), robust))
        values.insert(X(j), then.pose())
        values.insert(V(j), then.velocity())
        values.insert(B(j), self._bias)
        self._node, self._last_ns = j, t_ns
        self._update(factors, values, t_ns)

    def _update(self, factors: 'gtsam.NonlinearFactorGraph', values: 'gtsam.Values', t_ns: int) -> None:
        newest = (X(self._node), V(self._node), B(self._node), GRAVITY)
        stamps: dict[Any, Any] = dict.fromkeys(newest, t_ns * 1e-9)
        self._smoother.update(factors, values, stamps)
        node = self._node
        self._nav = gtsam.NavState(
            self._smoother.calculateEstimatePose3(X(node)), self._smoother.calculateEstimateVector(V(node))
        )
        self._bias = self._smoother.calculateEstimateConstantBias(B(node))
        self._gravity = self._smoother.calculateEstimate().atUnit3(GRAVITY)

    def _read_out(self) -> None:
        """Joint covariance of (turn, shift, velocity in the camera frame, biases, gravity), (17, 17)."""
        keys = [X(self._node), V(self._node), B(self._node), GRAVITY]
        joint = self._smoother.getISAM2().jointMarginalCovariance(keys)
        blocks = np.block([[joint.at(a, b) for b in keys] for a in keys])
        turned = np.eye(17)
        turned[6:9, 6:9] = self._nav.attitude().matrix().T
        self._spread = turned @ blocks @ turned.T
        self._bias_spread = self._spread[9:15, 9:15]

    def _summed(self, start_ns: int, end_ns: int) -> 'gtsam.PreintegratedCombinedMeasurements':
        c = self.config
        parameters = gtsam.PreintegrationCombinedParams(c.gravity_m_s2 * self._gravity.point3())
        parameters.setAccelerometerCovariance(c.accel_noise**2 * np.eye(3))
        parameters.setGyroscopeCovariance(c.gyro_noise**2 * np.eye(3))
        parameters.setBiasAccCovariance(c.accel_walk**2 * np.eye(3))
        parameters.setBiasOmegaCovariance(c.gyro_walk**2 * np.eye(3))
        parameters.setIntegrationCovariance(1e-10 * np.eye(3))
        summed = gtsam.PreintegratedCombinedMeasurements(parameters, self._bias)
        for force, rate, dt_s in self._readings.steps(start_ns, end_ns):
            summed.integrateMeasurement(force, rate, dt_s)
        return summed

    def _guessed_gravity(self, poses: list[tuple[int, Matrix, Matrix]]) -> Matrix:
        """Against the mean force, less what the change of velocity between first and last poses asks for."""
        half = len(poses) // 2
        change = _velocity(poses[half:]) - _velocity(poses[: half + 1])
        dt_s = 0.5 * (poses[-1][0] - poses[0][0]) * 1e-9
        forces = [T[:3, :3] @ self._readings.at(t_ns)[:3] for t_ns, T, _ in poses]
        return np.asarray(change / dt_s - np.mean(forces, axis=0))

    def _state_at(self, t_ns: int, nav: 'gtsam.NavState', spread: Matrix) -> InertialState:
        R = nav.attitude().matrix()
        return InertialState(
            t_ns=t_ns,
            T=nav.pose().matrix(),
            covariance=spread[:6, :6][np.ix_(SWAPPED, SWAPPED)],
            v_m_s=R.T @ nav.velocity(),
            velocity_covariance=spread[6:9, 6:9],
            omega_rad_s=self._readings.at(t_ns)[3:] - self._bias.gyroscope(),
            gyro_bias_rad_s=self._bias.gyroscope(),
            gyro_bias_covariance=self._spread[12:15, 12:15],
            accel_bias_m_s2=self._bias.accelerometer(),
            gravity_m_s2=self.config.gravity_m_s2 * self._gravity.point3(),
        )


def _velocity(poses: list[tuple[int, Matrix, Matrix]]) -> Matrix:
    """Of the positions, by a straight line, in the odometry frame."""
    t_s = np.array([(t_ns - poses[0][0]) * 1e-9 for t_ns, _, _ in poses])
    return np.asarray(np.polyfit(t_s, np.array([T[:3, 3] for _, T, _ in poses]), 1)[0])
