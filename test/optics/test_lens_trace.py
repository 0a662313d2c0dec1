# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The ray tracer: known focal lengths, exact derivatives, rays that are lost."""

import math
from dataclasses import replace

import pytest
import torch

from event_perception.errors import DataError
from event_perception.optics import Lens, first_order, mean_square_spot, shipped_lens, shipped_lenses, spots
from event_perception.optics.bundles import bundle, field_fan
from event_perception.optics.fan import trace_fan
from event_perception.optics.lens import lens_of
from event_perception.optics.surface import Rays
from event_perception.optics.tracer import trace


def aspheric_singlet():
    """A plano-convex lens, the curved side first, with a conic and two terms."""
    lens = lens_of(
        'asphere', [(12.0, 3.0, 'n-bk7', 5.0), (0.0, 20.0, 'air', 5.0)], stop=0, focal_length_mm=23.2
    )
    asphere = torch.tensor([[2e-4, -1e-5, 2e-8], [0, 0, 0]], dtype=torch.float64)
    return lens.with_parameters({'asphere': asphere, 'conic': torch.tensor([-0.6, 0.0], dtype=torch.float64)})


def test_the_focal_length_of_the_doublet_is_the_published_one():
    """Kidger, Fundamental Optical Design, section 8.2.2: f = 100 mm."""
    assert float(first_order(shipped_lens('kidger_doublet')).efl_mm) == pytest.approx(100.0, rel=1e-4)


def test_the_focal_length_of_the_doublet_is_that_of_its_system_matrix():
    """Multiply refraction and transfer matrices; f = -1 / C. Nothing of the package takes part."""
    system = torch.eye(2, dtype=torch.float64)
    n = 1.0
    for radius, gap, after in ((64.1, 3.5, 1.56384), (-43.249, 1.5, 1.66680), (-183.685, 0.0, 1.0)):
        refraction = torch.tensor([[1, 0], [-(after - n) / (radius * after), n / after]], dtype=torch.float64)
        transfer = torch.tensor([[1, gap], [0, 1]], dtype=torch.float64)
        system, n = transfer @ refraction @ system, after
    found = first_order(shipped_lens('kidger_doublet'))
    assert float(found.efl_mm) == pytest.approx(-1 / float(system[1, 0]), rel=1e-12)
    assert float(found.bfl_mm) == pytest.approx(-float(system[0, 0] / system[1, 0]), rel=1e-12)


def test_the_cooke_triplet_has_50_mm_at_0_55_um():
    assert float(first_order(shipped_lens('cooke_triplet'), 0.55).efl_mm) == pytest.approx(50.0, rel=1e-4)


def test_the_topogon_is_as_dark_at_35_degrees_as_published():
    """Rimmer, Proc. SPIE 655 (1986), table 1: 34.7 % by a grid of rays, 35.0 % by Kingslake; cos^4 is 45 %.

    Its inner menisci are so deep that the nearer intersection with a sphere is the wrong one for some rays.
    """
    lens = replace(shipped_lens('topogon'), wavelengths_um=(0.58756,), wavelength_weights=(1.0,))
    assert float(first_order(lens).efl_mm) == pytest.approx(66.0, rel=1e-3)
    fan = trace_fan(lens, 47.0, fields=16, rays=800)
    height = spots(lens, field_fan(math.radians(35), 2), rays=800).centroid_mm[1:, 0]
    (ratio,), (slope,) = (part.tolist() for part in fan.tangent(height))
    tangent = math.tan(math.radians(35))
    light = fan.passed(torch.tensor([0.0, tangent], dtype=torch.float64))
    on_axis = fan.tangent(torch.zeros(1, dtype=torch.float64))[0]
    area = (
        ratio * slope / float(on_axis) ** 2
    )  # of the scene that a piece of the image shows, against the axis
    assert float(light[1] / light[0]) * (1 + tangent**2) ** -2 * area == pytest.approx(0.35, abs=0.005)


def test_a_ray_close_to_the_axis_meets_it_at_the_paraxial_focus():
    lens = shipped_lens('cooke_triplet')
    height = torch.full((1, 1), 1e-4, dtype=torch.float64)
    zero, one = torch.zeros_like(height), torch.ones_like(height)
    rays = trace(lens, Rays(height, zero, zero, zero, zero, one), (0.58756,), to_sensor=False).rays
    assert float(rays.z - rays.x * rays.dz / rays.dx) == pytest.approx(
        float(first_order(lens).bfl_mm), rel=1e-7
    )


def test_a_plane_plate_shifts_a_ray_by_snell():
    lens = lens_of(
        'plate', [(0.0, 10.0, '1.5/50', 50.0), (0.0, 5.0, 'air', 50.0)], stop=0, focal_length_mm=1.0
    )
    angle = math.radians(30)
    zero = torch.zeros((1, 1), dtype=torch.float64)
    start = Rays(zero, zero, zero, zero + math.sin(angle), zero, zero + math.cos(angle))
    rays = trace(lens, start, (0.58756,)).rays
    inside = math.asin(math.sin(angle) / 1.5)
    assert float(rays.x) == pytest.approx(10 * math.tan(inside) + 5 * math.tan(angle), rel=1e-12)
    assert float(rays.dx) == pytest.approx(0.5, rel=1e-12)


def test_a_parabola_lies_on_the_rays():
    from event_perception.optics.surface import intersect

    c, k = torch.tensor(0.05, dtype=torch.float64), torch.tensor(-1.0, dtype=torch.float64)
    x = torch.tensor([1.0, 3.0, 7.0], dtype=torch.float64)
    rays = Rays(x, 0 * x, 0 * x, 0 * x + 0.1, 0 * x, 0 * x + math.sqrt(0.99))
    met, hit = intersect(rays, c, k, x[:0])
    assert hit.all()
    assert met.z.tolist() == pytest.approx((0.025 * (met.x**2 + met.y**2)).tolist(), rel=1e-12)


def largest_relative_error(lens: Lens, fields, steps):
    """Derivative of the mean-square spot against five-point differences, over all free elements."""
    values = {name: lens.parameters[name].clone().requires_grad_() for name in steps}
    loss = mean_square_spot(lens.with_parameters(values), fields, rays=64)
    gradients = dict(zip(steps, torch.autograd.grad(loss, list(values.values()))))
    worst = 0.0
    for name, step in steps.items():
        flat = lens.parameters[name].reshape(-1)
        largest = float(gradients[name].abs().max())
        for i in range(len(flat)):
            h = step(i)

            def at(shift, name=name, i=i, flat=flat):
                moved = flat.clone()
                moved[i] += shift
                return float(
                    mean_square_spot(
                        lens.with_parameters({name: moved.reshape(lens.parameters[name].shape)}),
                        fields,
                        rays=64,
                    )
                )

            difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
            gradient = float(gradients[name].reshape(-1)[i])
            if abs(gradient) > 1e-4 * largest:
                worst = max(worst, abs(gradient - difference) / abs(difference))
    return worst


@pytest.mark.parametrize('name, half_angle', [('kidger_doublet', 1.0), ('cooke_triplet', 20.0)])
def test_the_derivative_of_the_mean_square_spot_is_that_of_finite_differences(name, half_angle):
    fields = field_fan(math.radians(half_angle), 3)
    steps = {'curvature': lambda i: 1e-6, 'gap': lambda i: 1e-3, 'conic': lambda i: 1e-3}
    assert largest_relative_error(shipped_lens(name), fields, steps) < 1e-6


def test_the_derivative_is_right_on_an_asphere_too():
    steps = {
        'curvature': lambda i: 1e-6, 'gap': lambda i: 1e-3, 'conic': lambda i: 1e-3,
        'asphere': lambda i: (1e-6, 1e-7, 1e-9)[i % 3],
    }  # fmt: skip
    assert largest_relative_error(aspheric_singlet(), field_fan(math.radians(3), 2), steps) < 1e-6


def test_single_precision_traces_the_same_spots():
    lens, fields = aspheric_singlet(), field_fan(math.radians(3), 2)
    single = spots(lens.to(torch.float32), fields.float())
    assert single.traced.missed == 0
    assert single.rms_mm.tolist() == pytest.approx(spots(lens, fields).rms_mm.tolist(), rel=1e-3)


def test_a_bundle_on_the_axis_has_its_centroid_on_the_axis():
    found = spots(shipped_lens('cooke_triplet'), field_fan(0.0, 1))
    assert found.centroid_mm.abs().max() < 1e-15


def test_rays_that_are_totally_reflected_are_counted_and_leave_no_nan():
    lens = lens_of(
        'prism', [(0.0, 5.0, '1.8/40', 20.0), (-6.0, 5.0, 'air', 6.0)], stop=0, focal_length_mm=7.5
    )
    curvature = lens.curvature.clone().requires_grad_()
    height = torch.linspace(0, 5.5, 12, dtype=torch.float64)[None]
    zero, one = torch.zeros_like(height), torch.ones_like(height)
    start = Rays(height, zero, zero, zero, zero, one)
    traced = trace(lens.with_parameters({'curvature': curvature}), start, (0.5876,))
    # the critical angle is reached at a height of 6 / 1.8 = 3.33 mm: rays at 3.5 to 5.5 mm
    assert (traced.reflected, traced.missed) == (5, 0)
    (gradient,) = torch.autograd.grad((traced.weight * traced.rays.x**2).sum(), curvature)
    assert torch.isfinite(gradient).all()


def test_rays_that_miss_a_surface_are_counted_and_leave_no_nan():
    lens = lens_of('ball', [(4.0, 8.0, '1.5/60', 6.0), (-4.0, 2.0, 'air', 6.0)], stop=0, focal_length_mm=6.0)
    values = {n: v.clone().requires_grad_() for n, v in lens.parameters.items() if n != 'asphere'}
    height = torch.tensor([[0.0, 1.0, 2.0, 4.5, 5.0]], dtype=torch.float64)
    zero, one = torch.zeros_like(height), torch.ones_like(height)
    traced = trace(lens.with_parameters(values), Rays(height, zero, zero, zero, zero, one), (0.5876,))
    assert traced.missed == 2
    loss = (traced.weight * traced.rays.x**2).sum()
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, list(values.values())))


def test_a_lens_through_which_no_ray_comes_is_an_error():
    lens = shipped_lens('cooke_triplet')
    with pytest.raises(DataError, match='all 768 rays are lost'):
        spots(lens, field_fan(math.radians(60), 2)[1:])


def test_a_field_without_light_is_an_error_that_names_the_angle():
    with pytest.raises(DataError, match=r'no light of the fields at \[45.0\] degrees'):
        spots(shipped_lens('cooke_triplet'), field_fan(math.radians(45), 2))


def test_a_lens_without_power_has_no_focal_length():
    lens = lens_of('window', [(0.0, 2.0, 'n-bk7', 5.0), (0.0, 2.0, 'air', 5.0)], stop=0, focal_length_mm=1.0)
    with pytest.raises(DataError, match='no power'):
        first_order(lens)


def test_the_reversed_lens_has_the_same_focal_length():
    lens = shipped_lens('cooke_triplet')
    assert float(first_order(lens.reversed()).efl_mm) == pytest.approx(
        float(first_order(lens).efl_mm), rel=1e-12
    )


def test_a_lens_twice_as_large_has_spots_twice_as_large():
    lens, fields = aspheric_singlet(), field_fan(math.radians(3), 2)
    small, large = spots(lens, fields).rms_mm, spots(lens.scaled(2.0), fields).rms_mm
    assert large.tolist() == pytest.approx((2 * small).tolist(), rel=1e-9)


def test_a_near_scene_comes_to_focus_behind_that_at_infinity():
    """Newton's equation x x' = f^2 for the paraxial rays of a slow doublet."""
    lens = shipped_lens('kidger_doublet')
    rays = bundle(lens, torch.zeros(1, 2, dtype=torch.float64), 64, distance_mm=10_000.0, margin=1e-3)
    end = trace(lens, rays, (0.58756,), to_sensor=False).rays
    crossing = float((end.z - end.x * end.dz / end.dx).median())
    order = first_order(lens)
    front_focus = float(first_order(lens.reversed()).bfl_mm)
    expected = float(order.efl_mm) ** 2 / (10_000.0 - front_focus)
    assert crossing - float(order.bfl_mm) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('name', shipped_lenses())
def test_every_shipped_lens_says_where_it_was_published_and_has_its_focal_length(name):
    lens = shipped_lens(name)
    assert lens.source
    assert float(first_order(lens, 0.55).efl_mm) == pytest.approx(lens.focal_length_mm, rel=2e-3)
