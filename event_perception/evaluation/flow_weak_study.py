# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Weak against raw derivatives for flow: same objective, start and optimiser, the coupling tuned for each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from event_perception.evaluation.flow_derivatives import FIELDS, OPTIMISERS, CoupledLoss
from event_perception.evaluation.flow_methods import cold_refined
from event_perception.evaluation.flow_windows import KINDS, ClipWindow, clip_windows
from event_perception.flow.coupling import typical_curvature
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.joint import JointField
from event_perception.flow.pyramid import (
    LEVELS,
    REACH,
    Level,
    best_of_a_search,
    cold_start,
    image_size,
    sorted_tiles,
)
from event_perception.flow.tiles_config import TilesConfig
from event_perception.flow.torch_flow import THREE_REFERENCES, TorchField, TorchTiles, maximise

INSTANTS_MS = (100, 200)
EVENTS = 30_000
WINDOW_S = 0.05
KINDS_OF_DERIVATIVE = {'raw': None, 'weak': 'linear'}
ITERATIONS = 30
START_PX = 64  # tiles that the joint field starts from
NODES_PX = 16
WEIGHTS = (0.1, 0.3, 0.6, 1.0, 2.0)  # of the coupling, in units of the median curvature


@dataclass(frozen=True)
class Outcome:
    """Mean over the windows: EPE px per 50 ms, evaluations, ms; and the EPE of each kind of clip."""

    epe_px: float
    evaluations: float
    ms: float
    by_kind: tuple[float, ...] = ()


def study_windows(seeds: tuple[int, ...]) -> list[tuple[ClipWindow, FlowEvents]]:
    """Windows of all kinds, decimated."""
    clips = [clip for kind in KINDS for seed in seeds for clip in clip_windows(kind, seed, INSTANTS_MS)]
    return [(clip, FlowEvents.of(clip.window(WINDOW_S), EVENTS)) for clip in clips]


def joint_outcome(
    windows: list[tuple[ClipWindow, FlowEvents]], reconstruction: str | None, bin_px: float, weight: float
) -> Outcome:
    """L-BFGS-B on the joint field with three reference times; ``weight`` in units of the median curvature."""
    rows = []
    for clip, events in windows:
        begin = perf_counter()
        grid, start, reach, typical = _joint_start(events, bin_px)
        strength = weight * typical
        focus = TorchField(
            events,
            grid,
            bin_px=bin_px,
            reach_px=reach,
            references=THREE_REFERENCES,
            reconstruction=reconstruction,
        )
        q, evaluations = maximise(focus, start, grid, strength=strength, iterations=ITERATIONS)
        ms = 1e3 * (perf_counter() - begin)
        rows.append((clip.scores(grid.dense(q))[0], evaluations, ms))
    return _outcome(windows, rows)


def _joint_start(events: FlowEvents, bin_px: float) -> tuple[NodeGrid, np.ndarray, float, float]:
    """Nodes, their start from tiles, the longest motion that fits, px, and the typical curvature at the start."""
    config = TilesConfig()
    tiles = cold_start(events, config, START_PX)
    grid = NodeGrid(events.height, events.width, NODES_PX)
    start = tiles.grid.to(grid, tiles.q)
    reach = REACH * config.max_speed_px_s * events.half_s
    return grid, start, reach, _typical(events, grid, bin_px, reach, start)


def _typical(events: FlowEvents, grid: NodeGrid, bin_px: float, reach: float, q: np.ndarray) -> float:
    objective = JointField(events, grid, bin_px=bin_px, reach_px=reach)
    return typical_curvature(np.maximum(objective.evaluate(q)[2], 0.0))


def newton_outcome(
    windows: list[tuple[ClipWindow, FlowEvents]], config: TilesConfig | None = None
) -> Outcome:
    """Ours, cold: pyramid and joint Newton; evaluations in passes over the events."""
    settings, rows = config or TilesConfig(), []
    cold_refined(windows[0][1], settings)  # compiled
    for clip, events in windows:
        begin = perf_counter()
        grid, refined = cold_refined(events, settings)
        ms = 1e3 * (perf_counter() - begin)
        rows.append((clip.scores(grid.dense(refined.q))[0], settings.joint.iterations, ms))
    return _outcome(windows, rows)


def pyramid_outcome(
    windows: list[tuple[ClipWindow, FlowEvents]],
    reconstruction: str | None,
    finest_bin_px: float,
    weight: float,
) -> Outcome:
    """Tiles coarse to fine by L-BFGS-B, all of a level at once; evaluations summed over the levels."""
    rows = []
    levels = [*LEVELS[:3], Level(16, 32, finest_bin_px)]
    for clip, events in windows:
        begin, evaluations, q, grid = perf_counter(), 0, None, None
        for level in levels:
            q, grid, n = _lbfgs_level(events, level, q, grid, reconstruction, weight)
            evaluations += n
        assert q is not None and grid is not None  # noqa: S101 - there are levels
        rows.append((clip.scores(grid.dense(q))[0], evaluations, 1e3 * (perf_counter() - begin)))
    return Outcome(*np.mean(rows, axis=0))


def _lbfgs_level(events, level, q, before, reconstruction, weight):  # type: ignore[no-untyped-def]
    config = TilesConfig()
    grid = NodeGrid(events.height, events.width, level.spacing)
    tiles = sorted_tiles(events, grid, level.side)
    start = best_of_a_search(tiles, events.half_s, level, config)[0] if q is None else before.to(grid, q)
    size = image_size(level.side, level.bin_px, REACH * config.max_speed_px_s * events.half_s)
    reach = REACH * config.max_speed_px_s * events.half_s
    strength = weight * _typical(events, grid, level.bin_px, reach, start)
    focus = TorchTiles(tiles, size, bin_px=level.bin_px, reconstruction=reconstruction)
    found, n = maximise(focus, start, grid, strength=strength, iterations=ITERATIONS)
    return found, grid, n


def first_order_outcome(
    windows: list[tuple[ClipWindow, FlowEvents]], kind: str, optimiser: str, bin_px: float, weight: float
) -> Outcome:
    """The objective of ``flow.joint`` under a first-order optimiser; ``weight`` in units of the median curvature."""
    rows = []
    for clip, events in windows:
        begin = perf_counter()
        grid, start, reach, typical = _joint_start(events, bin_px)
        strength = weight * typical
        objective = FIELDS[kind](events, grid, bin_px=bin_px, reach_px=reach)
        loss = CoupledLoss(objective, strength, start)
        q = OPTIMISERS[optimiser](loss, start, ITERATIONS, bin_speed=bin_px / events.half_s)
        ms = 1e3 * (perf_counter() - begin)
        rows.append((clip.scores(grid.dense(q))[0], loss.evaluations, ms))
    return _outcome(windows, rows)


def _outcome(
    windows: list[tuple[ClipWindow, FlowEvents]], rows: Sequence[tuple[float, float, float]]
) -> Outcome:
    kinds = np.array([clip.kind for clip, _ in windows])
    errors = np.array([row[0] for row in rows])
    by_kind = tuple(float(errors[kinds == kind].mean()) for kind in KINDS if (kinds == kind).any())
    means = [float(value) for value in np.mean(rows, axis=0)]
    return Outcome(means[0], means[1], means[2], by_kind)


def weak_table(seeds: tuple[int, ...], weights: tuple[float, ...] = WEIGHTS) -> Iterator[str]:
    """Markdown lines: the objective of the joint field, both optimisers, bins of 1 and 1.5 px, seed by seed."""
    windows = {seed: study_windows((seed,)) for seed in seeds}
    for optimiser in OPTIMISERS:
        yield f'{optimiser}, at most {ITERATIONS} iterations, seed by seed'
        yield ''

        def solved(kind: str, bin_px: float, weight: float, optimiser: str = optimiser) -> list[Outcome]:
            return [first_order_outcome(windows[seed], kind, optimiser, bin_px, weight) for seed in seeds]

        yield from _sweep(solved, weights)


def weak_three_table(seeds: tuple[int, ...], weights: tuple[float, ...] = WEIGHTS) -> Iterator[str]:
    """The same with three reference times and events moved by the field where they were seen, in torch, L-BFGS-B."""
    windows = {seed: study_windows((seed,)) for seed in seeds}
    yield from _sweep(
        lambda kind, bin_px, weight: [
            joint_outcome(windows[seed], KINDS_OF_DERIVATIVE[kind], bin_px, weight) for seed in seeds
        ],
        weights,
    )


def _sweep(solved: Callable[[str, float, float], list[Outcome]], weights: tuple[float, ...]) -> Iterator[str]:
    """Both kinds at every weight; then each at the weight that is best for it over all seeds."""
    yield '| bin px | coupling | raw EPE (evaluations) by kind | weak EPE (evaluations) by kind | difference | of each seed |'
    yield '|-|-|-|-|-|-|'
    for bin_px in (1.0, 1.5):
        table = {kind: [solved(kind, bin_px, weight) for weight in weights] for kind in KINDS_OF_DERIVATIVE}
        for k, weight in enumerate(weights):
            yield _seeds_line(f'{bin_px:g} | {weight:g}', table['raw'][k], table['weak'][k])
        best = {kind: min(rows, key=lambda row: _mean(row).epe_px) for kind, rows in table.items()}
        yield _seeds_line(f'{bin_px:g} | best of each', best['raw'], best['weak'])


def _mean(row: list[Outcome]) -> Outcome:
    epe, evaluations, ms = np.mean([(o.epe_px, o.evaluations, o.ms) for o in row], axis=0)
    by_kind = np.mean([o.by_kind for o in row], axis=0)
    return Outcome(float(epe), float(evaluations), float(ms), tuple(map(float, by_kind)))


def _seeds_line(head: str, raw: list[Outcome], weak: list[Outcome]) -> str:
    seeds = ', '.join(_percent(a.epe_px, b.epe_px) for a, b in zip(raw, weak))
    return f'{_line(head, _mean(raw), _mean(weak))} {seeds} |'


def weak_tiles_table(seeds: tuple[int, ...], weights: tuple[float, ...] = (0.03, 0.1, 0.3)) -> Iterator[str]:
    """Markdown lines: tiles, for finest bins of 1 and 1.5 px."""
    windows = study_windows(seeds)
    yield '| finest bin px | coupling | raw EPE (evaluations) | weak EPE (evaluations) | difference |'
    yield '|-|-|-|-|-|'
    for bin_px in (1.0, 1.5):
        best = dict.fromkeys(KINDS_OF_DERIVATIVE, np.inf)
        for weight in weights:
            found = {
                name: pyramid_outcome(windows, kind, bin_px, weight)
                for name, kind in KINDS_OF_DERIVATIVE.items()
            }
            best = {name: min(best[name], found[name].epe_px) for name in found}
            yield _line(f'{bin_px:g} | {weight:g}', found['raw'], found['weak'])
        yield f'| {bin_px:g} | best of each | {best["raw"]:.3f} | {best["weak"]:.3f} | {_percent(best["raw"], best["weak"])} |'


def _line(head: str, raw: Outcome, weak: Outcome) -> str:
    cells = (f'{o.epe_px:.3f} ({o.evaluations:.0f}){_kinds(o)}' for o in (raw, weak))
    return f'| {head} | ' + ' | '.join(cells) + f' | {_percent(raw.epe_px, weak.epe_px)} |'


def _kinds(outcome: Outcome) -> str:
    return ' ' + '/'.join(f'{epe:.2f}' for epe in outcome.by_kind) if outcome.by_kind else ''


def _percent(before: float, after: float) -> str:
    return f'{100 * (after / before - 1):+.1f} %'
