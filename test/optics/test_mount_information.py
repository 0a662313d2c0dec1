# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The camera mount: twists, what normal flow tells of them, and derivatives by the pose."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from event_perception.errors import ConfigError, DataError
from event_perception.evaluation.mount_study import planar_errors
from event_perception.flow.motion_field import flow_basis
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import so3_exp as numpy_so3_exp
from event_perception.optics.information import (
    CRITERIA,
    InformationConfig,
    Motion,
    floor_and_wall,
    room,
    still_pose,
    twist_information,
)
from event_perception.optics.mount import Body, Mount, pitched_mount, so3_exp

CAMERA = CameraModel(fx=60.0, fy=60.0, cx=31.5, cy=23.5, height=48, width=64)
COARSE = InformationConfig(stride_px=8, directions=4)
BODY = Body((-0.3, -0.2, -0.1), (0.3, 0.2, 0.2))


def some_motion(samples=3):
    random = np.random.default_rng(0)
    rotation = Rotation.from_rotvec(random.normal(size=(samples, 3)) * (0, 0, 1)).as_matrix()
    rows = [rotation, random.normal(size=(samples, 3)) * 0.3 + (0, 0, 1.0)]
    rows += [random.normal(size=(samples, 3)), random.normal(size=(samples, 3))]
    return Motion(*(torch.as_tensor(row) for row in rows))


def test_the_exponential_is_that_of_the_lie_module():
    random = np.random.default_rng(1)
    for size in (0.0, 1e-9, 1e-4, 1e-2, 1.0, 3.0):
        phi = random.normal(size=3)
        phi *= size / np.linalg.norm(phi)
        np.testing.assert_allclose(so3_exp(torch.as_tensor(phi)).numpy(), numpy_so3_exp(phi), atol=1e-14)


def test_a_camera_ahead_of_the_turning_base_moves_sideways():
    mount = pitched_mount(0.0, (0.5, 0.0, 0.0))
    v, omega = mount.camera_twist(torch.zeros(3, dtype=torch.float64), torch.tensor([0.0, 0, 2.0]).double())
    assert v.tolist() == pytest.approx([-1.0, 0.0, 0.0])  # to the left of the robot, camera x is right
    assert omega.tolist() == pytest.approx([0.0, -2.0, 0.0])
    together = mount.twist_matrix() @ torch.tensor([0, 0, 0, 0, 0, 2.0]).double()
    assert together.tolist() == pytest.approx([*v.tolist(), *omega.tolist()])


@pytest.mark.parametrize(
    'pitch_deg, axis', [(0, (1, 0, 0)), (45, (0.5**0.5, 0, -(0.5**0.5))), (90, (0, 0, -1))]
)
def test_a_pitched_camera_looks_down(pitch_deg, axis):
    mount = pitched_mount(math.radians(pitch_deg))
    assert mount.rotation[:, 2].tolist() == pytest.approx(list(axis), abs=1e-12)
    assert math.degrees(float(mount.pitch_rad)) == pytest.approx(pitch_deg, abs=1e-5)


def test_information_is_the_sum_over_pixels_of_the_flow_of_the_package():
    """Built again, pixel by pixel, from the flow basis of the egomotion flow."""
    camera = CameraModel(fx=30.0, fy=30.0, cx=7.5, cy=5.5, height=12, width=16)
    config = InformationConfig(stride_px=1, directions=2, inverse_depth_sigma=0.1, speed_limit_px_s=50.0)
    twist = np.array([1.0, 0.2, 0.1, 0.05, 0.1, 0.3])
    mount = pitched_mount(math.pi / 2)
    found = twist_information(
        mount, camera, floor_and_wall(0.5, 1e9), still_pose(tuple(twist[:3]), tuple(twist[3:])), config
    )
    rotation, translation = flow_basis(camera)
    expected = np.zeros((6, 6))
    for angle in (math.pi / 4, 3 * math.pi / 4):
        g = np.array([math.cos(angle), math.sin(angle)])
        moved = np.einsum('a,iahw->hwi', g, translation) @ mount.rotation.numpy().T
        turned = np.einsum('a,iahw->hwi', g, rotation) @ mount.rotation.numpy().T
        h = np.concatenate([moved / 0.5, turned], axis=-1)
        m, by_depth = h @ twist, moved @ twist[:3]
        n = 0.05 * np.abs(m) * 0.05 / 0.2 / np.sqrt(1 + (m / 50) ** 2) / 2
        w = n / ((0.15 * m) ** 2 + 25 + (0.1 * by_depth) ** 2)
        expected += np.einsum('hw,hwi,hwj->ij', w, h, h)
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize(
    'pitch_deg, wall_m, expected',
    [
        (0, 3.0, (1.12, 1.35, 0.528)),
        (0, 10.0, (1.32, 0.888, 0.280)),
        (45, 3.0, (0.312, 0.350, 0.591)),
        (90, 3.0, (0.230, 0.146, 0.888)),
    ],
)
def test_the_errors_of_forward_downward_and_pitched_cameras_are_those_of_the_table(
    pitch_deg, wall_m, expected
):
    found = planar_errors(pitch_deg, wall_m)
    assert [found[n] for n in ('vx', 'vy', 'wz')] == pytest.approx(expected, rel=0.01)


def test_looking_forward_confuses_sideways_motion_with_yaw_and_looking_down_does_not():
    assert planar_errors(0.0, 3.0)['correlation vy wz'] < -0.9
    assert abs(planar_errors(90.0, 3.0)['correlation vy wz']) < 0.05


def loss_of(phi, position, criterion, config, body=BODY):
    mount = Mount(pitched_mount(0.4).rotation @ so3_exp(phi), position)
    information = twist_information(
        mount, CAMERA, room(6.0, 5.0, 2.5), some_motion(), config, components=('vx', 'vy', 'wz'), body=body
    )
    scales, prior = torch.tensor([1.0, 0.2, 0.3]).double(), torch.full((3,), 0.1).double()
    return CRITERIA[criterion](information, scales, prior)


@pytest.mark.parametrize('criterion', sorted(CRITERIA))
@pytest.mark.parametrize(
    'changes', [{}, {'inverse_depth_sigma': 0.2, 'scale_sigma': 0.1}, {'reach_px': 6.0, 'detail_m': 0.02}]
)
def test_derivatives_by_the_pose_are_those_of_finite_differences(criterion, changes):
    config = replace(COARSE, **changes)
    start = [torch.tensor([0.1, -0.2, 0.3]).double(), torch.tensor([0.33, 0.05, 0.1]).double()]
    attached = [part.clone().requires_grad_() for part in start]
    gradients = torch.autograd.grad(loss_of(*attached, criterion, config), attached)
    for which, gradient in enumerate(gradients):
        for i in range(3):

            def at(shift, which=which, i=i):
                moved = [part.clone() for part in start]
                moved[which][i] += shift
                return float(loss_of(*moved, criterion, config))

            h = 1e-6
            difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
            assert float(gradient[i]) == pytest.approx(
                difference, rel=1e-6, abs=1e-7 * float(gradient.abs().max())
            )


def test_a_common_scale_is_eliminated_as_one_more_parameter():
    """With no prior on the scale, a camera that only translates knows no speed: its information is singular."""
    args = (pitched_mount(math.pi / 2), CAMERA, floor_and_wall(0.5, 1e9), still_pose((1.0, 0, 0), (0, 0, 0)))
    known = twist_information(*args, COARSE, components=('vx',))
    free = twist_information(*args, replace(COARSE, scale_sigma=1e3), components=('vx',))
    some = twist_information(*args, replace(COARSE, scale_sigma=0.1), components=('vx',))
    assert float(free) < 1e-5 * float(known)
    # variance adds up: sigma_v^2 = 1 / J + (0.1 * 1 m/s)^2
    assert 1 / float(some) == pytest.approx(1 / float(known) + 0.01, rel=1e-9)


def test_a_camera_inside_the_body_is_an_error():
    with pytest.raises(DataError, match=r'the camera at \[0.0, 0.0, 0.1\] m is inside the body'):
        BODY.check(torch.tensor([0.0, 0.0, 0.1]).double())


def test_a_position_in_the_body_moves_to_its_nearest_face():
    low, high = torch.tensor([-1.0, -1, 0]).double(), torch.tensor([1.0, 1, 1]).double()
    inside = torch.tensor([0.25, 0.0, 0.1]).double()
    assert BODY.outside(inside, low, high).tolist() == pytest.approx([0.32, 0.0, 0.1])
    with pytest.raises(DataError, match='fills the box'):
        BODY.outside(inside, low * 0.1, high * 0.1)


def test_limits_let_events_saturate_with_displacement_and_grow_with_the_footprint():
    """Looking down with pure sideways motion all pixels are alike: information is proportional to events."""
    camera = CameraModel(fx=100.0, fy=100.0, cx=7.5, cy=7.5, height=16, width=16)
    plain = InformationConfig(stride_px=16, directions=2, speed_limit_px_s=0.0, window_s=0.1)

    def information(height_m, **changes):
        return twist_information(
            pitched_mount(math.pi / 2), camera, floor_and_wall(height_m, 1e9),
            still_pose((0.5, 0.0, 0.0), (0.0, 0.0, 0.0)), replace(plain, **changes), components=('vx',),
        ).item()  # fmt: skip

    flow_px = 0.5 / 0.5 * 100 * math.cos(math.pi / 4) * 0.1  # normal flow along the diagonals, in a window
    reach = information(0.5, reach_px=5.0) / information(0.5)
    assert reach == pytest.approx(1 / math.hypot(1, flow_px / 5), rel=1e-6)
    fine = information(0.5, detail_m=0.01, roughness=0.5) / information(0.5)
    assert fine == pytest.approx(0.5 * 1.25**-0.25, rel=1e-6)  # a footprint of 5 mm, half the detail
    assert information(2.0, detail_m=1.0) / information(2.0) == pytest.approx(0.02, rel=1e-3)


def test_the_body_hides_what_is_behind_it():
    origin = torch.tensor([0.5, 0.0, 0.1]).double()
    rays = torch.tensor([[-1.0, 0, 0], [1.0, 0, 0], [0.0, 1, 0]]).double()
    blocked, ahead, beside = BODY.visible(origin, rays, 0.01).tolist()
    assert blocked < 1e-6
    assert min(ahead, beside) > 0.95


def test_an_unknown_component_is_an_error():
    with pytest.raises(ConfigError, match='choose from'):
        twist_information(
            pitched_mount(0.0),
            CAMERA,
            room(4, 4, 2),
            still_pose((1.0, 0, 0), (0, 0, 0)),
            components=('speed',),
        )
