# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements behind docs/binning.md: how good are weak derivatives, and what do own votes do?

    python -m event_perception.evaluation.binning_study [sine variance spread accuracy speed] [--scenes 24]

Five experiments, all seeded: the path integral of the derivative against a sine cotangent (one axis); the
gradient of the variance against differences over a long step; how far the gradient depends on the place of
the grid; the accuracy of a translation estimate; and the time an evaluation takes.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np

from event_perception.binning.taps import taps
from event_perception.evaluation.binning_study_scene import Pair, Real, Translation, Variance, maximise

SINE_PAIRS: tuple[Pair, ...] = (
    ('rect', 'linear'),
    ('rect', 'cubic'),
    ('rect', 'lanczos2'),
    ('rect', 'straight_through'),
    ('rect', 'sigmoid'),
    ('bilinear', None),
    ('bilinear', 'linear'),
    ('bilinear', 'cubic'),
    ('bilinear', 'lanczos2'),
    ('gaussian', None),
    ('gaussian', 'linear'),
    ('gaussian', 'cubic'),
    ('gaussian', 'lanczos2'),
)
VARIANCE_PAIRS = tuple(pair for pair in SINE_PAIRS if pair[1] != 'lanczos2')
CORRECTIONS = ('none', 'own vote', 'own pixel')


def path_integral_errors(pair: Pair, period: float, n_paths: int = 400, n_steps: int = 200) -> Real:
    """Integral of the derivative along random paths of 3 to 5 bins, less the difference of the values.

    The image of one moving event is read through a sine of ``period`` bins and amplitude 1.
    """
    rng = np.random.default_rng(int(period))
    start, length = rng.uniform(20.0, 21.0, n_paths), rng.uniform(3.0, 5.0, n_paths)
    phase = rng.uniform(0.0, 2.0 * np.pi, n_paths)
    middles = start[:, None] + length[:, None] * (np.arange(n_steps) + 0.5) / n_steps
    derivative = _read(pair[0], pair[1], 1, middles, period, phase[:, None])
    ends = [_read(pair[0], None, 0, u, period, phase) for u in (start, start + length)]
    return np.asarray(derivative.mean(axis=1) * length - (ends[1] - ends[0]))


def _read(kernel: str, reconstruction: str | None, order: int, u: Real, period: float, phase: Real) -> Real:
    """Sum over the bins of the sine times one derivative of kappa, at every position."""
    side = taps(kernel, reconstruction)
    cell = np.floor(u + side.shift)
    weights = side.evaluate((u + side.shift - cell).ravel())[order].reshape(*u.shape, side.n_taps)
    bins = cell[..., None] + np.array(side.offsets)
    return np.asarray(np.sum(weights * np.sin(2.0 * np.pi * bins / period + phase[..., None]), axis=-1))


def long_range_errors(
    pair: Pair, correction: str, steps_bins: tuple[float, ...], bin_px: float, n_scenes: int = 4
) -> list[float]:
    """|g - fd| / |fd| for the gradient of the variance and central differences, over points near the truth.

    A step of h bins moves the events at both ends of the window by h, one way and the other.
    """
    errors = np.zeros((2, len(steps_bins)))
    for seed in range(n_scenes):
        scene = Translation(seed)
        objective = Variance(scene, pair, bin_px, correction)
        rng = np.random.default_rng(100 + seed)
        for _ in range(6):
            velocity = scene.velocity_px_s + rng.normal(0.0, 0.7 * bin_px / scene.window_s, 2)
            gradient = objective.gradient(velocity)
            for k, step_bins in enumerate(steps_bins):
                step = 2.0 * step_bins * bin_px / scene.window_s
                difference = [
                    _difference(objective.value, velocity, step * axis) / step for axis in np.eye(2)
                ]
                errors[0, k] += np.sum((gradient - difference) ** 2)
                errors[1, k] += np.sum(np.square(difference))
    return [float(e) for e in np.sqrt(errors[0] / errors[1])]


def _difference(value: Callable[[Real], float], at: Real, step: Real) -> float:
    return 0.5 * (value(at + step) - value(at - step))


def grid_shift_spread(pair: Pair, correction: str, bin_px: float, n_shifts: int = 8) -> tuple[float, float]:
    """How much the gradient depends on where the grid lies: its spread over shifts of the grid, and the part
    of its mean that the correction takes, both relative to the mean of the uncorrected one.
    """
    spread, change, total = 0.0, 0.0, 0.0
    shifts = (np.arange(n_shifts) + 0.5) / n_shifts
    for seed in range(4):
        scene = Translation(seed)
        velocity = scene.velocity_px_s + np.random.default_rng(seed).normal(
            0, 0.7 * bin_px / scene.window_s, 2
        )
        plain, corrected = (
            np.array(
                [
                    Variance(scene, pair, bin_px, c).gradient(velocity, np.array([dx, dy]))
                    for dx, dy in zip(shifts, np.roll(shifts, n_shifts // 2))
                ]
            )
            for c in ('none', correction)
        )
        spread += corrected.var(axis=0).sum()
        change += np.sum((corrected.mean(axis=0) - plain.mean(axis=0)) ** 2)
        total += np.sum(plain.mean(axis=0) ** 2)
    return float(np.sqrt(spread / total)), float(np.sqrt(change / total))


def translation_accuracy(
    pair: Pair, correction: str, bin_px: float, n_events: int, n_scenes: int
) -> tuple[float, float]:
    """Root mean square error per component (px/s) and mean number of evaluations, from a start 60 px/s off."""
    errors, evaluations = [], []
    for seed in range(n_scenes):
        scene = Translation(seed, n_events=n_events)
        angle = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi)
        start = scene.velocity_px_s + 60.0 * np.array([np.cos(angle), np.sin(angle)])
        objective = Variance(scene, pair, bin_px, correction)
        if pair[1] is None:
            estimate, n = _line_search(objective, start)
        else:
            estimate, n = maximise(objective, start)
        errors.append(estimate - scene.velocity_px_s)
        evaluations.append(n)
    return float(np.sqrt(np.mean(np.square(errors)))), float(np.mean(evaluations))


def _line_search(objective: Variance, start: Real) -> tuple[Real, int]:
    """L-BFGS-B, for derivatives without curvature."""
    from scipy.optimize import minimize

    result = minimize(
        lambda v: (-objective.value(v), -objective.gradient(v)), start, jac=True, method='L-BFGS-B'
    )
    return np.asarray(result.x), int(result.nfev)


def _name(pair: Pair) -> str:
    return f'{pair[0]} {"raw" if pair[1] is None else pair[1]}'


def sine_table(_: int) -> Iterator[str]:
    """Lines of the first table of docs/binning.md."""
    yield '| pair | L=4 | L=8 | L=16 | L=32 |'
    yield '|-|-|-|-|-|'
    for pair in SINE_PAIRS:
        cells = [path_integral_errors(pair, period) for period in (4.0, 8.0, 16.0, 32.0)]
        row = ' | '.join(f'{e.mean():.4f} / {np.sqrt(np.mean(e**2)):.4f}' for e in cells)
        yield f'| {_name(pair)} | {row} |'


def variance_table(_: int) -> Iterator[str]:
    """Lines of the second table."""
    yield '| pair | h=0.035 | h=0.175 | h=0.7 | h=0.7, without own vote | without own pixel |'
    yield '|-|-|-|-|-|-|'
    for pair in VARIANCE_PAIRS:
        row = long_range_errors(pair, 'none', (0.035, 0.175, 0.7), 2.0)
        if _correctable(pair):
            row += [long_range_errors(pair, c, (0.7,), 2.0)[0] for c in CORRECTIONS[1:]]
        cells = [f'{e:.3f}' for e in row] + ['-'] * (5 - len(row))
        yield f'| {_name(pair)} | ' + ' | '.join(cells) + ' |'


def spread_table(_: int) -> Iterator[str]:
    """Lines of the third table."""
    yield '| pair | bin | spread | spread without own vote | change of the mean |'
    yield '|-|-|-|-|-|'
    for pair in (('rect', 'linear'), ('bilinear', 'linear'), ('gaussian', 'linear')):
        for bin_px in (1.0, 2.0):
            before, after = (grid_shift_spread(pair, c, bin_px) for c in CORRECTIONS[:2])
            yield f'| {_name(pair)} | {bin_px:g} px | {before[0]:.4f} | {after[0]:.4f} | {after[1]:.5f} |'


def accuracy_table(n_scenes: int) -> Iterator[str]:
    """Lines of the fourth table."""
    yield '| pair | events, bin | rms px/s (evaluations) | without own vote | without own pixel |'
    yield '|-|-|-|-|-|'
    for n_events, bin_px in ((20_000, 2.0), (20_000, 1.0), (5_000, 2.0), (5_000, 1.0)):
        for pair in (('bilinear', None), ('rect', 'linear'), ('bilinear', 'linear'), ('gaussian', 'linear')):
            rows = [translation_accuracy(pair, c, bin_px, n_events, n_scenes) for c in CORRECTIONS]
            cells = ' | '.join(f'{rms:.3f} ({n:.1f})' for rms, n in rows)
            yield f'| {_name(pair)} | {n_events}, {bin_px:g} px | {cells} |'


def speed_table(_: int) -> Iterator[str]:
    """Lines of the fifth table: 20 000 events, 200 x 150 bins, best of 30, one thread."""
    import torch

    from event_perception.binning.classic import classic_bilinear
    from event_perception.binning.points import bin_events

    torch.set_num_threads(1)
    size = torch.tensor([200.0, 150.0])
    points = (torch.rand((20_000, 2), generator=torch.Generator().manual_seed(0)) * size).requires_grad_()

    def gradient(image: Callable[..., torch.Tensor], **options: Any) -> Callable[[], object]:
        return lambda: torch.autograd.grad(
            image(points, None, height=150, width=200, **options).var(), points
        )

    yield '| value and gradient of the variance | ms |'
    yield '|-|-|'
    yield f'| classic torch bilinear | {_best_ms(gradient(classic_bilinear)):.2f} |'
    for pair in (('rect', 'linear'), ('bilinear', 'linear'), ('rect', 'cubic'), ('gaussian', 'linear')):
        ours = gradient(bin_events, kernel=pair[0], reconstruction=pair[1])
        yield f'| bin_events {_name(pair)} | {_best_ms(ours):.2f} |'


def _best_ms(work: Callable[[], object], repeats: int = 30) -> float:
    times = []
    for _ in range(repeats):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return 1e3 * min(times)


def _correctable(pair: Pair) -> bool:
    return taps(pair[0], None).shift == taps(*pair).shift


TABLES: dict[str, Callable[[int], Iterator[str]]] = {
    'sine': sine_table,
    'variance': variance_table,
    'spread': spread_table,
    'accuracy': accuracy_table,
    'speed': speed_table,
}


def main(arguments: list[str] | None = None) -> int:
    """Write the chosen tables, all by default, to standard output."""
    parser = argparse.ArgumentParser(prog='binning_study', description=__doc__)
    parser.add_argument('tables', nargs='*', metavar='TABLE', help=f'of {", ".join(TABLES)}; default: all')
    parser.add_argument('--scenes', type=int, default=2, help='scenes of the accuracy table; docs: 24')
    options = parser.parse_args(arguments)
    chosen = options.tables or list(TABLES)
    if unknown := sorted(set(chosen) - set(TABLES)):
        parser.error(f'unknown tables {unknown}; choose from {list(TABLES)}')
    for name in chosen:
        sys.stdout.write(f'\n{name}\n\n' + ''.join(line + '\n' for line in TABLES[name](options.scenes)))
        sys.stdout.flush()
    return 0


if __name__ == '__main__':
    sys.exit(main())
