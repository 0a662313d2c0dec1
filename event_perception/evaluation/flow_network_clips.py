# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A trained flow network beside the model-based method, on clips that neither was made for.

    python -m event_perception.evaluation.flow_network_clips WEIGHTS --seeds 2 --lengths-ms 10 20 50

prints the end point error in px per 50 ms at pixels with events, by kind of clip and length of the window, and the
time of each on one thread.
"""

import argparse
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from event_perception import flow
from event_perception.evaluation import flow_methods
from event_perception.evaluation.flow_windows import KINDS, ClipWindow, Solver, score_table
from event_perception.events import EventWindow


def network(weights: Path) -> Solver:
    """The network, without memory of what was before."""

    def solve(clip: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
        estimator = flow.create('network', clip.camera, weights=str(weights), reach_px=500, min_events=1)
        return estimator.update(window).flow_px_s

    return solve


def timed(solver: Solver, seconds: list[float]) -> Solver:
    """The same, its processor time noted."""

    def solve(clip: ClipWindow, window: EventWindow) -> NDArray[np.float32]:
        start_s = process_time()
        field = solver(clip, window)
        seconds.append(process_time() - start_s)
        return field

    return solve


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('weights', type=Path, help='written by `event-perception train flow`')
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--lengths-ms', type=int, nargs='+', default=[10, 20, 50])
    options = parser.parse_args()
    rows = {
        'no motion': flow_methods.zero,
        'network': network(options.weights),
        'tiles': flow_methods.joint(),
    }
    print(f'{"window":>7}  {"method":10}  {"  ".join(f"{kind:>6}" for kind in KINDS)}    mean   ms')  # noqa: T201
    for length_ms in options.lengths_ms:
        for name, solver in rows.items():
            seconds: list[float] = []
            seeds = tuple(range(1, options.seeds + 1))
            scores = score_table(timed(solver, seconds), seeds=seeds, length_s=1e-3 * length_ms)
            errors = [float(scores[kind][0]) for kind in KINDS]
            cells = '  '.join(f'{error:6.2f}' for error in errors)
            print(  # noqa: T201
                f'{length_ms:4} ms  {name:10}  {cells}  {np.mean(errors):6.2f}  {1e3 * min(seconds):4.0f}',
                flush=True,
            )


if __name__ == '__main__':
    main()
