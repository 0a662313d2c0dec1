# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Does the derivative of binning matter to a network that learns flow without truth?

    python -m event_perception.evaluation.flow_network_study -o DIR --seeds 3 --steps 400

trains the compact recurrent network by contrast alone, with weak, raw and surrogate derivatives, from the same
random weights on the same clips, at several weights of smoothness, and prints the end point error on clips that were
not trained on: for each derivative at its own best smoothness, mean and standard deviation over the seeds.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from event_perception.learning.plan import make_plan
from event_perception.learning.training import train

SMALL = (
    'task.width=12',
    'task.clips.height=64',
    'task.clips.width=64',
    'task.clips.max_events=2500',
    'task.clips.max_slide_px=8',
    'task.clips.max_deformation_px=3',
    'task.clips.clips=300',
    'task.clips.pictures=12',
    'task.validation_clips=32',
    'training.learning_rate=0.002',
    'task.output_std=0.02',  # at no motion at all the raw derivative is zero: it shall have a start
)
"""A network of 76 k weights on views of 64 x 64 px and motions of up to 8 px: minutes on one core."""


@dataclass(frozen=True)
class Trial:
    """One training and what came out of it."""

    gradient: str
    bin_px: float
    smoothness: float
    seed: int
    epe_px: float
    epe_of_zero_px: float


def run_trial(folder: Path, gradient: str, bin_px: float, smoothness: float, seed: int, steps: int) -> Trial:
    """Train once, or read what an earlier call left in the folder."""
    path = folder / f'{gradient}_{bin_px:g}_{smoothness:g}_{seed}.json'
    if not path.exists():
        settings = [
            *SMALL,
            'task.supervision=contrast',
            f'task.gradient={gradient}',
            f'task.bin_px={bin_px}',
            f'task.smoothness={smoothness}',
            f'training.seed={seed}',
            f'training.steps={steps}',
            f'training.validate_every={steps}',
        ]
        metrics = train(make_plan('flow.recurrent', assignments=settings), path.with_suffix('')).metrics
        path.write_text(json.dumps(metrics))
    metrics = json.loads(path.read_text())
    return Trial(gradient, bin_px, smoothness, seed, metrics['epe_px'], metrics['epe_of_zero_px'])


def table(trials: list[Trial]) -> str:
    """A row per bin size and derivative: every smoothness, and the best one against that of the raw derivative."""
    lines = ['bins px  derivative        EPE px by smoothness (mean +- sd of seeds)']
    for bin_px in sorted({t.bin_px for t in trials}):
        raw = _best(trials, bin_px, 'raw')
        for gradient in sorted({t.gradient for t in trials if t.bin_px == bin_px}):
            cells = []
            for smoothness in sorted({t.smoothness for t in trials}):
                errors = _errors(trials, bin_px, gradient, smoothness)
                if errors:
                    cells.append(f'{smoothness:g}: {np.mean(errors):.3f} +- {np.std(errors):.3f}')
            gain = (
                '' if raw is None else f'   best {100 * (_best(trials, bin_px, gradient) / raw - 1):+.1f} %'
            )
            lines.append(f'{bin_px:7g}  {gradient:16}  {"   ".join(cells)}{gain}')
    lines.append(f'flow of zero: {np.mean([t.epe_of_zero_px for t in trials]):.3f} px')
    return '\n'.join(lines)


def _errors(trials: list[Trial], bin_px: float, gradient: str, smoothness: float) -> list[float]:
    wanted = (bin_px, gradient, smoothness)
    return [t.epe_px for t in trials if (t.bin_px, t.gradient, t.smoothness) == wanted]


def _best(trials: list[Trial], bin_px: float, gradient: str) -> float:
    """Mean error at the best smoothness; nan if there is no trial."""
    means = [
        float(np.mean(errors))
        for smoothness in {t.smoothness for t in trials}
        if (errors := _errors(trials, bin_px, gradient, smoothness))
    ]
    return min(means, default=float('nan'))


def main() -> None:
    """Train what is missing in the folder, and print the table after each training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('-o', '--output', type=Path, required=True, help='folder; goes on where it stopped')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--steps', type=int, default=400)
    parser.add_argument('--gradients', nargs='+', default=['weak', 'raw'])
    parser.add_argument('--bins', nargs='+', type=float, default=[1.0], help='px')
    parser.add_argument('--smoothness', nargs='+', type=float, default=[0.03, 0.1])
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    trials = []
    for seed in range(options.seeds):
        for bin_px in options.bins:
            for smoothness in options.smoothness:
                for gradient in options.gradients:
                    trials.append(
                        run_trial(options.output, gradient, bin_px, smoothness, seed, options.steps)
                    )
                    print(table(trials), flush=True)  # noqa: T201


if __name__ == '__main__':
    main()
