# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The design chain: every junction against finite differences, and a co-design against the hand-chosen start.

    python -m event_perception.evaluation.chain_study junctions
    python -m event_perception.evaluation.chain_study codesign -o FOLDER --seeds 0 1 2

``junctions`` differentiates mount, lens, events, threshold and network alone and the loss end to end, along random
directions, with common random numbers. ``codesign`` trains the network alone behind the hand-chosen lens and
threshold, then with the threshold free, then lens, threshold and network together, with the same windows and as many
steps, and compares the errors with hard events in rooms that none has seen. It resumes where it was stopped.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from event_perception.config import update
from event_perception.evaluation.pictures import grey_picture, png_bytes
from event_perception.optics import chain
from event_perception.optics.design.chain import ChainConfig, ChainDesign
from event_perception.optics.design.problem import Values
from event_perception.optics.design.run import design_config, run_design

SMALL = ChainConfig(
    width=32, height=24, focal_px=26.0, rooms=1, clips=2, test_rooms=1, batch=2, samples=128, lines=4, double=True, reconstruction='none',
    free=('lens', 'turn', 'shift', 'threshold', 'network'), threshold=0.25, most_rate_hz=5.0,
)  # fmt: skip
STEPS = {'curvature': 5e-4, 'gap': 1.0, 'turn': 4e-3, 'shift': 1e-2, 'log_threshold': 0.05}
GREYS = 24  # of pictures, for small files
FREE = {
    'network only, start lens and threshold': ('network',),
    'threshold and network, start lens': ('threshold', 'network'),
    'lens, threshold and network': ('lens', 'threshold', 'network'),
}


def slope(function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor) -> tuple[float, list[float]]:
    """Derivative along a direction, attached and by central differences of half, one and two steps."""
    x = at.clone().requires_grad_()
    attached = float((torch.autograd.grad(function(x), x)[0] * direction).sum())
    with torch.no_grad():
        found = [
            float(function(at + h * direction) - function(at - h * direction)) / (2 * h)
            for h in (0.5, 1.0, 2.0)
        ]
    return attached, found


def junctions(config: ChainConfig = SMALL, seed: int = 0) -> dict[str, tuple[float, list[float]]]:
    """Slopes of every junction, and of the loss by every group of variables."""
    design, rng = ChainDesign(config), np.random.default_rng(seed)
    values = {name: v.clone() for name, v in design.start().items()}
    values['turn'] = torch.tensor([0.02, -0.01, 0.03], dtype=torch.float64)
    index = np.arange(config.batch)
    light = design.light(values, index).detach()

    def random(shape: tuple[int, ...]) -> Tensor:
        return torch.as_tensor(rng.normal(size=shape))

    def slices(light: Tensor, v: Values) -> Tensor:
        spread, sensor = design.spread(v), design.sensor(v, 0)
        return chain.expected_slices(
            light, design.t_s, spread, design.bins, sensor, samples=config.samples, lines=config.lines, seed=1
        )[0]

    held = slices(light, values).detach()
    weight = torch.as_tensor(rng.normal(size=light.shape[2:]))
    tests: dict[str, tuple[Callable[[Tensor], Tensor], Tensor, Tensor]] = {}

    def test(name: str, function: Callable[[Tensor], Tensor], at: Tensor, step: float | Tensor) -> None:
        tests[name] = (function, at, _uphill(function, at, step) if isinstance(step, float) else step)

    def seen(name: str) -> Callable[[Tensor], Tensor]:
        return lambda x: (weight * _frames(design, values | {name: x})).sum()

    def through_lens(name: str) -> Callable[[Tensor], Tensor]:
        return lambda x: (weight * design.light(values | {name: x}, index)).sum()

    for name in ('turn', 'shift'):
        test(f'{name} -> frames', seen(name), values[name], STEPS[name])
    for name in ('curvature', 'gap'):
        test(f'{name} -> light', through_lens(name), values[name], STEPS[name])
    test('light -> slices', lambda x: (held * slices(x, values)).sum(), light, 0.02 * light * light.log())
    at = values['log_threshold']
    test(
        'threshold -> slices', lambda x: (held * slices(light, values | {'log_threshold': x})).sum(), at, 0.05
    )
    test('slices -> rate', lambda x: (design.rate(values, x) ** 2).sum(), held, 1e-3)
    for name in (*STEPS, 'network_gain'):
        # the direction comes from other sensors: along its own noise a gradient would look too steep
        step = _uphill(_loss(design, values, name, [1]), values[name], STEPS.get(name, 0.02))
        test(f'{name} -> loss', _loss(design, values, name, [0, 2, 3]), values[name], step)
    return {name: slope(*arguments) for name, arguments in tests.items()}


def _uphill(function: Callable[[Tensor], Tensor], at: Tensor, length: float) -> Tensor:
    """A step along the gradient, where differences are least noisy relative to it."""
    x = at.clone().requires_grad_()
    direction = torch.autograd.grad(function(x), x)[0]
    return length * direction / direction.norm().clamp(min=1e-30)


def _loss(design: ChainDesign, values: Values, name: str, draws: list[int]) -> Callable[[Tensor], Tensor]:
    """Mean over draws of the sensors."""
    return lambda x: torch.stack([design.loss(values | {name: x}, k)[0] for k in draws]).mean()


def _frames(design: ChainDesign, values: Values) -> Tensor:
    return torch.stack([design._pinhole(values, k) for k in range(design.config.batch)])


def junction_table(options: argparse.Namespace) -> str:
    """Attached slope, differences over a sweep of steps, error of the former against the middle one."""
    lines = ['| junction | attached | differences, half, one, two steps | error |', '|-|-|-|-|']
    for name, (attached, found) in junctions(
        replace(SMALL, samples=options.samples, lines=options.lines)
    ).items():
        error = 100 * abs(attached / found[1] - 1)
        lines.append(f'| {name} | {attached:.4g} | {", ".join(f"{f:.4g}" for f in found)} | {error:.2f} % |')
    return '\n'.join(lines)


def views(config: ChainConfig, designed: Path) -> bytes:
    """PNG: light on the sensor, and signed hard events of the window, at the start (left) and as designed."""
    design, columns = ChainDesign(config), []
    for values in (design.start(), load_file(designed / 'result.safetensors')):
        with torch.no_grad():
            light = design.light(values, np.array([-1]))
            slices, _ = chain.hard_slices(
                light, design.t_s, design.bins, design.sensor(values, config.seed + 1)
            )
        columns.append(
            np.concatenate([light[0, 0].numpy() ** 0.45, 0.5 + slices[0].sum(0).numpy() / 6]).clip(0, 1)
        )
    picture = np.round(np.concatenate(columns, axis=1) * GREYS) / GREYS
    return png_bytes(grey_picture(picture.repeat(4, 0).repeat(4, 1)))


def codesign_table(options: argparse.Namespace) -> str:
    """Errors of start and design, a row a seed."""
    lines = [
        '| seed | design | hard RMS, rad/s | median, rad/s | events / px / s | threshold |',
        '|-|-|-|-|-|-|',
    ]
    found: dict[str, list[float]] = {}
    for seed in options.seeds:
        for k, (name, free) in enumerate(FREE.items()):
            base = design_config('chain', options.config)
            config = update(base, {'chain.free': free, 'chain.seed': seed, 'loop.steps': options.steps})
            r = run_design('chain', options.output / f'seed{seed}_{k}', config)['result']
            found.setdefault(name, []).append(r['hard_rms_rad_s'])
            row = [f'{r[key]:.4f}' for key in ('hard_rms_rad_s', 'hard_median_rad_s')]
            lines.append(
                f'| {seed} | {name} | {" | ".join(row)} | {r["hard_rate_hz"]:.1f} | {r["threshold"]:.3f} |'
            )
            (options.output / 'table.md').write_text('\n'.join(lines))
    last = options.output / f'seed{options.seeds[-1]}_{len(FREE) - 1}'
    (options.output / 'views.png').write_bytes(views(config.chain, last))
    base = np.array(next(iter(found.values())))
    for name, values in found.items():
        lines.append(f'| all | {name} | {_spread(np.array(values))} | | | |')
    for name, values in list(found.items())[1:]:
        gain = _spread(100 * (1 - np.array(values) / base))
        lines.append(f'| all | {name}: percent less than network only | {gain} | | | |')
    (options.output / 'table.md').write_text('\n'.join(lines))
    return '\n'.join(lines)


def _spread(values: np.ndarray) -> str:
    return f'{values.mean():.4f} +- {values.std(ddof=len(values) > 1):.4f}'


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', choices=('junctions', 'codesign'))
    parser.add_argument('--samples', type=int, default=128, help='sensors at every pixel, junctions')
    parser.add_argument('--lines', type=int, default=4, help='lines of births at every pixel, junctions')
    parser.add_argument('--config', type=Path, help='YAML of the design')
    parser.add_argument('-o', '--output', type=Path, default=Path('codesign'), help='folder of the designs')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=50)
    options = parser.parse_args(arguments)
    return junction_table(options) if options.what == 'junctions' else codesign_table(options)


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(main())  # noqa: T201
