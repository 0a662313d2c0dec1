# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the pipeline, as one tree; each branch is declared beside its algorithm."""

from dataclasses import dataclass
from typing import Literal

from event_perception.config import param
from event_perception.errors import ConfigError
from event_perception.events import WindowConfig
from event_perception.flow.affine import AffineFlowConfig
from event_perception.flow.motion_field import MotionFieldConfig
from event_perception.flow.network_config import NetworkFlowConfig
from event_perception.flow.residual_config import ResidualConfig
from event_perception.flow.spikes import SpikeFlowConfig
from event_perception.flow.tiles_config import TilesConfig
from event_perception.flow.window import FlowWindowConfig
from event_perception.images.ati import AtiConfig
from event_perception.images.compact import CompactConfig
from event_perception.images.complementary import ComplementaryConfig
from event_perception.images.gradient import GradientConfig
from event_perception.images.highpass import HighpassConfig
from event_perception.images.learned import LearnedConfig
from event_perception.images.stp import StpConfig
from event_perception.images.tfi import TfiConfig
from event_perception.images.tfi_adaptive import TfiAdaptiveConfig
from event_perception.images.tfi_k import TfiKConfig
from event_perception.images.tfp import TfpConfig
from event_perception.images.tvs import TvsConfig
from event_perception.io import RecordingConfig
from event_perception.motion import EgomotionConfig
from event_perception.motion.gyro_prior import GyroConfig
from event_perception.odometry.depth_slam import DepthSlamConfig
from event_perception.odometry.monocular_config import MonocularConfig
from event_perception.odometry.rotation import RotationOdometryConfig
from event_perception.odometry.rotation_slam_config import RotationSlamConfig

STAGES = ('egomotion', 'flow', 'images', 'odometry')
"""What a pipeline can put out; flow and odometry rest on egomotion."""


@dataclass(frozen=True, slots=True)
class FlowStageConfig:
    """Which flow estimator runs."""

    method: str = param('motion_field', 'Registered flow estimator.')
    spike_method: str = param('matching', 'Registered estimator of flow from spikes.')
    matching: SpikeFlowConfig = SpikeFlowConfig()
    period_s: float = param(
        0.0,
        'Time between fields of flow from egomotion, seconds: the first window of every period has one; 0 for all.',
        ge=0.0,
        le=60.0,
        live=True,
    )
    window: FlowWindowConfig = FlowWindowConfig()
    motion_field: MotionFieldConfig = MotionFieldConfig()
    tiles: TilesConfig = TilesConfig()
    network: NetworkFlowConfig = NetworkFlowConfig()
    residual: ResidualConfig = ResidualConfig()
    affine: AffineFlowConfig = AffineFlowConfig()


@dataclass(frozen=True, slots=True)
class ImagesStageConfig:
    """Which image reconstruction runs, and how often it is read."""

    method: str = param('highpass', 'Registered image reconstruction from events.')
    spike_method: str = param('ati', 'Registered image reconstruction from spikes.')
    period_s: float = param(
        0.02, 'Time between images, seconds; images describe its multiples.', ge=1e-3, le=10.0, live=True
    )
    save_float: bool = param(False, 'Whether `run` also writes images as float32 .npy.')
    video: bool = param(True, 'Whether `run` also writes a video of the images, preview.avi (Motion JPEG).')
    highpass: HighpassConfig = HighpassConfig()
    complementary: ComplementaryConfig = ComplementaryConfig()
    gradient: GradientConfig = GradientConfig()
    ati: AtiConfig = AtiConfig()
    tfp: TfpConfig = TfpConfig()
    tfi: TfiConfig = TfiConfig()
    tfi_k: TfiKConfig = TfiKConfig()
    tfi_adaptive: TfiAdaptiveConfig = TfiAdaptiveConfig()
    stp: StpConfig = StpConfig()
    tvs: TvsConfig = TvsConfig()
    compact: CompactConfig = CompactConfig()
    ssml: LearnedConfig = LearnedConfig()
    stir: LearnedConfig = LearnedConfig()


@dataclass(frozen=True, slots=True)
class OdometryStageConfig:
    """Which odometry runs."""

    method: str = param('rotation', 'Registered odometry.')
    monocular: MonocularConfig = MonocularConfig()
    rotation: RotationOdometryConfig = RotationOdometryConfig()
    depth_slam: DepthSlamConfig = DepthSlamConfig()
    rotation_slam: RotationSlamConfig = RotationSlamConfig()


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """What helps egomotion beside events."""

    use_gyro: bool = param(False, 'Whether IMU samples steer egomotion, with their bias estimated.')
    R_camera_imu: tuple[float, ...] = param(
        (),
        'Rotation from the IMU frame to the optical frame, nine numbers row by row; empty where samples are in '
        'the optical frame already, as nodes give them.',
    )
    use_depth: bool = param(False, 'Whether depth images let egomotion estimate the velocity as well.')
    max_depth_age_s: float = param(
        0.15, 'Depth images older than this are not used, seconds.', ge=0.0, le=10.0
    )
    gyro: GyroConfig = GyroConfig()


@dataclass(frozen=True, slots=True)
class SpikesConfig:
    """What a raw spike file does not say about itself."""

    height: int = param(0, 'Rows of a raw spike file; 0 means unknown.', ge=0, le=65535)
    width: int = param(0, 'Columns of a raw spike file; 0 means unknown.', ge=0, le=65535)
    plane_period_ns: int = param(50_000, 'Time between planes of a raw spike file, nanoseconds.', ge=1)
    kind: Literal['camera', 'camera_header', 'pcie', 'plain'] = param(
        'camera',
        'Layout of a raw spike file: camera (contiguous, bottom row first), camera_header (16 more columns), pcie '
        '(1000x1000, with line counters), plain (contiguous, top row first).',
    )
    bit_order: Literal['little', 'big'] = param(
        'little',
        'Whether the first pixel of a byte is its lowest bit, as all known cameras have it, or its highest.',
    )
    gain: float = param(0.0, 'Spikes per plane at intensity 1; 0 means unknown.', ge=0.0, le=1.0)


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Everything that can be set; `event-perception params` prints it."""

    stages: tuple[str, ...] = param(
        STAGES, 'Stages whose results are wanted: egomotion, flow, images, odometry.'
    )
    window: WindowConfig = WindowConfig()
    egomotion: EgomotionConfig = EgomotionConfig()
    flow: FlowStageConfig = FlowStageConfig()
    images: ImagesStageConfig = ImagesStageConfig()
    odometry: OdometryStageConfig = OdometryStageConfig()
    fusion: FusionConfig = FusionConfig()
    recording: RecordingConfig = RecordingConfig()
    spikes: SpikesConfig = SpikesConfig()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.stages) - set(STAGES))
        if unknown or not self.stages:
            raise ConfigError(f'stages={list(self.stages)}: choose at least one of {list(STAGES)}')

    @property
    def needs_camera(self) -> bool:
        """Whether any wanted stage needs a camera model."""
        return bool({'egomotion', 'flow', 'odometry'} & set(self.stages))
