# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A simulated recording: scene, trajectory, camera and sensor, with exact truth at any instant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_perception.events import DepthImage, EventArray, FrameImage, concatenate
from event_perception.flow.field import FlowField
from event_perception.motion.camera import CameraModel
from event_perception.simulation.dvs import DvsEmulator
from event_perception.simulation.dvs_config import DvsConfig
from event_perception.simulation.frame_clock import frame_times
from event_perception.simulation.imu import ImuConfig, ImuRecord, record_imu
from event_perception.simulation.trajectories import SplineTrajectory
from event_perception.simulation.truth import image_flow

POSES_AT_ONCE = 512


class Scene(Protocol):
    """What a camera can look at; times are seconds from the start of the sequence."""

    def render(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.float32]:
        """Log light (H, W), ln of dn."""
        ...

    def depth(self, camera: CameraModel, T_world_camera: NDArray, t_s: float) -> NDArray[np.float32]:
        """Depth along the optical axis (H, W), metres; inf where nothing is hit."""
        ...

    def object_velocity(
        self, camera: CameraModel, T_world_camera: NDArray, t_s: float
    ) -> NDArray[np.float32]:
        """World velocity (H, W, 3), m/s, of the point seen."""
        ...


@dataclass(frozen=True, eq=False)
class SimulatedSequence:
    """Events on demand and truth at any instant; the same fields give the same bytes.

    Attributes:
        name: What it is called in reports.
        scene: What is seen.
        trajectory: How the camera moves.
        camera: Its calibration.
        dvs: Its pixels; frames are given to it as logarithms.
        duration_s: Length.
        start_ns: Time stamp of the start.
        max_motion_px: Largest image motion from one rendered frame to the next.
        max_frame_s: Longest time between rendered frames.
    """

    name: str
    scene: Scene
    trajectory: SplineTrajectory
    camera: CameraModel
    dvs: DvsConfig
    duration_s: float
    start_ns: int = 0
    max_motion_px: float = 0.5
    max_frame_s: float = 0.005

    @property
    def end_ns(self) -> int:
        """Time stamp of the end."""
        return self.start_ns + round(self.duration_s * 1e9)

    def chunks(self) -> Iterator[EventArray]:
        """Events in time order, frame by frame in batches; memory does not grow with the duration."""
        c = self.camera
        emulator = DvsEmulator(height=c.height, width=c.width, config=self.dvs)
        times = self.frame_times_ns()
        for first in range(0, times.size, POSES_AT_ONCE):
            part = times[first : first + POSES_AT_ONCE]
            poses = self.pose(part)
            yield concatenate([emulator.push(self._log_light(T, t), int(t)) for T, t in zip(poses, part)])
        rest = emulator.flush()
        if len(rest):
            yield rest

    def events(self) -> EventArray:
        """All events."""
        return concatenate(list(self.chunks()))

    def frame_times_ns(self) -> NDArray[np.int64]:
        """Instants of the rendered frames: close enough together for the motion at that time."""
        return frame_times(self)

    def omega(self, t_ns: ArrayLike) -> NDArray[np.float64]:
        """Angular velocity in the camera frame (n, 3), rad/s."""
        return self.trajectory.omega(self._seconds(t_ns))

    def v(self, t_ns: ArrayLike) -> NDArray[np.float64]:
        """Velocity in the camera frame (n, 3), m/s; a static point moves with Xdot = -omega x X - v."""
        return self.trajectory.velocity(self._seconds(t_ns))

    def pose(self, t_ns: ArrayLike) -> NDArray[np.float64]:
        """T_world_camera (n, 4, 4)."""
        return self.trajectory.pose(self._seconds(t_ns))

    def depth(self, t_ns: int) -> DepthImage:
        """Depth image; inf where nothing is near."""
        return DepthImage(int(t_ns), self.scene.depth(self.camera, *self._view(t_ns)))

    def image(self, t_ns: int) -> FrameImage:
        """What an ordinary, perfectly sharp camera would see: linear light, white = 1."""
        light = np.exp(self._log_light(self.pose(t_ns)[0], t_ns)) / np.float32(255)
        return FrameImage(int(t_ns), np.clip(light, 0, 1))

    def log_light(self, t_ns: int) -> NDArray[np.float32]:
        """Natural logarithm of light in dn (H, W): what the sensor responds to."""
        return self._log_light(self.pose(t_ns)[0], t_ns)

    def flow(self, t_ns: int) -> FlowField:
        """Image velocity of every pixel."""
        T, t_s = self._view(t_ns)
        flow = image_flow(
            self.camera,
            self.scene.depth(self.camera, T, t_s),
            omega_rad_s=self.omega(t_ns)[0],
            v_m_s=self.v(t_ns)[0],
            object_velocity_m_s=self.scene.object_velocity(self.camera, T, t_s) @ T[:3, :3],
        )
        return FlowField(int(t_ns), flow.astype(np.float32), np.ones(flow.shape[1:], bool))

    def imu(self, config: ImuConfig | None = None) -> ImuRecord:
        """Readings of an inertial unit in the axes of the camera."""
        return record_imu(
            self.trajectory, config or ImuConfig(), start_ns=self.start_ns, duration_s=self.duration_s
        )

    def _view(self, t_ns: int) -> tuple[NDArray, float]:
        return self.pose(t_ns)[0], float(self._seconds(t_ns)[0])

    def _log_light(self, T_world_camera: NDArray, t_ns: int) -> NDArray[np.float32]:
        return self.scene.render(self.camera, T_world_camera, float(self._seconds(t_ns)[0]))

    def _seconds(self, t_ns: ArrayLike) -> NDArray[np.float64]:
        return np.asarray((np.atleast_1d(np.asarray(t_ns, np.int64)) - self.start_ns) * 1e-9)
