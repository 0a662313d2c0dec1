# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""The node around a pipeline. The executor's thread reads messages, one worker computes and publishes.

subscriptions -> inbox -> worker: pipeline -> publishers
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from time import monotonic
from traceback import format_exception
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from event_perception.clock import SensorClock
from event_perception.errors import EventPerceptionError
from event_perception.events import EventArray, SpikeStream
from event_perception.flow.field import FlowField
from event_perception.images.frame import ReconstructedImage
from event_perception.io import read_camera
from event_perception.motion import CameraModel, EgomotionResult
from event_perception.nodes.config import NodeConfig
from event_perception.nodes.diagnostics import Diagnostics
from event_perception.nodes.inbox import Inbox, Item, Worker
from event_perception.nodes.inputs import Inputs
from event_perception.nodes.odometry_services import OdometryServices
from event_perception.nodes.outputs import Outputs
from event_perception.nodes.parameters import NodeParameters
from event_perception.nodes.statistics import Statistics
from event_perception.nodes.transforms import TransformListener
from event_perception.nodes.warm_up import warm_up
from event_perception.odometry.estimate import MapImage, OdometryEstimate
from event_perception.pipeline import STAGES, Output, Pipeline, WarpedEvents
from event_perception.pipeline_config import PipelineConfig

TOPICS = {
    EgomotionResult: 'twist',
    FlowField: 'flow',
    ReconstructedImage: 'image',
    OdometryEstimate: 'odometry',
    WarpedEvents: 'iwe',
    MapImage: 'map',
}
"""What each result is published as, for the names of its latencies: arrival of a packet to publication."""

STOP_TIMEOUT_S = 5.0
FLUSH_TIMEOUT_S = 1.0
LOG_PERIOD_S = 5.0
DIAGNOSTICS_PERIOD_S = 1.0
WATCH_PERIOD_S = 0.2


class PerceptionNode:
    """Runs some stages of the pipeline on topics.

    Args:
        name: Name of the node.
        stages: Default of the parameter ``stages``.
        defaults: Other parameters of the pipeline whose default differs in this node.

    Attributes:
        done: Whether the worker has ended by itself, which only an error makes it do.
        failure: The unexpected error that ended the worker, if one has.

    Raises:
        EventPerceptionError: If a parameter or the calibration file is not usable.
    """

    def __init__(
        self, name: str, stages: Sequence[str] = STAGES, defaults: Mapping[str, Any] | None = None
    ) -> None:
        self.node = Node(name)
        self.done = False
        self.failure: Exception | None = None
        self._logger = self.node.get_logger()
        own = NodeParameters[NodeConfig](self.node, NodeConfig, on_change=self._change_node)
        self._settings = NodeParameters[PipelineConfig](
            self.node,
            PipelineConfig,
            defaults={'stages': tuple(stages)} | dict(defaults or {}),
            on_change=self._change_pipeline,
        )
        self._changed: PipelineConfig | None = None
        self._build(own.config, self._settings.config)

    def _build(self, own: NodeConfig, settings: PipelineConfig) -> None:
        statistics, clock = Statistics(), SensorClock(own.clock)
        transforms = TransformListener(self.node)
        self._statistics = statistics
        self._pipeline = Pipeline(settings, _camera(own), observer=self._observe)
        self._inbox = Inbox(
            max_events=own.inbox.max_events,
            max_lag_ns=round(own.inbox.max_lag_s * 1e9),
            max_samples=own.inbox.max_samples,
            max_plane_bytes=round(own.inbox.max_plane_mb * 1e6),
        )
        self._image_lag_ns = round(own.inbox.image_lag_s * 1e9)
        self._worker = Worker(self._inbox, self._handle, self._fail)
        warm_up(settings)
        self._inputs = Inputs(
            self.node,
            own,
            inbox=self._inbox,
            clock=clock,
            transforms=transforms,
            statistics=statistics,
            spikes='images' in settings.stages,
        )
        self._outputs = Outputs(
            self.node,
            own,
            settings.stages,
            to_ros_ns=clock.to_ros_ns,
            camera_frame=lambda: self._inputs.camera_frame,
            camera=lambda: self._pipeline.camera,
            transforms=transforms,
            statistics=statistics,
        )
        self._computing = Lock()
        if 'odometry' in settings.stages:
            OdometryServices(
                self.node, self._pipeline, self._computing, lambda: self._outputs.config.output.map_file
            )
        self._diagnostics = Diagnostics(
            self.node, statistics, inputs=self._inputs, inbox=self._inbox, pipeline=self._pipeline
        )

    def start(self) -> None:
        """Begin to compute, and to tell how it goes once a second."""
        self._worker.start()
        # Not the node's clock: under simulated time that may stand still, and then diagnostics matter most.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.node.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnostics.publish, clock=steady)
        self.node.create_timer(WATCH_PERIOD_S, self._outputs.watch, clock=steady)
        self._logger.info(f'ready: {", ".join(self._settings.config.stages)}')

    def stop(self) -> None:
        """Wait for the computation in hand, say what was done, and let go of ROS."""
        if not self._worker.stop(STOP_TIMEOUT_S):
            self._logger.error(f'the worker has not ended within {STOP_TIMEOUT_S:g} s')
        self._outputs.flush(FLUSH_TIMEOUT_S)
        self._logger.info(f'done: {self._diagnostics.summary()}')
        self.node.destroy_node()

    def _handle(self, item: Item) -> None:
        """The worker's part: one sample through the pipeline, its results out."""
        with self._computing:
            self._compute(item)

    def _compute(self, item: Item) -> None:
        self._take_changes()
        self._pipeline.active = self._outputs.wanted()
        if isinstance(item.sample, SpikeStream) and self._inbox.lag_ns > self._image_lag_ns:
            self._skip_images(item)
            return
        self._process(item)

    def _skip_images(self, item: Item) -> None:
        """Take planes in without images of them: that is quick, and what is behind catches up."""
        counts = self._pipeline.counts
        wanted, before = 'images' in self._pipeline.active, counts.images_unread
        self._pipeline.active.discard('images')
        self._process(item)
        if wanted:
            self._statistics.count('images skipped', counts.images_unread - before)

    def _process(self, item: Item) -> None:
        try:
            for output in self._pipeline.stream(item.sample):
                self._outputs.publish(output)
                self._statistics.time(f'latency of {TOPICS[type(output)]}', monotonic() - item.arrival_s)
                self._time_age(output, item)
        except EventPerceptionError as error:
            self._refuse(item, error)
            return
        if isinstance(item.sample, (EventArray, SpikeStream)):
            self._statistics.count(f'{_kind(item.sample)} processed', len(item.sample))
            self._statistics.time('latency', monotonic() - item.arrival_s)

    def _time_age(self, output: Output, item: Item) -> None:
        """How old an image from spikes is when it goes out: what it waited for, and what its making took."""
        if isinstance(output, ReconstructedImage) and isinstance(item.sample, SpikeStream):
            waited_s = (item.sample.next_ns - output.t_ns) * 1e-9
            self._statistics.time('age of image', waited_s + monotonic() - item.arrival_s)

    def _refuse(self, item: Item, error: EventPerceptionError) -> None:
        kind = _kind(item.sample)
        self._statistics.count(f'{kind} refused', 1 if kind == 'samples' else len(item.sample))
        self._logger.warning(f'input refused: {error}', throttle_duration_sec=LOG_PERIOD_S)

    def _take_changes(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            self._pipeline.reconfigure(changed)

    def _change_pipeline(self, config: PipelineConfig) -> None:
        self._changed = config  # the worker takes it over between two samples

    def _change_node(self, config: NodeConfig) -> None:
        self._outputs.config = config

    def _observe(self, stage: str, t_ns: int, elapsed_s: float) -> None:
        self._statistics.time(stage, elapsed_s)

    def _fail(self, error: Exception) -> None:
        """An error nobody expected ends the node: going on would hide it."""
        self.failure, self.done = error, True
        self._logger.fatal(''.join(format_exception(error)))


def _kind(sample: Any) -> str:
    """What is counted of a sample."""
    if isinstance(sample, EventArray):
        return 'events'
    return 'planes' if isinstance(sample, SpikeStream) else 'samples'


def _camera(config: NodeConfig) -> CameraModel | None:
    return read_camera(Path(config.camera_file)) if config.camera_file else None
