# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from the windows of the pipeline: how long a window is looked at, and how often flow is told."""

from event_perception import flow
from event_perception.events import DepthImage, EventWindow
from event_perception.flow.field import FlowField
from event_perception.flow.window import FlowWindowConfig, WindowMemory
from event_perception.image_stage import method_parameters
from event_perception.motion import CameraModel, EgomotionResult
from event_perception.pipeline_config import PipelineConfig


class FlowStage:
    """Runs the configured estimator on each window, or on as long a stretch of the latest events as it wants.

    An estimator that tells ``speed_px_s`` is one that wants stretches: their length follows that speed, they
    overlap, and the period says how often it is asked. Others are asked for every window.

    Attributes:
        skipped: Windows that gave no field of their own, because the period had not passed.
    """

    def __init__(self, config: PipelineConfig, camera: CameraModel) -> None:
        method = config.flow.method
        self._config = config.flow.window
        self._estimator = flow.create(method, camera, **method_parameters(config.flow, method))
        self._from_events = hasattr(self._estimator, 'speed_px_s')
        self._memory = WindowMemory(self._config.longest_s)
        self._told_ns: int | None = None
        self.skipped = 0

    def reconfigure(self, config: FlowWindowConfig) -> None:
        """Take over live parameters."""
        self._config = config

    def reset(self) -> None:
        """Forget all motion."""
        self._memory.clear()
        self._told_ns = None
        forget = getattr(self._estimator, 'reset', None)
        if forget is not None:
            forget()

    def remember(self, window: EventWindow) -> None:
        """Keep the events of a window for flow to come."""
        self._memory.push(window)

    def is_due(self, window: EventWindow) -> bool:
        """Whether the period has passed at the end of this window; if not, it is counted."""
        if not self._from_events:
            return True
        elapsed_ns = None if self._told_ns is None else window.t1_ns - self._told_ns
        if elapsed_ns is not None and 0 <= elapsed_ns < round(self._config.period_s * 1e9):
            self.skipped += 1
            return False
        self._told_ns = window.t1_ns
        return True

    def update(self, window: EventWindow, egomotion: EgomotionResult, depth: DepthImage | None) -> FlowField:
        """Flow of the latest events; it describes the middle of the stretch that was used."""
        if self._from_events:
            window = self._memory.latest(self._config.length_s(getattr(self._estimator, 'speed_px_s', None)))
        return self._estimator.update(window, egomotion, depth)
