# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The design chain is differentiable from end to end, judged by hard events, and refuses what makes no sense."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from event_perception.errors import ConfigError, DataError
from event_perception.evaluation.chain_gradient_study import slope
from event_perception.motion.camera import CameraModel
from event_perception.motion.slice_egomotion import SliceEgomotion
from event_perception.optics import chain
from event_perception.optics.design.chain import ChainConfig, ChainDesign
from event_perception.optics.design.run import design_config, run_design
from event_perception.optics.mount import Mount

TINY = ChainConfig(
    width=32, height=24, focal_px=26.0, rooms=1, clips=2, test_rooms=1, batch=1, samples=2, double=True,
    frames=7, texel_m=0.1, lens_rays=40, lens_fields=6, slices=3, threshold=0.25, most_rate_hz=1.0, free=('lens', 'turn', 'threshold', 'network'),
)  # fmt: skip


@pytest.fixture(scope='module')
def design():
    return ChainDesign(TINY)


def test_every_variable_gets_a_finite_gradient_that_is_not_zero(design):
    values = {name: v.clone().requires_grad_() for name, v in design.start().items()}
    loss, figures = design.loss(values, 0)
    loss.backward()
    assert figures['rate_hz'] > 1 and torch.isfinite(loss)
    for name in ('curvature', 'gap', 'turn', 'log_threshold', 'network_kernel', 'network_gain'):
        gradient = values[name].grad
        assert bool(torch.isfinite(gradient).all()) and float(gradient.abs().sum()) > 0, name
    assert values['shift'].grad is None or not values['shift'].grad.any()


def test_light_on_the_sensor_has_the_derivative_of_differences_by_the_lens(design):
    values, index = design.start(), np.arange(1)
    weight = torch.as_tensor(np.random.default_rng(0).normal(size=(24, 32)))

    def light(curvature):
        return (weight * design.light(values | {'curvature': curvature}, index)).sum()

    attached, found = slope(
        light, values['curvature'], torch.tensor([1e-5, -2e-5, 1e-5], dtype=torch.float64)
    )
    assert attached == pytest.approx(found[0], rel=0.01)


def test_light_is_kept_for_one_lens_and_made_anew_for_another(design):
    values, index = design.start(), np.arange(1)
    first, again = design.light(values, index), design.light(values, index)
    other = design.light(values | {'gap': values['gap'] + 1.0}, index)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(design.light(values, index), first)


def test_a_sensor_behind_the_focus_sees_a_blurred_image():
    shifted = ChainDesign(replace(TINY, sensor_shift_mm=8.0))
    assert float(shifted.start()['gap'][-1] - shifted.lens.gap[-1]) == 8.0
    sharp, blurred = (d.light(d.start(), np.arange(1))[0, 0] for d in (ChainDesign(TINY), shifted))
    assert float(blurred[8:16, 10:22].diff(dim=1).square().mean()) < 0.8 * float(
        sharp[8:16, 10:22].diff(dim=1).square().mean()
    )


def test_slices_of_a_drifting_pattern_give_its_rate():
    camera = CameraModel(fx=40.0, fy=40.0, cx=31.5, cy=23.5, height=48, width=64)
    omega, slice_s = np.array([0.3, -0.4, 0.5]), 0.01
    x, y = np.moveaxis(camera.bearings().astype(float), -1, 0)
    slices = []
    for k in range(-2, 3):  # the bearing that is at (x, y) now was at b - k dt * flow at the middle
        u = x - k * slice_s * np.tensordot(omega, np.stack([x * y, -(1 + x * x), y]), 1)
        v = y - k * slice_s * np.tensordot(omega, np.stack([1 + y * y, -x * y, -x]), 1)
        slices.append(np.sin(9 * u) * np.cos(7 * v) + np.sin(6 * v + 5 * u))
    network = SliceEgomotion(camera, slice_s=slice_s)
    found = network(torch.as_tensor(np.array(slices))[None])[0].detach().numpy()
    np.testing.assert_allclose(found, omega, atol=0.03)


def test_a_short_design_runs_resumes_and_reports(tmp_path):
    assignments = [
        'chain.width=32', 'chain.height=24', 'chain.focal_px=26', 'chain.rooms=1', 'chain.clips=2',
        'chain.test_rooms=1', 'chain.batch=1', 'chain.frames=5', 'chain.texel_m=0.1', 'loop.steps=2',
        'chain.lens_rays=40', 'chain.lens_fields=6', 'chain.slices=3',
    ]  # fmt: skip
    config = design_config('chain', None, assignments)
    metrics = run_design('chain', tmp_path / 'run', config)
    again = run_design('chain', tmp_path / 'run', config)
    assert metrics['finished'] and again['result'] == metrics['result']
    assert np.isfinite(metrics['result']['hard_rms_rad_s']) and metrics['result']['hard_rate_hz'] > 0
    assert (tmp_path / 'run' / 'report.html').exists()


def test_nonsense_is_refused(design):
    with pytest.raises(ConfigError, match='choose from'):
        ChainDesign(replace(TINY, free=('colour',)))
    place = torch.tensor([0.0, 0.0, 0.1], dtype=torch.float64)
    with pytest.raises(DataError, match=r'inside the body of radius 0\.2'):
        chain.pose_of(Mount(torch.eye(3, dtype=torch.float64), place), body_radius_m=0.2)
    with pytest.raises(DataError, match='not finite'):
        chain.pose_of(Mount(torch.eye(3, dtype=torch.float64), place * torch.nan))
    values = design.start() | {'log_threshold': torch.tensor(-torch.inf, dtype=torch.float64)}
    with pytest.raises(DataError, match=r'stay positive|zero or negative'):
        design.loss(values, 0)
    with pytest.raises(DataError, match='slices'):
        design.network(torch.zeros(1, 1, 24, 32))
