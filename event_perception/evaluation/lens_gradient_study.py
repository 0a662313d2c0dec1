# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Derivatives of an image loss by the lens: of the renderer, and of the single-PSF shortcut, against tracing rays.

The loss is the mean square of the image minus a target, a scene of waves at 0.9 of its light. Truth is the central
difference of the loss of the image in which every pixel was traced. ``python -m
event_perception.evaluation.lens_gradient_study`` prints the table of docs/optics.md.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from event_perception.motion.camera import CameraModel
from event_perception.optics import LensRenderConfig, LensRenderer, RayTracedRenderer, shipped_lens
from event_perception.optics.lens import Lens

HEIGHT, WIDTH, HALF_ANGLE_DEG, EDGE = 24, 32, 15.0, 4
RAYS, EXPOSURE_MM = 144, 5.0
STEPS = {'curvature': 1e-5, 'gap': 1e-3}
CASES = {'in focus': 0.0, 'sensor 4 mm behind': 4.0}


def scene_of_waves(height: int, width: int, seed: int = 1) -> Tensor:
    """Light around 1.5 of twenty waves, (1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing='ij')
    image = torch.full((height, width), 1.5, dtype=torch.float64)
    for size, angle, phase in torch.rand(20, 3, generator=generator, dtype=torch.float64):
        k, a = 0.05 + 0.45 * size, 2 * math.pi * angle
        image += 0.08 * torch.cos(k * (x * a.cos() + y * a.sin()) + 2 * math.pi * phase)
    return image[None]


def study() -> dict[str, Any]:
    """For each case and each tensor of parameters: truth, both surrogates, cosine and ratio of norms to the truth."""
    torch.set_num_threads(1)
    fx = WIDTH / 2 / math.tan(math.radians(HALF_ANGLE_DEG))
    camera = CameraModel(fx, fx, (WIDTH - 1) / 2, (HEIGHT - 1) / 2, HEIGHT, WIDTH)
    scene = scene_of_waves(HEIGHT, WIDTH)
    found: dict[str, Any] = {}
    for case, shift_mm in CASES.items():
        lens = replace(shipped_lens('cooke_triplet'), wavelengths_um=(0.58756,), wavelength_weights=(1.0,))
        gap = lens.gap.clone()
        gap[-1] += shift_mm
        found[case] = _case(lens.with_parameters({'gap': gap}), camera, scene)
    return found


def _case(lens: Lens, camera: CameraModel, scene: Tensor) -> dict[str, Any]:
    def loss(image: Tensor) -> Tensor:
        return (image - 0.9 * scene)[..., EDGE:-EDGE, EDGE:-EDGE].square().mean()

    def traced(lens: Lens) -> Tensor:
        return loss(RayTracedRenderer(lens, camera, rays=RAYS, exposure_pupil_mm=EXPOSURE_MM).render(scene))

    def rendered(lens: Lens) -> Tensor:
        return loss(LensRenderer(lens, camera, exposure_pupil_mm=EXPOSURE_MM).render(scene))

    def single(lens: Lens) -> Tensor:
        return loss(single_psf_image(lens, camera, scene))

    rows: dict[str, Any] = {}
    for name, step in STEPS.items():
        truth = _differences(traced, lens, name, step)
        rows[name] = {'truth': truth.tolist()}
        for route, function in (('renderer', rendered), ('single PSF', single)):
            gradient = _gradient(function, lens, name)
            rows[name][route] = gradient.tolist()
            cosine = float(gradient @ truth / (gradient.norm() * truth.norm()))
            rows[name][f'{route}: cosine, ratio'] = [cosine, float(gradient.norm() / truth.norm())]
    return rows


def single_psf_image(lens: Lens, camera: CameraModel, scene: Tensor) -> Tensor:
    """THE TRAP: the whole image through the normalised, centred PSF of its middle. For comparison only."""
    middle = LensRenderer(lens, _middle(camera), LensRenderConfig(cell_px=4), exposure_pupil_mm=EXPOSURE_MM)
    kernel = middle.psf.kernels[1, 1].flip(0, 1)[None, None]
    half = kernel.shape[-1] // 2
    return functional.conv2d(functional.pad(scene[:, None], (half,) * 4, mode='replicate'), kernel)[:, 0]


def _middle(camera: CameraModel) -> CameraModel:
    """The same pixels, a sensor of 8x8 around the axis, a node on the axis."""
    return CameraModel(camera.fx, camera.fy, 3.5, 3.5, 8, 8)


def _gradient(function: Callable[[Lens], Tensor], lens: Lens, name: str) -> Tensor:
    value = lens.parameters[name].clone().requires_grad_()
    return torch.autograd.grad(function(lens.with_parameters({name: value})), value)[0]


def _differences(function: Callable[[Lens], Tensor], lens: Lens, name: str, step: float) -> Tensor:
    found = torch.zeros_like(lens.parameters[name])
    with torch.no_grad():
        for i in range(len(found)):
            unit = torch.zeros_like(found)
            unit[i] = step
            high = function(lens.with_parameters({name: lens.parameters[name] + unit}))
            low = function(lens.with_parameters({name: lens.parameters[name] - unit}))
            found[i] = (high - low) / (2 * step)
    return found


def main(arguments: list[str] | None = None) -> str:
    """The table as JSON."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    return json.dumps(study(), indent=1)


if __name__ == '__main__':
    sys.stdout.write(main() + '\n')
