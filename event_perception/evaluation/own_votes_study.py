# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Whether removing each event's own vote makes angular velocity more accurate, by votes and bin size.

    python -m event_perception.evaluation.own_votes_study --seeds 31 32

prints a table: for every set, RMS error in deg/s kept -> removed, evaluations a window likewise, and the window's
time relative to bilinear votes on 1.5 px with own votes kept. Windows that the estimator itself refuses count, too.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from event_perception.evaluation.egomotion_study import OURS, STUDIES, errors_of, simulate
from event_perception.motion import EgomotionConfig

KERNELS = ('bilinear', 'gaussian', 'rect')
BIN_SIZES_PX = (1.0, 1.5, 2.0)
OWN_VOTES = ('kept', 'removed')


def configurations() -> Iterator[EgomotionConfig]:
    """Every kernel and bin size, own votes kept and removed."""
    for kernel in KERNELS:
        for size in BIN_SIZES_PX:
            for own_votes in OWN_VOTES:
                yield EgomotionConfig(kernel=kernel, bin_size_px=size, own_votes=own_votes)


def study(seeds: list[int], configs: list[EgomotionConfig]) -> list[dict[str, dict[str, float]]]:
    """For every configuration, by set: RMS over all seeds, mean evaluations, median time."""
    rows: list[dict[str, dict[str, float]]] = [{} for _ in configs]
    for kind in STUDIES:
        recordings = [simulate(replace(kind, seed=seed)) for seed in seeds]
        for row, config in zip(rows, configs):
            row[kind.name] = _mean([_one(*recording, config) for recording in recordings])
    return rows


def _one(sequence: Any, windows: Any, config: EgomotionConfig) -> dict[str, Any]:
    truth = sequence.omega(np.array([window.t_ref_ns for window in windows]))
    return errors_of(OURS, sequence, windows, truth, config)


def _mean(parts: list[dict[str, Any]]) -> dict[str, float]:
    return {
        'rms_deg_s': float(np.sqrt(np.mean([part['rms_deg_s'] ** 2 for part in parts]))),
        'evaluations_mean': float(np.mean([part['evaluations_mean'] for part in parts])),
        'window_ms': float(np.mean([part['window_ms'] for part in parts])),
    }


def table(configs: list[EgomotionConfig], rows: list[dict[str, dict[str, float]]]) -> str:
    """Markdown; a line holds both ways for one kernel and bin size."""
    names = list(rows[0])
    lines = ['| votes, bin | ' + ' | '.join(names) + ' |', '|-' * (len(names) + 1) + '|']
    default = EgomotionConfig()
    usual = next(
        row
        for config, row in zip(configs, rows)
        if (config.kernel, config.bin_size_px, config.own_votes) == ('bilinear', default.bin_size_px, 'kept')
    )
    for config, kept, removed in zip(configs[::2], rows[::2], rows[1::2]):
        cells = [_cell(kept[name], removed[name], usual[name]) for name in names]
        lines.append(f'| {config.kernel}, {config.bin_size_px:g} px | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def _cell(kept: dict[str, float], removed: dict[str, float], usual: dict[str, float]) -> str:
    times = [part['window_ms'] / usual['window_ms'] for part in (kept, removed)]
    return (
        f'{kept["rms_deg_s"]:.3f} -> {removed["rms_deg_s"]:.3f}; '
        f'{kept["evaluations_mean"]:.1f} -> {removed["evaluations_mean"]:.1f}; '
        f'{times[0]:.2f} -> {times[1]:.2f}'
    )


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[31, 32])
    configs = list(configurations())
    return table(configs, study(parser.parse_args(arguments).seeds, configs))


if __name__ == '__main__':
    print(main())  # noqa: T201
