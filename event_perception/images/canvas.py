# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Information about the gradients of the scene, on a canvas that moves with it.

The canvas is the image plane of a key instant, with a margin. Two smooth maps lead from the sensor to it and back.
When the view has moved by most of the margin, the canvas is laid anew: only then is the information interpolated.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception.events import EventArray
from event_perception.flow.field import FlowField
from event_perception.images.canvas_kernels import accumulate, carry_map, follow_prior, splat_signed
from event_perception.images.poisson import solve

Image = NDArray[np.float32]
LAID_ANEW = 0.75  # of the margin that the view may move
UNSEEN = 1e-3  # worth of a prior continued beyond the view
SAMPLE_STEP = 16  # motion is measured at every 16th row and column


@dataclass(frozen=True, slots=True)
class Fading:
    """What remains of the past after a step.

    Attributes:
        kept: Share of it.
        lost: The same where flow is not known.
        per_px: What is forgotten per pixel of motion, 1/px.
    """

    kept: float
    lost: float
    per_px: float


class Canvas:
    """A, B and M of the equation in ``poisson``, and the maps between canvas and sensor.

    Args:
        height: Sensor rows.
        width: Sensor columns.
        margin_px: Border of the canvas around the sensor at the key instant.

    Attributes:
        A: A_xx, A_xy, A_yy, float32 (3, Hc, Wc), px^2.
        B: float32 (2, Hc, Wc), px times contrast thresholds.
        M: The image, in contrast thresholds, float32 (Hc, Wc).
        H: The prior, a mean along the motion, in contrast thresholds, float32 (Hc, Wc).
        laid: How often the canvas was laid anew.
    """

    def __init__(self, height: int, width: int, margin_px: int) -> None:
        self._margin = margin_px
        rows, columns = height + 2 * margin_px, width + 2 * margin_px
        self.A, self.B = np.zeros((3, rows, columns), np.float32), np.zeros((2, rows, columns), np.float32)
        self.M, self._E = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
        self.H, self._worth = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
        self._work = np.zeros((4, rows, columns), np.float32)
        self._canvas_pixels = _coordinates(rows, columns)
        self._start = _coordinates(height, width) + np.float32(margin_px)
        self.on_canvas, self.on_sensor = self._start.copy(), self._canvas_pixels - np.float32(margin_px)
        self._next, self._moved = np.empty_like(self.on_canvas), np.empty_like(self.on_canvas)
        self.laid = 0

    def step(
        self,
        events: EventArray | None,
        off_weight: float,
        flow: FlowField,
        start_ns: int,
        dt_s: float,
        fading: Fading,
    ) -> None:
        """Gather what the events of one step say.

        Args:
            events: Those of [start, start + dt).
            off_weight: What an OFF event counts, an ON event being 1.
            flow: Of the middle of the step.
            start_ns: Start of the step.
            dt_s: Its length.
            fading: What remains of the past.
        """
        dt = np.float32(dt_s)
        carry_map(self.on_canvas, flow.flow_px_s, dt, self._next, self._moved)
        self._E[:] = 0
        if events is not None and len(events):
            share = np.clip((events.t_ns - start_ns) * (1e-9 / dt_s), 0, 1).astype(np.float32)
            splat_signed(
                events.x, events.y, events.p, share, np.float32(off_weight),
                self.on_canvas, self._moved, self._E,
            )  # fmt: skip
        accumulate(
            self.on_sensor, flow.flow_px_s, flow.valid.astype(np.float32), dt,
            self._moved, self._E,
            np.float32(fading.kept), np.float32(fading.lost), np.float32(fading.per_px), self.A, self.B,
        )  # fmt: skip
        self.on_canvas, self._next = self._next, self.on_canvas
        if self._motion_px() > LAID_ANEW * self._margin:
            self._lay_anew()

    def follow_prior(self, prior: Image, kept: float, least_evidence: float) -> None:
        """Bring the mean of the priors up to date, each carried along with the scene.

        A pixel filter is wrong by up to a threshold, in another way at every pixel: a place of the scene that many
        pixels have looked at is known better from all of them. What has no evidence is not carried along.

        Args:
            prior: The high-pass image of now, on the sensor.
            kept: Share of the mean that remains; 0 takes the prior as it is.
            least_evidence: Trace of A at which half of that remains, px^2.
        """
        follow_prior(
            prior, self.on_sensor, self.A, np.float32(kept), np.float32(least_evidence), np.float32(UNSEEN),
            self.H, self._worth,
        )  # fmt: skip

    def solve(
        self, smoothness: float, attachment: float, iterations: int, wide_iterations: int, tolerance: float
    ) -> tuple[Image, Image, Image]:
        """On the sensor (H, W): the image, the prior H, and the evidence, the trace of A, px^2.

        Args:
            smoothness: lambda.
            attachment: eps.
            iterations: Most iterations.
            wide_iterations: Most iterations on blocks of pixels before.
            tolerance: Relative residual at which they end.
        """
        solve(
            self.A, self.B, self.H, np.float32(smoothness), np.float32(attachment), self.M,
            iterations, wide_iterations, tolerance, self._work,
        )  # fmt: skip
        evidence = _sampled(self.A[0] + self.A[2], self.on_canvas, cv2.INTER_NEAREST)
        prior = _sampled(self.H, self.on_canvas, cv2.INTER_NEAREST)  # of which only what is wide is used
        return _sampled(self.M, self.on_canvas, cv2.INTER_CUBIC), prior, np.maximum(evidence, 0)

    def _motion_px(self) -> float:
        """How far nearly all of the view has moved from the key instant."""
        some = np.s_[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
        return float(np.percentile(np.abs(self.on_canvas[some] - self._start[some]), 99))

    def _lay_anew(self) -> None:
        """Make the present image plane the canvas; into the margin its map is continued with what it is there."""
        self.laid += 1
        m = self._margin
        moved = np.pad(self.on_canvas - self._start, ((0, 0), (m, m), (m, m)), mode='edge')
        where = moved + self._canvas_pixels
        for plane in (*self.A, self.H, self._worth):
            plane[:] = _sampled(plane, where, cv2.INTER_LINEAR)
        for plane in (*self.B, self.M):
            plane[:] = _sampled(plane, where, cv2.INTER_CUBIC)
        self.on_canvas[:] = self._start
        self.on_sensor[:] = self._canvas_pixels - np.float32(m)


def _coordinates(rows: int, columns: int) -> Image:
    """Column and row of every pixel, float32 (2, rows, columns)."""
    return np.stack(np.meshgrid(np.arange(columns), np.arange(rows))).astype(np.float32)


def _sampled(values: Image, where: Image, interpolation: int) -> Image:
    """Values at the coordinates ``where`` (2, H, W); beyond the border 0."""
    return np.asarray(cv2.remap(values, where[0], where[1], interpolation), np.float32)
