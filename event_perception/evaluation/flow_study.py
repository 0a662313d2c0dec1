# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements behind docs/flow.md.

    python -m event_perception.evaluation.flow_study [methods windows egomotion confidence weak weak_three
        weak_tiles speed warm] [--seeds 3] [--data FOLDER]

All on simulated clips with exact flow, one setting for all, cold unless said. With --data also the table ``real``, of
excerpts of the Event Camera Dataset.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np

from event_perception.evaluation import flow_methods as methods
from event_perception.evaluation.bench_egomotion import one_torch_thread
from event_perception.evaluation.flow_real import real_table
from event_perception.evaluation.flow_weak_study import (
    EVENTS,
    Outcome,
    joint_outcome,
    newton_outcome,
    study_windows,
    weak_table,
    weak_three_table,
    weak_tiles_table,
)
from event_perception.evaluation.flow_windows import (
    BESIDE,
    HORIZON_S,
    KINDS,
    Solver,
    clip_windows,
    mean_epe,
    score_table,
)
from event_perception.flow.events import FlowEvents
from event_perception.flow.grid import NodeGrid
from event_perception.flow.joint import JointField, refine
from event_perception.flow.pyramid import REACH, cold_start
from event_perception.flow.tiles import expected_error
from event_perception.flow.tiles_config import TilesConfig

Seeds = tuple[int, ...]
SHARES = (1.0, 0.75, 0.5, 0.25)
AUTOGRAD_WEIGHT = 0.3


def methods_table(seeds: Seeds) -> Iterator[str]:
    """Every method on windows of 50 ms, and the last on windows sized by displacement."""
    default = TilesConfig()
    at_one_pixel = replace(default, joint=replace(default.joint, bin_px=1.0))
    rows: dict[str, Solver] = {
        'zero flow': methods.zero,
        'simple tiles, 6x5, variance, Nelder-Mead': methods.simple_tiles,
        'pyramid of tiles to 16 px': methods.pyramid(16),
        'pyramid to 32 px, joint field': methods.joint(select=False),
        'the same, variance': methods.joint(replace(default, focus='variance'), select=False),
        'the same, bins of 1 px': methods.joint(at_one_pixel, select=False),
        '**joint field and selection at edges**': methods.joint(),
        'the same, 30 000 events at random': methods.joint(most=EVENTS),
        '**the same, window sized by displacement**': methods.sized(),
        'sized, 30 000 events at random': methods.sized(most=EVENTS),
    }
    yield from _scored(rows, seeds, against='simple tiles, 6x5, variance, Nelder-Mead')


def windows_table(seeds: Seeds) -> Iterator[str]:
    """The method on windows of fixed lengths."""
    for length_ms in (30, 50, 100):
        yield f'{length_ms} ms'
        yield from _scored({'joint field and selection': methods.joint()}, seeds, length_s=length_ms * 1e-3)


def egomotion_table(seeds: Seeds) -> Iterator[str]:
    """Depth and linear egomotion, residual tiles, and what a known rate adds."""
    rows: dict[str, Solver] = {}
    for name, error in (('exact depth', 0.0), ('depth with a smooth error of 5 %', 0.05)):
        for residual in (False, True):
            rest = ', residual tiles' if residual else ''
            rows[f'{name}{rest}'] = methods.egomotion_flow(residual=residual, depth_error=error)
            rows[f'{name}, gyroscope{rest}'] = methods.egomotion_flow(
                residual=residual, depth_error=error, gyro=True
            )
    rows['no depth, gyroscope, residual tiles'] = methods.egomotion_flow(
        residual=True, gyro=True, depth=False
    )
    yield from _scored(rows, seeds)


def _scored(
    rows: dict[str, Solver], seeds: Seeds, *, length_s: float = 0.05, against: str = ''
) -> Iterator[str]:
    yield (
        f'EPE px / AE deg / %3PE over {1e3 * HORIZON_S:.0f} ms at event pixels; mean EPE of {", ".join(KINDS)}; '
        'within 5 px of an edge; dense'
    )
    yield (
        '| method | '
        + ' | '.join(KINDS + BESIDE)
        + ' | mean | near edges | dense |'
        + (' ratio |' if against else '')
    )
    yield '|-|' + '-|' * (len(KINDS + BESIDE) + 3 + bool(against))
    reference = np.nan
    for name, solver in rows.items():
        table = score_table(solver, seeds=seeds, length_s=length_s, kinds=KINDS + BESIDE)
        cells = [f'{row[0]:.2f}/{row[1]:.1f}/{row[2]:.0f}' for row in table.values()]
        mean, edge, dense = mean_epe(table), *(np.mean([table[kind][k] for kind in KINDS]) for k in (3, 4))
        reference = mean if name == against else reference
        ratio = f' {mean / reference:.2f} |' if against else ''
        yield f'| {name} | ' + ' | '.join(cells) + f' | {mean:.3f} | {edge:.2f} | {dense:.2f} |{ratio}'


def confidence_table(seeds: Seeds) -> Iterator[str]:
    """EPE of the most confident part of the event pixels."""
    rows: list[list[float]] = []
    oracle: list[list[float]] = []
    config = TilesConfig()
    for clip in (c for kind in KINDS for seed in seeds for c in clip_windows(kind, seed)):
        events = FlowEvents.of(clip.window(0.05))
        grid, refined = methods.cold_refined(events, config)
        flow = grid.dense(refined.q)
        error = HORIZON_S * np.linalg.norm(flow - clip.truth_px_s, axis=0)[clip.mask]
        expected = grid.dense(np.repeat(expected_error(refined, grid)[:, None], 2, axis=1))[0][clip.mask]
        for order, out in ((np.argsort(expected), rows), (np.argsort(error), oracle)):
            out.append([error[order[: int(share * len(error))]].mean() for share in SHARES])
    yield '| order | ' + ' | '.join(f'best {100 * share:.0f} %' for share in SHARES) + ' |'
    yield '|-|' + '-|' * len(SHARES)
    for name, out in (('confidence', rows), ('true error', oracle)):
        yield f'| {name} | ' + ' | '.join(f'{value:.3f}' for value in np.mean(out, axis=0)) + ' |'


def speed_table(seeds: Seeds) -> Iterator[str]:
    """Cold windows of 30 000 events, side by side on one thread: autograd with L-BFGS-B, and ours."""
    windows = study_windows(seeds[:1])
    outcomes: dict[str, Outcome] = {
        f'torch autograd, raw, L-BFGS-B, three references, {bin_px:g} px': joint_outcome(
            windows, None, bin_px, AUTOGRAD_WEIGHT
        )
        for bin_px in (1.0, 1.5)
    }
    outcomes['ours, cold'] = min((newton_outcome(windows) for _ in range(3)), key=lambda o: o.ms)
    yield '| solver | mean EPE px | evaluations | ms a window | times ours |'
    yield '|-|-|-|-|-|'
    ours = outcomes['ours, cold'].ms
    for name, o in outcomes.items():
        yield f'| {name} | {o.epe_px:.3f} | {o.evaluations:.0f} | {o.ms:.1f} | {o.ms / ours:.1f} |'
    passes = np.mean([cold_start(events, TilesConfig()).passes for _, events in windows])
    yield f'passes over the events of the pyramid to 32 px, search included: {passes:.1f}'


def warm_table(seeds: Seeds) -> Iterator[str]:
    """From the field of 50 ms before: EPE and time by Newton steps, 30 000 events."""
    config = TilesConfig()
    yield '| start | steps | mean EPE px | ms a window, least of 5 |'
    yield '|-|-|-|-|'
    for name, steps in (('cold', config.joint.iterations), ('warm', 2), ('warm', 4), ('warm', 8)):
        rows = [
            _warm_one(clip, name == 'warm', steps, config)
            for kind in KINDS
            for seed in seeds
            for clip in clip_windows(kind, seed)
        ]
        epe, ms = np.mean(rows, axis=0)
        yield f'| {name} | {steps} | {epe:.3f} | {ms:.1f} |'


def _warm_one(clip, warm: bool, steps: int, config: TilesConfig) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    def of(clip, shift_ms: int) -> FlowEvents:  # type: ignore[no-untyped-def]
        return FlowEvents.of(replace(clip, t_ns=clip.t_ns + shift_ms * 1_000_000).window(0.05), EVENTS)

    events = of(clip, 0)
    grid = NodeGrid(events.height, events.width, config.joint.spacing_px)
    reach = REACH * config.max_speed_px_s * events.half_s
    before = methods.cold_refined(of(clip, -50), config)[1].q if warm else None
    times = []
    for _ in range(5):
        begin = perf_counter()
        if before is None:
            q = methods.cold_refined(events, config)[1].q
        else:
            objective = JointField(events, grid, bin_px=config.joint.bin_px, reach_px=reach)
            q = refine(objective, before, steps, config).q
        times.append(1e3 * (perf_counter() - begin))
    return clip.scores(grid.dense(q))[0], min(times)


TABLES: dict[str, Callable[[Seeds], Iterator[str]]] = {
    'methods': methods_table,
    'windows': windows_table,
    'egomotion': egomotion_table,
    'confidence': confidence_table,
    'weak': weak_table,
    'weak_three': lambda seeds: weak_three_table(seeds[:1]),
    'weak_tiles': lambda seeds: weak_tiles_table(seeds[:1]),
    'speed': speed_table,
    'warm': warm_table,
}


def main(arguments: list[str] | None = None) -> int:
    """Write the chosen tables, all by default, to standard output."""
    parser = argparse.ArgumentParser(prog='flow_study', description=__doc__)
    parser.add_argument('tables', nargs='*', metavar='TABLE', help=f'of {", ".join(TABLES)}; default: all')
    parser.add_argument('--seeds', type=int, default=3, help='clips of each kind')
    parser.add_argument('--data', type=Path, help='folder with excerpts of the Event Camera Dataset')
    options = parser.parse_args(arguments)
    chosen = options.tables or list(TABLES)
    if unknown := sorted(set(chosen) - set(TABLES) - {'real'}):
        parser.error(f'unknown tables {unknown}; choose from {list(TABLES)}')
    with one_torch_thread():
        for name in chosen:
            if name != 'real':
                _write(name, TABLES[name](tuple(range(options.seeds))))
        if options.data is not None:
            _write('real', real_table(options.data))
    return 0


def _write(name: str, lines: Iterator[str]) -> None:
    sys.stdout.write(f'\n{name}\n\n')
    for line in lines:
        sys.stdout.write(line + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
