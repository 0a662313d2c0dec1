# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A translating scene with a known velocity, and the variance of its image: the test bed of the binning study."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from event_perception.binning.cpu import CpuBinning
from event_perception.binning.kernels import vote_kernel
from event_perception.binning.leave_one_out import own_vote_terms
from event_perception.binning.taps import taps

Real = NDArray[np.float64]
Pair = tuple[str, str | None]

_TRUST_PX_S, _TOLERANCE_PX_S, _MAX_EVALUATIONS = 100.0, 0.05, 30  # of the solver
_REJECT, _CURVATURE_FLOOR = 0.002, 1e-3


@dataclass(frozen=True)
class Translation:
    """Events of textured edges that translate over the sensor, with a truth to compare with.

    Edge points are scattered along curves; each fires when its rounded position changes, so coordinates are
    integers as a sensor gives them. A tenth of the events is noise.
    """

    seed: int
    n_events: int = 20_000
    width_px: int = 240
    height_px: int = 180
    window_s: float = 0.03
    noise: float = 0.1
    velocity_px_s: Real = field(init=False)
    pixels: Real = field(init=False)
    dt_s: Real = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        angle, speed = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(200.0, 500.0)
        velocity = speed * np.array([np.cos(angle), np.sin(angle)])
        size = np.array([self.width_px, self.height_px])
        points = _curves(rng, 30_000, size)
        dt = rng.uniform(-0.5, 0.5, self.n_events) * self.window_s
        # An edge point crosses a pixel border at dt: put it there, along the faster axis.
        chosen = points[rng.integers(len(points), size=self.n_events)]
        at = chosen + velocity * dt[:, None]
        fast = int(np.argmax(np.abs(velocity)))
        border = np.round(at[:, fast] + 0.5) - 0.5
        dt = dt + (border - at[:, fast]) / velocity[fast]
        at = chosen + velocity * dt[:, None]
        at[:, fast] += 0.25 * np.sign(velocity[fast])
        pixels = np.round(at + rng.normal(0.0, 0.2, at.shape))
        noisy = rng.random(self.n_events) < self.noise
        pixels[noisy] = np.floor(rng.uniform(0, 1, (int(noisy.sum()), 2)) * size)
        inside = np.all((pixels >= 0) & (pixels < size), axis=1)
        for name, value in (('velocity_px_s', velocity), ('pixels', pixels[inside]), ('dt_s', dt[inside])):
            object.__setattr__(self, name, value)


def _curves(rng: np.random.Generator, n: int, size: Real) -> Real:
    """Points along 60 random circles, denser than pixels."""
    centres, radii = rng.uniform(-0.2, 1.2, (60, 2)) * size, rng.uniform(5.0, 60.0, 60)
    which, angle = rng.choice(60, n, p=radii / radii.sum()), rng.uniform(0.0, 2.0 * np.pi, n)
    return np.asarray(centres[which] + radii[which, None] * np.stack([np.cos(angle), np.sin(angle)], -1))


class Variance:
    """Variance of the image of events moved back by a velocity, with gradient and Hessian.

    Args:
        scene: The events.
        pair: Kernels.
        bin_px: Size of a bin.
        correction: What an event's cotangent leaves out: 'none', its 'own vote', or the votes of all events
            of its 'own pixel' on the sensor.
    """

    def __init__(self, scene: Translation, pair: Pair, bin_px: float, correction: str = 'none') -> None:
        self._scene, self._pair, self._bin_px, self._correction = scene, pair, bin_px, correction
        self._sizes = (int(scene.height_px // bin_px), int(scene.width_px // bin_px))
        self._binning = CpuBinning(self._sizes, kernel=pair[0], reconstruction=pair[1])
        self._n_bins = self._sizes[0] * self._sizes[1]
        self._mates = _mates(scene.pixels) if correction == 'own pixel' else None

    def _points(self, velocity: Real) -> Real:
        moved = self._scene.pixels - velocity * self._scene.dt_s[:, None]
        return np.asarray((moved + 0.5) / self._bin_px - 0.5)

    def value(self, velocity: Real) -> float:
        """The variance, with every vote in it."""
        return float(np.var(self._binning.value(self._points(velocity))))

    def gradient(self, velocity: Real, shift_bins: Real | float = 0.0) -> Real:
        """Gradient (2,) in the velocity, with the grid shifted."""
        points = self._points(velocity) + shift_bins
        image = self._binning.value(points)
        slope = self._binning.vjp(points, None, 2.0 * (image - image.mean()) / self._n_bins)
        step = -self._scene.dt_s / self._bin_px
        return np.asarray(step @ slope - self._own(points, step)[0])

    def derivatives(self, velocity: Real) -> tuple[Real, Real]:
        """Gradient (2,) and Hessian (2, 2) in the velocity."""
        points = self._points(velocity)
        image = self._binning.value(points)
        cotangent = 2.0 * (image - image.mean()) / self._n_bins
        slope = self._binning.vjp(points, None, cotangent)
        second = self._binning.second(points, None, cotangent)
        step = -self._scene.dt_s / self._bin_px  # du/dv, the same for both axes
        gradient = step @ slope
        hessian = np.einsum('n,nab->ab', step**2, second)
        columns = [self._binning.jvp(points, None, np.outer(step, axis)).ravel() for axis in np.eye(2)]
        jacobian = np.stack(columns, -1)
        jacobian -= jacobian.mean(axis=0)
        hessian = hessian + 2.0 / self._n_bins * jacobian.T @ jacobian
        own = self._own(points, step)
        return gradient - own[0], hessian - own[1]

    def _own(self, points: Real, step: Real) -> tuple[Real, Real]:
        """What the correction takes away; the Hessian loses own votes only."""
        if self._correction == 'none':
            return np.zeros(2), np.zeros((2, 2))
        gradient, hessian = _own_votes(self._pair, points, step, self._n_bins)
        if self._mates is not None:
            gradient = gradient + _votes_of_mates(self._pair, points, step, self._n_bins, *self._mates)
        return gradient, hessian


def _own_votes(pair: Pair, points: Real, step: Real, n_bins: int) -> tuple[Real, Real]:
    """Derivatives of the diagonal of the mean square; see ``own_vote_terms``."""
    shift = taps(*pair).shift
    r = points + shift - np.floor(points + shift)
    rows = own_vote_terms(*pair)
    b, a, c, p, e, q = (np.polynomial.polynomial.polyval(r, row) for row in rows)
    scale = 2.0 / n_bins
    gradient = scale * step @ np.stack([a[:, 0] * b[:, 1], b[:, 0] * a[:, 1]], -1)
    xx, yy = c[:, 0] * b[:, 1] + q[:, 0] * p[:, 1], b[:, 0] * c[:, 1] + p[:, 0] * q[:, 1]
    xy = a[:, 0] * a[:, 1] + e[:, 0] * e[:, 1]
    hessian = scale * np.array([[step**2 @ xx, step**2 @ xy], [step**2 @ xy, step**2 @ yy]])
    return gradient, hessian


def _mates(pixels: Real) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All ordered pairs of different events of one sensor pixel."""
    _, group = np.unique(pixels, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind='stable')
    members = np.split(order, np.flatnonzero(np.diff(group.ravel()[order])) + 1)
    first = np.concatenate([np.repeat(g, len(g)) for g in members])
    other = np.concatenate([np.tile(g, len(g)) for g in members])
    return first[first != other], other[first != other]


def _votes_of_mates(
    pair: Pair, points: Real, step: Real, n_bins: int, first: NDArray[np.int64], other: NDArray[np.int64]
) -> Real:
    """Gradient that events feel from the votes of the other events of their own sensor pixel."""
    side = taps(*pair)
    along, across = np.empty((len(first), 2)), np.empty((len(first), 2))
    for axis in range(2):
        u = points[first, axis]
        cell = np.floor(u + side.shift)
        value, slope, _ = side.evaluate(u + side.shift - cell)
        bins = cell[:, None] + np.array(side.offsets)
        votes = vote_kernel(pair[0], points[other, axis, None] - bins)
        along[:, axis], across[:, axis] = np.sum(votes * slope, axis=1), np.sum(votes * value, axis=1)
    return np.asarray(2.0 / n_bins * step[first] @ (along * across[:, ::-1]))


def maximise(objective: Variance, start: Real) -> tuple[Real, int]:
    """Newton's method on the weak derivatives, curvatures made negative; returns velocity and evaluations."""
    velocity, trust, accepted = start.copy(), _TRUST_PX_S, None
    step = np.zeros(2)
    for n_evaluations in range(1, _MAX_EVALUATIONS + 1):  # noqa: B007
        value = objective.value(velocity)
        if accepted is not None and value < accepted[0] * (1.0 - _REJECT):
            trust, velocity = 0.25 * float(np.linalg.norm(step)), accepted[1]
            gradient, hessian = accepted[2:]
        else:
            gradient, hessian = objective.derivatives(velocity)
            accepted = (value, velocity, gradient, hessian)
        curvature, axes = np.linalg.eigh(hessian)
        curvature = np.maximum(np.abs(curvature), _CURVATURE_FLOOR * np.abs(curvature).max())
        step = axes @ (axes.T @ gradient / curvature)
        step *= min(1.0, trust / max(float(np.linalg.norm(step)), 1e-12))
        velocity = velocity + step
        if np.linalg.norm(step) < _TOLERANCE_PX_S:
            break
    return velocity, n_evaluations
