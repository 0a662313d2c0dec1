# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Flow from spikes: patches of two reconstructed images a moment apart, matched both ways.

    images I(t - g/2), I(t + g/2)        g so that a few pixels of motion lie between; by a spike reconstruction of this package
    forward  f: patches of the first found in the second;  backward b: the other way round
    flow at t = (f(x - d/2) - b(x + d/2)) / 2 / g,   d = (f - b) / 2
    valid: |f + b| small, patches that correlate, texture that pins both components down, and spikes between the images

In the dark two images a moment apart are made of the same spikes. They agree both ways, and show too little motion: so
the gap grows with the time between spikes, and where fewer fall into it flow is not valid.

Source of the matching: Kroeger, Timofte, Dai and Van Gool, Fast optical flow using dense inverse search, ECCV 2016,
in OpenCV's implementation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from event_perception import images
from event_perception.config import param
from event_perception.events import SpikeStream
from event_perception.flow.field import FlowField

Image = NDArray[np.float32]
PRESETS = {
    'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
    'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
    'ultrafast': cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
}


@dataclass(frozen=True, slots=True)
class SpikeFlowConfig:
    """How images are made from spikes, matched and judged."""

    reconstruction: str = param('ati', 'Registered image reconstruction from spikes, at its defaults.')
    period_s: float = param(0.01, 'Time between fields of flow, seconds.', ge=1e-4, le=10.0)
    first_gap_s: float = param(
        0.002,
        'Time between the two images that are matched while the speed is not known, seconds.',
        ge=1e-4,
        le=1.0,
    )
    shortest_gap_s: float = param(2e-4, 'Shortest time between them, seconds.', ge=1e-5, le=1.0)
    longest_gap_s: float = param(
        0.02, 'Longest time between them, seconds; never longer than the period.', ge=1e-4, le=1.0
    )
    displacement_px: float = param(
        4.0, 'Median motion between them, which the time is chosen for, px.', ge=0.5, le=50.0
    )
    spikes_between: float = param(
        0.75,
        'In the dark that time is longer, until the median pixel fires this often between the images: less, and both '
        'are made of the same spikes, which shows too little motion.',
        ge=0.0,
    )
    longest_displacement_px: float = param(
        12.0, 'But never longer than for this median motion, px.', ge=0.5, le=100.0
    )
    min_spikes_between: float = param(
        0.4,
        'Flow is valid where pixels, in the mean around, fire at least this often between the images.',
        ge=0.0,
    )
    least_valid: float = param(
        0.2, 'With a smaller share of valid pixels the time is halved.', ge=0.0, le=1.0
    )
    preset: Literal['ultrafast', 'fast', 'medium'] = param('medium', 'Effort of the matching.')
    blur_px: float = param(1.0, 'Blur of the images before, against noise, px; 0 for none.', ge=0.0, le=10.0)
    white_percent: float = param(99.5, 'Percentile of the brightness that becomes white.', ge=51.0, le=100.0)
    max_disagreement_px: float = param(
        0.5, 'Forward and backward flow may differ by this, px, plus a tenth of the displacement.', ge=0.0
    )
    min_correlation: float = param(
        0.7,
        'Least correlation of the two patches after the motion; noise alone does not correlate.',
        ge=-1.0,
        le=1.0,
    )
    min_texture: float = param(
        0.002,
        'Least root of the smaller eigenvalue of the structure tensor, relative to white, per px.',
        ge=0.0,
    )
    texture_px: float = param(4.0, 'Sigma of the window of the structure tensor, px.', ge=0.5, le=64.0)


class SpikeFlow:
    """Flow at the multiples of a period, as late as the images need to see beyond them.

    Args:
        config: Parameters; None for the defaults.
        height: Sensor rows.
        width: Sensor columns.

    Attributes:
        restarts: How often the planes were not in sequence and everything began again.
    """

    config_type: ClassVar[type[SpikeFlowConfig]] = SpikeFlowConfig

    def __init__(self, config: SpikeFlowConfig | None = None, *, height: int, width: int) -> None:
        self.config = config or SpikeFlowConfig()
        self._shape = (height, width)
        self._matcher = cv2.DISOpticalFlow.create(PRESETS[self.config.preset])
        self.restarts = 0
        self._begin()

    def _begin(self) -> None:
        self._method: Any = images.create(
            self.config.reconstruction, height=self._shape[0], width=self._shape[1]
        )
        self._next_ns: int | None = None
        self._first: Image | None = None
        self._end_ns: int | None = None
        self._gap_ns = self._allowed_ns(self.config.first_gap_s)
        self._plane_s: float | None = None

    def push(self, spikes: SpikeStream) -> Iterator[FlowField]:
        """Add planes; yields the flow of every instant that has been seen far enough beyond.

        Raises:
            DataError: If the planes are of another size.
        """
        if not len(spikes):
            return
        if self._end_ns is not None and abs(spikes.start_ns - self._end_ns) >= spikes.plane_period_ns:
            self.restarts += 1
            self._begin()
        period_ns, self._plane_s = round(self.config.period_s * 1e9), spikes.plane_period_ns * 1e-9
        ahead = int(getattr(self._method, 'lookahead_planes', 0))
        if self._next_ns is None:
            self._next_ns = -(-(spikes.start_ns + self._gap_ns // 2) // period_ns) * period_ns
        for start in range(0, len(spikes), PLANES_AT_ONCE):
            part = spikes[start : start + PLANES_AT_ONCE]
            self._method.push(part)
            self._end_ns = part.next_ns
            yield from self._due(part.next_ns - ahead * part.plane_period_ns, period_ns)

    def _due(self, seen_ns: int, period_ns: int) -> Iterator[FlowField]:
        """Take the images that have become possible, and match the pairs that are complete."""
        while self._next_ns is not None:
            half_ns = self._gap_ns // 2
            if self._first is None:
                if self._next_ns - half_ns >= seen_ns:
                    return
                self._first = self._image(self._next_ns - half_ns)
            if self._next_ns + half_ns >= seen_ns:
                return
            second = self._image(self._next_ns + half_ns)
            field = self.match(self._first, second, self._next_ns, 2e-9 * half_ns)
            self._choose_gap(field, float(np.median(second)))
            yield field
            self._first, self._next_ns = None, self._next_ns + period_ns

    def _image(self, t_ns: int) -> Image:
        image: Image = self._method.image(t_ns)
        return image

    def match(self, first: Image, second: Image, t_ns: int, gap_s: float) -> FlowField:
        """Flow between two images, float32 (H, W), ``gap_s`` apart, at the instant between them."""
        config = self.config
        white = max(float(np.percentile(first[::4, ::4], config.white_percent)), 1e-6)
        a, b = (self._smoothed(image / np.float32(white)) for image in (first, second))
        grey = [(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in (a, b)]
        forward, backward = self._displacement(*grey), self._displacement(*grey[::-1])
        halfway = 0.25 * (forward - backward)
        # A point is at x - d/2 in the first image and at x + d/2 in the second.
        forward, backward = _sampled(forward, -halfway), _sampled(backward, halfway)
        displacement = 0.5 * (forward - backward)
        apart = np.linalg.norm(forward + backward, axis=2)
        allowed = config.max_disagreement_px + 0.05 * np.linalg.norm(displacement, axis=2)
        pinned = texture(0.5 * (a + b), config.texture_px) >= config.min_texture
        alike = correlation(
            _sampled(a, -0.5 * displacement), _sampled(b, 0.5 * displacement), config.texture_px
        )
        valid = (apart <= allowed) & pinned & (alike >= config.min_correlation)
        valid &= self._apart_in_spikes(first, gap_s)
        flow = np.moveaxis(displacement, 2, 0) / np.float32(gap_s) * valid
        return FlowField(t_ns, np.ascontiguousarray(flow, np.float32), valid)

    def _displacement(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Image:
        return np.asarray(
            self._matcher.calc(first, second, np.zeros((*first.shape, 2), np.float32)), np.float32
        )

    def _apart_in_spikes(self, image: Image, gap_s: float) -> NDArray[np.bool_]:
        """Where enough spikes fall between the two images: they share none, and can tell motion apart."""
        if self._plane_s is None:
            return np.ones(image.shape, bool)
        around = cv2.GaussianBlur(image, (0, 0), self.config.texture_px)
        return np.asarray(around * np.float32(gap_s / self._plane_s) >= self.config.min_spikes_between)

    def _choose_gap(self, field: FlowField, rate: float) -> None:
        """A time in which the image moves by the displacement asked for, and a pixel of this rate per plane fires."""
        config, gap_s = self.config, 0.5e-9 * self._gap_ns
        if field.valid.mean() >= config.least_valid:
            speed = float(np.median(np.linalg.norm(field.flow_px_s[:, field.valid], axis=0)))
            gap_s = config.displacement_px / max(speed, 1e-6)
            to_fire_s = config.spikes_between * (self._plane_s or 0.0) / max(rate, 1e-6)
            gap_s = max(gap_s, min(to_fire_s, config.longest_displacement_px / max(speed, 1e-6)))
        self._gap_ns = self._allowed_ns(gap_s)

    def _allowed_ns(self, gap_s: float) -> int:
        """At most the period: the first image of a pair must not lie before the second of the last pair."""
        longest_s = min(self.config.longest_gap_s, self.config.period_s)
        return round(1e9 * max(min(gap_s, longest_s), min(self.config.shortest_gap_s, longest_s)))

    def _smoothed(self, image: Image) -> Image:
        if not self.config.blur_px:
            return image
        return np.asarray(cv2.GaussianBlur(image, (0, 0), self.config.blur_px), np.float32)


PLANES_AT_ONCE = (
    64  # taken before images are read: a reconstruction remembers little more than it looks ahead
)


def correlation(first: Image, second: Image, sigma_px: float) -> Image:
    """Correlation of two images under a Gaussian window around every pixel, (H, W); 0 where one is constant."""
    mean, other = (cv2.GaussianBlur(image, (0, 0), sigma_px) for image in (first, second))
    pairs = ((first, first, mean, mean), (first, second, mean, other), (second, second, other, other))
    xx, xy, yy = (cv2.GaussianBlur(p * q, (0, 0), sigma_px) - u * v for p, q, u, v in pairs)
    return np.asarray(xy / np.sqrt(np.maximum(np.maximum(xx, 0) * np.maximum(yy, 0), 1e-12)), np.float32)


def _sampled(values: Image, offset: Image) -> Image:
    """values(x + offset(x)), (H, W) or (H, W, 2), for an offset (H, W, 2)."""
    H, W = values.shape[:2]
    x, y = np.meshgrid(np.arange(W, dtype=np.float32), np.arange(H, dtype=np.float32))
    moved = cv2.remap(
        values,
        x + offset[..., 0],
        y + offset[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32)


def texture(image: Image, sigma_px: float) -> Image:
    """Root of the smaller eigenvalue of the structure tensor, (H, W): 0 on flat places and on straight edges.

    Source: Shi and Tomasi, Good features to track, CVPR 1994.
    """
    gx = cv2.Scharr(image, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(image, cv2.CV_32F, 0, 1, scale=1 / 32)
    xx, xy, yy = (cv2.GaussianBlur(g, (0, 0), sigma_px) for g in (gx * gx, gx * gy, gy * gy))
    smaller = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy * xy)
    return np.asarray(np.sqrt(np.maximum(smaller, 0)), np.float32)
