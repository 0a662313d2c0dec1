# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the simulator node and of the stand-in camera. No ROS here."""

from dataclasses import dataclass
from typing import Literal

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.simulation.camera_light import LightConfig
from event_perception.simulation.camera_stream import CameraStreamConfig
from event_perception.simulation.dvs_config import DvsConfig
from event_perception.simulation.event_camera import DVS_DEFAULTS, SPIKE_DEFAULTS
from event_perception.simulation.spikes import SpikeSensorConfig

OUTPUTS = ('events', 'spikes')
SIMULATOR_DEFAULTS = DVS_DEFAULTS | SPIKE_DEFAULTS
"""Defaults of the sensors inside a simulator node, where they differ from those of the library."""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Frames of a simulated camera to events and spikes."""

    image_topic: str = param('image', 'sensor_msgs/Image to turn into events.')
    depth_topic: str = param('', 'sensor_msgs/Image 32FC1 or 16UC1 of the same camera, empty for none.')
    odom_topic: str = param('', 'nav_msgs/Odometry of the robot that carries the camera, empty for none.')
    outputs: tuple[str, ...] = param(('events',), 'What to publish: events, spikes.')
    encoding: Literal['mono', 'libcaer_cmp', 'evt3'] = param('mono', 'Encoding of the event packets.')
    packet_duration_s: float = param(
        0.02,
        'Most time that one packet spans, seconds; all of a frame come at once, so shorter gains nothing.',
        ge=1e-4,
        le=1.0,
    )
    queue_frames: int = param(3, 'Most frames that wait; beyond it the oldest is dropped.', ge=1, le=100)
    wait_frames: int = param(
        2,
        'Frames that may wait for their depth and odometry; then the oldest goes out without.',
        ge=0,
        le=100,
    )
    reliable: bool = param(
        False, 'Whether to ask for reliable delivery of images, as Isaac Sim offers; else best effort.'
    )
    restart_s: float = param(
        0.1, 'Frames whose stamps fall back by more start the sensor afresh, seconds.', ge=0.0
    )
    camera_frame: str = param('', 'Optical frame of the camera; empty: the frame_id of the images.')
    base_frame: str = param('', 'Frame whose pose odometry tells; empty: its child_frame_id.')
    diagnostics_period_s: float = param(
        1.0, 'Time between messages on /diagnostics, seconds of the wall clock.', ge=0.05, le=60.0
    )
    light: LightConfig = LightConfig()
    stream: CameraStreamConfig = CameraStreamConfig()
    dvs: DvsConfig = DvsConfig()
    spikes: SpikeSensorConfig = SpikeSensorConfig()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.outputs) - set(OUTPUTS))
        if unknown or not self.outputs:
            raise ConfigError(f'outputs={list(self.outputs)}: choose at least one of {list(OUTPUTS)}')


@dataclass(frozen=True, slots=True)
class SimCameraConfig:
    """What the stand-in for Isaac Sim shows."""

    layout: Literal['tutorial', 'nova_carter'] = param('tutorial', 'Names of topics and frames.')
    scene: str = param('turning', 'Built-in scene: turning, or one that `event-perception simulate` knows.')
    seed: int = param(0, 'Seed of everything random.', ge=0)
    duration_s: float = param(10.0, 'Length of the simulation, seconds.', ge=0.05, le=3600.0)
    loop: bool = param(False, 'Whether to stop and play again at the end: time goes back to 0.')
    rate_hz: float = param(60.0, 'Frames a second of simulated time.', ge=1.0, le=1000.0)
    rate: float = param(1.0, 'Speed against the wall clock, 1 is real time.', ge=0.001, le=1000.0)
    stereo: bool = param(False, 'Whether there is a right camera too.')
    depth: bool = param(True, 'Whether depth is published.')
    truth_period_s: float = param(0.2, 'Time between fields of true flow, seconds.', ge=0.001)
    truth_phase_s: float = param(
        0.01, 'When the first field of true flow is, seconds: the middle of a window of 20 ms.', ge=0.0
    )
    wait_for: int = param(1, 'Subscriptions of the image to wait for before the start.', ge=0, le=100)
    settle_s: float = param(
        0.3, 'How long to wait once they are there, seconds: the other side may see us later.', ge=0.0
    )
    linger_s: float = param(0.5, 'How long to stay after the last frame, seconds.', ge=0.0)


@dataclass(frozen=True, slots=True)
class TruthRecorderConfig:
    """What is recorded of a stand-in, and where to."""

    directory: str = param('', 'New or empty folder for the truth.')
    source: str = param('/sim_camera_node', 'Node whose truth is recorded.')
