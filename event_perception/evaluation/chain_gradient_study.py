# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The design chain against finite differences: junction by junction, at the event image, and end to end.

    python -m event_perception.evaluation.chain_gradient_study junctions
    python -m event_perception.evaluation.chain_gradient_study images --rooms 0 1 2
    python -m event_perception.evaluation.chain_gradient_study loss --rooms 0 1 2

``junctions``: mount, lens, events, threshold and network alone, slopes along a direction with random weights behind.
``images``: the squared difference of the expected event image to one of another camera, by all elements of a group,
for four models of the gradient. ``loss``: the squared error of the angular rate by every group, along its gradient
with other sensors, mean over draws of the sensors. Both sides of a comparison have the same sensors.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from event_perception.optics import chain
from event_perception.optics.design.chain import ChainConfig, ChainDesign
from event_perception.optics.design.problem import Values
from event_perception.simulation.event_image import event_image

SMALL = ChainConfig(
    width=32, height=24, focal_px=26.0, rooms=1, clips=2, test_rooms=1, batch=2, samples=1024, lines=1, double=True,
    reconstruction='none', free=('lens', 'turn', 'shift', 'threshold', 'network'), threshold=0.15, threshold_share=0.0,
    texture_blur_m=0.04,
)  # fmt: skip
STEPS = {'curvature': 6e-5, 'gap': 0.12, 'turn': 2.5e-4, 'shift': 6e-4, 'log_threshold': 6e-3}
TURN = (0.02, -0.01, 0.03)  # of the mount, so that nothing is aligned
OTHER = {
    'curvature': 4e-4,
    'gap': 1.0,
    'turn': 0.01,
    'shift': 0.02,
    'log_threshold': 0.1,
}  # camera of the target
SHARPNESS = {'soft': 50.0, 'one_event': 0.104}
METHODS = ('expected', 'implicit', 'soft', 'one_event')


def start(design: ChainDesign) -> Values:
    """The values at which everything is differentiated."""
    values = {name: v.clone() for name, v in design.start().items()}
    return values | {'turn': torch.tensor(TURN, dtype=torch.float64)}


def slope(
    function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor, steps: tuple[float, ...] = (0.5, 1.0, 2.0)
) -> tuple[float, list[float]]:  # fmt: skip
    """Derivative along a direction, attached and by central differences of shares of it."""
    x = at.clone().requires_grad_()
    attached = float((torch.autograd.grad(function(x), x)[0] * direction).sum())
    with torch.no_grad():
        found = [float(function(at + h * direction) - function(at - h * direction)) / (2 * h) for h in steps]
    return attached, found


def junctions(config: ChainConfig, seed: int = 0) -> dict[str, tuple[float, list[float]]]:
    """Slopes of every junction."""
    design, rng = ChainDesign(config), np.random.default_rng(seed)
    values, index = start(design), np.arange(config.batch)
    light = design.light(values, index).detach()

    def slices(light: Tensor, v: Values) -> Tensor:
        return chain.expected_slices(
            light, design.t_s, design.spread(v), design.bins, design.sensor(v, 0),
            samples=config.samples, lines=config.lines, seed=1,
        )[0]  # fmt: skip

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
    contrast = 0.02 * light * light.log()
    test('light -> slices', lambda x: (held * slices(x, values)).sum(), light, contrast)
    test('threshold -> slices', lambda x: (held * slices(light, values | {'log_threshold': x})).sum(),
         values['log_threshold'], 0.05)  # fmt: skip
    test('slices -> rate', lambda x: (design.rate(values, x) ** 2).sum(), held, 1e-3)
    return {name: slope(*arguments) for name, arguments in tests.items()}


def junction_table(options: argparse.Namespace) -> str:
    """Attached slope, differences over a sweep of steps, error of the former against the middle one."""
    lines = ['| junction | attached | differences, half, one, two steps | error |', '|-|-|-|-|']
    for name, (attached, found) in junctions(_config(options)).items():
        error = 100 * abs(attached / found[1] - 1)
        lines.append(f'| {name} | {attached:.4g} | {", ".join(f"{f:.4g}" for f in found)} | {error:.2f} % |')
    return '\n'.join(lines)


def image_table(options: argparse.Namespace) -> str:
    """Cosine and ratio of norms to differences for all groups, a row a room and group."""
    lines = ['| room | by | ' + ' | '.join(METHODS) + ' | differences at twice the step |', '|-' * 7 + '|']
    for room in options.rooms:
        design = ChainDesign(replace(_config(options), seed=room))
        values = start(design)
        other = {
            n: values[n] + OTHER[n] * (1.0 if n in ('turn', 'shift') else values[n].sign()) for n in OTHER
        }
        with torch.no_grad():
            target = _image(design, values | other, 'expected', 99)
        for name in STEPS:
            losses = {m: _image_loss(design, values, name, target, m) for m in METHODS}
            fine, coarse = (
                _differences(losses['expected'], values[name], f * STEPS[name]) for f in (1.0, 2.0)
            )
            cells = [compared(_gradient(losses[m], values[name]), fine) for m in METHODS]
            lines.append('| ' + ' | '.join([str(room), name, *cells, compared(coarse, fine)]) + ' |')
    return '\n'.join(lines)


def _image(design: ChainDesign, values: Values, method: str, seed: int) -> Tensor:
    """Event image of the first window; the baselines get one frame a slice, since they know one event a frame."""
    c = design.config
    light = chain.log_light(design.light(values, np.arange(1))[0], design.t_s, design.sensor(values, 0))
    every = 1 if method in METHODS[:2] else (c.frames - 1) // c.slices
    return event_image(
        light[::every], design.t_s[::every], design.spread(values), design.bins, samples=c.samples, lines=c.lines,
        method=method, sharpness=SHARPNESS.get(method, 0.0), seed=seed,  # type: ignore[arg-type]
    )  # fmt: skip


def _image_loss(
    design: ChainDesign, values: Values, name: str, target: Tensor, method: str
) -> Callable[[Tensor], Tensor]:
    return lambda x: ((_image(design, values | {name: x}, method, 1) - target) ** 2).sum(0).mean()


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    x = at.clone().requires_grad_()
    return torch.autograd.grad(function(x), x)[0].reshape(-1)


def _differences(function: Callable[[Tensor], Tensor], at: Tensor, step: float) -> Tensor:
    """Central differences by every element."""
    with torch.no_grad():
        moves = step * torch.eye(at.numel(), dtype=at.dtype).reshape(-1, *at.shape)
        return torch.stack([(function(at + e) - function(at - e)) / (2 * step) for e in moves])


def compared(found: Tensor, truth: Tensor) -> str:
    """Cosine and ratio of norms; of a single number, its sign and ratio."""
    return f'{float(found @ truth / (found.norm() * truth.norm())):.4f} / {float(found.norm() / truth.norm()):.3f}'


def loss_table(options: argparse.Namespace) -> str:
    """Slope of the loss by every group: mean over draws of the sensors, and the error of that mean."""
    lines = ['| room | by | attached | differences, half, one, two steps | error, % |', '|-|-|-|-|-|']
    for room in options.rooms:
        design = ChainDesign(replace(_config(options), seed=room))
        values = start(design)
        for name in (*STEPS, 'network_gain'):
            # the direction comes from other sensors: along its own noise a gradient would look too steep
            direction = _uphill(_loss(design, values, name, 1), values[name], STEPS.get(name, 0.02))
            draws = [
                slope(_loss(design, values, name, 2 + k), values[name], direction)
                for k in range(options.draws)
            ]
            attached, found = np.array([a for a, _ in draws]), np.array([f for _, f in draws])
            error = 100 * (attached.mean() / found[:, 1].mean() - 1)
            cells = [_with_error(attached), ', '.join(_with_error(f) for f in found.T), f'{error:+.1f}']
            lines.append('| ' + ' | '.join([str(room), name, *cells]) + ' |')
    return '\n'.join(lines)


def _with_error(values: np.ndarray) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float('nan')
    return f'{values.mean():.4f} +- {error:.4f}'


def _uphill(function: Callable[[Tensor], Tensor], at: Tensor, length: float) -> Tensor:
    """A step along the gradient, where differences are least noisy relative to it."""
    direction = _gradient(function, at).reshape(at.shape)
    return length * direction / direction.norm().clamp(min=1e-30)


def _loss(design: ChainDesign, values: Values, name: str, draw: int) -> Callable[[Tensor], Tensor]:
    return lambda x: design.loss(values | {name: x}, draw)[0]


def _frames(design: ChainDesign, values: Values) -> Tensor:
    return torch.stack([design._pinhole(values, k) for k in range(design.config.batch)])


def _config(options: argparse.Namespace) -> ChainConfig:
    return replace(
        SMALL, samples=options.samples, lines=options.lines, threshold_share=options.share, rooms=1, clips=options.windows,
        batch=options.windows,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', choices=('junctions', 'images', 'loss'))
    parser.add_argument(
        '--rooms', type=int, nargs='+', default=[0, 1, 2], help='seeds of rooms and windows, 0 to 9'
    )
    parser.add_argument('--windows', type=int, default=2, help='of a room')
    parser.add_argument('--samples', type=int, default=SMALL.samples, help='sensors at every pixel')
    parser.add_argument('--lines', type=int, default=SMALL.lines, help='lines of births at every pixel')
    parser.add_argument(
        '--share', type=float, default=SMALL.threshold_share, help='deviation of thresholds / mean'
    )
    parser.add_argument('--draws', type=int, default=3, help='of the sensors, end to end')
    options = parser.parse_args(arguments)
    tables = {'junctions': junction_table, 'images': image_table, 'loss': loss_table}
    return tables[options.what](options)


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(main())  # noqa: T201
