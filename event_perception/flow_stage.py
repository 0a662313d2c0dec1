# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from the windows of the pipeline: how long a window is looked at, and how often flow is told."""

from event_perception import flow
from event_perception.events import DepthImage, EventWindow
from event_perception.flow.field import FlowField
from event_perception.flow.window import WindowMemory
from event_perception.image_stage import method_parameters
from event_perception.motion import CameraModel, EgomotionResult
from event_perception.pipeline_config import FlowStageConfig, PipelineConfig


class FlowStage:
    """Runs the configured estimator on each window, or on as long a stretch of the latest events as it wants.

    An estimator that tells ``speed_px_s`` is one that wants stretches: their length follows that speed, they
    overlap, and the period says how often it is asked. Others are asked for every window, or for the first of each
    period of their own.

    Attributes:
        skipped: Windows that gave no field of their own, because the period had not passed.
    """

    def __init__(self, config: PipelineConfig, camera: CameraModel) -> None:
        method = config.flow.method
        self._config, self._period_ns = config.flow.window, round(config.flow.period_s * 1e9)
        self._estimator = flow.create(method, camera, **method_parameters(config.flow, method))
        self._from_events = hasattr(self._estimator, 'speed_px_s')
        self._memory = WindowMemory(self._config.longest_s)
        self._told_ns: int | None = None
        self.skipped = 0

    def reconfigure(self, config: FlowStageConfig) -> None:
        """Take over live parameters."""
        self._config, self._period_ns = config.window, round(config.period_s * 1e9)

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
            return self._begins_a_period(window.t_ref_ns)
        elapsed_ns = None if self._told_ns is None else window.t1_ns - self._told_ns
        if elapsed_ns is not None and 0 <= elapsed_ns < round(self._config.period_s * 1e9):
            self.skipped += 1
            return False
        self._told_ns = window.t1_ns
        return True

    def _begins_a_period(self, t_ns: int) -> bool:
        told_ns, self._told_ns = self._told_ns, t_ns
        begins = (
            not self._period_ns or told_ns is None or t_ns // self._period_ns != told_ns // self._period_ns
        )
        self.skipped += not begins
        return begins

    def update(self, window: EventWindow, egomotion: EgomotionResult, depth: DepthImage | None) -> FlowField:
        """Flow of the latest events; it describes the middle of the stretch that was used."""
        if self._from_events:
            window = self._memory.latest(self._config.length_s(getattr(self._estimator, 'speed_px_s', None)))
        return self._estimator.update(window, egomotion, depth)
