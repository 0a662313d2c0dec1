# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""``design chain``: lens, mount, threshold and network together, for angular rate in furnished rooms.

loss = mean |omega - truth|^2 / (rad/s)^2 + rate_weight (events a pixel and second / most - 1)^2 where above most

What is free is a list; the rest stays. The figures of the report come from the compiled emulator with mismatch and
noise, in rooms that the design has not seen, against exact truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from event_perception.config import param
from event_perception.errors import ConfigError, DataError
from event_perception.evaluation.pictures import grey_picture, png_bytes
from event_perception.motion.camera import CameraModel
from event_perception.motion.slice_egomotion import SliceEgomotion
from event_perception.optics import chain
from event_perception.optics.design.problem import Assessment, Picture, Values
from event_perception.optics.drawing import layout_svg
from event_perception.optics.lens import Lens
from event_perception.optics.lens_file import shipped_lens
from event_perception.optics.mount import Mount
from event_perception.optics.render import LensRenderConfig
from event_perception.simulation.event_image import TimeBins
from event_perception.simulation.plane_light import PlaneLight
from event_perception.simulation.planes import PlaneScene
from event_perception.simulation.scenes import EYE_M, room_sequence
from event_perception.simulation.threshold_spread import Z_MAX, ThresholdSpread
from event_perception.simulation.trajectories import SplineTrajectory, hand_held

OPTICS = ('curvature', 'gap', 'turn', 'shift')  # what light on the sensor depends on
FREE = ('lens', 'turn', 'shift', 'threshold', 'network')
TEST_ROOM = 10_000  # seeds of rooms for figures begin here, beyond those of training


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """The camera, what is free, and what it is trained and judged on."""

    free: tuple[str, ...] = param(
        ('lens', 'threshold', 'network'),
        'What is designed: lens, turn and shift (of the mount), threshold, network.',
    )
    lens: str = param('kidger_doublet', 'Name of a shipped lens: the start.')
    sensor_shift_mm: float = param(
        0.0, 'How far behind the focus on the axis the sensor sits at the start, mm.', ge=-1e3, le=1e3
    )
    width: int = param(64, 'Columns.', ge=16, le=1024)
    height: int = param(48, 'Rows.', ge=16, le=1024)
    focal_px: float = param(52.0, 'Focal length, pixels.', ge=4.0)
    threshold: float = param(0.3, 'Contrast threshold at the start, ln units.', ge=0.02, le=2.0)
    least_threshold: float = param(0.1, 'Smallest mean threshold allowed, ln units.', ge=0.02, le=2.0)
    threshold_share: float = param(0.05, 'Deviation of thresholds as a share of their mean.', ge=0.0, le=0.2)
    shot_noise_hz: float = param(0.5, 'Noise rate of the hard sensor, Hz.', ge=0.0)
    window_s: float = param(0.06, 'Length of a window, seconds.', ge=1e-3, le=1.0)
    frames: int = param(21, 'Frames of a window.', ge=4, le=1000)
    slices: int = param(5, 'Slices of a window.', ge=2, le=50)
    motion: float = param(3.0, 'Speed relative to that of the hand-held motion of the room set.', ge=0.01)
    reconstruction: Literal['linear', 'none'] = param(
        'linear', "Derivative of the votes in time: weak, or that of the hats ('none'), exact in expectation."
    )
    wander_m: float = param(0.02, 'Deviation of the place of the camera while it turns about, m.', ge=0.0)
    turning_rad: float = param(0.12, 'Deviation of its orientation, rad.', ge=0.0)
    texture_blur_m: float = param(0.02, 'Smoothing of textures to the footprint of a pixel, m.', ge=0.0)
    texel_m: float = param(0.02, 'Resolution of textures, m.', ge=0.002)
    rays_a_side: int = param(
        1, 'Rays a pixel along each side: surfaces thinner than a ray apart come and go in jumps.', ge=1, le=9
    )
    rooms: int = param(4, 'Rooms to learn from.', ge=1)
    clips: int = param(10, 'Windows a room.', ge=1)
    test_rooms: int = param(5, 'Rooms for the figures.', ge=1)
    batch: int = param(4, 'Windows a step.', ge=1)
    samples: int = param(2, 'Sensors at every pixel.', ge=1)
    lines: int = param(1, 'Lines of births at every pixel.', ge=1)
    most_rate_hz: float = param(40.0, 'Events a pixel and second that cost nothing.', ge=0.0)
    rate_weight: float = param(1.0, 'Weight of the squared relative excess.', ge=0.0)
    body_radius_m: float = param(0.0, 'Of a ball in which no camera can be; 0: none, m.', ge=0.0)
    curvature_rate: float = param(4e-3, 'Step of a curvature relative to 1 / focal length.', ge=0.0)
    gap_rate: float = param(0.01, 'Step of a gap relative to itself.', ge=0.0)
    turn_rate_rad: float = param(0.02, 'Step of the turn of the mount, rad.', ge=0.0)
    shift_rate_m: float = param(0.02, 'Step of its shift, m.', ge=0.0)
    threshold_rate: float = param(0.03, 'Step of the logarithm of the threshold.', ge=0.0)
    network_rate: float = param(0.04, 'Step of a weight of the network.', ge=0.0)
    double: bool = param(False, 'Convolve in float64: thirty times slower, for checks by differences.')
    lens_rays: int = param(120, 'Rays a field and wavelength.', ge=8)
    lens_fields: int = param(8, 'Fields traced.', ge=4)
    least_gap_mm: float = param(0.5, 'Smallest gap of the lens, mm.', ge=0.0)
    seed: int = param(0, 'Of rooms, windows, sensors.', ge=0, le=9)


class ChainDesign:
    """The chain as a design problem.

    Args:
        config: See there.

    Raises:
        ConfigError: If something that is not there shall be free.
    """

    config_type: ClassVar[type] = ChainConfig
    loop: ClassVar[Mapping[str, Any]] = {
        'steps': 50,
        'clip_norm': 1.0,
        'checkpoint_every': 10,
        'keep': 'last',
    }

    def __init__(self, config: ChainConfig) -> None:
        unknown = sorted(set(config.free) - set(FREE))
        if unknown or not config.free:
            raise ConfigError(f'chain.free={config.free}: choose from {FREE}')
        c = self.config = config
        centre = ((c.width - 1) / 2, (c.height - 1) / 2)
        self.camera = CameraModel(
            fx=c.focal_px, fy=c.focal_px, cx=centre[0], cy=centre[1], height=c.height, width=c.width
        )
        self.t_s = np.linspace(0.0, c.window_s, c.frames)
        weak = None if c.reconstruction == 'none' else c.reconstruction
        self.bins = TimeBins.inside(c.window_s, c.slices, reconstruction=weak)
        self.network = SliceEgomotion(self.camera, slice_s=c.window_s / (c.slices + 1))
        self.lens = shipped_lens(c.lens)
        self.render_config = LensRenderConfig(fields=c.lens_fields, rays=c.lens_rays)
        self._pupil_mm = float(self.lens.semi_aperture[self.lens.stop])
        self._cached: dict[int, Tensor] = {}
        self._behind: tuple[list[Tensor], dict[int, Tensor]] = ([], {})
        self._rooms: dict[int, list[chain.Clip]] = {}

    def start(self) -> Values:
        """The lens of the catalogue, focused on the axis or shifted from there; no turn; the threshold by hand; filters by hand."""
        weights = {f'network_{name}': w.detach().clone() for name, w in self.network.named_parameters()}
        zero = torch.zeros(3, dtype=torch.float64)
        gap = self.lens.gap.clone()
        gap[-1] += self.config.sensor_shift_mm
        return {
            'curvature': self.lens.curvature.clone(),
            'gap': gap,
            'turn': zero,
            'shift': zero.clone(),
            'log_threshold': torch.tensor(self.config.threshold, dtype=torch.float64).log(),
            **weights,
        }

    def rates(self) -> dict[str, Tensor | float]:
        """Zero for what is not free."""
        c, f = self.config, self.lens.focal_length_mm
        network = c.network_rate * ('network' in c.free)
        scale = {'kernel': 0.1}
        return {
            'curvature': c.curvature_rate / f * ('lens' in c.free),
            'gap': c.gap_rate * self.lens.gap.abs() * ('lens' in c.free),
            'turn': c.turn_rate_rad * ('turn' in c.free),
            'shift': c.shift_rate_m * ('shift' in c.free),
            'log_threshold': c.threshold_rate * ('threshold' in c.free),
            **{f'network_{n}': network * scale.get(n, 1.0) for n, _ in self.network.named_parameters()},
        }

    def loss(self, values: Values, step: int) -> tuple[Tensor, dict[str, float]]:
        """Of a random batch of the training windows; the same step gives the same."""
        c = self.config
        values = {name: v if self._is_free(name) else v.detach() for name, v in values.items()}
        rng = np.random.default_rng([c.seed, step])
        chosen = rng.choice(c.rooms * c.clips, min(c.batch, c.rooms * c.clips), replace=False)
        light = self.light(values, chosen)
        slices, count = chain.expected_slices(
            light, self.t_s, self.spread(values), self.bins, self.sensor(values, 0),
            samples=c.samples, lines=c.lines, seed=c.seed * 7919 + step,
        )  # fmt: skip
        error = self.rate(values, slices) - self._truth(chosen)
        task = (error**2).sum(1).mean()
        rate_hz = count.mean() / c.window_s
        excess = (rate_hz / max(c.most_rate_hz, 1e-9) - 1).clamp(min=0)
        figures = {'rms_rad_s': float(task.detach().sqrt()), 'rate_hz': float(rate_hz.detach())}
        return task + c.rate_weight * excess**2, figures

    def project(self, values: Values) -> Values:
        """Thresholds above the least, gaps not negative."""
        c = self.config
        least = torch.tensor(c.least_threshold, dtype=torch.float64).log()
        return values | {
            'log_threshold': torch.maximum(values['log_threshold'], least),
            'gap': values['gap'].clamp(min=min(c.least_gap_mm, float(self.lens.gap.min()))),
        }

    def assess(self, values: Values) -> Assessment:
        """Errors with hard events in rooms not learnt from, layout, and what the sensor sees."""
        c = self.config
        with torch.no_grad():
            index = -1 - np.arange(c.test_rooms * c.clips)
            light = self.light(values, index)
            slices, count = chain.hard_slices(light, self.t_s, self.bins, self.sensor(values, c.seed + 1))
            error = (self.rate(values, slices) - self._truth(index)).numpy()
        norm = np.linalg.norm(error, axis=1)
        figures = {
            'hard_rms_rad_s': float(np.sqrt((error**2).sum(1).mean())),
            'hard_median_rad_s': float(np.median(norm)),
            'true_rms_rad_s': float((self._truth(index) ** 2).sum(1).mean().sqrt()),
            'hard_rate_hz': float(count.mean() / c.window_s),
            'threshold': float(values['log_threshold'].exp()),
        }
        view = grey_picture(light[0, 0].numpy() ** 0.45)
        events = grey_picture(0.5 + slices[0].sum(0).numpy() / 6)
        pictures: list[Picture] = [
            (png_bytes(_enlarged(view)), 'Light on the sensor'),
            (
                png_bytes(np.kron(events, np.ones((6, 6, 1), events.dtype))),
                'Hard events of that window, signed',
            ),
            (layout_svg(self.lens_of(values), self._half_angle()), 'Lens'),
        ]
        return Assessment(figures, pictures)

    def light(self, values: Values, index: NDArray[np.int64]) -> Tensor:
        """Light on the sensor (B, F, H, W) of windows; negative numbers are test windows, -1 the first.

        What was seen through a lens and mount without gradient is kept until another comes.
        """
        optics = [values[name] for name in OPTICS]
        if any(v.requires_grad for v in optics):
            return self._through(values, index)
        if not (self._behind[0] and all(torch.equal(a, b) for a, b in zip(self._behind[0], optics))):
            self._behind = ([v.clone() for v in optics], {})  # what follows is of another lens
        known = self._behind[1]
        new = [int(k) for k in index if int(k) not in known]
        if new:
            known |= zip(new, self._through(values, np.array(new)))
        return torch.stack([known[int(k)] for k in index])

    def _through(self, values: Values, index: NDArray[np.int64]) -> Tensor:
        """Frames rendered and seen through the lens, attached."""
        frames = torch.stack([self._pinhole(values, int(k)) for k in index])
        frames = frames if self.config.double else frames.float()
        return chain.on_sensor(frames, self.lens_of(values), self.camera, self.render_config, self._pupil_mm)

    def rate(self, values: Values, slices: Tensor) -> Tensor:
        """Angular rates (B, 3) of the body."""
        weights = {n: values[f'network_{n}'] for n, _ in self.network.named_parameters()}
        omega = torch.func.functional_call(self.network, weights, (slices,))
        return omega @ self.mount(values)[:3, :3].T

    def mount(self, values: Values) -> Tensor:
        """T_body_camera; the nominal mount looks along z of a body with optical axes."""
        ahead = torch.tensor([0.0, 0.0, self.config.body_radius_m], dtype=torch.float64)
        nominal = Mount(torch.eye(3, dtype=torch.float64), ahead)
        return chain.pose_of(
            nominal.moved(values['turn'], values['shift']), body_radius_m=self.config.body_radius_m
        )

    def lens_of(self, values: Values) -> Lens:
        """The lens with these parameters."""
        return self.lens.with_parameters({'curvature': values['curvature'], 'gap': values['gap']})

    def spread(self, values: Values) -> ThresholdSpread:
        """Thresholds of all pixels."""
        mean = values['log_threshold'].exp()
        return ThresholdSpread(mean, mean, mean * self.config.threshold_share, 'independent', True)

    def sensor(self, values: Values, seed: int) -> Any:
        """The hard sensor at these values."""
        mean = float(values['log_threshold'].detach().exp())
        share = self.config.threshold_share
        if not (np.isfinite(mean) and mean * (1 - Z_MAX * share) > 0):
            raise DataError(f'threshold {mean:g} with a spread of {share:g}: thresholds must stay positive')
        noise = self.config.shot_noise_hz
        return chain.sensor_config(mean, mean * share, shot_noise_hz=noise, seed=seed)

    def _pinhole(self, values: Values, index: int) -> Tensor:
        """Pinhole frames (F, H, W) of a window; kept where the mount is fixed."""
        clip = self._clip(index)
        if {'turn', 'shift'} & set(self.config.free):
            return self._averaged(clip.light.render(clip.T_world_body @ self.mount(values)))
        if index not in self._cached:
            with torch.no_grad():
                self._cached[index] = self._averaged(
                    clip.light.render(clip.T_world_body @ self.mount(values))
                )
        return self._cached[index]

    def _averaged(self, fine: Tensor) -> Tensor:
        """Frames (F, H, W): the mean of the rays of every pixel."""
        return functional.avg_pool2d(fine[:, None], self.config.rays_a_side)[:, 0]

    def _is_free(self, name: str) -> bool:
        part = {'curvature': 'lens', 'gap': 'lens', 'log_threshold': 'threshold'}
        return part.get(name, name.split('_')[0]) in self.config.free

    def _half_angle(self) -> float:
        c = self.camera
        return float(np.arctan(np.hypot(c.cx / c.fx, c.cy / c.fy)))

    def _truth(self, index: NDArray[np.int64]) -> Tensor:
        return torch.stack([self._clip(int(k)).omega_body for k in index])

    def _clip(self, index: int) -> chain.Clip:
        """Training windows 0, 1, ... and test windows -1, -2, ...; a room is made when it is first needed."""
        c = self.config
        room, k = divmod(index if index >= 0 else -1 - index, c.clips)
        seed = 1000 * c.seed + room if index >= 0 else TEST_ROOM + room
        if seed not in self._rooms:
            self._rooms[seed] = self._room(seed)
        return self._rooms[seed][k]

    def _room(self, seed: int) -> list[chain.Clip]:
        """Windows at random instants of a hand-held motion; time is stretched to the wanted speed."""
        c = self.config
        room = room_sequence(seed=seed, camera=self.camera, texel_m=c.texel_m, trajectory=self._motion(seed))
        fine = self.camera.scaled(c.rays_a_side)
        light = PlaneLight(cast(PlaneScene, room.scene), fine, blur_m=c.texture_blur_m)
        length = c.window_s * c.motion
        start = np.random.default_rng(seed).uniform(0, room.duration_s - length, c.clips)
        clips = []
        for begin in start:
            poses = room.trajectory.pose(begin + c.motion * self.t_s)
            omega = c.motion * room.trajectory.omega(begin + length / 2)[0]
            clips.append(chain.Clip(light, torch.as_tensor(poses), torch.as_tensor(omega)))
        return clips

    def _motion(self, seed: int) -> SplineTrajectory:
        c = self.config
        return hand_held(
            np.random.default_rng([seed, 1]), duration_s=4.0, position_rms_m=c.wander_m, rotation_rms_rad=c.turning_rad,
            centre_m=EYE_M,
        )  # fmt: skip


def _enlarged(picture: NDArray[np.uint8], factor: int = 6) -> NDArray[np.uint8]:
    return picture.repeat(factor, 0).repeat(factor, 1)
