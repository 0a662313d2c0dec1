# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A co-design of lens, threshold and network against the hand-chosen start.

    python -m event_perception.evaluation.chain_study -o FOLDER --seeds 0 1 2

Trains the network alone behind the hand-chosen lens and threshold, then with the threshold free, then lens, threshold
and network together, with the same windows and as many steps, and compares the errors with hard events in rooms that
none has seen. It resumes where it was stopped.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from event_perception.config import update
from event_perception.evaluation.pictures import grey_picture, png_bytes
from event_perception.optics import chain
from event_perception.optics.design.chain import ChainConfig, ChainDesign
from event_perception.optics.design.run import design_config, run_design

GREYS = 24  # of pictures, for small files
FREE = {
    'network only, start lens and threshold': ('network',),
    'threshold and network, start lens': ('threshold', 'network'),
    'lens, threshold and network': ('lens', 'threshold', 'network'),
}


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
    parser.add_argument('--config', type=Path, help='YAML of the design')
    parser.add_argument('-o', '--output', type=Path, default=Path('codesign'), help='folder of the designs')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=50)
    return codesign_table(parser.parse_args(arguments))


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(main())  # noqa: T201
