# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Feeding a reconstructor and reading it at regular instants, however the stream is cut into pieces."""

from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from event_perception import images
from event_perception.config import flatten
from event_perception.events import EventArray, FrameImage, SpikeStream
from event_perception.flow.field import FlowField
from event_perception.images.frame import ReconstructedImage
from event_perception.images.spike_history import planes_between
from event_perception.pipeline_config import PipelineConfig

LONG_GAP_NS = 1_000_000_000  # after a silence this long, images start again instead of filling it


class ImageStage:
    """Images from events, at the multiples of a period."""

    def __init__(self, config: PipelineConfig, height: int, width: int) -> None:
        name = config.images.method
        self._reconstructor = images.create(
            name, height=height, width=width, **method_parameters(config.images, name)
        )
        self._period_ns = round(config.images.period_s * 1e9)
        self._lookahead_ns = round(getattr(self._reconstructor, 'lookahead_s', 0.0) * 1e9)
        self._disorder_ns = round(config.window.max_disorder_s * 1e9)
        self._next_ns: int | None = None
        self._newest_ns = 0

    def reconfigure(self, config: PipelineConfig) -> None:
        """Take over live parameters: the period, and what the method reads at each image."""
        self._period_ns = round(config.images.period_s * 1e9)
        branch = getattr(config.images, config.images.method, None)
        if is_dataclass(branch):
            self._reconstructor.config = branch  # type: ignore[attr-defined]

    def push(self, events: EventArray, read: bool) -> list[ReconstructedImage]:
        """Add events, reading an image at every instant that they pass."""
        next_ns, start = self._aligned(int(events.t_ns[0])), 0
        self._newest_ns = int(events.t_ns.max())
        outputs: list[ReconstructedImage] = []
        while next_ns + self._lookahead_ns <= self._newest_ns:
            stop = start + int(np.argmax(events.t_ns[start:] >= next_ns + self._lookahead_ns))
            self._reconstructor.push(events[start:stop])
            if read:
                outputs.append(ReconstructedImage(next_ns, self._reconstructor.image(next_ns)))
            start, next_ns = stop, next_ns + self._period_ns
        self._reconstructor.push(events[start:])
        self._next_ns = next_ns
        return outputs

    def push_frame(self, frame: FrameImage) -> None:
        """Hand an ordinary frame to a method that uses frames."""
        push_frame = getattr(self._reconstructor, 'push_frame', None)
        if push_frame is not None:
            push_frame(frame)

    @property
    def wants_flow(self) -> bool:
        """Whether the method lives on the flow of the flow stage."""
        return bool(getattr(self._reconstructor, 'wants_flow', False))

    def push_flow(self, flow: FlowField) -> None:
        """Hand the flow of a window to a method that lives on it, before the events of its time."""
        if self.wants_flow:
            self._reconstructor.push_flow(flow)  # type: ignore[attr-defined]

    @property
    def steps(self) -> tuple[int, int]:
        """Steps along the flow that the method made, and how many of them without flow."""
        method = self._reconstructor
        return getattr(method, 'steps', 0), getattr(method, 'steps_without_flow', 0)

    def _aligned(self, first_ns: int) -> int:
        """The next instant to read; after a jump in time, the first multiple of the period behind it."""
        back, ahead = self._newest_ns - self._disorder_ns, self._newest_ns + LONG_GAP_NS
        if self._next_ns is None or not back <= first_ns <= ahead:
            return (first_ns // self._period_ns + 1) * self._period_ns
        return self._next_ns


class SpikeImageStage:
    """Images from spikes, at the multiples of a period, as late as the method needs to see beyond them.

    Where planes are missing, images before the gap are made of what there is, and none in the gap.

    Attributes:
        unread: Images that were due while they were not wanted.
    """

    def __init__(self, config: PipelineConfig, spikes: SpikeStream) -> None:
        name = config.images.spike_method
        self._reconstructor = images.create(
            name, height=spikes.height, width=spikes.width, **method_parameters(config.images, name)
        )
        self._lookahead_planes: int = getattr(self._reconstructor, 'lookahead_planes', 0)
        self._period_ns = round(config.images.period_s * 1e9)
        self._next_ns: int | None = None
        self._last: SpikeStream | None = None
        self.unread = 0

    def reconfigure(self, config: PipelineConfig) -> None:
        """Take over live parameters: the period, and what the method reads at each image."""
        period_ns = round(config.images.period_s * 1e9)
        if period_ns != self._period_ns and self._next_ns is not None:
            self._next_ns = -(-self._next_ns // period_ns) * period_ns
        self._period_ns = period_ns
        branch = getattr(config.images, config.images.spike_method, None)
        if is_dataclass(branch):
            self._reconstructor.reconfigure(branch)  # type: ignore[attr-defined]

    def push(self, spikes: SpikeStream, read: bool) -> list[ReconstructedImage]:
        """Add planes, reading an image at every instant that has been seen far enough beyond."""
        outputs = []
        if self._last is not None and not _follows(self._last, spikes):
            outputs, self._next_ns = self._read_before(self._last.start_ns, read), None
        self._reconstructor.push(spikes)
        self._last = spikes[len(spikes) :]
        if self._next_ns is None:
            self._next_ns = -(-spikes.start_ns // self._period_ns) * self._period_ns
        seen_ns = spikes.next_ns - self._lookahead_planes * spikes.plane_period_ns
        return outputs + self._read_before(seen_ns, read)

    @property
    def sources(self) -> dict[str, int]:
        """How a learned method made its images: by its network, or by another method and why; else empty."""
        made = getattr(self._reconstructor, 'images', None)
        return asdict(made) if is_dataclass(made) and not isinstance(made, type) else {}

    def finish(self) -> list[ReconstructedImage]:
        """The images whose future did not come any more."""
        return [] if self._last is None else self._read_before(self._last.start_ns, True)

    def _read_before(self, end_ns: int, read: bool) -> list[ReconstructedImage]:
        outputs = []
        while self._next_ns is not None and self._next_ns < end_ns:
            if read:
                outputs.append(ReconstructedImage(self._next_ns, self._reconstructor.image(self._next_ns)))
            self.unread += not read
            self._next_ns += self._period_ns
        return outputs


def _follows(last: SpikeStream, spikes: SpikeStream) -> bool:
    """Whether planes come right after the (empty) end of those before."""
    step_ns = abs(spikes.start_ns - last.start_ns)
    return planes_between(last, spikes) == 0 and step_ns < LONG_GAP_NS


def method_parameters(stage: Any, method: str) -> dict[str, Any]:
    """The parameters of the chosen method; a plug-in without a branch of its own takes its defaults."""
    branch = getattr(stage, method, None)
    return flatten(branch) if is_dataclass(branch) else {}
