# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow at any instant, from an estimator of its own or from fields handed in: interpolated, then carried on.

A window tells the flow of its middle. What comes after follows the last field, and changes as the affine part of the
last few fields does: a line through whole fields would carry their noise on, too.

Dense estimators know flow near events only; but that a flat place moved and stayed silent is worth knowing, too. So
holes are filled with the mean of what is known around them.
"""

from collections import deque
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception import flow
from event_perception.events import EventArray, EventWindow
from event_perception.flow.field import FlowField
from event_perception.flow.window import FlowWindowConfig, WindowMemory
from event_perception.motion.camera import CameraModel

STAGE = 'stage'
LINE_FIELDS = 3  # the trend of dense fields is that of a line through this many
MEMORY = 32  # fields kept: more than any latency spans
SHRINK = 4  # holes are filled at a quarter of the resolution
PERIOD_S = 0.02  # between fields of an own estimator that is slower than the steps
LEAST_SHARE = 0.05  # of known pixels around a hole that is filled


class FlowTrack:
    """Flow over time.

    Args:
        name: A registered flow estimator, or 'stage' for fields from outside.
        height: Sensor rows.
        width: Sensor columns.
        max_age_s: How long flow is carried on.
        fill_px: How far around a hole is looked for flow; 0 leaves holes.
        window_px: Median motion over a window of an estimator that tells nothing of instants: longer is less noise,
            but longer ago.
        params: Of the estimator.
    """

    def __init__(
        self,
        name: str,
        height: int,
        width: int,
        *,
        max_age_s: float,
        fill_px: float,
        window_px: float = 6.0,
        **params: Any,
    ) -> None:
        self._name, self._shape, self._params = name, (height, width), params
        self._max_age_ns, self._fill_px = round(max_age_s * 1e9), fill_px
        self._window = FlowWindowConfig(period_s=PERIOD_S, displacement_px=window_px)
        self._unknown = np.zeros((2, height, width), np.float32), np.zeros((height, width), bool)
        self.reset()

    def reset(self) -> None:
        """Forget all flow."""
        self._fields: deque[FlowField] = deque(maxlen=MEMORY)
        self._trend: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=LINE_FIELDS)
        self._estimator: Any = None
        self._windows = WindowMemory(self._window.longest_s)
        self._told_ns: int | None = None
        self._begin_ns: int | None = None
        if self._name != STAGE:
            self._estimator = flow.create(self._name, ideal_camera(*self._shape), **self._params)

    def add(self, field: FlowField) -> None:
        """Take a field from outside."""
        if self._estimator is None:
            self._keep(field)

    def _keep(self, field: FlowField) -> None:
        if field.valid.any():
            self._fields.append(filled(field, self._fill_px) if self._fill_px else field)
            self._trend.append((field.t_ref_ns, affine_part(field)))

    def look(self, events: EventArray, start_ns: int, end_ns: int) -> None:
        """Show the events of [start, end), sorted by time, to the own estimator."""
        if self._estimator is None:
            return
        a, b = np.searchsorted(events.t_ns, [start_ns, end_ns])
        window = EventWindow.from_events(events[a:b], t0_ns=start_ns, t1_ns=end_ns)
        if hasattr(self._estimator, 'at'):
            self._estimator.push(window)
            return
        self._windows.push(window)
        self._begin_ns = start_ns if self._begin_ns is None else self._begin_ns
        if end_ns - self._begin_ns < round(self._window.first_s * 1e9):
            return  # a shorter first window shows too little motion, and what follows starts from what it said
        if self._told_ns is None or end_ns - self._told_ns >= round(self._window.period_s * 1e9):
            self._told_ns = end_ns
            length_s = self._window.length_s(getattr(self._estimator, 'speed_px_s', None))
            self._keep(self._estimator.update(self._windows.latest(length_s)))

    def at(self, t_ns: int, seen_ns: int) -> FlowField:
        """Flow at an instant, as far as it was known when events up to another had been seen."""
        if hasattr(self._estimator, 'at'):
            here: FlowField = self._estimator.at(t_ns)
            return here
        fields = [field for field in self._fields if field.t_ref_ns <= seen_ns]
        before = [field for field in fields if field.t_ref_ns <= t_ns]
        after = [field for field in fields if field.t_ref_ns > t_ns]
        if before and after and after[0].t_ref_ns - before[-1].t_ref_ns <= self._max_age_ns:
            return _between(before[-1], after[0], t_ns)
        nearest = min(fields, key=lambda field: abs(field.t_ref_ns - t_ns), default=None)
        if nearest is None or abs(nearest.t_ref_ns - t_ns) > self._max_age_ns:
            return FlowField(t_ns, *self._unknown)
        return self._carried(nearest, t_ns)

    def _carried(self, field: FlowField, t_ns: int) -> FlowField:
        """The field at another instant: it changes as the affine part of the last fields does."""
        if len(self._trend) < LINE_FIELDS:
            return FlowField(t_ns, field.flow_px_s, field.valid)
        t_s = np.array([(t - self._trend[-1][0]) * 1e-9 for t, _ in self._trend])
        t_s -= t_s.mean()
        slope = np.tensordot(t_s, np.stack([part for _, part in self._trend]), 1) / max(
            float(t_s @ t_s), 1e-12
        )
        change = affine_part_to_field(slope * (t_ns - field.t_ref_ns) * 1e-9, *self._shape)
        return FlowField(t_ns, field.flow_px_s + change, field.valid)


def _between(a: FlowField, b: FlowField, t_ns: int) -> FlowField:
    """Linear interpolation in time; valid where both are."""
    share = np.float32((t_ns - a.t_ref_ns) / (b.t_ref_ns - a.t_ref_ns))
    return FlowField(t_ns, a.flow_px_s + share * (b.flow_px_s - a.flow_px_s), a.valid & b.valid)


def filled(field: FlowField, reach_px: float) -> FlowField:
    """The field with holes filled by the weighted mean around them, as far as ``reach_px``."""
    if field.valid.all():
        return field
    H, W = field.valid.shape
    size = (max(1, -(-W // SHRINK)), max(1, -(-H // SHRINK)))

    def wide(values: NDArray[np.float32]) -> NDArray[np.float32]:
        small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), max(reach_px / SHRINK / 2, 0.5))
        return np.asarray(cv2.resize(small, (W, H), interpolation=cv2.INTER_LINEAR), np.float32)

    known = field.valid.astype(np.float32)
    share = wide(known)
    valid = field.valid | (share > LEAST_SHARE)
    per_share = np.where(valid, 1 / np.maximum(share, LEAST_SHARE), 0).astype(np.float32)
    around = np.stack([wide(component * known) * per_share for component in field.flow_px_s])
    return FlowField(field.t_ref_ns, np.where(field.valid, field.flow_px_s, around), valid)


def ideal_camera(height: int, width: int) -> CameraModel:
    """A camera for estimators that use nothing of it but the size."""
    return CameraModel(
        float(width), float(width), 0.5 * (width - 1), 0.5 * (height - 1), height=height, width=width
    )


def affine_part(field: FlowField) -> NDArray[np.float64]:
    """Least squares of 1, x, y on what is valid of a field, (3, 2), px/s; x and y from -1 to 1 across the width."""
    y, x = np.nonzero(field.valid[::SHRINK, ::SHRINK])
    H, W = field.valid.shape
    basis = np.stack([np.ones(len(x)), (2 * SHRINK * x - W) / W, (2 * SHRINK * y - H) / W], axis=1)
    values = field.flow_px_s[:, ::SHRINK, ::SHRINK][:, y, x].T.astype(np.float64)
    return np.asarray(np.linalg.lstsq(basis, values, rcond=None)[0])


def affine_part_to_field(part: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """The field (2, H, W) of what ``affine_part`` gives."""
    x = ((2 * np.arange(width) - width) / width).astype(np.float32)
    y = ((2 * np.arange(height) - height) / width).astype(np.float32)
    (c, along, across) = part.astype(np.float32)
    return c[:, None, None] + along[:, None, None] * x + across[:, None, None] * y[:, None]
