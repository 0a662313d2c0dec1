# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A robot with a camera in a built-in scene, as a simulator would show it: pictures, depth, odometry and truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from event_perception.motion.lie import se3_inverse
from event_perception.simulation import scenes, trajectories
from event_perception.simulation.planes import PlaneScene
from event_perception.simulation.scenes import EYE_M, room_sequence
from event_perception.simulation.sequence import SimulatedSequence

TURNING = 'turning'
TURN_RMS_RAD = 0.3
TURN_BANDWIDTH_HZ = 1.0
# of the camera on the robot: a little ahead and above its base, looking forward (optical axes)
T_BASE_CAMERA = np.array([[0.0, 0, 1, 0.1], [-1, 0, 0, 0.0], [0, -1, 0, 0.4], [0, 0, 0, 1]])
BASELINE_M = 0.15  # between the cameras of a pair
LOG_BINS = 8192  # of the display curve, over log light from 1 dn to white
LOG_WHITE = float(np.log(255.0))


@dataclass(frozen=True, eq=False)
class RobotState:
    """Where the robot is and how it moves at one instant.

    Attributes:
        T_odom_base: Pose of the base in the frame where it started, (4, 4).
        T_world_camera: Pose of the optical frame in the world, (4, 4).
        camera_v_m_s: Velocity of the camera in its own axes.
        camera_omega_rad_s: Its angular velocity, own axes.
    """

    T_odom_base: NDArray[np.float64]
    T_world_camera: NDArray[np.float64]
    camera_v_m_s: NDArray[np.float64]
    camera_omega_rad_s: NDArray[np.float64]


class StandIn:
    """The simulated world; the same scene, seed and duration give the same bytes.

    Args:
        scene: ``turning`` (a camera that turns on the spot in the furnished room) or one of ``scenes.names()``.
        seed: Of everything random.
        duration_s: Length.

    Raises:
        ConfigError: If the scene is unknown.
    """

    def __init__(self, scene: str, *, seed: int, duration_s: float) -> None:
        self.sequence = create(scene, seed=seed, duration_s=duration_s)
        self.camera = self.sequence.camera
        self._latest: tuple[tuple[int, bool], NDArray[np.float32], NDArray[np.float32]] | None = None
        self._start = se3_inverse(self.sequence.pose(0)[0] @ se3_inverse(T_BASE_CAMERA))

    def state(self, t_ns: int) -> RobotState:
        """Pose and velocity at an instant."""
        T_world_camera = self.sequence.pose(t_ns)[0]
        return RobotState(
            self._start @ T_world_camera @ se3_inverse(T_BASE_CAMERA),
            T_world_camera,
            self.sequence.v(t_ns)[0],
            self.sequence.omega(t_ns)[0],
        )

    def picture(self, t_ns: int, *, right: bool = False) -> NDArray[np.uint8]:
        """What is seen, rgb8 (H, W, 3), gamma coded, by the left or only camera or by the right one."""
        grey = displayed(self._view(t_ns, right)[0])
        return np.repeat(grey[..., None], 3, axis=2)

    def depth(self, t_ns: int, *, right: bool = False) -> NDArray[np.float32]:
        """Depth along the optical axis (H, W), m; inf where nothing is hit."""
        return self._view(t_ns, right)[1]

    def _view(self, t_ns: int, right: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log light and depth; the latest view is kept, because picture and depth are asked for in turn."""
        if self._latest is None or self._latest[0] != (t_ns, right):
            T = self.sequence.pose(t_ns)[0]
            T = T @ T_LEFT_RIGHT if right else T
            scene, t_s = self.sequence.scene, t_ns * 1e-9
            if isinstance(scene, PlaneScene):
                light, depth = scene.light_and_depth(self.camera, T, t_s)
            else:
                light, depth = scene.render(self.camera, T, t_s), scene.depth(self.camera, T, t_s)
            self._latest = ((t_ns, right), light, depth)
        return self._latest[1:]


def create(scene: str, *, seed: int, duration_s: float) -> SimulatedSequence:
    """The scene with its motion."""
    if scene != TURNING:
        return scenes.create(scene, seed=seed, duration_s=duration_s)
    motion = trajectories.hand_held(
        np.random.default_rng(seed),
        duration_s=duration_s,
        position_rms_m=0.0,
        rotation_rms_rad=TURN_RMS_RAD,
        bandwidth_hz=TURN_BANDWIDTH_HZ,
        centre_m=EYE_M,
    )
    return room_sequence(seed=seed, duration_s=duration_s, trajectory=motion, name=TURNING)


def displayed(log_light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Log light to 8 bits along the sRGB curve (IEC 61966-2-1), white at 255 dn."""
    index = np.clip(log_light * np.float32((LOG_BINS - 1) / LOG_WHITE) + np.float32(0.5), 0, LOG_BINS - 1)
    return _DISPLAY[index.astype(np.int32)]


def _display_curve() -> NDArray[np.uint8]:
    light = np.exp(np.linspace(0.0, LOG_WHITE, LOG_BINS)) / 255.0
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255.0 * coded).astype(np.uint8)


_DISPLAY = _display_curve()
T_LEFT_RIGHT = np.eye(4)
T_LEFT_RIGHT[0, 3] = BASELINE_M
