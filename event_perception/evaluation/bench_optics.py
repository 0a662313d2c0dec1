# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A frame through a lens: point spreads traced once, beside tracing every frame; and how exact the optics are."""

import math
from collections.abc import Callable
from dataclasses import replace
from time import thread_time
from typing import Any

import torch

from event_perception.motion.camera import CameraModel
from event_perception.optics import (
    LensRenderer,
    RayTracedRenderer,
    first_order,
    mean_square_spot,
    shipped_lens,
)
from event_perception.optics.bundles import field_fan
from event_perception.optics.lens import Lens

HEIGHT, WIDTH, HALF_ANGLE_DEG = 260, 346, 16.0
RAYS = 4
FRAMES, REPEATS = 16, 5
RATIO_BAR, FOCAL_BAR, GRADIENT_BAR = 50.0, 1e-4, 1e-6
DOUBLET_MM = 100.0  # Kidger, Fundamental Optical Design, section 8.2.2


def bench_optics() -> dict[str, Any]:
    """Times of a 346x260 frame on one thread, single precision, of the shipped triplet in focus.

    Returns:
        ``ray_traced_ms``: every pixel traced with 4 rays, at one wavelength (the fair comparison) and at the three of
        the lens. ``psf_ms``: a frame of a clip of 16 by the point spread renderer. ``trace_once_ms``: what the
        renderer does when the lens changes. Then the exactness of focal length and derivative.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _speed() | {'focal_length': _focal_length(), 'spot_derivative': _spot_derivative()}
    finally:
        torch.set_num_threads(threads)


def _speed() -> dict[str, Any]:
    fx = WIDTH / 2 / math.tan(math.radians(HALF_ANGLE_DEG))
    camera = CameraModel(fx, fx, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, HEIGHT, WIDTH)
    lens = shipped_lens('cooke_triplet').to(torch.float32)
    green = replace(lens, wavelengths_um=(0.58756,), wavelength_weights=(1.0,))
    clip = torch.rand(FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        renderer = LensRenderer(lens, camera)
        psf_ms = _milliseconds(lambda: renderer.render(clip)) / FRAMES
        single_ms = _milliseconds(lambda: renderer.render(clip[:1]))
        once_ms = _milliseconds(lambda: LensRenderer(lens, camera))
        traced = {
            'one_wavelength': _traced_ms(green, camera, clip),
            'three_wavelengths': _traced_ms(lens, camera, clip),
        }
    return {
        'ray_traced_ms': {name: round(t, 1) for name, t in traced.items()},
        'psf_ms': round(psf_ms, 2),
        'psf_single_frame_ms': round(single_ms, 2),
        'trace_once_ms': round(once_ms, 1),
        'times_one_wavelength': round(traced['one_wavelength'] / psf_ms, 1),
        'times_three_wavelengths': round(traced['three_wavelengths'] / psf_ms, 1),
        'times_bar': RATIO_BAR,
        'psf_size_px': renderer.report['psf_size_px'],
    }


def _traced_ms(lens: Lens, camera: CameraModel, clip: torch.Tensor) -> float:
    return _milliseconds(lambda: RayTracedRenderer(lens, camera, rays=RAYS).render(clip[:1]))


def _focal_length() -> dict[str, float]:
    efl = float(first_order(shipped_lens('kidger_doublet')).efl_mm)
    return {
        'efl_mm': efl,
        'published_mm': DOUBLET_MM,
        'error': abs(efl / DOUBLET_MM - 1),
        'error_bar': FOCAL_BAR,
    }


def _spot_derivative() -> dict[str, float]:
    """Largest relative difference to five-point differences, over curvatures, gaps and conics of the triplet."""
    lens, fields = shipped_lens('cooke_triplet'), field_fan(math.radians(20), 4)
    worst = max(
        _worst(lens, fields, name, h) for name, h in (('curvature', 1e-6), ('gap', 1e-3), ('conic', 1e-3))
    )
    return {'largest_relative_error': worst, 'error_bar': GRADIENT_BAR}


def _worst(lens: Lens, fields: torch.Tensor, name: str, h: float) -> float:
    value = lens.parameters[name].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(mean_square_spot(lens.with_parameters({name: value}), fields), value)
    worst = 0.0
    for i in range(len(value)):
        unit = torch.zeros_like(gradient)
        unit[i] = h
        at = {k: _spot(lens, fields, name, k * unit) for k in (-2, -1, 1, 2)}
        difference = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h)
        if abs(float(gradient[i])) > 1e-3 * float(gradient.abs().max()):
            worst = max(worst, abs(float(gradient[i]) / difference - 1))
    return worst


def _spot(lens: Lens, fields: torch.Tensor, name: str, change: torch.Tensor) -> float:
    with torch.no_grad():
        return float(mean_square_spot(lens.with_parameters({name: lens.parameters[name] + change}), fields))


def _milliseconds(work: Callable[[], Any]) -> float:
    """Least time of this thread alone over some repeats; the first one warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        start = thread_time()
        work()
        times.append(thread_time() - start)
    return 1e3 * min(times)
