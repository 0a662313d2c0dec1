# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Binning with derivatives: what weak derivatives cost over the classic ones, and how well they match differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from event_perception.binning import CpuBinning, bin_events, classic_bilinear
from event_perception.evaluation.bench_egomotion import best_ms, one_torch_thread
from event_perception.evaluation.binning_study import long_range_errors

EVENTS, HEIGHT, WIDTH = 20_000, 150, 200
REPEATS = 15
STEP_BINS, BIN_PX, SCENES = (0.7,), 2.0, 2
PLAIN = 'none'
PAIRS = (('rect', 'linear'), ('bilinear', 'linear'), ('gaussian', 'linear'), ('rect', 'cubic'))
BASELINES = (('bilinear', None), ('rect', 'straight_through'), ('rect', 'sigmoid'))


def bench_binning() -> dict[str, Any]:
    """Time of value and gradient of the variance, 20 000 events on 200x150 bins, one thread; long-range errors.

    Returns:
        ``torch_ms`` and ``torch_over_classic`` by pair; ``compiled_ms``: the float64 reference kernels;
        ``long_range_error`` |g - fd| / |fd| at a step of 0.7 bins.
    """
    with one_torch_thread():
        points = torch.rand((EVENTS, 2), generator=torch.Generator().manual_seed(0)) * torch.tensor(
            [float(WIDTH), float(HEIGHT)]
        )
        points.requires_grad_()
        classic_ms = best_ms(_gradient(classic_bilinear, points), REPEATS)
        torch_ms = {
            _name(p): best_ms(_gradient(bin_events, points, *p), REPEATS) for p in (*PAIRS, *BASELINES)
        }
        return {
            'events': EVENTS,
            'bins': f'{WIDTH}x{HEIGHT}',
            'classic_torch_ms': classic_ms,
            'torch_ms': torch_ms,
            'torch_over_classic': {name: ms / classic_ms for name, ms in torch_ms.items()},
            'compiled_ms': {_name(p): best_ms(_compiled(points.detach(), *p), REPEATS) for p in PAIRS[:2]},
            'long_range_error': {
                _name(p): long_range_errors(p, PLAIN, STEP_BINS, BIN_PX, SCENES)[0]
                for p in (*PAIRS[:3], BASELINES[0])
            },
        }


def _gradient(image: Callable[..., Tensor], points: Tensor, *pair: str | None) -> Callable[[], object]:
    options = dict(zip(('kernel', 'reconstruction'), pair))
    return lambda: torch.autograd.grad(
        image(points, None, height=HEIGHT, width=WIDTH, **options).var(), points
    )


def _compiled(points: Tensor, kernel: str, reconstruction: str) -> Callable[[], object]:
    binning = CpuBinning((HEIGHT, WIDTH), kernel=kernel, reconstruction=reconstruction)
    u, weights = points.double().numpy(), np.ones(EVENTS)

    def run() -> object:
        image = binning.value(u, weights)
        return binning.vjp(u, weights, 2 * (image - image.mean()) / image.size)

    return run


def _name(pair: tuple[str, str | None]) -> str:
    return f'{pair[0]} {pair[1] or "raw"}'
