# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Fixed-lag smoothing of a turning camera: Gauss-Newton on the knots of a spline and the bias of a gyroscope.

    cost = sum over windows  0.5 z^T W z + g^T z,   z = (omega(t) - omega_k, Log(R_k^T R(t)))
         + sum over gyro     0.5 |omega(t) + bias - reading|^2 / sigma^2
         + sum over knots    0.5 |second difference of d_j|^2 / (jerk step^3)^2
         + what the knots that have left the window knew

W and g are the exact weak Hessian and gradient of a window's events on the map, by its rate and its orientation:
the chain rule of the spline takes them to four knots each, so that the matrix is banded. A knot that leaves is
eliminated; what it and its factors say of the next three and of the bias stays as a prior, at the point where it
was linearised.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from event_perception.config import param
from event_perception.motion.lie import so3_exp, so3_log
from event_perception.motion.lie_many import exps, logs, right_jacobian_inverses
from event_perception.odometry.rotation_spline import KNOTS, SplineSample, sample

Array = NDArray[np.float64]
Blocks = tuple[NDArray[np.intp], Array, Array]  # first knots (n,), normal matrices, gradients

FREE = 3 * KNOTS  # parameters that one interval feels
SHORTEST_PRIOR = 3 * (KNOTS - 1) + 3  # knots that stay when one leaves, and the bias


@dataclass(frozen=True, slots=True)
class SplineConfig:
    """The back end: a spline over the last moments, refined on the map."""

    use: Literal['gyro', 'always', 'never'] = param(
        'gyro',
        'When the last moments are smoothed, and mapped again where they change: gyro (while a gyroscope in the axes '
        'of the camera agrees with the events), always, never.',
    )
    step_s: float = param(0.02, 'Time from knot to knot, seconds.', ge=0.002, le=0.2)
    lag_s: float = param(0.3, 'How long the past can still change, seconds.', ge=0.05, le=5.0)
    jerk_rad_s3: float = param(
        200.0, 'How fast the angular acceleration changes, standard deviation from knot to knot, rad/s^3.',
        ge=0.1, le=1e6,
    )  # fmt: skip
    window_factor: float = param(
        4.0, 'Neighbouring windows see the same edges: so much less is their word worth.', ge=1.0, le=1e3
    )
    rate_factor: float = param(
        3.0, 'Errors of the rate of neighbouring windows are of one kind: so much less is its word worth.',
        ge=1.0, le=1e4,
    )  # fmt: skip
    turn_std_rad: float = param(
        5e-4, 'No window is believed to know the orientation better than this, rad.', ge=1e-6, le=0.1
    )
    gyro_std_rad_s: float = param(
        3e-3, 'Error of the mean of the gyroscope over 5 ms, rad/s.', ge=1e-6, le=1.0
    )
    bias_std_rad_s: float = param(0.05, 'Bias of the gyroscope at the start, rad/s.', ge=0.0, le=1.0)
    bias_walk_rad_s2: float = param(
        2e-4, 'Drift of the bias, rad/s per square root of a second.', ge=0.0, le=0.1
    )
    iterations: int = param(
        1, 'Gauss-Newton steps a window; the next window goes on from there.', ge=1, le=20
    )


@dataclass(frozen=True, eq=False)
class Seen:
    """A window on the map: quadratic about a rate and an orientation.

    Attributes:
        t_ns: Instant.
        omega: Rate about which it is expanded (3,).
        R: Orientation about which it is expanded (3, 3).
        weight: By (omega, turn), (6, 6), positive semidefinite, 1 / variance.
        pull: Gradient there (6,).
    """

    t_ns: int
    omega: Array
    R: Array
    weight: Array
    pull: Array


class SplineSmoother:
    """The last moments of the orientation, and the bias of the gyroscope.

    Args:
        config: Parameters.
    """

    def __init__(self, config: SplineConfig) -> None:
        self.config = config
        self._most = max(1, round(config.lag_s / config.step_s)) + KNOTS - 1
        self.forget()

    def forget(self) -> None:
        """Forget everything, the bias too."""
        self.bias = np.zeros(3)
        self.bias_covariance = self.config.bias_std_rad_s**2 * np.eye(3)
        self.running = False

    def begin(self, t_ns: int, R: Array, omega: Array, variance: float, rate_variance: float) -> None:
        """Start at an orientation and a rate; what is known of the bias stays."""
        step = self.config.step_s
        self._start_ns, self.running = t_ns, True
        self._knots = np.array([R @ so3_exp((j - 1) * step * omega) for j in range(KNOTS)])
        self._seen: list[Seen] = []
        self._gyro_s, self._gyro = np.zeros(0), np.zeros((0, 3))
        # of the first three knots: orientation, rate, acceleration
        J = np.kron(
            np.array([[1, 4, 1], [-3 / step, 0, 3 / step], [6 / step**2, -12 / step**2, 6 / step**2]]) / 6,
            np.eye(3),
        )
        known = np.repeat([variance, rate_variance, (self.config.jerk_rad_s3 * 0.1) ** 2], 3)
        self._prior = np.zeros((SHORTEST_PRIOR, SHORTEST_PRIOR))
        self._prior[:9, :9] = J.T @ (J / known[:, None])
        self._prior[9:, 9:] = np.linalg.inv(self.bias_covariance)
        self._prior_pull = np.zeros(SHORTEST_PRIOR)
        self._prior_knots, self._prior_bias = self._knots[: KNOTS - 1].copy(), self.bias.copy()

    def at(self, t_ns: int) -> tuple[Array, Array]:
        """Orientation (3, 3) and rate (3,) at an instant; beyond the last window it is an extrapolation."""
        self._extend(t_ns)
        found = self._sample(np.array([self._since_s(t_ns)]))
        return found.R[0], found.omega[0]

    def add_gyro(self, t_ns: NDArray[np.int64], omega: Array) -> None:
        """Readings (n, 3), each the mean over a few milliseconds about its instant (n,)."""
        if len(t_ns):
            self._extend(int(t_ns[-1]))
            later = (t_ns - self._start_ns) * 1e-9
            self._gyro_s = np.concatenate([self._gyro_s, later[later >= 0]])
            self._gyro = np.concatenate([self._gyro, omega[later >= 0]])

    def add(self, seen: Seen) -> None:
        """A window."""
        self._extend(seen.t_ns)
        self._seen.append(seen)

    def solve(self) -> None:
        """Improve all knots and the bias."""
        for _ in range(self.config.iterations):
            H, g = self._system()
            step = np.asarray(-np.linalg.solve(H, g), np.float64)
            self._knots = np.asarray(self._knots @ exps(step[:-3].reshape(-1, 3)), np.float64)
            self.bias = np.asarray(self.bias + step[-3:], np.float64)
        self.bias_covariance = np.asarray(np.linalg.inv(H)[-3:, -3:], np.float64)

    @property
    def settled_ns(self) -> int:
        """What is earlier than this will not change any more: ``let_go`` forgets it."""
        return self._start_ns + max(0, len(self._knots) - self._most) * round(self.config.step_s * 1e9)

    def let_go(self) -> None:
        """Turn what is older than the lag into a prior."""
        while len(self._knots) > self._most:
            self._drop()

    def _since_s(self, t_ns: int) -> float:
        return (t_ns - self._start_ns) * 1e-9

    def _extend(self, t_ns: int) -> None:
        """As many knots as it takes, turning on evenly."""
        while self._since_s(t_ns) > self.config.step_s * (len(self._knots) - KNOTS + 1):
            # through the logarithm: a product of three matrices would double their rounding, knot after knot
            following = self._knots[-1] @ so3_exp(so3_log(self._knots[-2].T @ self._knots[-1]))
            self._knots = np.concatenate([self._knots, following[None]])

    def _sample(self, t_s: Array) -> SplineSample:
        return sample(self._knots, self.config.step_s, t_s)

    def _system(self) -> tuple[Array, Array]:
        """Normal matrix and gradient, knots first, the bias last."""
        m = len(self._knots)
        H, g = np.zeros((3 * m + 3, 3 * m + 3)), np.zeros(3 * m + 3)
        for first, parts, pulls in self._factors(m):
            for k, part, pull in zip(first, parts, pulls):
                _add(H, g, int(k), KNOTS, part, pull)
        prior, pull = self._of_prior()
        _add(H, g, 0, KNOTS - 1, prior, pull)
        return H, g

    def _factors(self, knots: int) -> list[Blocks]:
        """Blocks by four knots and the bias, of what the first so many knots tell alone."""
        end_s = (knots - KNOTS + 1) * self.config.step_s
        seen = [s for s in self._seen if knots == len(self._knots) or self._since_s(s.t_ns) < end_s]
        felt = len(self._gyro_s) if knots == len(self._knots) else int(np.searchsorted(self._gyro_s, end_s))
        window_s = [self._since_s(s.t_ns) for s in seen]
        there = self._sample(np.concatenate([window_s, self._gyro_s[:felt]]))
        of_seen = self._of_windows(seen, there[: len(seen)]) if seen else _nothing()
        of_gyro = self._of_gyro(self._gyro[:felt], there[len(seen) :]) if felt else _nothing()
        return [of_seen, of_gyro, self._of_jerk(knots)]

    def _of_windows(self, seen: list[Seen], there: SplineSample) -> Blocks:
        turns = logs(np.swapaxes(np.array([s.R for s in seen]), 1, 2) @ there.R)
        z = np.concatenate([there.omega - np.array([s.omega for s in seen]), turns], axis=1)
        by_turn = right_jacobian_inverses(turns) @ there.R_by_knots
        J = np.zeros((len(seen), 6, FREE + 3))
        J[:, :, :FREE] = np.concatenate([there.omega_by_knots, by_turn], axis=1)
        W = np.array([s.weight for s in seen]) / self.config.window_factor
        force = np.einsum('nij,nj->ni', W, z) + np.array([s.pull for s in seen]) / self.config.window_factor
        return _blocks(there.first, J, W, force)

    def _of_gyro(self, readings: Array, there: SplineSample) -> Blocks:
        n = len(readings)
        J = np.concatenate([there.omega_by_knots, np.tile(np.eye(3), (n, 1, 1))], axis=2)
        weight = 1 / self.config.gyro_std_rad_s**2
        return _blocks(
            there.first,
            J,
            np.tile(weight * np.eye(3), (n, 1, 1)),
            weight * (there.omega + self.bias - readings),
        )

    def _of_jerk(self, m: int) -> Blocks:
        d = logs(np.swapaxes(self._knots[: m - 1], 1, 2) @ self._knots[1:m])
        inverse = right_jacobian_inverses(d)
        J = np.zeros((m - 3, 3, FREE + 3))
        for j, sign in enumerate((1.0, -2.0, 1.0)):
            part = inverse[j : j + m - 3]
            J[:, :, 3 * j + 3 : 3 * j + 6] += sign * part
            J[:, :, 3 * j : 3 * j + 3] -= sign * np.swapaxes(part, 1, 2)
        weight = 1 / (self.config.jerk_rad_s3 * self.config.step_s**3) ** 2
        bend = d[2:] - 2 * d[1:-1] + d[:-2]
        return _blocks(np.arange(m - 3), J, np.tile(weight * np.eye(3), (m - 3, 1, 1)), weight * bend)

    def _of_prior(self) -> tuple[Array, Array]:
        turns = logs(np.swapaxes(self._prior_knots, 1, 2) @ self._knots[: KNOTS - 1])
        offset = np.concatenate([turns.ravel(), self.bias - self._prior_bias])
        return self._prior, self._prior @ offset + self._prior_pull

    def _drop(self) -> None:
        """Eliminate the first knot: its factors become a prior on the next three and the bias."""
        step_ns = round(self.config.step_s * 1e9)
        H, g = np.zeros((FREE + 3, FREE + 3)), np.zeros(FREE + 3)
        for _, parts, pulls in self._factors(KNOTS):
            for part, pull in zip(parts, pulls):
                H, g = H + part, g + pull
        prior, pull = self._of_prior()
        _add(H, g, 0, KNOTS - 1, prior, pull)
        gone, rest = slice(0, 3), slice(3, None)
        gain = np.linalg.solve(H[gone, gone], H[gone, rest]).T
        prior, pull = H[rest, rest] - gain @ H[gone, rest], g[rest] - gain @ g[gone]
        self._prior, self._prior_pull = self._let_bias_walk(prior, pull)
        self._knots = self._knots[1:]
        self._prior_knots, self._prior_bias = self._knots[: KNOTS - 1].copy(), self.bias.copy()
        self._start_ns += step_ns
        self._seen = [seen for seen in self._seen if seen.t_ns >= self._start_ns]
        later = self._gyro_s - step_ns * 1e-9
        self._gyro_s, self._gyro = later[later >= 0], self._gyro[later >= 0]

    def _let_bias_walk(self, prior: Array, pull: Array) -> tuple[Array, Array]:
        """The same prior, less certain of the bias: W <- (W^-1 + Q)^-1, its minimum where it was."""
        Q = self.config.bias_walk_rad_s2**2 * self.config.step_s
        bias = slice(9, None)
        loss = np.linalg.solve(np.eye(3) / max(Q, 1e-300) + prior[bias, bias], prior[bias])
        return prior - prior[:, bias] @ loss, pull - prior[:, bias] @ np.linalg.solve(
            np.eye(3) / max(Q, 1e-300) + prior[bias, bias], pull[bias]
        )


def _nothing() -> Blocks:
    return np.zeros(0, np.intp), np.zeros((0, FREE + 3, FREE + 3)), np.zeros((0, FREE + 3))


def _blocks(first: NDArray[np.intp], J: Array, W: Array, force: Array) -> Blocks:
    """J^T W J and J^T force of each factor, those of the same interval added up."""
    back = np.swapaxes(J, 1, 2)
    H, g = back @ W @ J, np.einsum('nij,nj->ni', back, force)
    numbers, where = np.unique(first, return_inverse=True)
    sum_H, sum_g = np.zeros((len(numbers), *H.shape[1:])), np.zeros((len(numbers), g.shape[1]))
    np.add.at(sum_H, where, H)
    np.add.at(sum_g, where, g)
    return numbers, sum_H, sum_g


def _add(H: Array, g: Array, first: int, knots: int, part: Array, pull: Array) -> None:
    """Add a block by some knots in a row and the bias to the whole."""
    here, of_part = slice(3 * first, 3 * (first + knots)), slice(0, 3 * knots)
    H[here, here] += part[of_part, of_part]
    H[here, -3:] += part[of_part, -3:]
    H[-3:, here] += part[-3:, of_part]
    H[-3:, -3:] += part[-3:, -3:]
    g[here] += pull[of_part]
    g[-3:] += pull[-3:]
