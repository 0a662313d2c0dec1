# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Trained spike networks beside classical methods on streams with exact truth, and what a full-size step costs.

``python -m event_perception.evaluation.learned_study --ssml DIR/weights.safetensors --stir DIR/weights.safetensors``
prints a table of PSNR, SSIM and NIQE over light levels and speeds, on pictures that no training of this package
sees; ``--cost`` prints the CPU time of a training step and of an image at full size instead.
"""

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from time import process_time
from typing import Any

import numpy as np
import torch

from event_perception.evaluation.image_quality import psnr, ssim
from event_perception.evaluation.niqe import niqe
from event_perception.evaluation.spike_sweep import GAINS, SPEEDS_PX_PLANE, reconstruct, sweep_cell
from event_perception.learning.plan import TrainingPlan, make_plan

HEIGHT, WIDTH, N_PLANES = 192, 288, 401
FIRST_SEED = 9000
CLASSICAL: dict[str, tuple[str, dict[str, Any]]] = {
    'tfp 7': ('tfp', {'window_planes': 7}),
    'tfp 31': ('tfp', {'window_planes': 31}),
    'tfi': ('tfi', {}),
    'ati': ('ati', {}),
}
IMAGE_SIZE = (250, 400)
REPEATS = 3
SECONDS_PER_DAY = 86_400


def study(weights: dict[str, str], *, sensor: str = 'typical') -> list[dict[str, Any]]:
    """One row a stream: its conditions, and (PSNR dB, SSIM, NIQE) of every method and of the truth.

    Args:
        weights: Files of weights by the name of the learned method.
        sensor: Noise of the camera.
    """
    methods = CLASSICAL | {name: (name, {'weights': path}) for name, path in weights.items()}
    rows = []
    for i, (gain, speed) in enumerate(product(GAINS, SPEEDS_PX_PLANE)):
        cell = sweep_cell(
            gain, sensor, 'translation', speed,
            seed=FIRST_SEED + i, height=HEIGHT, width=WIDTH, n_planes=N_PLANES,
        )  # fmt: skip
        images = {label: reconstruct(cell, *method) for label, method in methods.items()}
        scores = {n: (psnr(x, cell.truth), ssim(x, cell.truth), niqe(x)) for n, x in images.items()}
        rows.append(cell.conditions() | {'scores': scores, 'truth_niqe': niqe(cell.truth)})
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    names = list(rows[0]['scores'])
    lines = [
        '| gain, px/plane | ' + ' | '.join(names) + ' | NIQE of the truth |',
        '|---' * (len(names) + 2) + '|',
    ]
    for row in rows:
        cells = [f'{p:.2f} / {s:.3f} / {n:.1f}' for p, s, n in row['scores'].values()]
        lines.append(
            f'| {row["gain"]:g}, {row["speed_px_plane"]:g} | '
            + ' | '.join(cells)
            + f' | {row["truth_niqe"]:.1f} |'
        )
    return '\n'.join(lines)


def cost(settings: Mapping[str, Sequence[str]] | None = None) -> dict[str, dict[str, float]]:
    """CPU seconds, least of some runs: a step of the recipe in each stage, and an image of 400 x 250."""
    changed = settings or {}
    plans = {
        name: make_plan(f'spikes.{name}', assignments=changed.get(name, ())) for name in ('ssml', 'stir')
    }
    return {name: _cost(plan) for name, plan in plans.items()}


def _cost(plan: TrainingPlan) -> dict[str, float]:
    network: Any = plan.task.build()
    batch = {k: torch.from_numpy(v) for k, v in plan.task.batch(np.random.default_rng(0)).items()}
    step = partial(_step, plan.task, network, torch.optim.Adam(network.parameters()), batch)
    first, later = _least(partial(step, 0)), _least(partial(step, plan.training.steps))
    planes = torch.rand(1, network.reader.planes, *IMAGE_SIZE).round()
    network.eval()
    with torch.inference_mode():
        image = _least(partial(network.reader, planes))
    days = plan.training.steps * later / SECONDS_PER_DAY
    return {'first_step_s': first, 'later_step_s': later, 'image_s': image, 'recipe_days': days}


def _step(task: Any, network: Any, optimiser: torch.optim.Optimizer, batch: Any, step: int) -> None:
    optimiser.zero_grad(set_to_none=True)
    task.loss(network, batch, step).backward()
    optimiser.step()


def _least(run: Any) -> float:
    times = []
    for _ in range(REPEATS):
        start = process_time()
        run()
        times.append(process_time() - start)
    return min(times)


def main(arguments: list[str] | None = None) -> str:
    """The table or the cost, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--ssml', metavar='FILE', help='weights of ssml')
    parser.add_argument('--stir', metavar='FILE', help='weights of stir')
    parser.add_argument('--sensor', choices=('clean', 'typical', 'harsh'), default='typical')
    parser.add_argument('--cost', action='store_true', help='time instead of quality')
    options = parser.parse_args(arguments)
    if options.cost:
        costs = cost()
        return '\n'.join(f'{m}: ' + ', '.join(f'{k} {v:.3g}' for k, v in c.items()) for m, c in costs.items())
    weights = {name: path for name in ('ssml', 'stir') if (path := getattr(options, name))}
    return table(study(weights, sensor=options.sensor))


if __name__ == '__main__':
    print(main())  # noqa: T201
