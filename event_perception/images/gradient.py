# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Images from events and flow: information about gradients, gathered along the motion, then integrated.

A pixel that looks over the scene sees, over a step, the change E = d . grad L, where d is how far its line of sight
moved. One direction of motion gives one component of the gradient; the steps of the last moments, carried along with
the scene, give both. "Moved and silent" is evidence, too: of a flat area.

    for each step:  A <- k A + d d^T,  B <- k B + E d      everywhere on a canvas that moves with the scene
    for each image: (D^T (A + lambda I) D + eps I) M = D^T B + eps H     conjugate gradients from the last M
                    H is the high-pass filter, averaged along the motion: detail from M, what is wide from H
    where flow is not known, A and B fade, and the high-pass image shows through

Sources: Zhang, Yezzi and Gallego, Formulating event-based image reconstruction as a linear inverse problem, TPAMI
2022 (one window); keeping the information over windows, the canvas and the blend are this package's own.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.config import flatten, param
from event_perception.errors import DataError
from event_perception.events import EventArray, concatenate
from event_perception.flow.affine import AffineFlowConfig
from event_perception.flow.field import FlowField
from event_perception.images.canvas import Canvas, Fading
from event_perception.images.flow_track import STAGE, FlowTrack
from event_perception.images.highpass import HighpassConfig, HighpassFilter, check_size
from event_perception.images.limits import DisplayConfig, DisplayLimits

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GradientConfig:
    """How gradients are gathered, integrated and shown."""

    flow_method: str = param(
        'affine',
        'Flow estimator that runs inside; `stage` waits for the flow that it is handed from outside.',
    )
    latency_s: float = param(
        0.0, 'How far images lag behind the events, seconds: flow of the instant described is known better then.',
        ge=0.0, le=0.5,
    )  # fmt: skip
    step_s: float = param(0.01, 'Longest step in which gradients are gathered, seconds.', ge=1e-3, le=0.1)
    time_constant_s: float = param(1.0, 'How long gradients are remembered, seconds.', ge=0.01, le=100.0)
    memory_px: float = param(8.0, 'Over how much motion gradients are remembered, px.', ge=0.1, le=1e6)
    lost_time_constant_s: float = param(
        0.05, 'How long they are remembered where flow is not known, seconds.', ge=1e-3, le=10.0
    )
    max_flow_age_s: float = param(
        0.1, 'Flow is carried on for this long, then it is not known, seconds.', ge=0.0, le=1.0
    )
    fill_px: float = param(
        32.0,
        'How far flow is carried into places where it is not known; 0: not at all, px.',
        ge=0.0,
        le=1000.0,
    )
    window_px: float = param(
        6.0, 'Median motion in the windows of dense flow inside: longer ones are surer, but tell of longer ago, px.',
        ge=1.0, le=100.0,
    )  # fmt: skip
    smoothness: float = param(0.1, 'Weight lambda of flatness where a gradient is not known, px^2.', ge=1e-6)
    attachment: float = param(1e-3, 'Weight eps that ties the image to the high-pass filter.', ge=1e-9)
    iterations: int = param(10, 'Most iterations of conjugate gradients for an image.', ge=1, le=1000)
    wide_iterations: int = param(
        0,
        'Most iterations before, on blocks of 4x4 pixels, for what is wide; 0 leaves them out.',
        ge=0,
        le=1000,
    )
    tolerance: float = param(1e-3, 'Relative residual at which they end.', ge=0.0, le=1.0)
    blend_sigma_px: float = param(
        16.0, 'What a blur of this sigma keeps comes from the high-pass filter, px; 0 takes nothing from it.',
        ge=0.0, le=100.0,
    )  # fmt: skip
    least_evidence: float = param(
        0.1, 'Evidence (trace of A, px^2) at which the two images weigh alike.', ge=0.0
    )
    prior_memory_s: float = param(
        1.0, 'Over how long the high-pass images are averaged along the motion, seconds; 0 takes the last one.',
        ge=0.0, le=100.0,
    )  # fmt: skip
    margin_px: int = param(
        16, 'Margin of the canvas; it is laid anew when the view has moved by that, px.', ge=4
    )
    affine: AffineFlowConfig = AffineFlowConfig()
    highpass: HighpassConfig = HighpassConfig(sharpen=0.0)
    display: DisplayConfig = DisplayConfig()


class GradientReconstructor:
    """Reconstructs log intensity from events and flow.

    Args:
        config: Parameters.
        height: Sensor rows.
        width: Sensor columns.

    Attributes:
        steps: Steps made.
        steps_without_flow: Of those, steps in which no flow was known anywhere.
        fallback_share: Share of the last image that comes from the high-pass filter for want of evidence.
        restarts: How often time stepped back and everything began again.
    """

    config_type: ClassVar[type[GradientConfig]] = GradientConfig

    def __init__(self, config: GradientConfig | None = None, *, height: int, width: int) -> None:
        self.config = config = config or GradientConfig()
        self._shape = (height, width)
        self.steps = self.steps_without_flow = self.restarts = 0
        self.fallback_share = 1.0
        params = flatten(config.affine) if config.flow_method == 'affine' else {}
        self._track = FlowTrack(
            config.flow_method, height, width, max_age_s=config.max_flow_age_s, fill_px=config.fill_px,
            window_px=config.window_px, **params,
        )  # fmt: skip
        self._limits = DisplayLimits(config.display)
        self._max_back_ns = round(config.highpass.max_disorder_s * 1e9)
        self._begin()

    def _begin(self) -> None:
        self._highpass = HighpassFilter(self.config.highpass, height=self._shape[0], width=self._shape[1])
        self._canvas = Canvas(*self._shape, self.config.margin_px)
        self._track.reset()
        self._limits.reset()
        self._waiting: list[EventArray] = []
        self._end_ns: int | None = None
        self._newest_ns: int | None = None
        self._shown: tuple[int, Image] | None = None

    @property
    def lookahead_s(self) -> float:
        """How far beyond an image's instant events must have been pushed."""
        return self.config.latency_s

    @property
    def wants_flow(self) -> bool:
        """Whether flow has to be handed in by ``push_flow``."""
        return self.config.flow_method == STAGE

    def push(self, stream: EventArray) -> None:
        """Add the next events.

        Raises:
            DataError: If they come from a sensor of another size.
        """
        check_size(stream, self._shape)
        if not len(stream):
            return
        if self._newest_ns is not None and int(stream.t_ns.min()) < self._newest_ns - self._max_back_ns:
            self._begin()
            self.restarts += 1
        if self._end_ns is None:
            self._end_ns = int(stream.t_ns[0])
        self._newest_ns = max(int(stream.t_ns.max()), self._newest_ns or 0)
        self._waiting.append(stream)
        self._advance(self._newest_ns - round(self.config.latency_s * 1e9), whole=True)

    def push_flow(self, flow: FlowField) -> None:
        """Hand over flow estimated elsewhere, before the events of its time; used if ``flow`` is 'stage'.

        Raises:
            DataError: If it is of another size.
        """
        if flow.valid.shape != self._shape:
            raise DataError(f'flow of shape {flow.valid.shape} for images of shape {self._shape}')
        if self.wants_flow:
            self._track.add(flow)

    def image(self, t_ns: int) -> Image:
        """Log intensity between the display limits, float32 (H, W) in [0, 1].

        With ``latency_s`` this may be an instant that far before the last event pushed.
        """
        log_image = self.log_image(t_ns)
        if self._fresh:
            self._limits.follow(t_ns, log_image)
        return self._limits.scale(log_image)

    def log_image(self, t_ns: int) -> Image:
        """Log intensity relative to its slow part, in ON contrast thresholds, float32 (H, W), not scaled."""
        self._fresh = self._shown is None or self._shown[0] != t_ns
        if self._shown is not None and not self._fresh:
            return self._shown[1].copy()
        self._advance(t_ns, whole=False)
        config, canvas = self.config, self._canvas
        low = self._highpass.log_image(t_ns)
        canvas.follow_prior(low, self._kept_of_prior(t_ns), config.least_evidence)
        M, prior, evidence = canvas.solve(
            config.smoothness,
            config.attachment,
            config.iterations,
            config.wide_iterations,
            config.tolerance,
        )
        if config.blend_sigma_px:
            M += blurred(prior - M, config.blend_sigma_px)
        weight = evidence / np.maximum(evidence + np.float32(config.least_evidence), np.float32(1e-9))
        self.fallback_share = float(1 - weight.mean())
        log_image = low + weight * (M - low)
        self._shown = (t_ns, log_image)
        return log_image.copy()

    def _kept_of_prior(self, t_ns: int) -> float:
        memory_s = self.config.prior_memory_s
        if self._shown is None or memory_s == 0:
            return 0.0
        return math.exp(-abs(t_ns - self._shown[0]) * 1e-9 / memory_s)

    @property
    def limits(self) -> tuple[float, float]:
        """Log intensities that the last image shows as 0 and 1, in ON contrast thresholds."""
        return self._limits.limits

    def _advance(self, t_ns: int, whole: bool) -> None:
        """Make the steps up to an instant; only whole ones, or the last one shorter."""
        if self._end_ns is None or t_ns <= self._end_ns:
            return
        step_ns = round(self.config.step_s * 1e9)
        joined = concatenate(self._waiting).sorted() if self._waiting else None
        while t_ns > self._end_ns:
            end_ns = min(self._end_ns + step_ns, t_ns)
            if whole and end_ns < self._end_ns + step_ns:
                break
            joined = self._step(joined, self._end_ns, end_ns)
            self._end_ns = end_ns
        self._waiting = [joined] if joined is not None and len(joined) else []

    def _step(self, waiting: EventArray | None, start_ns: int, end_ns: int) -> EventArray | None:
        """Gather [start, end); returns the events that are left."""
        latency_ns, dt_s = round(self.config.latency_s * 1e9), (end_ns - start_ns) * 1e-9
        part = None
        if waiting is not None:
            self._track.look(waiting, start_ns + latency_ns, end_ns + latency_ns)
            stop = int(np.searchsorted(waiting.t_ns, end_ns))
            part, waiting = waiting[:stop], waiting[stop:]
            self._highpass.push(part)
        flow = self._track.at((start_ns + end_ns) // 2, end_ns + latency_ns)
        self.steps += 1
        self.steps_without_flow += not flow.valid.any()
        self._canvas.step(part, self._highpass.off_weight, flow, start_ns, dt_s, self._fading(dt_s))
        return waiting

    def _fading(self, dt_s: float) -> Fading:
        config = self.config
        return Fading(
            kept=math.exp(-dt_s / config.time_constant_s),
            lost=math.exp(-dt_s / config.lost_time_constant_s),
            per_px=1 / config.memory_px,
        )


def blurred(image: Image, sigma_px: float) -> Image:
    """A wide Gaussian blur, by way of a smaller image."""
    shrink = max(1, int(sigma_px // 3))
    H, W = image.shape
    small = cv2.resize(image, (max(1, W // shrink), max(1, H // shrink)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / shrink)
    return np.asarray(cv2.resize(small, (W, H), interpolation=cv2.INTER_LINEAR), np.float32)
