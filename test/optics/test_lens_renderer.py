# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The image of a lens: the fast renderer against rays traced for every pixel, forward and in derivatives."""

import math
from dataclasses import replace

import pytest
import torch

from event_perception.errors import CalibrationError, DataError
from event_perception.motion.camera import CameraModel
from event_perception.optics import LensRenderConfig, LensRenderer, RayTracedRenderer, shipped_lens
from event_perception.optics.psf import PsfGrid, convolve
from event_perception.optics.resample import lookup, splat

HEIGHT, WIDTH, EDGE = 24, 32, 3
CONFIG = LensRenderConfig(fields=10, rays=160, cell_px=16)


def camera_of(half_angle_deg, height=HEIGHT, width=WIDTH):
    fx = width / 2 / math.tan(math.radians(half_angle_deg))
    return CameraModel(fx=fx, fy=fx, cx=(width - 1) / 2, cy=(height - 1) / 2, height=height, width=width)


CAMERA = camera_of(14.0)


def waves(height=HEIGHT, width=WIDTH):
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing='ij')
    image = torch.full((height, width), 1.5, dtype=torch.float64)
    for size, angle, phase in torch.rand(12, 3, generator=generator, dtype=torch.float64):
        k, a = 0.05 + 0.45 * size, 2 * math.pi * angle
        image += 0.1 * torch.cos(k * (x * a.cos() + y * a.sin()) + 2 * math.pi * phase)
    return image[None]


def defocused(lens, shift_mm):
    gap = lens.gap.clone()
    gap[-1] += shift_mm
    return lens.with_parameters({'gap': gap})


def green(lens):
    """The lens at one wavelength: a third of the rays."""
    return replace(lens, wavelengths_um=(0.58756,), wavelength_weights=(1.0,))


def inner(image):
    return image[..., EDGE:-EDGE, EDGE:-EDGE]


@pytest.mark.parametrize('shift_mm, blur', [(0.0, 2e-3), (4.0, 2e-2)])
def test_the_image_is_that_of_tracing_every_pixel(shift_mm, blur):
    lens, scene = green(defocused(shipped_lens('cooke_triplet'), shift_mm)), waves()
    fast = LensRenderer(lens, CAMERA, CONFIG)
    slow = RayTracedRenderer(lens, CAMERA, rays=144, exposure_pupil_mm=fast.exposure_pupil_mm).render(scene)
    difference = inner(fast.render(scene) - slow)
    assert float(difference.square().mean().sqrt()) < 2e-3  # of light 1.5 with waves of 0.25 rms
    assert (
        float(inner(slow - scene * fast.light).square().mean().sqrt()) > blur
    )  # not the same as no lens at all


def test_a_flat_scene_shows_the_vignetting_and_nothing_else():
    lens = shipped_lens('cooke_triplet')
    fast = LensRenderer(lens, CAMERA, CONFIG)
    image = fast.render(torch.ones(1, HEIGHT, WIDTH, dtype=torch.float64))
    torch.testing.assert_close(image[0], fast.light, rtol=1e-12, atol=0)
    assert float(image[0, HEIGHT // 2, WIDTH // 2]) == pytest.approx(1.0, abs=0.03)
    assert float(image[0, 0, 0]) < 0.92 * float(image[0, HEIGHT // 2, WIDTH // 2])


def test_derivatives_by_the_lens_are_those_of_the_ray_traced_image():
    """The whole image counts: magnification, distortion, blur and exposure. A single centred PSF sees a part."""
    lens, scene = green(defocused(shipped_lens('cooke_triplet'), 2.0)), waves()
    target, exposure = 0.9 * scene, 5.0

    def loss(image):
        return inner(image - target).square().mean()

    curvature = lens.curvature.clone().requires_grad_()
    image = LensRenderer(
        lens.with_parameters({'curvature': curvature}), CAMERA, CONFIG, exposure_pupil_mm=exposure
    ).render(scene)
    (gradient,) = torch.autograd.grad(loss(image), curvature)
    for i in (0, 4):

        def at(shift, i=i):
            moved = lens.curvature.clone()
            moved[i] += shift
            changed = lens.with_parameters({'curvature': moved})
            return float(
                loss(RayTracedRenderer(changed, CAMERA, rays=144, exposure_pupil_mm=exposure).render(scene))
            )

        difference = (at(1e-5) - at(-1e-5)) / 2e-5
        assert float(gradient[i]) == pytest.approx(difference, rel=0.05)


def test_derivatives_are_those_of_finite_differences_of_the_renderer():
    lens, scene = defocused(shipped_lens('kidger_doublet'), 3.0), waves()
    camera = camera_of(3.0)

    def loss(gap):
        image = LensRenderer(
            lens.with_parameters({'gap': gap}), camera, CONFIG, exposure_pupil_mm=10.0
        ).render(scene)
        return (image * scene).mean()

    gap = lens.gap.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(gap), gap)
    step = torch.tensor([0.0, 0.0, 1e-4]).double()
    difference = float(loss(lens.gap + step) - loss(lens.gap - step)) / 2e-4
    assert float(gradient[2]) == pytest.approx(difference, rel=1e-5)


def test_a_kernel_that_changes_over_the_image_leaves_no_seam():
    """Two blurs of different width on a ramp: a block-wise filter would step where the blocks meet."""
    rows, columns, size = 3, 4, 5
    narrow = torch.zeros(size, size, dtype=torch.float64)
    narrow[2, 2] = 1
    wide = torch.full((size, size), 1 / 25, dtype=torch.float64)
    share = torch.linspace(0, 1, columns, dtype=torch.float64)[None, :, None, None].expand(
        rows, columns, 1, 1
    )
    kernels = (1 - share) * narrow + share * wide
    ramp = torch.arange(30, dtype=torch.float64)[None, None].expand(1, 20, 30) ** 2
    image = convolve(ramp, PsfGrid(kernels, (10, 10), 0.0))[0, 5:15, 5:25]
    third = image.diff(dim=1, n=3).abs().max()
    assert float(third) < 0.01  # the blur of x^2 grows by 2 from left to right: linear, no steps


def test_the_convolution_has_the_derivative_of_differences_by_frames_and_kernels():
    generator = torch.Generator().manual_seed(0)
    frames, kernels = (
        torch.rand(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((3, 4, 5), (2, 2, 3, 3))
    )
    assert torch.autograd.gradcheck(
        lambda f, k: convolve(f, PsfGrid(k, (4, 5), 0.0)), (frames, kernels), fast_mode=True
    )
    (alone,) = torch.autograd.grad(
        convolve(frames.detach(), PsfGrid(kernels, (4, 5), 0.0)).square().sum(), kernels
    )
    (both,) = torch.autograd.grad(convolve(frames, PsfGrid(kernels, (4, 5), 0.0)).square().sum(), kernels)
    assert torch.equal(alone, both)


def test_a_kernel_moves_light_the_way_it_points():
    kernel = torch.zeros(3, 3, dtype=torch.float64)
    kernel[1, 2] = 1  # one pixel to the right
    image = torch.zeros(1, 8, 8, dtype=torch.float64)
    image[0, 4, 4] = 1
    moved = convolve(image, PsfGrid(kernel.expand(2, 2, 3, 3), (8, 8), 0.0))
    assert moved[0, 4, 5] == 1 and moved.sum() == 1


def test_a_cubic_lookup_is_exact_for_quadratic_images():
    y, x = torch.meshgrid(torch.arange(9).double(), torch.arange(9).double(), indexing='ij')
    points = torch.tensor([[3.3, 4.8], [2.0, 5.5], [4.999, 4.0]], dtype=torch.float64)
    found = lookup(points, 9, 9)((x * x - 2 * x * y + 3 * y)[None])[0]
    expected = points[:, 0] ** 2 - 2 * points[:, 0] * points[:, 1] + 3 * points[:, 1]
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


def test_splatted_light_keeps_its_sum_and_its_place():
    x, y = torch.tensor([[0.3, -1.2]], dtype=torch.float64), torch.tensor([[0.7, 0.1]], dtype=torch.float64)
    kernel = splat(x, y, torch.tensor([[0.25, 0.75]]).double(), 9)[0]
    offsets = torch.arange(-4, 5).double()
    assert float(kernel.sum()) == pytest.approx(1.0, rel=1e-14)
    assert float((kernel.sum(0) * offsets).sum()) == pytest.approx(0.25 * 0.3 - 0.75 * 1.2, rel=1e-13)
    assert float((kernel.sum(1) * offsets).sum()) == pytest.approx(0.25 * 0.7 + 0.75 * 0.1, rel=1e-13)


def test_a_lens_whose_image_circle_is_too_small_is_an_error():
    with pytest.raises(DataError, match='image circle is too small'):
        LensRenderer(shipped_lens('cooke_triplet'), camera_of(45.0), CONFIG)


def test_a_lens_far_out_of_focus_is_an_error():
    lens = defocused(shipped_lens('cooke_triplet'), 20.0)
    with pytest.raises(DataError, match='outside a PSF of 3 px'):
        LensRenderer(lens, CAMERA, LensRenderConfig(fields=6, rays=64, psf_size_px=3))


def test_a_camera_with_distortion_is_refused():
    camera = CameraModel(60.0, 60.0, 15.5, 11.5, HEIGHT, WIDTH, 'radtan', (0.1, 0.0, 0.0, 0.0))
    with pytest.raises(CalibrationError, match=r'camera\.undistorted'):
        LensRenderer(shipped_lens('cooke_triplet'), camera)


def test_frames_of_another_size_are_refused():
    fast = LensRenderer(shipped_lens('cooke_triplet'), CAMERA, CONFIG)
    with pytest.raises(DataError, match=r'give \(B, H, W\)'):
        fast.render(torch.ones(1, 5, 5))
