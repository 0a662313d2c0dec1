# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images from events against exact ones, on simulated scenes: `gradient` with three flows beside `highpass`.

    python -m event_perception.evaluation.event_image_study [room fwd rotation gen]

A log image is fitted to the true one by one gain and offset, and both are shown in the range of the truth with gamma
2.2. Printed are means over the instants of one seeded clip each: PSNR, SSIM, and the correlation of what a blur of
6 px removes.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception import images
from event_perception.evaluation.image_quality import psnr, ssim
from event_perception.events import EventArray
from event_perception.flow.field import FlowField
from event_perception.images.flow_track import STAGE
from event_perception.simulation import scenes

Float = NDArray[np.float64]
STEP_NS = 10_000_000
GAMMA = 2.2
DETAIL_SIGMA_PX = 6.0
FOR_SCENES: dict[str, Any] = {
    'highpass.time_constant_s': 0.6,
    'attachment': 0.2,
    'smoothness': 0.5,
    'blend_sigma_px': 64.0,
    'wide_iterations': 30,
}
"""Settings for scenes rather than boards: `highpass` remembers longer and ties more, and is taken for little else."""
CLIPS = {'room': (0, 1.2), 'fwd': (1, 0.3), 'rotation': (0, 1.2), 'gen': (1, 0.3)}
"""Seed and length, s."""
FLOWS = ('affine', 'tiles', 'exact')


@dataclass(frozen=True, eq=False)
class Clip:
    """A simulated scene.

    Attributes:
        events: Its events.
        flows: Exact flow at the middle of every step of 10 ms.
        truth: Instants and true log images.
    """

    events: EventArray
    flows: list[FlowField]
    truth: list[tuple[int, Float]]


def clip(name: str) -> Clip:
    """Simulate one of ``CLIPS``; the first third of it is left to the start-up of the filters."""
    seed, duration_s = CLIPS[name]
    scene = scenes.create(name, seed=seed, duration_s=duration_s)
    end_ns = round(duration_s * 1e9) - 1
    first, step = (400_000_000, 40_000_000) if duration_s > 0.5 else (100_000_000, 20_000_000)
    flows = []
    for t_ns in range(STEP_NS // 2, end_ns, STEP_NS):
        there = scene.flow(t_ns).flow_px_s
        flows.append(FlowField(t_ns, there, np.ones(there.shape[1:], bool)))
    truth = [(t, np.asarray(scene.log_light(t), np.float64)) for t in range(first, end_ns, step)]
    return Clip(scene.events(), flows, truth)


def measure(of: Clip, method: str, flow: str | None = None, **params: Any) -> Float:
    """Mean PSNR (dB), SSIM and correlation of detail of a method; ``flow`` 'exact' hands over the true one."""
    exact = flow == 'exact'
    if flow is not None:
        params['flow_method'] = STAGE if exact else flow
    events = of.events
    reconstructor: Any = images.create(method, height=events.height, width=events.width, **params)
    scores, done, told = [], 0, 0
    for t_ns, truth in of.truth:
        while exact and told < len(of.flows) and of.flows[told].t_ref_ns < t_ns + STEP_NS:
            reconstructor.push_flow(of.flows[told])
            told += 1
        stop = int(np.searchsorted(events.t_ns, t_ns))
        reconstructor.push(events[done:stop])
        done = stop
        scores.append(score(reconstructor.log_image(t_ns), truth))
    return np.mean(scores, axis=0)


def score(log_image: NDArray[np.float32], truth: Float) -> tuple[float, float, float]:
    """PSNR (dB), SSIM and correlation of detail of one image, (H, W) each."""
    basis = np.stack([log_image.ravel().astype(np.float64), np.ones(truth.size)], axis=1)
    fitted = (basis @ np.linalg.lstsq(basis, truth.ravel(), rcond=None)[0]).reshape(truth.shape)
    dark, bright = np.exp(truth.min()), np.exp(truth.max())
    shown, true = (
        np.clip((np.exp(values) - dark) / (bright - dark), 0, 1) ** (1 / GAMMA)
        for values in (np.clip(fitted, truth.min(), truth.max()), truth)
    )
    return psnr(shown, true), ssim(shown, true), float(np.corrcoef(_detail(fitted), _detail(truth))[0, 1])


def _detail(image: Float) -> Float:
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), DETAIL_SIGMA_PX)).ravel()


def table(names: list[str]) -> Iterator[str]:
    """All rows, clip by clip."""
    yield f'{"scene":9} {"method":34} {"PSNR dB":>8} {"SSIM":>6} {"detail":>7}'
    for name in names:
        of = clip(name)
        yield _row(name, 'highpass', measure(of, 'highpass'))
        for flow in FLOWS:
            yield _row(name, f'gradient, {flow}', measure(of, 'gradient', flow))
        for flow in FLOWS:
            yield _row(name, f'gradient, {flow}, for scenes', measure(of, 'gradient', flow, **FOR_SCENES))


def _row(name: str, method: str, values: Float) -> str:
    return f'{name:9} {method:34} {values[0]:8.2f} {values[1]:6.3f} {values[2]:7.3f}'


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('clips', nargs='*', default=['room', 'fwd', 'rotation'], help=', '.join(CLIPS))
    arguments = parser.parse_args()
    for line in table(arguments.clips):
        sys.stdout.write(line + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
