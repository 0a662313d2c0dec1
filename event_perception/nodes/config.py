# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the nodes themselves: what comes in, which frames, how much may wait. No ROS here."""

from dataclasses import dataclass
from typing import Literal

from event_perception.clock import ClockConfig
from event_perception.config import param
from event_perception.pipeline_config import SpikesConfig

EVENT_PACKET = 'event_camera_msgs/msg/EventPacket'
EVENT_ARRAY = 'dvs_msgs/msg/EventArray'

FLOW_NODE = {'flow.method': 'tiles'}
"""Where flow_node differs from the defaults: with a process of its own it can afford flow from events."""


@dataclass(frozen=True, slots=True)
class InboxConfig:
    """What may wait for the worker; beyond it the oldest is dropped and counted."""

    max_events: int = param(2_000_000, 'Most events that wait.', ge=1000)
    max_lag_s: float = param(
        0.2, 'Most sensor time that waiting events or spike planes span, seconds.', ge=0.01, le=60.0
    )
    image_lag_s: float = param(
        0.01,
        'Sensor time of waiting spike planes beyond which images are skipped and counted, so that no plane need be '
        'dropped, seconds.',
        ge=0.0,
        le=60.0,
    )
    max_plane_mb: float = param(64.0, 'Most spike planes that wait, megabytes.', ge=0.1, le=100_000.0)
    max_samples: int = param(2000, 'Most other messages (IMU, depth, images) that wait.', ge=1)


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Form of what is published."""

    image_encoding: Literal['mono8', 'mono16', '32FC1'] = param('mono8', 'Encoding of `~/image`.')
    unobserved_variance: float = param(
        1000.0,
        'Variance of a velocity that is not estimated, (m/s)^2; below 9999, which RTAB-Map takes for lost.',
        ge=1.5,
        le=9000.0,
    )
    flow_full_scale_px_s: float = param(
        500.0, 'Speed that is drawn in full colour on `~/flow_image`, px/s.', ge=1.0, live=True
    )
    picture_period_s: float = param(
        0.04,
        'Time between the pictures for people, `~/flow_image` and `~/iwe`, seconds; 0 for one a window.',
        ge=0.0,
        le=60.0,
        live=True,
    )
    path_period_s: float = param(0.1, 'Time between poses of `~/path`, seconds.', ge=0.001)
    map_period_s: float = param(0.5, 'Time between pictures on `~/map`, seconds.', ge=0.0, le=3600.0)
    map_file: str = param(
        'map.png',
        'Where `~/save_map` writes the map; a relative path is one of the working directory.',
        live=True,
    )
    path_length: int = param(2000, 'Most poses of `~/path`; the oldest go first.', ge=2)


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """All parameters of a node beside those of the pipeline: inputs and frames, and three branches."""

    events_type: Literal['event_camera_msgs/msg/EventPacket', 'dvs_msgs/msg/EventArray'] = param(
        EVENT_PACKET, 'Type of the messages on `events`.'
    )
    events_depth: int = param(1000, 'Messages that ROS keeps for us on `events`.', ge=1, le=100_000)
    spikes_depth: int = param(
        100, 'Messages that ROS keeps for us on `spikes`; each holds planes of some 300 kB.', ge=1, le=10_000
    )
    check_bit_order: bool = param(
        True, 'Whether spike planes are refused whose picture the opposite bit order explains far better.'
    )
    camera_file: str = param(
        '', 'Calibration file (camera_info YAML or ECD calib.txt); empty: wait for `camera_info`.'
    )
    imu_topic: str = param('', 'sensor_msgs/Imu to use, empty for none.')
    depth_topic: str = param('', 'sensor_msgs/Image 32FC1 or 16UC1 with depth to use, empty for none.')
    image_topic: str = param('', 'sensor_msgs/Image with ordinary frames to use, empty for none.')
    odom_prior_topic: str = param('', 'nav_msgs/Odometry with a velocity to start from, empty for none.')
    sample_stamps: Literal['ros', 'sensor'] = param(
        'ros',
        'What stamps of IMU, depth, frames and prior mean: ROS time, or the sensor time of the events '
        '(libcaer_driver stamps IMU and frames so).',
    )
    camera_frame: str = param('', 'Optical frame; empty: the frame_id of the events.')
    base_frame: str = param('', 'Frame whose odometry is told, through tf; empty: the optical frame itself.')
    odom_frame: str = param('odom', 'Frame that odometry is told in.')
    publish_tf: bool = param(
        False, 'Whether to publish odom_frame -> base_frame on /tf; a transform has one owner.'
    )
    inbox: InboxConfig = InboxConfig()
    output: OutputConfig = OutputConfig()
    clock: ClockConfig = ClockConfig()


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """What is replayed, and how."""

    recording: str = param('', 'Recording to replay: anything that `event-perception info` reads.')
    spikes: SpikesConfig = SpikesConfig()
    events_topic: str = param('', 'Topic of the events, where a bag holds several.')
    camera_file: str = param('', 'Calibration to publish, if the recording holds none.')
    keep_names: bool = param(
        False, 'Whether topics keep their recorded names; else events, camera_info, imu, depth and image.'
    )
    rate: float = param(1.0, 'Speed against the recording, 1 is real time.', ge=0.001, le=1000.0)
    start_s: float = param(0.0, 'How much of the recording to skip, seconds.', ge=0.0)
    duration_s: float = param(0.0, 'How much of it to play, seconds; 0 plays all.', ge=0.0)
    loop: bool = param(
        False, 'Whether to begin again at the end; the planes of a raw spike file, which has no time, go on.'
    )
    clock: bool = param(True, 'Whether to publish the time of the recording on /clock.')
    wait_for: int = param(1, 'Subscriptions of the events to wait for before the start.', ge=0, le=1000)
    settle_s: float = param(
        0.3,
        'How long to wait once they are there, seconds: the other side may see us a little later.',
        ge=0.0,
    )
    camera_frame: str = param('event_camera_optical_frame', 'Optical frame of a recording that names none.')
    imu_frame: str = param('event_camera_imu_frame', 'Frame of the IMU of a recording that names none.')
    packet_duration_s: float = param(
        0.004,
        'Time that one of our own packets spans, for recordings without packets, seconds.',
        ge=1e-5,
        le=1.0,
    )
    packet_mb: float = param(
        0.3,
        'Most bytes of one of our own packets of spike planes, megabytes; default DDS settings lose larger ones.',
        ge=0.001,
        le=100.0,
    )
    linger_s: float = param(
        0.5, 'How long to stay after the last message, for it to arrive, seconds.', ge=0.0
    )


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """What is recorded, and where to."""

    directory: str = param('', 'New or empty folder for the results.')
    source: str = param('/perception_node', 'Node whose results are recorded.')
    window_s: float = param(
        0.02, 'Length of its windows, seconds: latency is counted from their ends.', ge=1e-4, le=1.0
    )
    motion: bool = param(True, 'Whether events, twist and odometry are recorded, beside pictures.')
    pictures: tuple[str, ...] = param(('flow', 'image', 'iwe'), 'Which pictures are recorded.')
    picture_period_s: float = param(
        0.0, 'Of each kind, the first picture in every such period is kept, seconds; 0 keeps all.', ge=0.0
    )
