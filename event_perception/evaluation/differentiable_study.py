# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Gradients through events against finite differences, and a velocity recovered from hard events.

    python -m event_perception.evaluation.differentiable_study gradient
    python -m event_perception.evaluation.differentiable_study velocity

A texture of plane waves drifts over a small sensor. ``gradient``: the squared difference of the expected event image
to that of the true motion, differentiated by velocity (two), rotation of the image, scale and mean threshold, by all
four models of the gradient, against central differences of the expected loss with the same sensors; the step of the
differences is swept. ``velocity``: the compiled emulator makes events, a descent on the same loss finds the motion.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_perception.events import EventArray, concatenate
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import dvs_preset
from event_perception.simulation.event_image import TimeBins, event_image, image_of
from event_perception.simulation.expected_events import WeightedEvents
from event_perception.simulation.threshold_spread import ThresholdSpread

NAMES = ('vx', 'vy', 'turn', 'zoom', 'threshold')
TRUE = (55.0, -30.0, 0.0, 0.0, 0.15)  # px/s, px/s, rad, -, ln units
STEPS = (1.0, 1.0, 0.01, 0.01, 0.003)  # of the differences, and the unit in which gradients are compared
POINTS = {
    'near, low threshold': (53.0, -29.0, 0.0, 0.0, 0.16),
    'pose off': (55.0, -30.0, 0.03, -0.02, 0.15),
    'velocity and threshold off': (60.0, -34.0, 0.0, 0.0, 0.14),
    'all off': (48.0, -22.0, -0.02, 0.02, 0.17),
}


@dataclass(frozen=True)
class Drift:
    """A texture of waves in motion, log light in closed form.

    Attributes:
        size: Rows and columns.
        waves: Number of plane waves.
        duration_s: Length of the clip.
        frames: Number of frames.
        seed: Of the waves.
    """

    size: int = 48
    waves: int = 24
    duration_s: float = 0.1
    frames: int = 101
    seed: int = 1

    @property
    def t_s(self) -> NDArray[np.float64]:
        """Instants of frames (F,)."""
        return np.linspace(0.0, self.duration_s, self.frames)

    def render(self, motion: Tensor) -> Tensor:
        """Log light (F, H, W) of (vx, vy, turn, zoom), attached."""
        rng = np.random.default_rng(self.seed)
        wavelength, angle = rng.uniform(5, 24, self.waves), rng.uniform(0, 2 * np.pi, self.waves)
        k = 2 * np.pi / wavelength * np.stack([np.cos(angle), np.sin(angle)])
        phase = torch.as_tensor(rng.uniform(0, 2 * np.pi, self.waves))
        amplitude = 0.6 * np.sqrt(2 / self.waves)
        half, t = (self.size - 1) / 2, torch.as_tensor(self.t_s)[:, None, None]
        y, x = torch.meshgrid(*[torch.arange(self.size, dtype=torch.float64) - half] * 2, indexing='ij')
        c, s, grow = torch.cos(motion[2]), torch.sin(motion[2]), torch.exp(motion[3])
        u, v = grow * (c * x - s * y) - motion[0] * t, grow * (s * x + c * y) - motion[1] * t
        total = torch.zeros_like(u)
        for (kx, ky), shift in zip(k.T, phase):
            total = total + torch.sin(kx * u + ky * v + shift)
        return np.log(60.0) + amplitude * total


def spread_of(mean: Tensor, sigma: float, kind: str) -> ThresholdSpread:
    """``common``, ``independent`` or ``phase`` (independent, random reference)."""
    mismatch = 'common' if kind == 'common' else 'independent'
    return ThresholdSpread(mean, mean, torch.tensor(sigma), mismatch, kind == 'phase')  # type: ignore[arg-type]


def loss_function(
    scene: Drift, kind: str, *, sigma: float, bins: TimeBins, target: Tensor
) -> Callable[..., Tensor]:
    """Loss of all parameters, by method and number of samples."""

    def loss(theta: Tensor, method: str, samples: int, sharpness: float = 50.0) -> Tensor:
        frames, t_s = frames_for(method, scene, theta[:4], bins.depth)
        image = event_image(
            frames, t_s, spread_of(theta[4], sigma, kind), bins,
            method=method, samples=samples, sharpness=sharpness, seed=1,  # type: ignore[arg-type]
        )  # fmt: skip
        return ((image - target) ** 2).sum(0).mean()

    return loss


def frames_for(method: str, scene: Drift, motion: Tensor, depth: int) -> tuple[Tensor, NDArray[np.float64]]:
    """The clip; for the baselines one frame a slice, since each frame gives them one event at most."""
    every = 1 if method in ('expected', 'implicit') else (scene.frames - 1) // depth
    return scene.render(motion)[::every], scene.t_s[::every]


def differences(loss: Callable[..., Tensor], theta: Tensor, samples: int, factor: float) -> Tensor:
    """Central differences of the expected loss by every parameter, in units of ``STEPS``, extrapolated to no step.

    Steps of a half and a quarter of the unit (Richardson): with whole ones what is left of the third derivative turns
    the smallest of the gradients by more than a hundredth.
    """
    half, quarter = (_plain_differences(loss, theta, samples, factor * f) for f in (0.5, 0.25))
    return (4 * quarter - half) / 3


def _plain_differences(loss: Callable[..., Tensor], theta: Tensor, samples: int, factor: float) -> Tensor:
    slopes = []
    with torch.no_grad():
        for k, step in enumerate(STEPS):
            e = torch.zeros_like(theta)
            e[k] = factor * step
            slopes.append(
                (loss(theta + e, 'implicit', samples) - loss(theta - e, 'implicit', samples)) / (2 * factor)
            )
    return torch.stack(slopes)


def gradient(loss: Callable[..., Tensor], theta: Tensor, *arguments: object) -> Tensor:
    """By automatic differentiation, in the same units."""
    x = theta.clone().requires_grad_()
    return torch.autograd.grad(loss(x, *arguments), x)[0] * torch.tensor(STEPS)


def gradient_table(options: argparse.Namespace) -> str:
    """Rows of points; cosine and ratio of norms to the differences for each method."""
    methods = [
        ('expected',),
        ('implicit',),
        ('soft', 10.0),
        ('soft', 50.0),
        ('soft', 200.0),
        ('one_event', 0.104),
    ]
    head = ['point', *(' '.join(map(str, m)) for m in methods), 'differences at half, twice the step']
    lines = ['| ' + ' | '.join(head) + ' |', '|-' * len(head) + '|']
    scene = Drift(size=options.size)
    place = TimeBins.inside(scene.duration_s, 10, reconstruction=options.reconstruction)
    bins = (
        TimeBins(0.0, scene.duration_s, 10, reconstruction=options.reconstruction) if options.ends else place
    )
    with torch.no_grad():
        true = torch.tensor(TRUE, dtype=torch.float64)
        spread = spread_of(true[4], options.sigma, options.spread)
        target = event_image(scene.render(true[:4]), scene.t_s, spread, bins, samples=options.samples, seed=2)
    loss = loss_function(scene, options.spread, sigma=options.sigma, bins=bins, target=target)
    for name, values in POINTS.items():
        theta = torch.tensor(values, dtype=torch.float64)
        fd, *others = (differences(loss, theta, options.samples, f) for f in (1.0, 0.5, 2.0))
        cells = []
        for method, *sharpness in methods:
            g = gradient(loss, theta, method, options.samples, *sharpness)
            cells.append(compared(g, fd))
            if options.verbose:
                lines.append(
                    f'<!-- {name} {method} {sharpness} {g.numpy().round(4)} fd {fd.numpy().round(4)} -->'
                )
        lines.append('| ' + ' | '.join([name, *cells, ', '.join(compared(o, fd) for o in others)]) + ' |')
    return '\n'.join(lines)


def compared(g: Tensor, fd: Tensor) -> str:
    """Cosine and ratio of norms."""
    return f'{float(g @ fd / (g.norm() * fd.norm())):.4f} / {float(g.norm() / fd.norm()):.3f}'


def hard_events(scene: Drift, motion: Tensor, threshold: float, sigma: float, seed: int) -> EventArray:
    """Events of the compiled emulator, every pixel with thresholds of its own."""
    config = dvs_preset(
        'ideal', input_transfer='log', threshold_on=threshold, threshold_off=threshold,
        threshold_sigma=sigma, time_resolution_ns=1, seed=seed,
    )  # fmt: skip
    emulator = DvsEmulator(height=scene.size, width=scene.size, config=config)
    with torch.no_grad():
        frames = scene.render(motion).numpy()
    times = np.round(scene.t_s * 1e9).astype(np.int64)
    return concatenate([emulator.push(f, int(t)) for f, t in zip(frames, times)])


def image_of_events(events: EventArray, bins: TimeBins) -> Tensor:
    """The same image from a recording."""
    pixel = torch.as_tensor(events.y.astype(np.int64) * events.width + events.x)
    t_s = torch.as_tensor(events.t_ns * 1e-9)
    ones, p = torch.ones(len(events), dtype=torch.float64), torch.as_tensor(events.p.astype(np.int64))
    return image_of(WeightedEvents(t_s, pixel, p, ones, 0, events.height, events.width), bins)


def recover(
    scene: Drift, target: Tensor, bins: TimeBins, method: str, options: argparse.Namespace
) -> NDArray:
    """Velocity from (50, -25) px/s by Adam with a falling rate; thresholds known in distribution."""
    spread = spread_of(torch.tensor(TRUE[4]), options.sigma, 'independent')
    v = torch.tensor([50.0, -25.0], dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([v], lr=1.0)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, options.steps, eta_min=0.01)
    for step in range(options.steps):
        frames, t_s = frames_for(
            method, scene, torch.cat([v, torch.zeros(2, dtype=torch.float64)]), bins.depth
        )
        image = event_image(
            frames, t_s, spread, bins, method=method, samples=4, lines=2, seed=step,  # type: ignore[arg-type]
        )  # fmt: skip
        adam.zero_grad()
        ((image - target) ** 2).mean().backward()
        adam.step()
        fall.step()
    return v.detach().numpy()


def velocity_table(options: argparse.Namespace) -> str:
    """Errors of the recovered velocity, percent of the true speed, one column a seed."""
    scene = Drift(size=options.size)
    bins = TimeBins.inside(scene.duration_s, 10)
    true = torch.tensor(TRUE[:4], dtype=torch.float64)
    targets = [
        image_of_events(hard_events(scene, true, TRUE[4], options.sigma, s), bins) for s in options.seeds
    ]
    lines = [
        '| method | ' + ' | '.join(f'seed {s}, %' for s in options.seeds) + ' |',
        '|-' * (1 + len(targets)) + '|',
    ]
    for method in ('expected', 'implicit', 'soft', 'one_event'):
        found = [recover(scene, target, bins, method, options) for target in targets]
        wrong = [100 * np.linalg.norm(v - TRUE[:2]) / np.linalg.norm(TRUE[:2]) for v in found]
        lines.append('| ' + ' | '.join([method, *(f'{w:.2f}' for w in wrong)]) + ' |')
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> str:
    """The table, from command-line arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', choices=('gradient', 'velocity'))
    parser.add_argument('--size', type=int, default=48, help='rows and columns')
    parser.add_argument('--spread', choices=('common', 'independent', 'phase'), default='common')
    parser.add_argument('--sigma', type=float, default=0.01, help='deviation of the thresholds')
    parser.add_argument('--samples', type=int, default=64, help='sensors at every pixel')
    parser.add_argument('--ends', action='store_true', help='let the slices reach the ends of the window')
    parser.add_argument('--reconstruction', choices=('linear',), help='weak derivative in time')
    parser.add_argument('--steps', type=int, default=40, help='of the descent')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--verbose', action='store_true')
    options = parser.parse_args(arguments)
    return gradient_table(options) if options.what == 'gradient' else velocity_table(options)


if __name__ == '__main__':
    torch.set_num_threads(1)
    print(main())  # noqa: T201
