# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``design mount``: where on a wheeled robot a camera tells most about its motion.

Variables are a rotation in the camera frame (pitch, yaw, roll) and a shift in the base frame. The loss is a
criterion of the Fisher information of (vx, vy, yaw rate) over the windows of a trajectory; the camera stays outside
the body, inside a box, and within bounds of pitch, and the body hides what is behind it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import yaml
from torch import Tensor

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.evaluation.plots import Series, line_plot
from event_perception.motion.camera import CameraModel
from event_perception.motion.lie import so3_log
from event_perception.optics.design.problem import Assessment, Values
from event_perception.optics.information import (
    CRITERIA,
    InformationConfig,
    Motion,
    room,
    standard_deviations,
    twist_information,
)
from event_perception.optics.mount import Body, Mount, pitched_mount, so3_exp
from event_perception.optics.mount_drawing import mount_svg
from event_perception.optics.robot_motion import figure_eight, recorded_motion

PLANAR = ('vx', 'vy', 'wz')
PITCH_TURNS = 8
FREE = ('pitch', 'yaw', 'roll', 'x', 'y', 'z')


@dataclass(frozen=True, slots=True)
class MountDesignConfig:
    """The robot, what it does, and what of its motion matters."""

    criterion: Literal['task', 'log_det', 'smallest'] = param(
        'task', 'Variance of the scaled motion, its log determinant, or its worst direction.'
    )
    scale_vx_m_s: float = param(0.5, 'Forward speed that counts as 1, m/s.', ge=1e-3, le=100.0)
    scale_vy_m_s: float = param(0.1, 'Sideways speed (slip) that counts as 1, m/s.', ge=1e-3, le=100.0)
    scale_wz_rad_s: float = param(0.3, 'Yaw rate that counts as 1, rad/s.', ge=1e-3, le=100.0)
    prior_sigma: float = param(
        3.0, 'Standard deviation of the scaled motion before any event.', ge=1e-2, le=1e3
    )
    trajectory: str = param('figure_eight', "'figure_eight', or a TUM file of the base in the room.")
    samples: int = param(24, 'Windows along the trajectory.', ge=1, le=10_000)
    path_length_m: float = param(4.0, 'Figure of eight: extent along the room, m.', ge=0.1, le=1000.0)
    path_width_m: float = param(2.0, 'Figure of eight: extent across, m.', ge=0.1, le=1000.0)
    speed_m_s: float = param(0.5, 'Figure of eight: speed, m/s.', ge=1e-2, le=100.0)
    room_m: tuple[float, ...] = param((8.0, 6.0, 2.8), 'Length, width and height of the room, m.', ge=0.1)
    base_height_m: float = param(0.1, 'Height of the base frame over the floor, m.', ge=0.0, le=100.0)
    body_low_m: tuple[float, ...] = param(
        (-0.25, -0.2, -0.06), 'Low corner of the body in the base frame, m.'
    )
    body_high_m: tuple[float, ...] = param((0.25, 0.2, 0.2), 'High corner of the body, m.')
    clearance_m: float = param(0.02, 'Distance of the camera from the body, m.', ge=0.0, le=10.0)
    low_m: tuple[float, ...] = param((-0.35, -0.3, 0.0), 'Low corner of where the camera may sit, m.')
    high_m: tuple[float, ...] = param((0.35, 0.3, 0.6), 'High corner of where the camera may sit, m.')
    min_pitch_deg: float = param(
        -30.0, 'Least pitch of the optical axis below the horizon, degrees.', ge=-90.0, le=90.0
    )
    max_pitch_deg: float = param(90.0, 'Largest pitch, degrees.', ge=-90.0, le=90.0)
    start_pitch_deg: float = param(0.0, 'Pitch at the start, degrees.', ge=-90.0, le=90.0)
    start_position_m: tuple[float, ...] = param((0.3, 0.0, 0.15), 'Position at the start, m.')
    free: tuple[str, ...] = param(('pitch', 'x', 'z'), 'What may change: pitch, yaw, roll, x, y, z.')
    angle_rate_rad: float = param(0.02, 'Step of an angle, rad.', ge=0.0, le=1.0)
    position_rate_m: float = param(0.01, 'Step of a coordinate, m.', ge=0.0, le=1.0)
    half_fov_deg: float = param(30.0, 'Half of the horizontal field of view, degrees.', ge=1.0, le=85.0)
    height: int = param(260, 'Sensor rows.', ge=8, le=10_000)
    width: int = param(346, 'Sensor columns.', ge=8, le=10_000)
    information: InformationConfig = field(default_factory=InformationConfig)


class MountDesign:
    """The problem for the design loop; variables 'rotation' (3,) rad and 'shift' (3,) m.

    Raises:
        ConfigError: If a tuple has not three numbers, or something unknown shall be free.
        DataError: If the camera starts inside the body.
    """

    config_type: ClassVar[type[MountDesignConfig]] = MountDesignConfig
    loop: ClassVar[Mapping[str, Any]] = {'steps': 150}

    def __init__(self, config: MountDesignConfig) -> None:
        self.config = config
        unknown = sorted(set(config.free) - set(FREE))
        if unknown:
            raise ConfigError(f'mount.free={list(config.free)}: choose from {list(FREE)}')
        if config.min_pitch_deg > config.max_pitch_deg:
            raise ConfigError(
                f'mount.min_pitch_deg={config.min_pitch_deg} is above max_pitch_deg={config.max_pitch_deg}'
            )
        self.body = Body(_three(config, 'body_low_m'), _three(config, 'body_high_m'), config.clearance_m)
        self.begin = pitched_mount(math.radians(config.start_pitch_deg), _three(config, 'start_position_m'))
        self.body.check(self.begin.position_m)
        self.camera = _camera(config)
        self.scene = room(*_three(config, 'room_m'))
        self.motion = self._motion()
        self._scales = torch.tensor(
            [config.scale_vx_m_s, config.scale_vy_m_s, config.scale_wz_rad_s], dtype=torch.float64
        )
        self._prior = torch.full((3,), config.prior_sigma**-2, dtype=torch.float64)

    def start(self) -> Values:
        """No change."""
        return {'rotation': torch.zeros(3, dtype=torch.float64), 'shift': torch.zeros(3, dtype=torch.float64)}

    def rates(self) -> dict[str, Tensor | float]:
        """Steps of what is free, 0 of the rest."""
        c = self.config
        free = torch.tensor([float(name in c.free) for name in FREE], dtype=torch.float64)
        return {'rotation': free[:3] * c.angle_rate_rad, 'shift': free[3:] * c.position_rate_m}

    def mount(self, values: Values) -> Mount:
        """The pose that some values describe."""
        return self.begin.moved(values['rotation'], values['shift'])

    def information(self, mount: Mount) -> Tensor:
        """On (vx, vy, yaw rate) in every window, (S, 3, 3)."""
        return twist_information(
            mount,
            self.camera,
            self.scene,
            self.motion,
            self.config.information,
            components=PLANAR,
            body=self.body,
        )

    def loss(self, values: Values, step: int) -> tuple[Tensor, dict[str, float]]:
        """The criterion."""
        mount = self.mount(values)
        loss = CRITERIA[self.config.criterion](self.information(mount), self._scales, self._prior)
        position = mount.position_m.detach()
        figures = {
            'pitch_deg': math.degrees(float(mount.pitch_rad.detach())),
            'height_m': self._height(mount),
        }
        return loss, figures | {'forward_m': float(position[0])}

    def project(self, values: Values) -> Values:
        """Back into the bounds of pitch and position, out of the body."""
        c, mount = self.config, self.mount(values)
        rotation = self._pitched(values['rotation'])
        low, high = (torch.tensor(_three(c, name), dtype=torch.float64) for name in ('low_m', 'high_m'))
        position = self.body.outside(mount.position_m, low, high)
        return {'rotation': rotation, 'shift': position - self.begin.position_m}

    def _pitched(self, phi: Tensor) -> Tensor:
        """The rotation with its pitch in bounds; a rolled camera turns about its x axis more than once to get there."""
        low, high = math.radians(self.config.min_pitch_deg), math.radians(self.config.max_pitch_deg)
        for _ in range(PITCH_TURNS):
            pitch = float(Mount(self.begin.rotation @ so3_exp(phi), self.begin.position_m).pitch_rad)
            excess = pitch - min(max(pitch, low), high)
            if excess == 0:
                break
            turn = torch.tensor([excess, 0.0, 0.0], dtype=torch.float64)
            phi = torch.from_numpy(so3_log((so3_exp(phi) @ so3_exp(turn)).numpy()))
        return phi

    def assess(self, values: Values) -> Assessment:
        """Bounds on the errors of the motion, the pose, a drawing, and the error along the trajectory."""
        mount = self.mount({n: v.detach() for n, v in values.items()})
        with torch.no_grad():
            information = self.information(mount)
            prior = torch.diag(self._prior / self._scales**2)
            sigma = standard_deviations(information + prior)
            task = float(CRITERIA['task'](information, self._scales, self._prior))
        rms = sigma.square().mean(0).sqrt()
        figures = {
            'rms error of vx, mm/s': 1e3 * float(rms[0]),
            'rms error of vy, mm/s': 1e3 * float(rms[1]),
            'rms error of the yaw rate, mrad/s': 1e3 * float(rms[2]),
            'error of the scaled motion': math.exp(task / 2),
            'pitch below the horizon, degrees': math.degrees(float(mount.pitch_rad)),
            'height over the floor, m': self._height(mount),
            'forward of the base, m': float(mount.position_m[0]),
        }
        drawing = mount_svg(mount, self.camera, self.body, floor_m=-self.config.base_height_m)
        curves = [Series(n, range(len(sigma)), 1e3 * sigma[:, k].numpy()) for k, n in enumerate(PLANAR)]
        plot = line_plot(curves, title='Error along the trajectory', x_label='window', y_label='mm/s, mrad/s')
        return Assessment(
            figures, [(drawing, 'the robot and its camera'), (plot, 'bound on the standard deviation')]
        )

    def write(self, values: Values, folder: Path) -> None:
        """The result as ``mount.yaml``: T_base_cam as a matrix."""
        mount = self.mount({n: v.detach() for n, v in values.items()})
        rows = torch.cat([mount.rotation, mount.position_m[:, None]], 1).tolist()
        tree = {
            'T_base_cam': [*rows, [0.0, 0.0, 0.0, 1.0]],
            'pitch_deg': math.degrees(float(mount.pitch_rad)),
        }
        (folder / 'mount.yaml').write_text(yaml.safe_dump(tree, sort_keys=False, default_flow_style=None))

    def _height(self, mount: Mount) -> float:
        return float(mount.position_m[2].detach()) + self.config.base_height_m

    def _motion(self) -> Motion:
        c = self.config
        if c.trajectory != 'figure_eight':
            return recorded_motion(Path(c.trajectory), c.samples)
        return figure_eight(
            c.samples,
            length_m=c.path_length_m,
            width_m=c.path_width_m,
            speed_m_s=c.speed_m_s,
            floor_to_base_m=c.base_height_m,
        )


def _camera(config: MountDesignConfig) -> CameraModel:
    fx = config.width / 2 / math.tan(math.radians(config.half_fov_deg))
    size: dict[str, Any] = {'height': config.height, 'width': config.width}
    return CameraModel(fx=fx, fy=fx, cx=(config.width - 1) / 2, cy=(config.height - 1) / 2, **size)


def _three(config: MountDesignConfig, name: str) -> tuple[float, float, float]:
    value = getattr(config, name)
    if len(value) != 3:
        raise ConfigError(f'mount.{name}={list(value)}: give three numbers')
    return float(value[0]), float(value[1]), float(value[2])
