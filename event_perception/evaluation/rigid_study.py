# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy of rate and velocity from events with depth, on strokes drawn on a curved surface; truth is exact.

    python -m event_perception.evaluation.rigid_study --events 20000 60000

prints, per window size, median and 90th percentile of the errors, from a cold start, and the time of a warm window.
"""

import argparse
from dataclasses import dataclass
from time import process_time

import numpy as np
from numpy.typing import NDArray

from event_perception.events import DepthImage, EventArray, EventWindow, TwistPrior
from event_perception.motion import CameraModel, EgomotionConfig, EgomotionEstimator
from event_perception.motion.egomotion_config import RigidConfig
from event_perception.motion.result import EgomotionResult
from event_perception.simulation.rotations import DAVIS346

Vector = NDArray[np.float64]

WINDOW_NS = 100_000_000
STROKES = 200
TERMS = 8  # of the exponential of the motion; the last is below 1e-9


@dataclass(frozen=True)
class Scene:
    """One window, the depth at its middle, and the motion (omega, v), rad/s and m/s."""

    window: EventWindow
    depth: DepthImage
    omega: Vector
    v: Vector


def make_scene(seed: int, n_events: int, camera: CameraModel = DAVIS346) -> Scene:
    """Constant twist of at most 1 rad/s and 0.7 m/s an axis; events of points on strokes, pixels rounded."""
    rng = np.random.default_rng(seed)
    omega, v = rng.uniform(-1, 1, 3), rng.uniform(-0.7, 0.7, 3)
    n = 4 * n_events
    centre, direction = (
        rng.uniform([-0.75, -0.6], [0.75, 0.6], (STROKES, 2)),
        rng.normal(0, 0.12, (STROKES, 2)),
    )
    stroke = rng.integers(STROKES, size=n)
    xy = centre[stroke] + rng.uniform(-1, 1, (n, 1)) * direction[stroke]
    X = np.column_stack([xy, np.ones(n)]) * _depth(*xy.T)[:, None]
    t_ns = rng.integers(0, WINDOW_NS, n)
    dt_s = 1e-9 * np.asarray(t_ns - WINDOW_NS // 2, np.float64)
    pixels = np.rint(camera.project(_moved(X, dt_s, omega, v)))
    inside = ((pixels >= 0) & (pixels < np.array([camera.width, camera.height]))).all(axis=1)
    chosen = np.flatnonzero(inside)[:n_events]
    x, y = pixels[chosen].astype(np.int64).T
    ones = np.ones(len(x), np.int64)
    events = EventArray(t_ns[chosen], x, y, ones, height=camera.height, width=camera.width).sorted()
    table = camera.bearings().astype(np.float64)
    depth = DepthImage(WINDOW_NS // 2, _depth(table[..., 0], table[..., 1]).astype(np.float32))
    return Scene(EventWindow.from_events(events, t0_ns=0, t1_ns=WINDOW_NS), depth, omega, v)


def _depth(x: Vector, y: Vector) -> Vector:
    """Metres, along a bearing at the middle instant."""
    return np.asarray(2.0 + 0.8 * np.sin(3 * x + 1) * np.cos(2 * y) + 0.6 * x)


def _moved(X: Vector, dt_s: Vector, omega: Vector, v: Vector) -> Vector:
    """Points after dt in the frame of the camera, dX/dt = -omega x X - v, by its series."""
    moved, term = X.copy(), -dt_s[:, None] * (np.cross(omega, X) + v)
    for k in range(2, TERMS + 1):
        moved, term = moved + term, -dt_s[:, None] / k * np.cross(omega, term)
    return moved + term


def gyro_prior(scene: Scene, sigma_rad_s: float, rng: np.random.Generator) -> TwistPrior:
    """The rate with noise; nothing of the velocity."""
    covariance = np.full((6, 6), np.nan)
    covariance[3:, 3:] = sigma_rad_s**2 * np.eye(3)
    omega = scene.omega + rng.normal(0, sigma_rad_s, 3)
    return TwistPrior(scene.window.t_ref_ns, np.full(3, np.nan), omega, covariance)


def errors(scene: Scene, result: EgomotionResult) -> Vector:
    """Direction of v in degrees, its length and the rate in percent, normalised error squared (6 expected)."""
    length, true = np.linalg.norm(result.v), np.linalg.norm(scene.v)
    cosine = np.clip(result.v @ scene.v / (length * true), -1, 1)
    e = np.concatenate([result.v - scene.v, result.omega - scene.omega])
    rate = np.linalg.norm(e[3:]) / np.linalg.norm(scene.omega)
    squared = e @ np.linalg.solve(result.covariance, e)
    return np.array([np.rad2deg(np.arccos(cosine)), 100 * abs(length / true - 1), 100 * rate, squared])


def study(n_events: int, seeds: range, gyro_rad_s: float = 0.0, config: EgomotionConfig | None = None) -> str:
    """One line of the table."""
    found, warm_ms, refused, rng = [], [], 0, np.random.default_rng(0)
    for seed in seeds:
        scene, estimator = (
            make_scene(seed, n_events),
            EgomotionEstimator(DAVIS346, config or _all_of(n_events)),
        )
        prior = gyro_prior(scene, gyro_rad_s, rng) if gyro_rad_s else None
        result = estimator.update(scene.window, prior, scene.depth)
        refused += not result.converged
        found.append(errors(scene, result))
        start_s = process_time()
        estimator.update(scene.window, prior, scene.depth)
        warm_ms.append(1e3 * (process_time() - start_s))
    middle, most = np.percentile(found, [50, 90], axis=0)
    cells = [f'{a:.2f} / {b:.2f}' for a, b in zip(middle[:3], most[:3])]
    mean = np.mean([row[3] for row in found])
    gyro = f', gyro of {gyro_rad_s:g} rad/s' if gyro_rad_s else ''
    return f'| {n_events}{gyro} | {" | ".join(cells)} | {mean:.1f} | {refused} | {np.median(warm_ms):.0f} |'


def _all_of(n_events: int) -> EgomotionConfig:
    return EgomotionConfig(rigid=RigidConfig(max_events=n_events, independent_events=n_events))


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--events', type=int, nargs='+', default=[60_000, 20_000, 10_000, 5_000])
    parser.add_argument('--scenes', type=int, default=24)
    parser.add_argument('--gyro', type=float, default=0.0, help='noise of a gyro prior, rad/s; 0: none')
    options = parser.parse_args(arguments)
    head = '| events | direction, deg | length, % | rate, % | squared | refused | ms |\n' + '|-' * 7 + '|'
    return '\n'.join([head, *(study(n, range(options.scenes), options.gyro) for n in options.events)])


if __name__ == '__main__':
    print(main())  # noqa: T201
